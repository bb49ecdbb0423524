"""Calls of hosted backends, with workers killed and stopped at each step and responses lost: is any paid for twice?

`./uvw run python -m benchmarks.calls` plays every scene of every wire, and the negative controls, and writes the tables
to `benchmarks/calls.md`. `--scenes 50 --seed 7` plays some of them, drawn by the seed; `--minutes 30` begins no further
scene after that time.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from benchmarks.running_platform import machine
from tests.faults.ground import new_ground
from tests.faults.hosted_controls import CONTROLS, NEVER
from tests.faults.hosted_plays import Outcome, kept, play
from tests.faults.hosted_scenes import WIRES, HostedScene, scenes
from tests.faults.world import Ground

AT_ONCE = 6

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Played:
    """A scene and how it ended. `trouble`: why it did not come to its end."""

    scene: HostedScene
    outcome: Outcome | None
    trouble: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether it ended as it must."""
        return self.outcome is not None and kept(self.scene, self.outcome)

    @property
    def status(self) -> str:
        """Of its generation: `completed`, or `uncertain` where its pose has failed because of its call."""
        if self.outcome is None:
            return "stuck"
        return "uncertain" if "backend_uncertain" in self.outcome.codes else self.outcome.status

    @property
    def paid_twice(self) -> int:
        """Pictures that are billed more than once."""
        return 0 if self.outcome is None else len(self.outcome.paid_twice)

    @property
    def made_again(self) -> int:
        """Orders that the far end has taken beyond the first."""
        return 0 if self.outcome is None else max(0, self.outcome.submissions - 1)


@dataclass(frozen=True)
class Control:
    """A guard that was taken away. `seen`: what shows it; empty when nothing does."""

    guard: str
    scene: HostedScene
    seen: str


def main() -> None:
    """Play, print, and write the tables. Exit code 1 when a scene ended otherwise, or a control was not caught."""
    options = _options()
    where, began = machine(), time.monotonic()
    chosen = _chosen(options)
    with tempfile.TemporaryDirectory(prefix="posegen-calls-") as folder, new_ground(Path(folder)) as ground:
        ends = began + options.minutes * 60 if options.minutes else float("inf")
        done = _all(chosen, lambda scene: _play(ground, scene) if time.monotonic() < ends else None, options.at_once)
        played = [each for each in done if each is not None]
        guards = list(CONTROLS) if options.controls else []
        controls = _all(guards, lambda guard: _control(ground, guard), options.at_once)
    page = _page(where, options, played, controls, time.monotonic() - began)
    if options.write:
        Path(__file__).with_suffix(".md").write_text(page)
    print(page)
    otherwise = [each for each in played if not each.is_kept]
    for each in otherwise:
        print(f"{each.scene}: {each.outcome or each.trouble}\n")
    raise SystemExit(1 if otherwise or not all(each.seen for each in controls) else 0)


def _chosen(options: argparse.Namespace) -> list[HostedScene]:
    """In an order that the seed decides, so that the same wire is not played all at once."""
    every = [scene for name in options.wire or WIRES for scene in scenes(name)]
    random.Random(options.seed).shuffle(every)
    return every[: options.scenes]


def _all(what: Sequence[T], play_one: Callable[[T], R], at_once: int) -> list[R]:
    with ThreadPoolExecutor(at_once) as threads, Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("scenes", total=len(what))
        played = []
        for each in as_completed([threads.submit(play_one, one) for one in what]):
            played.append(each.result())
            progress.advance(bar)
        return played


def _play(ground: Ground, scene: HostedScene) -> Played:
    try:
        return Played(scene, play(ground, scene))
    except AssertionError as stuck:
        return Played(scene, None, str(stuck))


def _control(ground: Ground, guard: str) -> Control:
    scene = CONTROLS[guard]
    try:
        outcome = play(ground, scene, breakage=guard, patience=NEVER)
    except AssertionError as stuck:
        return Control(guard, scene, f"no end: {str(stuck).splitlines()[0]}")
    if kept(scene, outcome):
        return Control(guard, scene, "")
    seen = [f"paid {count} times" for count in outcome.paid_twice.values()]
    seen += [f"{status}, {', '.join(outcome.states)}" for status in [outcome.status]]
    seen += [category for category, found in outcome.evidence.broken.items() if found]
    return Control(guard, scene, "; ".join(seen))


def _page(
    where: str, options: argparse.Namespace, played: Sequence[Played], controls: Sequence[Control], seconds: float
) -> str:
    wires = [name for name in WIRES if any(each.scene.wire == name for each in played)]
    every = sum(1 for name in WIRES for _ in scenes(name))
    given = {name: getattr(options, name) for name in ("scenes", "minutes", "seed")}
    some = "".join(f" --{name} {value:g}" for name, value in given.items() if value is not None)
    head = f"| |{''.join(f' {name} |' for name in wires)}"
    rule = "|---|" + "---:|" * len(wires)

    def row(title: str, count: Callable[[Sequence[Played]], object], which: Callable[[HostedScene], bool]) -> str:
        cells = [
            str(count(found)) if (found := [each for each in played if each.scene.wire == wire and which(each.scene)])
            else ""
            for wire in wires
        ]  # fmt: skip
        return f"| {title} | {' | '.join(cells)} |"

    def anywhere(_: HostedScene) -> bool:
        return True

    lines = [
        "# Calls of hosted backends",
        "",
        f"`./uvw run python -m benchmarks.calls{some}`: {len(played)} of {every} scenes, {options.at_once} at once, in "
        f"{seconds / 60:.0f} minutes. {where}.",
        "",
        "In each scene one pose is asked for. The response of the first submit is as usual, lost, slow or cut, or it",
        "is a reset or a 502 before the far end has the order; and a worker is killed, or stopped until its successor",
        "is done, at a point of its call. The far end counts what it has taken and bills. Left out is what cannot come",
        "to pass: a wire whose submit returns the picture accepts no call, and where a lost order cannot be found",
        "again, no later point is reached.",
        "",
        head,
        rule,
        row("scenes", len, anywhere),
        row("completed", lambda found: sum(each.status == "completed" for each in found), anywhere),
        row("uncertain, and not charged", lambda found: sum(each.status == "uncertain" for each in found), anywhere),
        row("**paid twice**", lambda found: sum(each.paid_twice for each in found), anywhere),
        row("orders sent again, not billed or never begun", lambda found: sum(e.made_again for e in found), anywhere),
        row("ended otherwise than they must", lambda found: sum(not each.is_kept for each in found), anywhere),
        "",
        "An endpoint of Hugging Face is rented by the hour: a lost call is `uncertain` and made again, which costs",
        "nothing. That is done once for each pose (`POSEGEN_PAID_RETRIES`): where a response and a worker are lost,",
        "the pose is not made.",
        "",
        "By what happens: completed / uncertain / paid twice.",
        "",
        head,
        rule,
    ]
    steps = dict.fromkeys((each.ending, each.point) for name in WIRES for each in scenes(name))
    for ending, point in steps:
        lines.append(row(f"{ending} {point}".strip() or "no worker is lost", _ends, _is_at(ending, point)))
    lines += ["", head, rule]
    for response in dict.fromkeys(each.response for name in WIRES for each in scenes(name)):
        title = f"response: {response}" if response else "every response arrives"
        lines.append(row(title, _ends, _with(response)))
    if controls:
        lines += ["", "With one guard taken away, the same checks have to find it:", ""]
        lines += ["| guard taken away | scene | what is found |", "|---|---|---|"]
        order = list(CONTROLS)
        lines += [
            f"| {each.guard} | {each.scene} | {each.seen or '**nothing**'} |"
            for each in sorted(controls, key=lambda each: order.index(each.guard))
        ]
    return "\n".join([*lines, ""])


def _is_at(ending: str, point: str) -> Callable[[HostedScene], bool]:
    return lambda scene: (scene.ending, scene.point) == (ending, point)


def _with(response: str) -> Callable[[HostedScene], bool]:
    return lambda scene: scene.response == response


def _ends(found: Sequence[Played]) -> str:
    completed, uncertain = (sum(each.status == status for each in found) for status in ("completed", "uncertain"))
    return f"{completed} / {uncertain} / {sum(each.paid_twice for each in found)}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description="Calls under faults.")
    parser.add_argument("--wire", action="append", choices=list(WIRES), help="only this one; may be given again")
    parser.add_argument("--scenes", type=int, help="so many of them, drawn by the seed (default: all)")
    parser.add_argument("--minutes", type=float, help="begin no further scene after this time")
    parser.add_argument("--seed", type=int, default=1, help="of the order (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="scenes at once (default: %(default)s)")
    parser.add_argument("--no-controls", dest="controls", action="store_false", help="leave the negative controls out")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave benchmarks/calls.md as it is")
    return parser.parse_args()


if __name__ == "__main__":
    main()
