"""Being at work on a generation: the lease is kept during the block, and what ends the block decides what follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import structlog

from posegen.database.connection import Database
from posegen.database.generations import Lease
from posegen.error_codes import ErrorCode
from posegen.errors import DatabaseUnusable, LeaseLost, StorageError
from posegen.lifecycle.leases import LeaseKeeper
from posegen.lifecycle.outcomes import RetryRule, release_lease, retry_after_error
from posegen.logs import bound

log = structlog.get_logger(__name__)


@contextmanager
def at_work(database: Database, lease: Lease, *, lease_seconds: float, rule: RetryRule) -> Iterator[LeaseKeeper]:
    """Keep the lease during the block.

    An error puts the generation back for another attempt, or ends it after the last one. An interrupt (the process is
    asked to stop) puts it back at once and burns no attempt. A lost lease changes nothing: somebody else has the word.
    """
    try:
        with bound(attempt=lease.token), LeaseKeeper(database, lease, lease_seconds=lease_seconds) as keeper:
            yield keeper
    except LeaseLost:
        raise
    except StorageError as error:
        retry_after_error(database, lease, rule, reason=str(error), code=ErrorCode.STORAGE_FAILED)
        raise
    except Exception as error:
        retry_after_error(database, lease, rule, reason=f"{type(error).__name__}: {error}")
        raise
    except BaseException as interrupt:
        try:
            released = release_lease(database, lease, reason=type(interrupt).__name__)
        except (psycopg.Error, DatabaseUnusable):  # the lease runs out by itself; the interrupt has to go on
            log.warning("stopped, and the lease could not be released", generation=str(lease.generation_id))
        else:
            log.info("stopped", generation=str(lease.generation_id), released=released)
        raise
