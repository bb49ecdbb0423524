"""Being at work on a generation: the lease is kept during the block, and what ends the block decides what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
import structlog

from posegen.database.connection import Database
from posegen.database.failures import may_pass
from posegen.errors import BackendHeldBack, DatabaseUnusable, GenerationCancelled, LeaseLost, RequestRefused
from posegen.generations.making.outcomes import GENERATIONS, hold_back
from posegen.generations.rows import generations
from posegen.logs import bound
from posegen.states import GenerationStatus
from posegen.work.keeper import LeaseKeeper
from posegen.work.outcomes import cancel, retry_after_error
from posegen.work.queue import Lease
from posegen.work.rules import RetryRule
from posegen.work.working import Decision, give_back, settled

log = structlog.get_logger(__name__)


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

    An error puts the generation back for another attempt, or ends it after the last one. A database that went away, or
    a backend that is left alone, puts it back and counts no error. Transactions that were rolled back because of
    others, and a database that took no writes for a while, cost no lost lease either. After a lost lease nothing is
    written; another worker owns the generation. Raises `GenerationCancelled` instead of `LeaseLost` when the generation
    was cancelled.

    An interrupt (the process is asked to stop) puts it back at once, at the cost of no attempt; when `cancelled_by`
    returns a name, that person cancelled the run, and the generation is cancelled.
    """
    try:
        with (
            bound(attempt=lease.token),
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
