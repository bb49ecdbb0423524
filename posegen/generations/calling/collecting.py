"""Waiting for an accepted call, and keeping what it brings; a worker never decides here that another call is made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from posegen.backends.hosted import Delivered, Failed, HostedBackend, Refused, Waiting
from posegen.error_codes import ErrorCode
from posegen.errors import BackendHeldBack, BackendRejected, BackendUnavailable
from posegen.generations.calling import rows
from posegen.generations.calling.keeping import keep_file, record_delivery
from posegen.generations.calling.rows import Call, CallState
from posegen.generations.calling.worker import STEP_SECONDS, Worker
from posegen.storage.protocol import ObjectInfo
from posegen.work.commit_points import CommitPoint, reached

log = structlog.get_logger(__name__)

# Pauses between two looks at a call: most pictures take some seconds, and each look costs the far end and us something.
_FIRST_LOOK, _LOOK_GROWTH, _LONGEST_LOOK = 0.5, 1.3, 5.0
# Of the seconds that pictures of a backend usually take: so long a call is not looked at. They are read this often.
_NOT_BEFORE, _USUAL_FOR_SECONDS = 0.9, 10.0
# How long a worker tries to store a file that is paid for, while the store fails.
_STORE_SECONDS = 30.0
# How often the far end has to say that a call or its file is gone.
_TIMES_GONE = 3
# Of the time that a call may take: so long it is looked at in all, when it was asked to be cancelled.
_CANCELLED_AFTER = 1.2
# How long a generation waits before it looks again at a call on which the far end does not respond.
_SILENT_SECONDS = 60.0


@dataclass(frozen=True)
class Cancelled:
    """The far end has removed a call before it began."""

    why: str


@dataclass
class _Usual:
    """The seconds that pictures have taken of late, None when there were none, as of a moment."""

    seconds: float | None = None
    read_at: float = -math.inf


@dataclass(frozen=True)
class Collector:
    """Gets the file of an accepted call. `worker`: that waits for it."""

    worker: Worker
    _usual: _Usual = field(default_factory=_Usual)

    def wait(self, call: Call) -> None:
        """Look until the call has ended; one that takes too long is cancelled there, and looked at a while longer.

        What is finished is paid for, so a cancelled call that has brought its file is used. While the far end says
        nothing at all, the generation waits in the queue, and nothing is decided.
        """
        limit = self.worker.studio.backend_rule.call_seconds
        sent, pause, gone, removed = time.monotonic() - (call.age or 0.0), _FIRST_LOOK, 0, None
        early = min(_NOT_BEFORE * self._usual_seconds(call.backend), limit) - (call.age or 0.0)
        silent = call.error is not None
        while True:
            reached(CommitPoint.WHILE_WAITING)
            if early > pause:
                self.worker.pause(early)
            else:
                self.worker.pause(pause)
                pause = min(pause * _LOOK_GROWTH, _LONGEST_LOOK)
            early = 0.0
            age = time.monotonic() - sent
            if age >= limit and removed is None:
                removed = try_to_cancel(self.worker.backend, call)
            try:
                seen = Cancelled(_overdue(limit)) if removed else look_at(self.worker.backend, call)
            except BackendUnavailable as error:
                log.info("no word of a call", call=str(call.id), reason=str(error))
                silent = silent or self._note_silence(call, str(error))
                if age >= limit:
                    raise BackendHeldBack(call.backend, _SILENT_SECONDS, f"{_overdue(limit)} {error}") from error
                continue
            silent = silent and self._note_silence(call, None)
            # Said three times, or a far end that has not heard of its own call yet would cost a picture.
            gone = gone + 1 if isinstance(seen, Failed) and seen.billed else 0
            if not isinstance(seen, Waiting) and gone in (0, _TIMES_GONE):
                self.take(call, seen)
                return
            if age >= limit * _CANCELLED_AFTER:
                why = f"{_overdue(limit)} The far end still works on it."
                self.worker.end_uncertain(call, why, settled=False)
                return

    def _usual_seconds(self, backend: str) -> float:
        """How long a picture of this backend usually takes; 0 when that is not known."""
        now = time.monotonic()
        if now - self._usual.read_at > _USUAL_FOR_SECONDS:
            self._usual.read_at = now
            with self.worker.studio.database.transaction() as connection:
                self._usual.seconds = rows.usual_seconds(connection, backend)
        return self._usual.seconds or 0.0

    def _note_silence(self, call: Call, why: str | None) -> bool:
        """Note why the far end does not respond, None once it does again; returns whether it is silent."""
        self.worker.note(lambda connection: rows.note_error(connection, call.id, why))
        return why is not None

    def take(self, call: Call, seen: Delivered | Refused | Failed | Cancelled) -> None:
        """End a call as the far end has ended it, or store the file that it has brought."""
        if isinstance(seen, Cancelled):
            self.worker.end(call, CallState.CANCELLED, error=seen.why)
        elif isinstance(seen, Refused):
            self.worker.end(call, CallState.REFUSED, code=seen.code, error=seen.detail, bill=seen.bill)
        elif isinstance(seen, Failed) and seen.billed:
            self.worker.end_uncertain(call, seen.detail)
        elif isinstance(seen, Failed):
            self.worker.end(call, CallState.FAILED, code=ErrorCode.BACKEND_RETRIES_EXCEEDED, error=seen.detail)
        else:
            reached(CommitPoint.BEFORE_STORE)
            self.record(call, keep_file(self.worker.studio, call, seen.data, again=self._waits_for_the_store()), seen)

    def record(self, call: Call, stored: ObjectInfo, delivered: Delivered) -> None:
        """Note the stored file of a call, and what the far end says of it."""
        self.worker.note(
            lambda connection: record_delivery(
                connection, self.worker.studio, self.worker.backend.description, call, stored, delivered
            )
        )
        reached(CommitPoint.AFTER_DELIVERY)

    def _waits_for_the_store(self) -> Callable[[], bool]:
        """Pauses, and returns whether the store is to be tried again."""
        ends = time.monotonic() + _STORE_SECONDS
        return lambda: not self.worker.stop.wait(STEP_SECONDS) and time.monotonic() < ends


def try_to_cancel(backend: HostedBackend, call: Call) -> bool | None:
    """Whether the far end has removed a call before it began; None when it could not be asked.

    What the far end says against cancelling says nothing about the call, which may be finished: it is looked at next.
    """
    try:
        return backend.cancel(call.accepted)
    except BackendRejected as refused:
        log.info("call not cancelled", call=str(call.id), reason=str(refused))
        return False
    except BackendUnavailable as silent:
        log.info("call not cancelled yet", call=str(call.id), reason=str(silent))
        return None


def look_at(backend: HostedBackend, call: Call) -> Waiting | Delivered | Refused | Failed:
    """The state of an accepted call. Raises `BackendUnavailable` when the far end does not say."""
    try:
        return backend.look(call.accepted)
    except BackendRejected as error:
        return Refused(error.code, str(error))


def _overdue(seconds: float) -> str:
    return f"Not finished within {seconds:g} s."
