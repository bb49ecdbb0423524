"""The whole platform under faults: everything that `posegen up` runs, killed and stopped from outside, by its pid."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg

from posegen.database.connection import Database
from posegen.settings import PROJECT_ROOT
from posegen.storage.local import LocalStore
from posegen.supervisor.ports import choose_port
from posegen.supervisor.process_groups import run_workers
from posegen.upkeep.verification import verify
from tests.builders import a_design, an_image_request, newest_image
from tests.faults.evidence import Evidence, Scene, look
from tests.faults.far_end import FarEnd
from tests.faults.promises import AUDIT
from tests.faults.world import BOUNDS, LIBRARY_POSE, SEEDS_PER_GENERATION, SQUARE, sentences
from tests.homes import IN_THE_BACKGROUND, START_SECONDS, UP, Home
from tests.processes import leads_a_group
from tests.servers import remove_cluster

LEASE_SECONDS = 2.0
BEYOND_THE_LEASE = 0.5
SETTLE_SECONDS = 300.0
ASKED_BESIDE = 2
OPEN_AT_LEAST = 4
POSES = 4
PICTURE_SECONDS = 0.5


@dataclass
class FaultyHome(Home):
    """A data folder whose platform renders at the far end, with short leases."""

    far_end_port: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """Of every process that works with this folder."""
        return {
            **super().environment,
            "POSEGEN_LEASE_SECONDS": str(LEASE_SECONDS),
            "POSEGEN_MAX_LOST_LEASES": str(BOUNDS.most_lost_leases),
            "POSEGEN_MAX_ATTEMPTS": str(BOUNDS.most_attempts),
            "POSEGEN_QUALITY_RETRIES": "0",
            "POSEGEN_TESTS_FAR_END": str(self.far_end_port),
        }

    def up(self) -> None:
        """Start it unless it runs, and wait until it says that it is up."""
        if self.is_up:
            return
        port = choose_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{port}"
        log = self.folder / "up.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*IN_THE_BACKGROUND, sys.executable, "-m", "tests.faults.up_with_far_end", "up", "--port", str(port)],
                env=self.environment,
                cwd=PROJECT_ROOT,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.wait(lambda: UP in log.read_text() or not self.is_up, START_SECONDS)
        assert UP in log.read_text(), log.read_text()
        self.read_variables()

    def program(self, name: str) -> int:
        """The process of a program of `up`, as soon as there is one."""

        def found() -> int | None:
            # The fork server and the runs are named like the code server, as its forks.
            started = [pid for pid in self.processes() if f"resources.{name}".encode() in _command(pid)]
            return min(filter(leads_a_group, started), default=None)

        pid: int | None = self.wait(found)
        assert pid is not None
        return pid

    def answers(self) -> bool:
        """Whether the database can be reached, by a new connection: the kept one may outlive a killed server."""
        self.disconnect()
        try:
            return bool(self.value("select 1"))
        except psycopg.OperationalError:
            return False

    def runs_at_work(self) -> list[int]:
        """The processes in which runs are executed now."""
        return run_workers(self.program("code_server"))


@dataclass
class PlatformUnderFaults:
    """A platform, what it was asked for, and what was done to it. `random`: every choice comes from it."""

    home: FaultyHome
    far_end: FarEnd
    random: random.Random
    database: Database
    user: UUID
    accepted: list[UUID] = field(default_factory=list)
    designs: list[UUID] = field(default_factory=list)
    image_requests: list[UUID] = field(default_factory=list)

    def ask(self) -> None:
        """Let there always be something to do, of every kind."""
        if len(self.designs) < ASKED_BESIDE:
            self.designs.append(a_design(self.database, self.user))
        if len(self.image_requests) < ASKED_BESIDE and (image := newest_image(self.database)) is not None:
            self.image_requests.append(an_image_request(self.database, self.user, image))
        open_ = self.home.value("select count(*) from generations where finished_at is null")
        for _ in range(OPEN_AT_LEAST - open_):
            seed = (len(self.accepted) + 1) * SEEDS_PER_GENERATION
            self.accepted.append(
                self.home.insert(self.user, poses=[LIBRARY_POSE], variations=POSES, seed=seed, formats=list(SQUARE))
            )

    def busy_run(self) -> int:
        """A process that makes pictures now."""

        def found() -> list[int]:
            self.ask()
            at_work = self.home.value("select count(*) from generations where status = 'running'")
            return self.home.runs_at_work() if at_work else []

        return self.random.choice(self.home.wait(found))

    def settle(self) -> Evidence:
        """Let everything come to its end, stop the platform and look."""
        open_ = """
            select (select count(*) from generations where finished_at is null)
                 + (select count(*) from designs where finished_at is null)
                 + (select count(*) from image_variants where finished_at is null)
        """
        self.home.wait(lambda: self.home.value(open_) == 0, SETTLE_SECONDS)
        for pid in self.home.runs_at_work():
            self.home.wait(lambda pid=pid: pid not in self.home.runs_at_work())
        store = LocalStore(self.home.folder / "storage", base_url="/media")
        return look(
            Scene(
                database=self.database,
                store=store,
                accepted=self.accepted,
                designs=self.designs,
                image_requests=self.image_requests,
                calls=self.far_end.calls(),
                verify=lambda: sentences(verify(self.database, [store], bounds=BOUNDS, read_back=None)),
            )
        )


@contextmanager
def platform_under_faults(folder: Path, seed: str) -> Iterator[PlatformUnderFaults]:
    """A platform that is up, gone afterwards."""
    folder.mkdir()
    with FarEnd(seconds=PICTURE_SECONDS) as far_end:
        home = FaultyHome(folder, far_end_port=far_end.port)
        try:
            home.up()
            with Database(home.variables["DATABASE_URL"]) as database:
                with database.transaction() as connection:
                    connection.execute(AUDIT)
                user = home.a_user(10_000_000)
                home.sql("update accounts set storage_limit = 1000000000000 where user_id = %s", user)
                yield PlatformUnderFaults(home, far_end, random.Random(seed), database, user)
        finally:
            far_end.release()
            try:
                home.clean_up()
            finally:
                remove_cluster(folder)


# --- what is done to it -------------------------------------------------------------------------------------------

Harm = Callable[[PlatformUnderFaults], None]


def _kill_a_run(platform: PlatformUnderFaults) -> None:
    _send(platform.busy_run(), signal.SIGKILL)


def _stop_a_run(platform: PlatformUnderFaults) -> None:
    _stop(platform.busy_run())


def _kill(name: str) -> Harm:
    def harm(platform: PlatformUnderFaults) -> None:
        platform.busy_run()
        victim = platform.home.program(name)
        _send(victim, signal.SIGKILL)
        platform.home.wait(lambda: platform.home.program(name) != victim)

    return harm


def _stop_program(name: str) -> Harm:
    def harm(platform: PlatformUnderFaults) -> None:
        platform.busy_run()
        _stop(platform.home.program(name))

    return harm


def _kill_up(platform: PlatformUnderFaults) -> None:
    platform.busy_run()
    platform.home.kill()
    platform.home.wait(lambda: not platform.home.processes())
    platform.home.up()


def _cut_power(platform: PlatformUnderFaults) -> None:
    platform.busy_run()
    platform.home.cut_power()
    platform.home.up()


def _kill_postgres(platform: PlatformUnderFaults) -> None:
    platform.busy_run()
    _send(platform.home.postmaster(), signal.SIGKILL)
    platform.home.wait(platform.home.answers)


PLATFORM_KINDS: dict[str, Harm] = {
    "up: kill -9 of a run worker": _kill_a_run,
    "up: SIGSTOP of a run worker past its lease": _stop_a_run,
    "up: kill -9 of the daemon": _kill("daemon"),
    "up: SIGSTOP of the daemon": _stop_program("daemon"),
    "up: kill -9 of the code server": _kill("code_server"),
    "up: SIGSTOP of the code server": _stop_program("code_server"),
    "up: kill -9 of the webserver": _kill("webserver"),
    "up: kill -9 of `up` itself": _kill_up,
    "up: kill -9 of everything at once": _cut_power,
    "up: kill -9 of PostgreSQL": _kill_postgres,
}
"""What can be done to a platform, by its name in the scorecard."""

QUICK_KINDS = [name for name in PLATFORM_KINDS if "`up` itself" not in name and "everything" not in name]
"""Those that belong to every run of the tests; the tests of `tests/end_to_end/` do the others."""


def harm(platform: PlatformUnderFaults, kinds: Sequence[str]) -> dict[str, float]:
    """Do all of this, one after the other; the seconds that each took."""
    took: dict[str, float] = {}
    for kind in kinds:
        began = time.monotonic()
        PLATFORM_KINDS[kind](platform)
        took[kind] = time.monotonic() - began
        platform.ask()
    return took


def _stop(pid: int) -> None:
    _send(pid, signal.SIGSTOP)
    time.sleep(LEASE_SECONDS + BEYOND_THE_LEASE)
    _send(pid, signal.SIGCONT)


def _send(pid: int, number: signal.Signals) -> None:
    """A run may have come to its end meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return b""
