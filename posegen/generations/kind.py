"""Generations as a kind of work under the settings, for the tick of a sensor: one run for each claim.

Files of operators are read in each tick. What is wrong in one holds up only the requests and generations that need it.
"""

from __future__ import annotations

import secrets

from posegen.backends.registry import Backends
from posegen.database.connection import Database
from posegen.generations.asking.claims import claim_next
from posegen.generations.asking.intake import IntakeLimits, take_in
from posegen.generations.asking.judging import LARGEST_SEED, Prices
from posegen.generations.asking.quoting import policy_now, policy_of
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.recovery import TimeLimits, recover
from posegen.generations.rows.events import REQUESTS_CHANNEL
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.settings import Settings
from posegen.work.rules import RetryRule
from posegen.work.slots import most_claimed
from posegen.work.tick import WorkKind

_INTAKE_PER_TICK = 500


def kind(settings: Settings) -> WorkKind:
    """Generations under these settings."""
    rule, limits, backends = RetryRule.of(settings), TimeLimits.of(settings), Backends.of(settings)
    undescribed = frozenset(backends.undescribed)

    def judge_new(database: Database) -> int:
        policy, held_up = policy_now(settings, undescribed)
        return take_in(
            database,
            default_backend=settings.posegen_backend,
            prices=Prices.of(settings),
            policy=policy,
            draw_seed=lambda: secrets.randbelow(LARGEST_SEED + 1),
            limit=_INTAKE_PER_TICK,
            limits=IntakeLimits.of(settings),
            backends=backends.offered,
            thumbnails=thumbnail_sizes(settings.posegen_thumbnails),
            held_up=held_up,
        )

    return WorkKind(
        "generation_requests",
        GENERATIONS,
        rule,
        stall_seconds=limits.stall,
        run_key=lambda claim: f"{claim.id}:{claim.dispatch}",
        claim=lambda database: claim_next(
            database,
            most_running=most_claimed(settings.posegen_max_running),
            most_running_per_user=settings.posegen_max_running_per_user,
            most_waiting=most_claimed(settings.posegen_max_waiting),
            hosted=backends.with_own_slots,
            undescribed=undescribed,
        ),
        take_in=judge_new,
        recover=lambda database, worker_home: recover(database, rule, limits, worker_home=worker_home),
        channel=REQUESTS_CHANNEL,
        hosted=backends.with_own_slots,
        checks={"backends": lambda: backends.check(keys=False), "policy": lambda: policy_of(settings)},
    )
