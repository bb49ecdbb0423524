"""The worker that gets files from a hosted backend: what it may still do, and what it writes about a call.

Sending an order is in `sending`, waiting for its file in `collecting`, which call is next in `caller`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from posegen import incidents
from posegen.backends.hosted import Bill, HostedBackend
from posegen.database.connection import Connection
from posegen.database.failures import describe, may_pass
from posegen.error_codes import ErrorCode
from posegen.errors import LeaseLost
from posegen.generations.calling import rows
from posegen.generations.calling.rows import Call, CallState, SentBy
from posegen.generations.making.outcomes import GENERATIONS
from posegen.studio import Studio
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease
from posegen.work.working import Stopped

log = structlog.get_logger(__name__)

STEP_SECONDS = 0.25
# How long a worker tries to write what it knows of a call, while the database is away.
_NOTE_SECONDS = 60.0


class Fence(Protocol):
    """What a decision about a call is made behind."""

    def check(self) -> None:
        """Raises `LeaseLost` when another worker has the call."""

    def hold(self, connection: Connection) -> SentBy:
        """Lock it for this transaction; returns who sends. Raises `LeaseLost`."""


@dataclass(frozen=True)
class LeaseFence:
    """The row of the generation, locked under the token of a lease. `keeper`: of that lease."""

    lease: Lease
    keeper: LeaseKeeper

    def check(self) -> None:
        self.keeper.check()

    def hold(self, connection: Connection) -> SentBy:
        progress = GENERATIONS.queue.hold(connection, self.lease)
        if progress is None:
            raise GENERATIONS.queue.lost(self.lease)
        return SentBy(progress.token, progress.run_id, progress.worker_home)


@dataclass(frozen=True)
class Worker:
    """A worker that gets files from a hosted backend. Its threads share it.

    Attributes:
        studio: database, store and rules.
        backend: the wire.
        fence: what its decisions are made behind.
        stop: set when nothing more is to be begun.
    """

    studio: Studio
    backend: HostedBackend
    fence: Fence
    stop: threading.Event

    def check(self) -> None:
        """Raises `Stopped` when nothing more is to be begun, `LeaseLost` when another worker has the call."""
        if self.stop.is_set():
            raise Stopped
        self.fence.check()

    def pause(self, seconds: float | None = None) -> None:
        """Wait, a step unless told otherwise, and raise what `check` raises as soon as it would."""
        seconds = STEP_SECONDS if seconds is None else seconds
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if self.stop.wait(min(left, STEP_SECONDS)):
                raise Stopped
            self.fence.check()

    def note(self, write: Callable[[Connection], object]) -> None:
        """Write a fact of the far end, and wait for a database that is away: what was paid for hangs on it."""
        ends = time.monotonic() + _NOTE_SECONDS
        while True:
            try:
                with self.studio.database.transaction() as connection:
                    write(connection)
                return
            except Exception as failure:
                if not may_pass(failure) or self.stop.is_set() or time.monotonic() >= ends:
                    raise
                log.warning("a fact of a call waits for the database", reason=describe(failure))
                self.stop.wait(STEP_SECONDS)

    def end(
        self,
        call: Call,
        state: CallState,
        *,
        error: str,
        code: ErrorCode | None = None,
        bill: Bill | None = None,
    ) -> None:
        """End a call. Raises `LeaseLost`; a call that was cancelled meanwhile is then settled by what is known."""
        try:
            with self.studio.database.transaction() as connection:
                self.fence.hold(connection)
                rows.end(connection, call.id, state, code=code, error=error, bill=bill)
        except LeaseLost:
            self.note(lambda connection: rows.settle(connection, call.id, bill=bill))
            raise

    def end_uncertain(self, call: Call, why: str, *, settled: bool = True) -> None:
        """End a call of which it cannot be told whether it was made, and open an incident."""
        with self.studio.database.transaction() as connection:
            self.fence.hold(connection)
            code = ErrorCode.BACKEND_UNCERTAIN
            if rows.end(connection, call.id, CallState.UNCERTAIN, code=code, error=why, settled=settled):
                note_uncertain(connection, call, why)


def note_uncertain(connection: Connection, call: Call, why: str) -> None:
    """Open the incident of a call of which it cannot be told whether it was made."""
    incidents.note_found(connection, kind="uncertain_call", subject=call.backend, severity="warning", summary=why)
