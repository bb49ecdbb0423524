"""The worker that gets files from a hosted backend: what it may still do, and what it writes about a call.

Sending an order is in `sending`, waiting for its file in `collecting`, which call is next in `caller`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from posegen import incidents
from posegen.backends.hosted import Bill, HostedBackend
from posegen.database.connection import Connection
from posegen.database.failures import describe, may_pass
from posegen.error_codes import ErrorCode
from posegen.generations.calling import rows
from posegen.generations.calling.rows import Call, CallState
from posegen.generations.making.outcomes import GENERATIONS
from posegen.studio import Studio
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease
from posegen.work.working import Stopped

log = structlog.get_logger(__name__)

STEP_SECONDS = 0.25
# How long a worker tries to write what it knows of a call, while the database is away.
_NOTE_SECONDS = 60.0


@dataclass(frozen=True)
class Worker:
    """A worker that gets files from a hosted backend. Its threads share it.

    Attributes:
        studio: database, store and rules.
        backend: the wire.
        lease: on the generation.
        keeper: of that lease.
        stop: set when nothing more is to be begun.
    """

    studio: Studio
    backend: HostedBackend
    lease: Lease
    keeper: LeaseKeeper
    stop: threading.Event

    def check(self) -> None:
        """Raises `Stopped` when nothing more is to be begun, `LeaseLost` when another worker owns the generation."""
        if self.stop.is_set():
            raise Stopped
        self.keeper.check()

    def pause(self, seconds: float | None = None) -> None:
        """Wait, a step unless told otherwise, and raise what `check` raises as soon as it would."""
        seconds = STEP_SECONDS if seconds is None else seconds
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if self.stop.wait(min(left, STEP_SECONDS)):
                raise Stopped
            self.keeper.check()

    def fence(self, connection: Connection) -> None:
        """Lock the generation for this transaction, before a decision is written. Raises `LeaseLost`."""
        if GENERATIONS.queue.hold(connection, self.lease) is None:
            raise GENERATIONS.queue.lost(self.lease)

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
        """End a call. Raises `LeaseLost`."""
        with self.studio.database.transaction() as connection:
            self.fence(connection)
            rows.end(connection, call.id, state, code=code, error=error, bill=bill)

    def end_uncertain(self, call: Call, why: str, *, settled: bool = True) -> None:
        """End a call of which it cannot be told whether it was made, and open an incident."""
        with self.studio.database.transaction() as connection:
            self.fence(connection)
            code = ErrorCode.BACKEND_UNCERTAIN
            rows.end(connection, call.id, CallState.UNCERTAIN, code=code, error=why, settled=settled)
            incidents.note_found(
                connection, kind="uncertain_call", subject=call.backend, severity="warning", summary=why
            )
