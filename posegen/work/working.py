"""Being at work on a row under a lease: what ends the block decides what follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import psycopg
import structlog

from posegen.database.connection import Database
from posegen.database.failures import CONFLICTS, TAKES_NO_WRITES, describe, is_lost, may_pass
from posegen.error_codes import ErrorCode
from posegen.errors import DatabaseUnusable, LeaseLost, RequestRefused, StorageError
from posegen.work import outcomes
from posegen.work.keeper import LeaseKeeper
from posegen.work.outcomes import Work
from posegen.work.queue import Lease
from posegen.work.rules import RetryRule

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.5
# How long a worker tries to write down an outcome, so that its row need not wait for the lease to expire.
SETTLE_SECONDS = 15.0
# The same for a database that is reachable and takes no writes: nothing else can be done meanwhile.
NO_WRITES_SECONDS = 600.0


class Stopped(Exception):
    """Nothing more is begun: the process is asked to stop, or another part of the work has failed."""


Decision = Callable[[], object]
"""Writes down what follows, in a transaction of its own."""


@contextmanager
def kept(database: Database, work: Work, leases: Sequence[Lease], *, lease_seconds: float) -> Iterator[LeaseKeeper]:
    """Keep leases during the block. Whatever ends the block early puts back the rows that it still holds, at no cost.

    What an error of one row costs is decided before, by `settled` inside the block.

    Args:
        database: where the rows are.
        work: the kind of work.
        leases: those of one run.
        lease_seconds: the duration of a lease.
    """
    try:
        with LeaseKeeper(database, work.queue, leases, lease_seconds=lease_seconds) as keeper:
            yield keeper
    except BaseException as ended:
        give_back(database, work, leases, reason=type(ended).__name__)
        raise


@contextmanager
def settled(
    database: Database,
    work: Work,
    lease: Lease,
    rule: RetryRule,
    *,
    own: Callable[[Exception], Decision | None] = lambda _: None,
) -> Iterator[None]:
    """Write down what follows from an error in the block, and raise it again.

    After a `LeaseLost` nothing is written: another worker owns the row. A database that could not be reached puts the
    row back at the cost of a lost lease; one that takes no writes, and transactions that were rolled back because of
    others, at no cost. A `RequestRefused` ends the row with its code: no further attempt can help. Any other error puts
    it back for another attempt, or ends it after the last one. An interrupt is left to the caller.

    Args:
        database: where the row is.
        work: the kind of work.
        lease: the lease on the row.
        rule: how often it may be tried.
        own: what follows from errors that only this kind of work knows; None for any other.
    """
    try:
        yield
    except LeaseLost:
        raise
    except Exception as error:
        write_down(own(error) or decision_after(database, work, lease, rule, error), work, lease)
        raise


def decision_after(database: Database, work: Work, lease: Lease, rule: RetryRule, error: Exception) -> Decision:
    """What follows from an error that any kind of work may meet."""
    if isinstance(error, CONFLICTS):
        reason = f"rolled back again and again: {describe(error)}"
        return partial(outcomes.release, database, work, lease, reason=reason)
    if isinstance(error, TAKES_NO_WRITES):
        reason = describe(error)
        log.warning("waiting for the database", work=work.queue.table, id=str(lease.id), reason=reason)
        return partial(outcomes.release, database, work, lease, reason=reason)
    if is_lost(error):
        reason = f"the database was away: {error}"
        return partial(outcomes.retry_after_lost_contact, database, work, lease, rule, reason=reason)
    if isinstance(error, RequestRefused):
        return partial(outcomes.refuse, database, work, lease, error)
    if isinstance(error, StorageError):
        code, reason = ErrorCode.STORAGE_FAILED, str(error)
    else:
        code, reason = ErrorCode.POISONED, f"{type(error).__name__}: {error}"
    return partial(outcomes.retry_after_error, database, work, lease, rule, reason=reason, code=code)


def give_back(database: Database, work: Work, leases: Sequence[Lease], *, reason: str) -> None:
    """Put back the rows that these leases still hold. Raises nothing: the leases expire by themselves."""
    try:
        released = sum(outcomes.release(database, work, lease, reason=reason) for lease in leases)
    except (psycopg.Error, DatabaseUnusable):
        log.warning("stopped, and the leases could not be released", work=work.queue.table)
    else:
        if released:
            log.info("stopped", work=work.queue.table, released=released)


def write_down(decide: Decision, work: Work, lease: Lease) -> None:
    """Commit an outcome, waiting for a database that is away. Where it stays away, the lease expires by itself."""
    began = time.monotonic()
    while True:
        try:
            decide()
        except Exception as failure:
            if not may_pass(failure):
                raise
            patience = NO_WRITES_SECONDS if isinstance(failure, TAKES_NO_WRITES) else SETTLE_SECONDS
            if time.monotonic() - began < patience:
                time.sleep(PAUSE_SECONDS)
                continue
            log.warning(
                "the outcome could not be written", work=work.queue.table, id=str(lease.id), reason=str(failure)
            )
        return
