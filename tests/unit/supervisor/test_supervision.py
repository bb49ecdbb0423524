from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from posegen.errors import PlatformUnusable
from posegen.settings import PROJECT_ROOT
from posegen.supervisor.process_groups import Patience, members, send
from posegen.supervisor.processes import Backoff, Program, Surroundings
from posegen.supervisor.supervision import Happening, Supervisor
from tests.concurrency import until

Python = Callable[..., Program]

MARK = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
SERVES = f"import time; {MARK}; print('serving'); time.sleep(600)"
SLEEPS = "import time; time.sleep(600)"
LINGERS = f"import signal; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1.5), exit())); {SLEEPS}"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}"


def starts(child: str) -> str:
    """Code of a program that starts `child`, which has the same arguments, and sleeps."""
    return f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}, *sys.argv[1:]]); {SLEEPS}"


def serves_with(child: str) -> str:
    """Code of a program that starts `child` and serves."""
    return f"{MARK}; {starts(child)}"


@contextmanager
def running(stages: list[list[Program]], surroundings: Surroundings, **options: object) -> Iterator[Supervisor]:
    supervisor = Supervisor(stages, surroundings, **options)
    assert supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


def test_a_stage_starts_when_the_one_before_it_is_ready(python: Python, surroundings: Surroundings):
    happened: list[Happening] = []
    first, second, third = python("first", SERVES), python("second", SERVES), python("third", SERVES)

    with running([[first], [second, third]], surroundings, report=happened.append):
        told = [(happening.process, happening.what) for happening in happened]

    assert told[:4] == [("first", "started"), ("first", "ready"), ("second", "started"), ("third", "started")]
    assert set(told[4:]) == {("second", "ready"), ("third", "ready")}


def test_a_stop_leaves_no_process_not_even_a_deaf_grandchild(python: Python, surroundings: Surroundings):
    happened: list[Happening] = []
    patience = Patience(idle=0.5, busy=0.5)
    program = python("server", starts(DEAF))  # ready when the grandchild is deaf
    with running([[program]], surroundings, patience=patience, report=happened.append) as supervisor:
        group = supervisor.pids()["server"]
        until(lambda: len(members(group)) == 2)

    assert members(group) == []
    assert happened[-1] == Happening("server", "killed", "it did not end in time")


def test_what_dies_is_started_again_and_waits_longer_each_time(python: Python, surroundings: Surroundings):
    happened: list[Happening] = []
    backoff = Backoff(first=0.01, longest=10, forgiven_after=math.inf)
    program = python("server", SERVES)
    with running([[program]], surroundings, report=happened.append, backoff=backoff) as supervisor:
        for life in (1, 2, 3):
            until(lambda: [happening.what for happening in happened].count("ready") == life)  # noqa: B023
            os.kill(supervisor.pids()["server"], signal.SIGKILL)
            until(lambda: [happening.what for happening in happened].count("died") == life)  # noqa: B023

    deaths = [happening.detail for happening in happened if happening.what == "died"]
    for wait, death in zip((0.01, 0.02, 0.04), deaths, strict=False):
        assert f"starts again in {wait} s" in death


def test_what_a_dead_process_leaves_behind_ends_before_its_successor_starts(python: Python, surroundings: Surroundings):
    with running([[python("server", serves_with(LINGERS))]], surroundings) as supervisor:
        first = supervisor.pids()["server"]
        until(lambda: len(members(first)) == 2)
        os.kill(first, signal.SIGKILL)
        until(lambda: supervisor.pids().get("server", first) != first)

        assert members(first) == []


def test_a_program_that_ends_before_it_is_ready_stops_it_all(python: Python, surroundings: Surroundings):
    broken = python("broken", "print('what is missing'); raise SystemExit(7)")
    supervisor = Supervisor([[python("first", SERVES)], [broken]], surroundings)

    with pytest.raises(PlatformUnusable, match=r"(?s)broken ended with exit code 7 .*what is missing"):
        supervisor.start()
    assert supervisor.pids() == {}


def test_a_program_that_is_never_ready_is_given_up(python: Python, surroundings: Surroundings):
    supervisor = Supervisor([[python("slow", SLEEPS)]], surroundings, start_seconds=0.5)

    with pytest.raises(PlatformUnusable, match="slow was not ready after"):
        supervisor.start()
    assert supervisor.pids() == {}


def test_a_stop_while_it_starts_is_heard(python: Python, surroundings: Surroundings):
    never_ready = python("slow", SLEEPS)
    supervisor = Supervisor(
        [[never_ready], [python("next", SERVES)]], surroundings, report=lambda _: supervisor.request_stop()
    )

    assert supervisor.start() is False
    supervisor.stop()
    assert not (surroundings.logs / "next.log").exists()


def test_lines_are_passed_on_with_the_name_of_their_process(python: Python, surroundings: Surroundings):
    lines: list[tuple[str, str]] = []
    with running([[python("server", SERVES)]], surroundings, echo=lambda *line: lines.append(line)):
        until(lambda: lines)

    assert lines == [("server", "serving")]


@contextmanager
def supervising_process(tmp_path: Path, code: str, *wrapper: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    script = Path(__file__).with_name("supervised.py")
    command = [*wrapper, sys.executable, str(script), str(tmp_path), str(tmp_path / "mark"), code]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        yield process, child
    finally:
        for group in (process.pid, child):
            send(group, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("also_the_guard", [False, True])
def test_nothing_outlives_a_supervisor_that_was_killed(tmp_path: Path, also_the_guard: bool):
    with supervising_process(tmp_path, SERVES) as (supervisor, child):
        if also_the_guard:
            [guard] = children_of(supervisor.pid, "posegen.supervisor.guard")
            os.kill(guard, signal.SIGKILL)
        supervisor.kill()

        until(lambda: members(child) == [])


@pytest.mark.parametrize("replaced", [False, True])
def test_the_guard_ends_what_the_children_of_a_killed_supervisor_have_started(tmp_path: Path, replaced: bool):
    with supervising_process(tmp_path, serves_with(SLEEPS)) as (supervisor, child):
        until(lambda: len(members(child)) == 2)
        if replaced:
            [guard] = children_of(supervisor.pid, "posegen.supervisor.guard")
            os.kill(guard, signal.SIGKILL)
            until(lambda: children_of(supervisor.pid, "posegen.supervisor.guard") not in ([guard], []))
        supervisor.kill()

        until(lambda: members(child) == [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_it_also_in_the_background_of_a_shell(tmp_path: Path, number: signal.Signals):
    in_background = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    with supervising_process(tmp_path, SERVES, *in_background) as (supervisor, child):
        supervisor.send_signal(number)

        assert supervisor.wait(timeout=180) == 0
        assert members(child) == []


def children_of(parent: int, command: str) -> list[int]:
    """The children that were started with `command` somewhere in their command line."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    pids = [int(pid) for thread in children for pid in thread.read_text().split()]
    return [pid for pid in pids if command.encode() in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    """Of a process that may have ended meanwhile: then it is empty."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
