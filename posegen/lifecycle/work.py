"""Being at work on a generation: the lease is kept during the block, and what ends the block decides what follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
import structlog

from posegen.database import generations
from posegen.database.connection import Database
from posegen.database.failures import CONFLICTS, TAKES_NO_WRITES, describe, is_lost, may_pass
from posegen.database.generations import Lease
from posegen.error_codes import ErrorCode
from posegen.errors import (
    BackendHeldBack,
    DatabaseUnusable,
    GenerationCancelled,
    LeaseLost,
    RequestRefused,
    StorageError,
)
from posegen.lifecycle.leases import LeaseKeeper
from posegen.lifecycle.outcomes import (
    cancel_work,
    hold_back,
    release_lease,
    retry_after_error,
    retry_after_lost_contact,
)
from posegen.logs import bound
from posegen.states import GenerationStatus
from posegen.work.rules import RetryRule

log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 0.5
# What a worker gives a database that is away, so that its generation need not wait for the lease to run out.
_SETTLE_SECONDS = 15.0
# What it gives one that answers and takes no writes: nothing else can be done meanwhile, and nothing is lost.
_NO_WRITES_SECONDS = 600.0


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

    An interrupt (the process is asked to stop) puts it back at once and burns no attempt; but when `cancelled_by` names
    somebody, it was their word to cancel, and the generation is cancelled.
    """
    try:
        with bound(attempt=lease.token), LeaseKeeper(database, lease, lease_seconds=lease_seconds) as keeper:
            yield keeper
    except LeaseLost as lost:
        raise _as_cancelled(database, lease, lost) from None
    except Exception as error:
        _settle(_decision_after(database, lease, rule, error), lease)
        raise
    except BaseException as interrupt:
        _stop(database, lease, interrupt, cancelled_by)
        raise


def _decision_after(database: Database, lease: Lease, rule: RetryRule, error: Exception) -> Callable[[], bool]:
    """What puts the generation back, or ends it, after an error of its work."""
    if isinstance(error, BackendHeldBack):
        return partial(hold_back, database, lease, error)
    if isinstance(error, CONFLICTS):
        return partial(release_lease, database, lease, reason=f"rolled back again and again: {describe(error)}")
    if isinstance(error, TAKES_NO_WRITES):
        reason = describe(error)
        log.warning("waiting for the database", generation=str(lease.generation_id), reason=reason)
        return partial(release_lease, database, lease, reason=reason)
    if is_lost(error):
        return partial(retry_after_lost_contact, database, lease, rule, reason=f"the database was away: {error}")
    if isinstance(error, StorageError):
        return partial(retry_after_error, database, lease, rule, reason=str(error), code=ErrorCode.STORAGE_FAILED)
    if isinstance(error, RequestRefused):
        return partial(retry_after_error, database, lease, rule, reason=error.detail, code=error.code)
    return partial(retry_after_error, database, lease, rule, reason=f"{type(error).__name__}: {error}")


def _settle(decide: Callable[[], bool], lease: Lease) -> None:
    """Write down what follows. Where the database stays away, the lease runs out by itself."""
    began = time.monotonic()
    while True:
        try:
            decide()
        except Exception as failure:
            if not may_pass(failure):
                raise
            patience = _NO_WRITES_SECONDS if isinstance(failure, TAKES_NO_WRITES) else _SETTLE_SECONDS
            if time.monotonic() - began < patience:
                time.sleep(_PAUSE_SECONDS)
                continue
            log.warning("nothing could be written", generation=str(lease.generation_id), reason=str(failure))
        return


def _stop(database: Database, lease: Lease, interrupt: BaseException, cancelled_by: Callable[[], str | None]) -> None:
    """The interrupt has to go on, whatever fails here: the lease runs out by itself."""
    actor = None
    try:
        actor = cancelled_by()
    except Exception:  # it is asked of another program
        log.warning("stopped, and nobody could say why", generation=str(lease.generation_id), exc_info=True)
    try:
        if actor is not None:
            cancelled = cancel_work(database, lease, actor=actor)
            log.info("cancelled", generation=str(lease.generation_id), actor=actor, cancelled=cancelled)
        else:
            released = release_lease(database, lease, reason=type(interrupt).__name__)
            log.info("stopped", generation=str(lease.generation_id), released=released)
    except (psycopg.Error, DatabaseUnusable):
        log.warning("stopped, and the lease could not be released", generation=str(lease.generation_id))


def _as_cancelled(database: Database, lease: Lease, lost: LeaseLost) -> LeaseLost:
    """The same loss, by its name when it was a cancellation."""
    try:
        with database.transaction() as connection:
            progress = generations.progress_of(connection, lease.generation_id)
    except Exception as failure:
        if not may_pass(failure):
            raise
        return lost
    if progress is not None and progress.status is GenerationStatus.CANCELLED:
        return GenerationCancelled(lease.generation_id)
    return lost
