"""How long the mannequin backend takes for a pose: `uv run python benchmarks/mannequin.py`, table in `mannequin.md`.

One thread renders every pose of the library, with outfits and settings in turn, at 1024x1024 and without encoding. CPU
time is the thread's own, so that other work on the machine disturbs it less than wall time; the best of the rounds
counts, in which tables and garments are at hand that a person's other poses use as well.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np

from posegen.backends.mannequin import VERSION, Mannequin
from posegen.backends.protocol import Recipe
from posegen.poses.avatar import AVATAR_ATTRIBUTES, Avatar
from posegen.poses.library import LIBRARY, LibraryPose

TABLE = Path(__file__).with_suffix(".md")
GOAL = 100  # ms


def recipe(pose: LibraryPose, index: int, side: int) -> Recipe:
    """A recipe for the pose, with clothes and setting that change from pose to pose."""
    clothing, setting = AVATAR_ATTRIBUTES["clothing"], AVATAR_ATTRIBUTES["setting"]
    avatar = Avatar(clothing=clothing[index % len(clothing)], setting=setting[index % len(setting)])
    return Recipe("mannequin", VERSION, pose.specification, pose.slug, avatar, "", index, side, side)


def milliseconds(recipe: Recipe, rounds: int) -> tuple[float, float]:
    """CPU and wall time of the best of several renderings."""
    backend, cpu, wall = Mannequin(), [], []
    for _ in range(rounds):
        cpu_start, wall_start = time.thread_time(), time.perf_counter()
        backend.render(recipe)
        cpu.append(time.thread_time() - cpu_start)
        wall.append(time.perf_counter() - wall_start)
    return min(cpu) * 1e3, min(wall) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="renderings of each pose")
    parser.add_argument("--side", type=int, default=1024, help="pixels")
    options = parser.parse_args()
    rows = []
    for index, pose in enumerate(LIBRARY):
        chosen = recipe(pose, index, options.side)
        rows.append((pose.slug, chosen.avatar.clothing, chosen.avatar.setting, *milliseconds(chosen, options.rounds)))
    rows.sort(key=lambda row: -row[3])
    cpu, wall = [row[3] for row in rows], [row[4] for row in rows]
    lines = [
        f"Mannequin {VERSION}, {options.side}x{options.side}, one thread, best of {options.rounds}, before encoding; "
        f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} cores.",
        "",
        f"**Median {statistics.median(cpu):.0f} ms of CPU time for a pose, slowest {max(cpu):.0f} ms** "
        f"({statistics.median(wall):.0f} and {max(wall):.0f} ms wall; goal: every pose under {GOAL} ms of CPU time).",
        "",
        "| pose | clothing | setting | CPU ms | wall ms |",
        "|---|---|---|---:|---:|",
        *(
            f"| {slug} | {clothing} | {setting} | {cpu:.0f} | {wall:.0f} |"
            for slug, clothing, setting, cpu, wall in rows
        ),
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
