"""How often the quality gate errs: on 200 pictures as the mannequin makes them, and on 200 that are broken.

`./uvw run python -m benchmarks.quality_gate` writes the tables to `benchmarks/quality_gate.md`. The good pictures come
as generations of eight, four poses with two variations each, because a copy is one among its own. Avatars, poses and
seeds are drawn by chance, the same on each run; the bounds were chosen on others. The second table is about pictures
that are spoilt less and less.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from posegen.errors import ImageInvalid
from posegen.images.measures import Measures
from posegen.images.quality import copied_from, judge, measure
from posegen.images.validation import check_pixels
from posegen.poses.library import LIBRARY
from tests.broken_pictures import (
    ALONE,
    COPIED,
    Shown,
    any_avatar,
    blurred,
    cut_off,
    faint,
    grainy,
    moved,
    shown,
    stored_again,
)

TABLE = Path(__file__).with_suffix(".md")
SIDE = 1024
GENERATIONS, POSES, VARIATIONS = 25, 4, 2
BROKEN = 200

# How far a picture is spoilt, from much to little, and how that is done.
LADDERS: dict[str, tuple[Sequence[float], Callable[[Shown, float, np.random.Generator], Shown]]] = {
    "blurred, sigma in pixels": ((8, 4, 3, 2, 1), lambda own, sigma, _: blurred(own, sigma)),
    "grainy, sigma in levels": ((40, 25, 20, 15, 8), grainy),
    "faint, share of its contrast": ((0.05, 0.1, 0.15, 0.2, 0.3), lambda own, gain, _: faint(own, gain)),
    "cut off, share of its height": ((0.5, 0.4, 0.3, 0.2, 0.1), lambda own, share, _: cut_off(own, share, 128)),
    "moved, pixels": ((200, 100, 60, 30, 15), lambda own, by, _: moved(own, by)),
    "copied as JPEG, quality": ((90, 75, 60, 45, 30), lambda own, quality, _: stored_again(own, int(quality))),
}


@dataclass(frozen=True)
class Tried:
    """What the gate said. `problem`: None when it let the picture pass; `milliseconds`: of CPU for the measuring."""

    problem: str | None
    milliseconds: float
    measures: Measures | None


def gate(picture: Shown, others: Sequence[bytes]) -> Tried:
    """The whole gate, as a pose passes it."""
    began = time.process_time()
    try:
        check_pixels(picture.pixels, SIDE, SIDE)
    except ImageInvalid as refused:
        return Tried(str(refused), 0, None)
    measures = measure(picture.pixels, mask=picture.mask, points=picture.points)
    verdict = judge(measures)
    copied = copied_from(measures.perceptual_hash, enumerate(others))
    spent = (time.process_time() - began) * 1e3
    if not verdict.passed:
        return Tried(verdict.problems[0], spent, measures)
    return Tried(None if copied is None else f"it is a copy of picture {copied}", spent, measures)


def generation(chance: np.random.Generator) -> list[Shown]:
    """Eight pictures of one avatar."""
    avatar, seed = any_avatar(chance), int(chance.integers(0, 2**32 - VARIATIONS))
    chosen = chance.choice(len(LIBRARY), POSES, replace=False)
    return [shown(LIBRARY[index], avatar, seed + variation) for index in chosen for variation in range(VARIATIONS)]


def main() -> None:
    """Measure and write the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    chance = np.random.default_rng(20261121)
    good: list[Tried] = []
    broken: dict[str, list[Tried]] = {name: [] for name in ALONE | COPIED}
    caught: Counter[tuple[str, float]] = Counter()
    for _ in track(range(GENERATIONS), "Generations"):
        pictures = generation(chance)
        good += _good(pictures)
        for picture in range(BROKEN // GENERATIONS):
            own, other = pictures[picture], pictures[(picture + VARIATIONS) % len(pictures)]
            name = list(broken)[sum(map(len, broken.values())) % len(broken)]
            spoilt = (ALONE | COPIED)[name](own, other, chance)
            known = [measure(each.pixels).perceptual_hash for each in pictures if each is not own]
            broken[name].append(gate(spoilt, known if name in COPIED else []))
        for name, (steps, spoil) in LADDERS.items():
            for step in steps:
                tried = gate(
                    spoil(pictures[0], step, chance), [measure(pictures[0].pixels).perceptual_hash] * ("copied" in name)
                )
                caught[name, step] += tried.problem is not None
    table = _table(good, broken, caught)
    TABLE.write_text(table)
    print(table)


def _good(pictures: list[Shown]) -> list[Tried]:
    tried: list[Tried] = []
    hashes: list[bytes] = []
    for picture in pictures:
        tried.append(gate(picture, hashes))
        hashes.append(measure(picture.pixels).perceptual_hash)
    return tried


def _table(good: list[Tried], broken: dict[str, list[Tried]], caught: Counter[tuple[str, float]]) -> str:
    rejected = [each for each in good if each.problem is not None]
    missed = {name: sum(each.problem is None for each in tried) for name, tried in broken.items()}
    count = sum(map(len, broken.values()))
    lines = [
        f"Quality gate on {SIDE}x{SIDE}; Python {platform.python_version()}, NumPy {np.__version__}, "
        f"{os.cpu_count()} cores.",
        "",
        f"**{len(rejected)} of {len(good)} good pictures rejected ({len(rejected) / len(good):.1%}); "
        f"{sum(missed.values())} of {count} broken ones missed ({sum(missed.values()) / count:.1%}).** "
        f"Median {statistics.median(each.milliseconds for each in good):.1f} ms of CPU for a picture.",
        "",
        "| broken | pictures | missed | what the gate says, for example |",
        "|---|---:|---:|---|",
    ]
    for name, tried in broken.items():
        said = next((each.problem for each in tried if each.problem is not None), "–")
        lines.append(f"| {name} | {len(tried)} | {missed[name]} | {said} |")
    lines += ["", *(f"- rejected: {each.problem}" for each in rejected)]
    lines += [f"| spoilt | caught of {GENERATIONS}, the less it is spoilt |", "|---|---|"]
    for name, (steps, _) in LADDERS.items():
        lines.append(f"| {name} | {', '.join(f'{step:g}: {caught[name, step]}' for step in steps)} |")
    lines += ["", *_ranges(good)]
    return "\n".join(lines) + "\n"


def _ranges(good: list[Tried]) -> list[str]:
    """What the good pictures measure, beside which the bounds stand."""
    measured = [each.measures for each in good if each.measures is not None]
    figures = [each.figure for each in measured if each.figure is not None]
    columns: dict[str, tuple[list[float], str]] = {
        "brightness": ([each.brightness for each in measured], "12 to 243"),
        "contrast": ([each.contrast for each in measured], "30 or more"),
        "sharpness": ([each.sharpness for each in measured], "0.2 or more"),
        "noise": ([each.noise for each in measured], "12 or less"),
        "figure_share": ([each.share for each in figures], "0.01 to 0.9"),
        "figure_on_keypoints": ([each.on_keypoints for each in figures], "0.8 or more"),
        "figure_outline": ([each.outline for each in figures], "0.8 or more"),
    }
    return [
        "| measure | smallest | median | largest of the good | passes |",
        "|---|---:|---:|---:|---|",
        *(
            f"| {name} | {min(values):.2f} | {statistics.median(values):.2f} | {max(values):.2f} | {bounds} |"
            for name, (values, bounds) in columns.items()
        ),
    ]


if __name__ == "__main__":
    main()
