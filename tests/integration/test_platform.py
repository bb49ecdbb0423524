"""The processes of `posegen up`, started, used, signalled and killed for real, with an embedded database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from posegen.database.embedded import EmbeddedServer
from posegen.errors import PlatformUnusable
from posegen.running_platform import find_platform, hold_home
from posegen.settings import PROJECT_ROOT
from posegen.storage.local import LocalStore
from posegen.supervisor.process_groups import members, run_workers, send
from tests.concurrency import until
from tests.processes import crash_postgres
from tests.servers import remove_cluster

LAUNCH = """
mutation($job: String!) {
  launchRun(executionParams: {
    selector: {repositoryLocationName: "posegen", repositoryName: "__repository__", jobName: $job}, runConfigData: {}
  }) { __typename ... on LaunchRunSuccess {run {runId}} ... on PythonError {message} }
}
"""
STATUS = "query($run: ID!) {runOrError(runId: $run) {... on Run {status}}}"
PICTURE = "poses/g1/p1-0123456789ab.png"


class RefusedError(Exception):
    """The webserver answers, and does not start the run."""


@dataclass
class Up:
    """A running platform, seen from outside."""

    process: subprocess.Popen[str]
    url: str
    pids: dict[str, int]
    database: str

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=180) as answer:
            return bytes(answer.read())

    def ask(self, query: str, **variables: str) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        question = urllib.request.Request(self.url + "/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(question, timeout=180) as answer:
            return json.load(answer)["data"]

    def launch(self, job: str) -> str:
        launched = self.ask(LAUNCH, job=job)["launchRun"]
        if launched["__typename"] != "LaunchRunSuccess":
            raise RefusedError(launched)
        return launched["run"]["runId"]

    def status(self, run: str) -> str:
        return self.ask(STATUS, run=run)["runOrError"]["status"]

    def launch_and_wait_until_busy(self) -> str:
        run = self.launch("resting")
        until(lambda: self.status(run) == "STARTED")
        return run

    def alive(self) -> list[int]:
        return [pid for group in (self.process.pid, *self.pids.values()) for pid in members(group)]

    def cut_power(self) -> None:
        """Kills everything at once, so that nothing is left to tell the others."""
        guards = [pid for pid in children_of(self.process.pid) if pid not in self.pids.values()]
        for group in (self.process.pid, *guards, *self.pids.values()):
            send(group, signal.SIGKILL)
        until(lambda: self.alive() == [])

    def end(self, number: signal.Signals) -> None:
        """Sends the signal and waits until all is over."""
        self.process.send_signal(number)
        assert self.process.wait(timeout=180) == 0


@contextmanager
def up(home: Path, *wrapper: str) -> Iterator[Up]:
    environment = {**os.environ, "POSEGEN_HOME": str(home), "PYTHONPATH": str(PROJECT_ROOT)}
    environment.pop("DATABASE_URL", None)
    command = [*wrapper, sys.executable, str(Path(__file__).with_name("platform_process.py"))]
    with (home / "up.log").open("ab") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, start_new_session=True
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (home / "up.log").read_text()
    running = Up(process, **json.loads(line))
    try:
        yield running
    finally:
        still_runs = process.poll() is None
        for group in (process.pid, *running.pids.values()):
            send(group, signal.SIGKILL)
        process.communicate()
        if still_runs:
            with EmbeddedServer(home):
                pass  # the last one out stops the server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("up")
    yield folder
    remove_cluster(folder)


def test_it_serves_the_ui_and_the_pictures_and_starts_again_what_dies(home: Path):
    before = sorted(PROJECT_ROOT.iterdir())
    LocalStore(home / "storage", base_url="/media").put(PICTURE, b"a picture", content_type="image/png")
    with up(home) as platform:
        assert b"Dagster" in platform.get("/overview")
        assert platform.get(f"/media/{PICTURE}") == b"a picture"

        with pytest.raises(PlatformUnusable, match=str(platform.process.pid)), hold_home(home, "another"):
            pass
        found = find_platform(home)
        assert found is not None
        assert found.url == platform.url

        counting = platform.launch("counting")
        until(lambda: platform.status(counting) == "SUCCESS")

        resting = platform.launch_and_wait_until_busy()
        os.kill(platform.pids["code-server"], signal.SIGKILL)
        until(lambda: platform.status(resting) == "FAILURE")
        os.kill(platform.pids["webserver"], signal.SIGKILL)
        os.kill(platform.pids["daemon"], signal.SIGKILL)
        crash_postgres(platform.database)
        until(lambda: launches(platform, "counting"))

        platform.end(signal.SIGTERM)
        assert platform.alive() == []
    assert sorted(PROJECT_ROOT.iterdir()) == before, "something was written beside the data folder"


def test_whatever_is_killed_the_next_platform_finds_a_clean_table(home: Path):
    with up(home) as platform:
        abandoned = platform.launch_and_wait_until_busy()
        assert run_workers(platform.pids["code-server"])
        platform.process.kill()
        until(lambda: platform.alive() == [])

    with up(home) as platform:
        assert platform.status(abandoned) == "FAILURE", "its process was told to let go"
        cut_off = platform.launch_and_wait_until_busy()
        platform.cut_power()

    # A shell's `&` leaves SIGINT ignored, `nohup` SIGHUP: it still ends with the one, and outlives the other.
    with up(home, "sh", "-c", 'trap "" INT HUP; exec "$@"', "sh") as platform:
        assert platform.status(cut_off) == "FAILURE", "nobody could say so but the next code server"
        platform.process.send_signal(signal.SIGHUP)
        platform.launch_and_wait_until_busy()
        platform.end(signal.SIGINT)
        assert platform.alive() == []


def children_of(parent: int) -> list[int]:
    """The processes that a process has started."""
    threads = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(pid) for thread in threads for pid in thread.read_text().split()]


def launches(platform: Up, job: str) -> bool:
    """Whether a run can be started now and succeeds."""
    try:
        run = platform.launch(job)
    except (OSError, RefusedError):
        return False
    until(lambda: platform.status(run) == "SUCCESS")
    return True
