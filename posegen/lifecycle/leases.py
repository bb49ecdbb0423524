"""Keeping a lease: a thread that renews it while work goes on, and the question whether it still holds."""

from __future__ import annotations

import threading
import time
from types import TracebackType

import psycopg
import structlog

from posegen.database import generations
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Database
from posegen.database.generations import Lease
from posegen.errors import DatabaseUnusable, LeaseLost

log = structlog.get_logger(__name__)


class LeaseKeeper:
    """Renews a lease from its own thread, at once and then four times in its duration, until the block ends.

    A renewal that finds another token ends it for good. When the database does not answer, the lease counts as lost as
    soon as it must have run out.
    """

    def __init__(self, database: Database, lease: Lease, *, lease_seconds: float) -> None:
        self.lease = lease
        self._database = database
        self._lease_seconds = lease_seconds
        self._runs_out_at = float("inf")
        self._lost = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease {lease.generation_id}", daemon=True)

    def check(self) -> None:
        """Raise `LeaseLost` when the lease is gone: to be asked before every side effect."""
        if self._lost.is_set() or time.monotonic() >= self._runs_out_at:
            raise LeaseLost(f"The lease on generation {self.lease.generation_id} (token {self.lease.token}) is lost.")

    def __enter__(self) -> LeaseKeeper:
        self._runs_out_at = time.monotonic() + self._lease_seconds
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        # The next step of the run begins with a whole lease, however long this one was.
        if kind is None and not self._lost.is_set():
            self._renew()

    def _keep(self) -> None:
        self._renew()
        while not self._lost.is_set() and not self._stopped.wait(self._lease_seconds / 4):
            self._renew()

    def _renew(self) -> None:
        asked_at = time.monotonic()
        try:
            held = _renew(self._database, self.lease, self._lease_seconds)
        except (psycopg.Error, DatabaseUnusable) as unreachable:
            log.warning("lease not renewed", generation=str(self.lease.generation_id), reason=str(unreachable))
            return
        if held:
            self._runs_out_at = asked_at + self._lease_seconds
        else:
            self._lost.set()


@again_after_conflict
def _renew(database: Database, lease: Lease, seconds: float) -> bool:
    """Whether the lease was still ours."""
    with database.transaction() as connection:
        return generations.renew(connection, lease, lease_seconds=seconds)
