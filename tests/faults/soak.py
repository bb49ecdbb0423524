"""Episodes: a crew at work, some faults one after the other, rest, and a look. The seed decides all but the clock."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tests.faults.crew import Crew
from tests.faults.disks import private_disks_work
from tests.faults.evidence import Evidence
from tests.faults.ground import new_world
from tests.faults.injections import KINDS, Needs
from tests.faults.world import Ground, World
from tests.wires.far_end import FarEnd

DISK_MEGABYTES = 64
PICTURE_SECONDS = 0.3
# Of a call to a hosted backend, which is not made again when it takes longer.
HOSTED_SECONDS = 8.0


@dataclass(frozen=True)
class Episode:
    """Some faults and what was to be seen afterwards."""

    seed: str
    kinds: Sequence[str]
    evidence: Evidence

    def __str__(self) -> str:
        return f"seed {self.seed}: {', '.join(self.kinds)}\n{self.evidence}"


def kinds_here(*, in_bucket: bool = False, hosted: bool = False) -> list[str]:
    """The kinds of faults that can be injected into such a world on this system."""
    possible = {Needs.NOTHING, Needs.BUCKET if in_bucket else Needs.DISK}
    if hosted:
        possible |= {Needs.FAR_END}
    if not private_disks_work():
        possible -= {Needs.DISK}
    return [name for name, kind in KINDS.items() if kind.needs in possible]


def drawn_kinds(seed: str, count: int, kinds: Sequence[str]) -> list[str]:
    """Which faults an episode has: all kinds in a new order, again and again."""
    drawn: list[str] = []
    source = random.Random(f"kinds of {seed}")
    while len(drawn) < count:
        drawn += source.sample(list(kinds), len(kinds))
    return drawn[:count]


def play_episode(
    ground: Ground,
    seed: str,
    kinds: Sequence[str],
    *,
    in_bucket: bool = False,
    hosted: bool = False,
) -> Episode:
    """Inject faults of these kinds into a world of its own, let it come to rest and look.

    `hosted`: most of its generations have their pictures made by hosted backends.
    """
    megabytes = DISK_MEGABYTES if private_disks_work() and not in_bucket else 0
    with ExitStack() as ends:
        wires = (FarEnd.fal, FarEnd.bfl) if hosted else ()
        far_ends = [ends.enter_context(wire(seconds=PICTURE_SECONDS)) for wire in wires]
        world = ends.enter_context(
            new_world(
                ground,
                f"episode {seed}",
                # Some drawing calls hang for good here.
                call_seconds=HOSTED_SECONDS if hosted else 2.0,
                disk_megabytes=megabytes,
                in_bucket=in_bucket,
                hosted={far_end.wire.name: far_end for far_end in far_ends},
            )
        )
        crew = Crew(world, random.Random(seed))
        crew.begin()
        meanwhile: list[str] = []
        for kind in kinds:
            KINDS[kind].inject(crew)
            meanwhile += [f"after {kind}: {what}" for what in world.violations_meanwhile()]
            crew.ask()
        return Episode(seed, kinds, _without_excuse(world, crew, world.settle(), meanwhile))


def _without_excuse(world: World, crew: Crew, evidence: Evidence, meanwhile: list[str]) -> Evidence:
    """A generation may end without its pictures when its backend or its customer failed it, and for no other reason.

    Of a call to a hosted backend it may be uncertain whether it was made.
    """
    failed = world.rows(
        """
        select id, status, error_code, error_detail from generations
        where status in ('failed', 'partial', 'cancelled')
        """,
    )
    uncertain = world.rows("select distinct generation_id as id from backend_calls where state = 'uncertain'")
    may_fail = crew.may_fail | {row["id"] for row in uncertain}
    given_up = [
        f"{row['id']} is {row['status']}: {row['error_code']}, {row['error_detail']}"
        for row in failed
        if row["id"] not in may_fail
    ]
    broken = evidence.broken
    return replace(
        evidence,
        broken={
            **broken,
            "lost": broken["lost"] + given_up,
            "broken invariants": broken["broken invariants"] + meanwhile,
        },
    )
