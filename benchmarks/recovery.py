"""How long a generation stands still when its worker is lost, with default settings (a lease of 60 s).

`./uvw run python -m benchmarks.recovery` writes the table to `benchmarks/recovery.md`. Twenty workers are lost: killed,
frozen for good (which is what others see of a machine that is gone), and with everything else when the power is cut.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from rich.progress import track

from benchmarks.running_platform import machine, percentile
from posegen.supervisor.process_groups import run_workers
from tests.homes import Home
from tests.processes import leads_a_group
from tests.servers import remove_cluster

AT_ONCE = 2
POSES = 50
GOAL_SECONDS = 90
PATIENCE = 180

_GOES_ON = """
select min(extract(epoch from created_at))::float8 as at from events
where generation_id = %s and kind = %s and extract(epoch from created_at) > %s
"""


class DefaultHome(Home):
    """A data folder with default settings, but as many generations at once as are lost at once."""

    @property
    def environment(self) -> dict[str, str]:
        """Of every process that works with this folder."""
        inherited = {**super().environment, "POSEGEN_MAX_RUNNING": str(AT_ONCE)}
        del inherited["POSEGEN_LEASE_SECONDS"]
        return inherited

    def workers(self) -> list[int]:
        """The processes that execute runs."""
        return [
            run for pid in filter(leads_a_group, self.processes()) if _is_code_server(pid) for run in run_workers(pid)
        ]


@dataclass(frozen=True)
class Way:
    """A way to lose a worker. `lose`: does it, and answers what has to be cleared up later."""

    name: str
    rounds: int
    lose: Callable[[DefaultHome], Callable[[], object]]


@dataclass(frozen=True)
class Recovered:
    """Seconds from the loss until another worker has the lease, and until it has finished a pose."""

    way: str
    started: float
    next_pose: float


def _kill(home: DefaultHome) -> Callable[[], object]:
    for pid in home.workers():
        os.kill(pid, signal.SIGKILL)
    return lambda: None


def _freeze(home: DefaultHome) -> Callable[[], object]:
    frozen = home.workers()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)

    def bury() -> None:
        for pid in frozen:
            os.kill(pid, signal.SIGKILL)

    return bury


def _cut_power(home: DefaultHome) -> Callable[[], object]:
    home.cut_power()
    home.up()
    return lambda: None


WAYS = (
    Way("kill -9 of the worker", 4, _kill),
    Way("the machine is gone (frozen for good)", 4, _freeze),
    Way("kill -9 of everything, started again", 2, _cut_power),
)


def main() -> None:
    """Lose workers, wait, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description="Time until work goes on.")
    parser.add_argument("--rounds", type=int, help="of each way, with two workers in each (default: 4, 4 and 2)")
    options = parser.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory(prefix="posegen-recovery-") as folder:
        home = DefaultHome(Path(folder) / "home")
        home.folder.mkdir()
        try:
            home.up()
            rounds = [way for way in WAYS for _ in range(options.rounds or way.rounds)]
            recovered = [each for way in track(rounds, "Rounds") for each in _lose_and_wait(home, way)]
            _check(home)
        finally:
            home.clean_up()
            remove_cluster(home.folder)
    table = _table(where, recovered)
    Path(__file__).with_suffix(".md").write_text(table)
    print(table)


def _lose_and_wait(home: DefaultHome, way: Way) -> list[Recovered]:
    user = home.a_user(credits=10_000_000)
    home.sql("update accounts set storage_limit = 1000000000000 where user_id = %s", user)
    generations = home.insert_many(*[{"user_id": user, "poses": ["star-jump"], "variations": POSES}] * AT_ONCE)
    ready = "select count(*) from generations where id = any(%s) and status = 'running' and poses_completed > 2"
    home.wait(lambda: home.value(ready, generations) == AT_ONCE, PATIENCE)
    lost_at = time.time()
    clear_up = way.lose(home)
    try:
        found = [
            Recovered(
                way.name,
                _until(home, generation, "started", lost_at) - lost_at,
                _until(home, generation, "pose_completed", _until(home, generation, "started", lost_at)) - lost_at,
            )
            for generation in generations
        ]
    finally:
        clear_up()
    home.ended(*generations, seconds=PATIENCE)
    return found


def _until(home: DefaultHome, generation: UUID, kind: str, since: float) -> float:
    at: float = home.wait(lambda: home.value(_GOES_ON, generation, kind, since), PATIENCE)
    return at


def _check(home: DefaultHome) -> None:
    """What was lost was made all the same, and paid for once; Posegen's own look agrees."""
    counted = home.sql("select status, count(*) as number from generations group by status")
    if [row["status"] for row in counted] != ["completed"]:
        raise SystemExit(f"not every generation was completed: {counted}")
    home.posegen("verify")


def _table(where: str, recovered: Sequence[Recovered]) -> str:
    started = [each.started for each in recovered]
    lines = [
        "# Recovery",
        "",
        f"`./uvw run python -m benchmarks.recovery`: {len(recovered)} workers lost at work, {AT_ONCE} at a time, with "
        f"default settings (a lease of 60 s). {where}.",
        "",
        f"**Until another worker goes on: p50 {percentile(started, 0.5):.1f} s, p95 {percentile(started, 0.95):.1f} s, "
        f"longest {max(started):.1f} s** (goal: p95 at most {GOAL_SECONDS} s). All were completed, and "
        "`posegen verify` finds nothing.",
        "",
        "| what was lost | workers | goes on after p50 s | p95 s | longest s | next pose is finished after p50 s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for way in WAYS:
        these = [each for each in recovered if each.way == way.name]
        times = [each.started for each in these]
        lines.append(
            f"| {way.name} | {len(these)} | {percentile(times, 0.5):.1f} | {percentile(times, 0.95):.1f} "
            f"| {max(times):.1f} | {percentile([each.next_pose for each in these], 0.5):.1f} |"
        )
    return "\n".join([*lines, ""])


def _is_code_server(pid: int) -> bool:
    try:
        return b"resources.code_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    main()
