"""What a run does for a generation: it makes poses, then derives exports, and keeps the lease meanwhile.

The lease is taken in `asking.claims`; what an error leads to for every kind of work is in `posegen.work.working`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import psycopg
import structlog
from structlog.contextvars import bound_contextvars

from posegen.database.connection import Database
from posegen.database.failures import may_pass
from posegen.errors import BackendHeldBack, DatabaseUnusable, GenerationCancelled, LeaseLost, RequestRefused
from posegen.generations.asking.claims import resume_work, start_work
from posegen.generations.asking.regeneration import regenerate
from posegen.generations.making.contact_sheets import Sheet, try_to_store_sheet
from posegen.generations.making.exports import derive_exports
from posegen.generations.making.outcomes import GENERATIONS, finish_generation, hold_back
from posegen.generations.making.poses import make_poses
from posegen.generations.rows import generations
from posegen.states import GenerationStatus
from posegen.studio import Studio
from posegen.work.keeper import LeaseKeeper
from posegen.work.outcomes import cancel, retry_after_error
from posegen.work.queue import Lease
from posegen.work.rules import RetryRule
from posegen.work.working import Decision, give_back, settled

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Run:
    """The run that works. `dispatch`: of the claim that launched it; None when it was started by hand.

    `cancelled_by`: returns the operator who is cancelling the run; None when its process is asked to stop.
    """

    id: str
    dispatch: int | None = None
    cancelled_by: Callable[[], str | None] = lambda: None


@dataclass(frozen=True)
class Derived:
    """Exports that a run derived. `status`: how the generation ended now; None when it had ended before."""

    number: int
    status: GenerationStatus | None


def make(studio: Studio, generation_id: UUID, run: Run) -> Sheet | None:
    """Make the open poses of a generation; returns the contact sheet of all its poses, None when it has none.

    Raises `GenerationUnknown`, `ClaimSuperseded` when another run owns the generation, `GenerationCancelled`,
    `LeaseLost`, or the first error that was not a pose's own.
    """
    lease = start_work(
        studio.database,
        generation_id,
        dispatch=run.dispatch,
        run_id=run.id,
        lease_seconds=studio.lease_seconds,
        worker_home=studio.hold_lock(run.id),
    )
    if lease is None:
        return try_to_store_sheet(studio, generation_id, None)
    with _at_work_in(studio, lease, run) as keeper:
        make_poses(studio, lease, keeper)
        return try_to_store_sheet(studio, generation_id, lease)


def derive(
    studio: Studio,
    generation_id: UUID,
    run: Run,
    *,
    formats: Sequence[str] | None = None,
    numbers: Collection[int] | None = None,
    again: bool = False,
) -> Derived:
    """Derive the missing exports of a generation and end it; of an ended one, derive exports again.

    Args:
        studio: what it is made with.
        generation_id: the generation.
        run: the run that made its poses.
        formats: of an ended generation; None for those of the request.
        numbers: of poses of an ended generation, from 1; None for all.
        again: derive also what exists.

    Raises:
        GenerationUnknown: there is no such generation.
        ClaimSuperseded: another run owns the generation.
        LeaseLost: the lease was lost on the way, or the generation was cancelled.
        PoseNumberUnknown: a number is not that of a completed pose.
        UnknownName: a format is no platform.
    """
    lease = resume_work(studio.database, generation_id, run_id=run.id)
    if lease is None:
        made = regenerate(studio, generation_id, formats=formats, numbers=numbers, again=again)
        return Derived(made.derived, None)
    with _at_work_in(studio, lease, run) as keeper:
        derived = derive_exports(studio, generation_id, lease, keeper, again=again)
        return Derived(derived, finish_generation(studio.database, lease))


def _at_work_in(studio: Studio, lease: Lease, run: Run) -> AbstractContextManager[LeaseKeeper]:
    return at_work(
        studio.database,
        lease,
        lease_seconds=studio.lease_seconds,
        rule=studio.retry_rule,
        cancelled_by=run.cancelled_by,
    )


@contextmanager
def at_work(
    database: Database,
    lease: Lease,
    *,
    lease_seconds: float,
    rule: RetryRule,
    cancelled_by: Callable[[], str | None] = lambda: None,
) -> Iterator[LeaseKeeper]:
    """Keep the lease during the block.

    An error puts the generation back for another attempt, or ends it after the last one. A lost database, or a backend
    whose breaker is open, puts it back and counts no error. Transactions that were rolled back because of
    others, and a database that took no writes for a while, cost no lost lease either. After a lost lease nothing is
    written; another worker owns the generation. Raises `GenerationCancelled` instead of `LeaseLost` when the generation
    was cancelled.

    An interrupt (the process is asked to stop) puts it back at once, at the cost of no attempt; when `cancelled_by`
    returns a name, that person cancelled the run, and the generation is cancelled.
    """
    try:
        with (
            bound_contextvars(attempt=lease.token),
            settled(database, GENERATIONS, lease, rule, own=partial(_own_decision, database, lease, rule)),
            LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=lease_seconds) as keeper,
        ):
            yield keeper
    except LeaseLost as lost:
        raise _as_cancelled(database, lease, lost) from None
    except Exception:
        raise
    except BaseException as interrupt:
        _stop(database, lease, interrupt, cancelled_by)
        raise


def _own_decision(database: Database, lease: Lease, rule: RetryRule, error: Exception) -> Decision | None:
    if isinstance(error, BackendHeldBack):
        return partial(hold_back, database, lease, error)
    if isinstance(error, RequestRefused):
        return partial(retry_after_error, database, GENERATIONS, lease, rule, reason=error.detail, code=error.code)
    return None


def _stop(database: Database, lease: Lease, interrupt: BaseException, cancelled_by: Callable[[], str | None]) -> None:
    """The interrupt has to go on, whatever fails here: the lease runs out by itself."""
    actor = None
    try:
        actor = cancelled_by()
    except Exception:  # it is asked of another program
        log.warning("stopped for an unknown reason", generation=str(lease.id), exc_info=True)
    if actor is None:
        give_back(database, GENERATIONS, [lease], reason=type(interrupt).__name__)
        return
    try:
        cancelled = cancel(database, GENERATIONS, lease, actor=actor)
        log.info("cancelled", generation=str(lease.id), actor=actor, cancelled=cancelled)
    except (psycopg.Error, DatabaseUnusable):
        log.warning("cancelled, and it could not be written down", generation=str(lease.id), actor=actor)


def _as_cancelled(database: Database, lease: Lease, lost: LeaseLost) -> LeaseLost:
    """The same loss, by its name when it was a cancellation."""
    try:
        with database.transaction() as connection:
            progress = generations.progress_of(connection, lease.id)
    except Exception as failure:
        if not may_pass(failure):
            raise
        return lost
    if progress.status is GenerationStatus.CANCELLED:
        return GenerationCancelled(lease.id)
    return lost
