"""How fast hosted pictures are made, and what waiting for them costs, when the far end takes ten seconds for each.

`./uvw run python -m benchmarks.calls_speed` writes the table to `benchmarks/calls_speed.md`; `--only stop` measures one
part. The far end is that of Black Forest Labs (`tests/wires`), which runs 24 calls at once, in a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.running_platform import Measured, ask, machine, memory_of, running_platform, tree_of, wait_until_ended
from posegen.backends.registry import Backends
from posegen.database.connection import Database
from posegen.generations.asking import claims, intake
from posegen.generations.asking.judging import Prices
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.pictures import Photographer, maker_for
from posegen.generations.making.quality import Gate
from posegen.generations.rows import poses
from posegen.policy.policy import read_policy
from posegen.settings import PROJECT_ROOT, Settings
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from posegen.upkeep.preparing import prepare_database
from posegen.work.keeper import LeaseKeeper
from tests.builders import a_request, a_user
from tests.concurrency import until
from tests.servers import fresh_database, running_postgres

BACKEND = "bfl"
CALLS_OUT = 24
# As many runs may wait as calls may be out.
SETTINGS = {"POSEGEN_BACKENDS_OFFERED": BACKEND, "POSEGEN_MAX_WAITING": str(CALLS_OUT)}
POSES = ["walking-towards-viewer", "box-in-both-hands", "phone-selfie", "sitting-legs-crossed", "star-jump"]
FORMATS = ["instagram_post"]
POSES_OF_ONE, GENERATIONS_OF_ONE, PICTURES_OF_THE_CLIENT = 50, 100, 48
# So long after the last process is gone no call may have been begun.
AFTERWARDS_SECONDS = 15.0
GB = 1e9
# Of generations: no two of their poses share one, or they would be one picture to the far end.
_SEEDS = itertools.count(1_000, 1_000)


@dataclass(frozen=True)
class Line:
    """A line of the table. `goal`: at most, in the unit of `value`; None where there is none."""

    what: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def is_missed(self) -> bool:
        """Whether the goal is missed."""
        return self.goal is not None and self.value > self.goal

    def __str__(self) -> str:
        goal = "" if self.goal is None else f"{self.goal:g} {self.unit}"
        return f"| {self.what} | {self.value:.2f} {self.unit} | {goal} |"


@dataclass(frozen=True)
class FarEndProcess:
    """The far end of a wire in a process of its own. `environment`: the variables that point a client there."""

    url: str
    environment: Mapping[str, str]

    def submissions(self) -> list[dict[str, Any]]:
        """What it has taken."""
        return list(self._ledger()["submissions"])

    def paid_twice(self) -> int:
        """How many pictures are billed more than once."""
        return len(self._ledger()["paid_twice"])

    def _ledger(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/__ledger") as response:
            ledger: dict[str, Any] = json.load(response)
            return ledger


def main() -> None:
    """Measure, print, and write the table. Exit code 1 when a goal is missed."""
    options = _options()
    where = machine()
    lines = [line for name in options.only or PARTS for line in PARTS[name](options.seconds)]
    page = _page(where, options, lines)
    if options.write:
        Path(__file__).with_suffix(".md").write_text(page)
    print(page)
    raise SystemExit(1 if any(line.is_missed for line in lines) else 0)


# --- throughput -------------------------------------------------------------------------------------------------------


def one_generation(seconds: float) -> Iterator[Line]:
    """One generation of 50 poses."""
    with _far_end(seconds) as far_end, running_platform({**SETTINGS, **far_end.environment}) as platform:
        _warm_up(platform)
        with _Watch(platform) as watch:
            began = time.monotonic()
            generation = _ask(platform, POSES, variations=POSES_OF_ONE // len(POSES))
            until(lambda: _completed(platform, generation) == POSES_OF_ONE, seconds=600)
            stored = time.monotonic() - began
            wait_until_ended(platform.database, [generation], seconds=600)
            ended = time.monotonic() - began
        goal = _goal(seconds, 40)
        yield Line(f"{POSES_OF_ONE} poses of one generation, until the last one is completed", stored, "s", goal)
        yield Line("the same, until their exports are stored, too", ended, "s")
        yield Line("the same, most calls out at once", float(watch.most_out), "calls")
        yield Line("the same, pictures paid for twice", float(far_end.paid_twice()), "pictures", 0)


def many_generations(seconds: float) -> Iterator[Line]:
    """A hundred generations of one pose."""
    with _far_end(seconds) as far_end, running_platform({**SETTINGS, **far_end.environment}) as platform:
        _warm_up(platform)
        with _Watch(platform) as watch:
            began = time.monotonic()
            asked = [_ask(platform, [POSES[number % len(POSES)]]) for number in range(GENERATIONS_OF_ONE)]
            wait_until_ended(platform.database, asked, seconds=1200)
            took = time.monotonic() - began
        what = f"{GENERATIONS_OF_ONE} generations of one pose"
        yield Line(f"{what}, until the last one is completed", took, "s", _goal(seconds, 90))
        yield Line(f"{what}, most memory of all processes and PostgreSQL", watch.most_memory / GB, "GB", 3)
        yield Line(f"{what}, most calls out at once", float(watch.most_out), "calls")
        yield Line(f"{what}, pictures paid for twice", float(far_end.paid_twice()), "pictures", 0)


# --- being stopped ----------------------------------------------------------------------------------------------------


def stop(seconds: float) -> Iterator[Line]:
    """SIGTERM to `posegen up` while calls are out: on a queue, and on a wire whose submit returns the picture."""
    for wire in (BACKEND, "openai"):
        yield from _stop(wire, seconds)


def _stop(wire: str, seconds: float) -> Iterator[Line]:
    settings = {**SETTINGS, "POSEGEN_BACKENDS_OFFERED": wire}
    with _far_end(seconds, wire) as far_end, running_platform({**settings, **far_end.environment}) as platform:
        _warm_up(platform, wire)
        warm = len(far_end.submissions())
        _ask(platform, POSES, variations=10, backend=wire)
        until(lambda: len(far_end.submissions()) > warm, seconds=60)
        time.sleep(min(3.0, seconds / 3))  # all that may be out are
        processes = tree_of(platform.pid)
        out = len(far_end.submissions()) - warm
        os.kill(platform.pid, signal.SIGTERM)
        at, told = time.time(), time.monotonic()
        gone: dict[str, float] = {}
        while any(map(_is_alive, processes)):
            if "runs" not in gone and not any(_is_alive(pid) for pid, name in processes.items() if name == "runs"):
                gone["runs"] = time.monotonic() - told
            time.sleep(0.02)
        everything = time.monotonic() - told
        time.sleep(AFTERWARDS_SECONDS)
        late = sum(each["at"] > at + 2 for each in far_end.submissions())
        what = f"SIGTERM to `posegen up` with {out} calls of `{wire}` out"
        yield Line(f"{what}, until its runs are gone", gone.get("runs", everything), "s", 2)
        yield Line(f"{what}, until everything is gone", everything, "s")
        yield Line(f"{what}, calls begun more than 2 s later", float(late), "calls", 0)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- the client -------------------------------------------------------------------------------------------------------


def client(seconds: float) -> Iterator[Line]:
    """The calls of 48 pictures in this process, with their rows and files, and nothing else of a run."""
    with (
        tempfile.TemporaryDirectory(prefix="posegen-calls-") as folder,
        _far_end(seconds) as far_end,
        running_postgres(Path(folder) / "server") as urls,
        fresh_database(urls) as url,
        Database(url, most_connections=CALLS_OUT) as database,
    ):
        prepare_database(database, base_urls={"local": "/media", "s3": None})
        with _environment(far_end.environment):
            backends = Backends.of(Settings())
        studio = Studio(
            database=database,
            store=LocalStore(Path(folder) / "store", base_url="/media"),
            open_backend=lambda _: (_ for _ in ()).throw(NotImplementedError),
            open_hosted=backends.open_hosted,
            describe=backends.descriptions.get,
        )
        _fetch(studio, backends, pictures=1)  # imports the client, and connects
        before = time.process_time()
        _fetch(studio, backends, pictures=PICTURES_OF_THE_CLIENT)
        cpu = (time.process_time() - before) / PICTURES_OF_THE_CLIENT
        backends.close()
        yield Line(
            f"CPU of the client for each of {PICTURES_OF_THE_CLIENT} pictures: submit, looks, file, rows, store",
            cpu * 1000,
            "ms",
            25,
        )


def _fetch(studio: Studio, backends: Backends, *, pictures: int) -> None:
    database = studio.database
    user = a_user(database, credits=1_000_000, storage_limit=10**12)
    generation = a_request(database, user, variations=pictures, backend=BACKEND, formats=FORMATS)
    intake.take_in(
        database,
        default_backend=BACKEND,
        prices=Prices(pose=1),
        policy=read_policy(None),
        draw_seed=lambda: 1,
        limit=10,
        backends=backends.descriptions,
    )
    (claim,) = (each for each in claims.claim_next(database, most_running=10) if each.id == generation)
    lease = claims.start_work(database, claim.id, dispatch=claim.dispatch, run_id=str(generation), lease_seconds=60)
    assert lease is not None, "nothing else ends the generation"
    with database.transaction() as connection:
        todo = poses.open_poses(connection, generation)
    with (
        LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper,
        maker_for(studio, lease, keeper, Gate({}), threading.Event(), backend=BACKEND) as maker,
        ThreadPoolExecutor(CALLS_OUT) as threads,
    ):
        assert isinstance(maker, Photographer), "a hosted backend has its pictures made elsewhere"
        list(threads.map(lambda pose: maker.caller.fetch(maker._wanted(pose)), todo))


# --- around them ------------------------------------------------------------------------------------------------------


@dataclass
class _Watch:
    """Looks at a platform once a second. `most_memory`: bytes; `most_out`: calls that are accepted."""

    platform: Measured
    most_memory: int = 0
    most_out: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> _Watch:
        self._threads = ThreadPoolExecutor(1)
        self._looking = self._threads.submit(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._threads.shutdown()
        self._looking.result()  # raises what has ended it

    def _look(self) -> None:
        out = "select count(*) as number from backend_calls where state in ('sent', 'accepted')"
        while not self._stopped.wait(1):
            self.most_memory = max(self.most_memory, memory_of(self.platform))
            self.most_out = max(self.most_out, _number(self.platform, out))


def _ask(platform: Measured, slugs: Sequence[str], *, variations: int = 1, backend: str = BACKEND) -> UUID:
    with platform.database.transaction() as connection:
        return ask(connection, platform.user, slugs, FORMATS, variations=variations, backend=backend, seed=next(_SEEDS))


def _warm_up(platform: Measured, backend: str = BACKEND) -> None:
    """The first picture imports what the later ones need."""
    wait_until_ended(platform.database, [_ask(platform, POSES[:1], backend=backend)], seconds=300)


def _completed(platform: Measured, generation: UUID) -> int:
    return _number(platform, "select poses_completed as number from generations where id = %s", generation)


def _number(platform: Measured, query: str, *values: object) -> int:
    with platform.database.transaction() as connection:
        row = connection.execute(query, values).fetchone()
    assert row is not None, "each of these queries returns a row"
    return int(row["number"])


def _goal(seconds: float, goal: float) -> float | None:
    """Goals are for pictures of ten seconds."""
    return goal if seconds == 10 else None


@contextmanager
def _far_end(seconds: float, wire: str = BACKEND) -> Iterator[FarEndProcess]:
    command = [sys.executable, "-m", "tests.wires", wire, "--seconds", f"{seconds:g}", "--concurrency", str(CALLS_OUT)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)
    assert process.stdout is not None, "it is piped"
    try:
        said = ""
        while "/__ledger" not in said:
            line = process.stdout.readline()
            assert line, f"the far end has ended: {said}"
            said += line
        exports = dict(re.findall(r"^export (\w+)=(.*)$", said, re.MULTILINE))
        (url,) = set(re.findall(r"ledger: (\S+)/__ledger", said))
        yield FarEndProcess(url, exports)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _page(where: str, options: argparse.Namespace, lines: Sequence[Line]) -> str:
    only = "".join(f" --only {name}" for name in options.only or ())
    seconds = "" if options.seconds == 10 else f" --seconds {options.seconds:g}"
    return "\n".join(
        [
            "# Speed of hosted calls",
            "",
            f"`./uvw run python -m benchmarks.calls_speed{only}{seconds}`: the far end takes {options.seconds:g} s for",
            f"a picture, and makes {CALLS_OUT} at once. {where}.",
            "",
            "| what | measured | goal |",
            "|---|---:|---:|",
            *map(str, lines),
            "",
        ]
    )


PARTS: Mapping[str, Callable[[float], Iterator[Line]]] = {
    "poses": one_generation,
    "generations": many_generations,
    "stop": stop,
    "client": client,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls_speed", description="Speed of hosted calls.")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part; may be given again")
    parser.add_argument("--seconds", type=float, default=10.0, help="for a picture (default: %(default)s)")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave the page as it is")
    return parser.parse_args()


if __name__ == "__main__":
    main()
