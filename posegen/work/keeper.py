"""Keeping leases: a thread that renews them while work goes on, and the question whether they still hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from uuid import UUID

import psycopg
import structlog

from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Database
from posegen.errors import DatabaseUnusable, LeaseLost
from posegen.work.queue import Lease, Queue

log = structlog.get_logger(__name__)


class LeaseKeeper:
    """Renews leases from its own thread, at once and then four times in their duration, until the block ends.

    A renewal that finds another token ends that lease for good. When the database cannot be reached, the leases count
    as lost as soon as they must have expired.

    Args:
        database: where the rows are.
        queue: the table of the rows.
        leases: those of one run; all are renewed by one statement.
        lease_seconds: the duration of a lease.
    """

    def __init__(self, database: Database, queue: Queue, leases: Sequence[Lease], *, lease_seconds: float) -> None:
        self._database = database
        self._queue = queue
        self._lease_seconds = lease_seconds
        self._expires_at = float("inf")
        self._lock = threading.Lock()
        self._leases = tuple(leases)
        self._held = {lease.id: lease for lease in leases}
        self._lost: set[UUID] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"leases of {queue.table}", daemon=True)

    def check(self, lease: Lease | None = None) -> None:
        """Raise `LeaseLost` when a lease, or any of them, is gone: to be called before every side effect."""
        for each in self._leases if lease is None else (lease,):
            if each.id in self._lost or time.monotonic() >= self._expires_at:
                raise LeaseLost(f"The lease on {self._queue.noun} {each.id} (token {each.token}) is lost.")

    def drop(self, lease: Lease) -> None:
        """Renew this lease no more: its work has ended."""
        with self._lock:
            self._held.pop(lease.id, None)

    def __enter__(self) -> LeaseKeeper:
        self._expires_at = time.monotonic() + self._lease_seconds
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        # The next step of the run begins with a whole lease, however long this one was.
        if kind is None:
            self._renew()

    def _keep(self) -> None:
        self._renew()
        while self._held and not self._stopped.wait(self._lease_seconds / 4):
            self._renew()

    def _renew(self) -> None:
        with self._lock:
            leases = list(self._held.values())
        if not leases:
            return
        asked_at = time.monotonic()
        try:
            held = _renew(self._database, self._queue, leases, self._lease_seconds)
        except (psycopg.Error, DatabaseUnusable) as unreachable:
            log.warning("leases not renewed", table=self._queue.table, reason=str(unreachable))
            return
        with self._lock:
            gone = {lease.id for lease in leases if lease.id not in held and lease.id in self._held}
            self._lost |= gone
            for each in gone:
                del self._held[each]
        if held:
            self._expires_at = asked_at + self._lease_seconds


@again_after_conflict
def _renew(database: Database, queue: Queue, leases: Sequence[Lease], seconds: float) -> set[UUID]:
    """The ids of the rows whose leases still held."""
    with database.transaction() as connection:
        return queue.renew(connection, leases, lease_seconds=seconds)
