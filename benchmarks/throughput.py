"""Many generations queued at once: poses per minute, CPU per pose, and the memory of the processes that make them.

`./uvw run python -m benchmarks.throughput` writes the table to `benchmarks/throughput.md`.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from benchmarks.running_platform import (
    Measured,
    ask,
    cpu_by_program,
    machine,
    peak_memory,
    running_platform,
    tree_of,
    wait_until_ended,
)
from posegen.platforms.platform import PLATFORMS

POSES = ["walking-towards-viewer", "box-in-both-hands", "phone-selfie", "sitting-legs-crossed", "star-jump"]


@dataclass(frozen=True)
class Load:
    """What is asked for at once. `variations`: of each of the five poses."""

    name: str
    generations: int
    formats: tuple[str, ...]
    variations: int = 1

    @property
    def poses(self) -> int:
        """How many pictures that makes."""
        return self.generations * len(POSES) * self.variations


LOADS = (
    Load("40 generations of 5 poses, 2 formats", 40, ("instagram_post", "tiktok")),
    Load("6 generations of 5 poses, 12 formats", 6, tuple(PLATFORMS)),
    Load("1 generation of 5 poses, 12 formats", 1, tuple(PLATFORMS)),
    Load("1 generation of 50 poses, 12 formats", 1, tuple(PLATFORMS), variations=10),
)


@dataclass(frozen=True)
class Outcome:
    """What a load took. `cpu`: seconds of all processes; `peaks`: bytes, the highest of each run worker."""

    load: Load
    seconds: float
    cpu: float
    peaks: list[int]


def main() -> None:
    """Measure and write the table."""
    where = machine()
    with running_platform() as platform:
        _run(platform, Load("warm up", 1, ("tiktok",)))
        outcomes = [_run(platform, load) for load in track(LOADS, "Loads")]
    table = _table(where, outcomes)
    Path(__file__).with_suffix(".md").write_text(table)
    print(table)


def _run(platform: Measured, load: Load) -> Outcome:
    before, began = sum(cpu_by_program(platform).values()), time.monotonic()
    with _Watch(platform) as watch:
        with platform.database.transaction() as connection:
            generations = [
                ask(connection, platform.user, POSES, load.formats, variations=load.variations)
                for _ in range(load.generations)
            ]
        wait_until_ended(platform.database, generations, seconds=1800)
        seconds = time.monotonic() - began
    return Outcome(load, seconds, sum(cpu_by_program(platform).values()) - before, list(watch.peaks.values()))


class _Watch:
    """Looks at the run workers several times a second and keeps the most memory that each has had."""

    def __init__(self, platform: Measured) -> None:
        self.peaks: dict[int, int] = {}
        self._platform = platform
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(0.2):
            for pid, name in tree_of(self._platform.pid).items():
                if name == "runs":
                    self.peaks[pid] = max(self.peaks.get(pid, 0), peak_memory([pid]))


def _table(where: str, outcomes: Sequence[Outcome]) -> str:
    lines = [
        "# Throughput",
        "",
        f"`./uvw run python -m benchmarks.throughput`: each load is queued at once on an idle system. {where}.",
        "",
        "| load | seconds | poses a minute | CPU s a pose | peak memory of a run, median and highest, MB |",
        "|---|---:|---:|---:|---:|",
    ]
    for outcome in outcomes:
        poses = outcome.load.poses
        peaks = [peak / 1e6 for peak in outcome.peaks]
        lines.append(
            f"| {outcome.load.name} | {outcome.seconds:.1f} | {poses / outcome.seconds * 60:.0f} "
            f"| {outcome.cpu / poses:.2f} | {statistics.median(peaks):.0f}, {max(peaks):.0f} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
