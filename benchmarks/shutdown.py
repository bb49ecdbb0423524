"""How long `posegen up` takes from SIGTERM to its end: idle, and with runs at work.

`./uvw run python -m benchmarks.shutdown` writes the table to `benchmarks/shutdown.md`.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from benchmarks.running_platform import machine
from tests.homes import Home
from tests.servers import remove_cluster

ROUNDS = 5
POSES = 50
GOALS = {"idle": 10, "two runs at work": 25}
"""Seconds, as docs/reference/reliability.md promises them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the table. Exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shutdown", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="stops of each kind (default: %(default)s)")
    rounds = parser.parse_args(arguments).rounds
    before = machine()
    took: dict[str, list[float]] = {name: [] for name in GOALS}
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.folder.mkdir()
        try:
            for _ in track(range(rounds), "Starting and stopping ..."):
                took["idle"].append(_stop(home, busy=False))
                took["two runs at work"].append(_stop(home, busy=True))
        finally:
            home.clean_up()
            remove_cluster(home.folder)
    page = _page(took, before)
    Path(__file__).with_suffix(".md").write_text(page)
    print(page)
    if any(max(took[name]) > goal for name, goal in GOALS.items()):
        raise SystemExit(1)


def _stop(home: Home, *, busy: bool) -> float:
    """Seconds from the signal until nothing of the platform is left."""
    home.up()
    user = home.a_user(1_000_000)
    if busy:
        for generation in home.insert_many(*[{"user_id": user, "poses": ["star-jump"], "variations": POSES}] * 2):
            home.at_work(generation, completed=1)
    began = time.monotonic()
    home.stop(signal.SIGTERM)
    home.wait(lambda: not home.processes())
    seconds = time.monotonic() - began
    if busy:  # what was put back is not to be made by the next round
        home.up()
        home.sql("select cancel_generation(id) from generations where finished_at is null")
    return seconds


def _page(took: dict[str, list[float]], before: str) -> str:
    rows = [
        f"| {name} | {len(took[name])} | {statistics.median(took[name]):.1f} | {max(took[name]):.1f} | {goal} |"
        for name, goal in GOALS.items()
    ]
    head = ["| the platform was | stops | median s | longest s | promised s |", "|---|---:|---:|---:|---:|"]
    return "\n".join(
        [
            "# Shutdown",
            "",
            "`./uvw run python -m benchmarks.shutdown`: from SIGTERM to `posegen up` until none of its processes is",
            f"left. {before}.",
            "",
            *head,
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
