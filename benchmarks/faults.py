"""Faults by the hundred, and what they cost: lost requests, double charges, stale commits, orphans, corrupt reads.

`./uvw run python -m benchmarks.faults --faults 500 --seeds 10` writes the scorecard to `benchmarks/faults.md`. A seed
replays its faults: `--first-seed 7 --seeds 1` with the same number of faults for each seed. `--minutes 60` ends each
store's part after that time.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.running_platform import machine, percentile
from tests.faults.evidence import CATEGORIES, DEAD_HERE, SILENT, Evidence
from tests.faults.ground import new_ground
from tests.faults.soak import drawn_kinds, kinds_here, play_episode
from tests.faults.whole_platform import PLATFORM_KINDS, harm, platform_under_faults
from tests.faults.world import LEASE_SECONDS, Ground
from tests.s3_server import running_s3

FAULTS_IN_AN_EPISODE = 10
PLATFORM_SHARE = 0.16
STORES = ("local", "s3")
_TITLES = {
    "lost": "requests lost",
    "wrong charges": "double or missing charges and releases",
    "stale commits": "stale commits",
    "orphans": "orphans after reconcile",
    "corrupt": "corrupt reads",
    "repeated calls": "backend calls for finished poses",
    "paid twice": "pictures of hosted backends paid for twice",
    "broken invariants": "violations found by `posegen verify`",
}


@dataclass
class Score:
    """What is counted for one store. `troubles`: what was found, with the seed that shows it."""

    store: str
    injected: dict[str, int] = field(default_factory=dict)
    survived: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CATEGORIES, 0))
    recoveries: dict[str, list[float]] = field(default_factory=lambda: {DEAD_HERE: [], SILENT: []})
    statuses: dict[str, int] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)
    stuck: int = 0
    troubles: list[str] = field(default_factory=list)

    def add(self, seed: str, kinds: Sequence[str], evidence: Evidence) -> None:
        """One more episode: a fault is survived when nothing at all was broken in its episode."""
        for kind in kinds:
            self.injected[kind] = self.injected.get(kind, 0) + 1
            self.survived[kind] = self.survived.get(kind, 0) + evidence.clean
        for category, found in evidence.broken.items():
            self.broken[category] += len(found)
        for how, seconds in evidence.recoveries:
            self.recoveries[how].append(seconds)
        for status, number in evidence.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + number
        for name in (
            "generations",
            "designs",
            "image_requests",
            "poses",
            "calls",
            "objects",
            "orphans_removed",
            "unfinished",
            "stopped_calls",
            "hosted_calls",
            "uncertain",
        ):
            self.sums[name] = self.sums.get(name, 0) + getattr(evidence, name)
        if not evidence.clean:
            self.troubles.append(f"seed {seed} ({', '.join(kinds)}): {evidence}")

    def fail(self, seed: str, kinds: Sequence[str], reason: str) -> None:
        """An episode that did not come to its end: nothing in it counts as survived."""
        for kind in kinds:
            self.injected[kind] = self.injected.get(kind, 0) + 1
            self.survived.setdefault(kind, 0)
        self.stuck += 1
        self.troubles.append(f"seed {seed} ({', '.join(kinds)}): {reason}")


@dataclass(frozen=True)
class Chapter:
    """Faults that are injected into the same world. `platform`: into `posegen up`, with all its processes."""

    seed: str
    kinds: list[str]
    platform: bool


def main() -> None:
    """Inject, count, and write the scorecard. Exit code 1 when any promise was broken."""
    options = _options()
    stores = STORES if options.store == "both" else (options.store,)
    where, began = machine(), time.monotonic()
    scores = [_play(store, options) for store in stores]
    card = _card(where, options, scores, time.monotonic() - began)
    if options.write:
        Path(__file__).with_suffix(".md").write_text(card)
    print(card)
    troubles = [trouble for score in scores for trouble in score.troubles]
    print("\n\n".join(troubles))
    raise SystemExit(1 if troubles else 0)


def _play(store: str, options: argparse.Namespace) -> Score:
    score = Score(store)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="posegen-faults-") as folder,
        ExitStack() as ends,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        s3 = ends.enter_context(running_s3(Path(folder) / "s3")) if store == "s3" else None
        ground = ends.enter_context(new_ground(Path(folder), s3))
        bar = progress.add_task(f"faults, {store} store", total=options.faults)
        ends = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
        for chapter in _chapters(store, options):
            if time.monotonic() >= ends:
                break
            progress.update(bar, description=f"faults, {store} store, seed {chapter.seed}")
            try:
                evidence = _play_chapter(ground, chapter, in_bucket=store == "s3")
                score.add(chapter.seed, chapter.kinds, evidence)
            except AssertionError as stuck:
                score.fail(chapter.seed, chapter.kinds, str(stuck))
            progress.advance(bar, len(chapter.kinds))
    return score


def _play_chapter(ground: Ground, chapter: Chapter, *, in_bucket: bool) -> Evidence:
    if not chapter.platform:
        return play_episode(ground, chapter.seed, chapter.kinds, in_bucket=in_bucket, hosted=True).evidence
    with platform_under_faults(ground.folder / chapter.seed, chapter.seed) as platform:
        harm(platform, chapter.kinds)
        return platform.settle()


def _chapters(store: str, options: argparse.Namespace) -> Iterator[Chapter]:
    """For each seed: episodes of small worlds, and on the local store one of the whole platform."""
    for index in range(options.seeds):
        seed = str(options.first_seed + index)
        faults = options.faults * (index + 1) // options.seeds - options.faults * index // options.seeds
        on_platform = round(faults * PLATFORM_SHARE) if store == "local" else 0
        kinds = drawn_kinds(f"{store} {seed}", faults - on_platform, kinds_here(in_bucket=store == "s3", hosted=True))
        for number, begin in enumerate(range(0, len(kinds), FAULTS_IN_AN_EPISODE), start=1):
            yield Chapter(f"{store}-{seed}.{number}", kinds[begin : begin + FAULTS_IN_AN_EPISODE], platform=False)
        if on_platform:
            source = random.Random(f"platform {seed}")
            drawn = [kind for _ in range(on_platform) for kind in source.sample(sorted(PLATFORM_KINDS), 1)]
            yield Chapter(f"{store}-{seed}.up", drawn, platform=True)


def _card(where: str, options: argparse.Namespace, scores: Sequence[Score], seconds: float) -> str:
    command = f"python -m benchmarks.faults --faults {options.faults} --seeds {options.seeds}"
    command += f" --minutes {options.minutes:g}" if options.minutes else ""
    seeds = f"{options.first_seed} to {options.first_seed + options.seeds - 1}"
    injected = sum(sum(score.injected.values()) for score in scores)
    lines = [
        "# Faults",
        "",
        f"`./uvw run {command}`: {injected} faults, seeds {seeds}, leases of {LEASE_SECONDS:g} s, in "
        f"{seconds / 60:.0f} minutes. {where}.",
        "",
        "| |" + "".join(f" {score.store} store |" for score in scores),
        "|---|" + "---:|" * len(scores),
        *(_row(title, [str(score.broken[category]) for score in scores]) for category, title in _TITLES.items()),
        _row("episodes that did not come to their end", [str(score.stuck) for score in scores]),
        _row("requests accepted", [f"{score.sums.get('generations', 0)}" for score in scores]),
        _row("designs accepted, and all published", [f"{score.sums.get('designs', 0)}" for score in scores]),
        _row(
            "image requests accepted, and all completed",
            [f"{score.sums.get('image_requests', 0)}" for score in scores],
        ),
        *(
            _row(f"of them {status}", [str(score.statuses.get(status, 0)) for score in scores])
            for status in ("completed", "partial", "failed", "cancelled")
        ),
        _row("poses made and paid for", [f"{score.sums.get('poses', 0)}" for score in scores]),
        _row(
            "calls to hosted backends that were paid for", [f"{score.sums.get('hosted_calls', 0)}" for score in scores]
        ),
        _row(
            "calls of which it is uncertain whether they were made; their poses are not charged",
            [str(score.sums.get("uncertain", 0)) for score in scores],
        ),
        _row("calls to the drawing backend", [f"{score.sums.get('calls', 0)}" for score in scores]),
        _row(
            "of them for a finished pose, by a worker stopped between its check and its call",
            [str(score.sums.get("stopped_calls", 0)) for score in scores],
        ),
        _row("objects read back and hashed", [f"{score.sums.get('objects', 0)}" for score in scores]),
        _row("orphans that reconcile removed", [f"{score.sums.get('orphans_removed', 0)}" for score in scores]),
        _row("unfinished uploads that it removed", [f"{score.sums.get('unfinished', 0)}" for score in scores]),
        *(
            _row(f"recovery, {title}: p50, p95, max", [_quantiles(score.recoveries[how]) for score in scores])
            for how, title in ((DEAD_HERE, "worker dead on this machine"), (SILENT, "worker silent"))
        ),
        "",
        "| fault |" + "".join(f" {score.store}: injected | {score.store}: survived |" for score in scores),
        "|---|" + "---:|---:|" * len(scores),
    ]
    for kind in dict.fromkeys(kind for score in scores for kind in sorted(score.injected)):
        cells = [
            cell for score in scores for cell in (str(score.injected.get(kind, "")), str(score.survived.get(kind, "")))
        ]
        lines.append(_row(kind, cells))
    return "\n".join([*lines, ""])


def _row(title: str, cells: Sequence[str]) -> str:
    return f"| {title} | {' | '.join(cells)} |"


def _quantiles(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return "none"
    return f"{percentile(seconds, 0.5):.1f}, {percentile(seconds, 0.95):.1f}, {max(seconds):.1f} s"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description="Posegen under faults.")
    parser.add_argument("--faults", type=int, default=500, help="for each store (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds share them (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=1, help="the first of them (default: %(default)s)")
    parser.add_argument("--store", choices=[*STORES, "both"], default="both", help="which (default: %(default)s)")
    parser.add_argument("--minutes", type=float, help="for each store, begin no further episode after this time")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave benchmarks/faults.md as it is")
    return parser.parse_args()


if __name__ == "__main__":
    main()
