"""Getting a file from a hosted backend for one pose, so that no call is paid for twice.

Each step is a row before the next one is taken: planned, sent, accepted, delivered. A worker that is killed anywhere
leaves a row that says what may be done next; what a provider's interface can say is in `posegen.backends.hosted`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from posegen import incidents
from posegen.backends.breaker import Breaker
from posegen.backends.hosted import (
    Accepted,
    Bill,
    CannotTell,
    ControlMap,
    Delivered,
    Failed,
    HostedBackend,
    NotThere,
    Order,
    Refused,
    Waiting,
)
from posegen.backends.protocol import Recipe
from posegen.database.connection import Connection
from posegen.database.failures import describe, may_pass
from posegen.error_codes import ErrorCode
from posegen.errors import (
    AccountRefused,
    BackendHeldBack,
    BackendRefusedContent,
    BackendRejected,
    BackendRetriesExceeded,
    BackendUnavailable,
    CallNotAccepted,
    CallNotSent,
    CallUncertain,
    ImageInvalid,
)
from posegen.generations.calling import rows
from posegen.generations.calling.keeping import keep_file, record_delivery
from posegen.generations.calling.rows import Call, CallState, History
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.rows.poses import OpenPose
from posegen.images.quality import seed_of
from posegen.storage.keys import originals_prefix
from posegen.storage.protocol import ObjectInfo
from posegen.studio import Studio
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease
from posegen.work.working import Stopped

log = structlog.get_logger(__name__)

_STEP_SECONDS = 0.25
# Pauses between two looks at a call: most pictures take some seconds, and each look costs the far end and us something.
_FIRST_LOOK, _LOOK_GROWTH, _LONGEST_LOOK = 0.5, 1.3, 5.0
# How often a worker looks for a call whose submit got no response.
_SEARCH_SECONDS = 2.0
# How long a worker tries to store a file that is paid for, while the store fails.
_STORE_SECONDS = 30.0
# How long a worker tries to write what it knows of a call, while the database is away.
_NOTE_SECONDS = 60.0
# How often the far end has to say that a call or its file is gone.
_TIMES_GONE = 3
# Of the time that a call may take: so long it is looked at in all, when it was asked to be cancelled.
_CANCELLED_AFTER = 1.2
# How long a generation waits before it looks again at a call that the far end says nothing about.
_SILENT_SECONDS = 60.0


@dataclass(frozen=True)
class Delivery:
    """A call and the file that it has brought, as it came."""

    call: Call
    data: bytes


@dataclass(frozen=True)
class Cancelled:
    """The far end has removed a call before it began."""

    why: str


@dataclass(frozen=True)
class Wanted:
    """What a pose is to look like. `compose`: returns the recipe for a seed; `control`: shows the pose."""

    pose: OpenPose
    compose: Callable[[int], Recipe]
    control: ControlMap | None


@dataclass
class HostedCaller:
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
    _submitted: set[UUID] = field(default_factory=set)

    def fetch(self, wanted: Wanted) -> Delivery:
        """The file of the open call of a pose, which is planned and made if there is none.

        Raises:
            BackendHeldBack: the generation has to wait for the backend.
            BackendRejected: the provider refuses this order; its call has ended.
            BackendRetriesExceeded: the backend took no call for this pose, or did not finish one in time.
            CallUncertain: it cannot be told whether a call was made, and another one must not be.
            ImageInvalid: as many pictures as may be paid for did not pass.
            LeaseLost: another worker owns the generation.
            Stopped: nothing more is to be begun.
        """
        while True:
            self._check()
            with self.studio.database.transaction() as connection:
                call = rows.open_call(connection, wanted.pose.id)
            if call is None:
                self._plan(wanted)
            elif call.state == CallState.PLANNED:
                self._send(call, self._order(call, wanted))
            elif call.state == CallState.SENT:
                self._search(call, self._order(call, wanted))
            elif call.state == CallState.ACCEPTED:
                self._wait(call)
            else:
                return Delivery(call, self._read(call))

    # --- planned ------------------------------------------------------------------------------------------------------

    def _plan(self, wanted: Wanted) -> None:
        pose, description = wanted.pose, self.backend.description
        while True:
            with self.studio.database.transaction() as connection:
                self._fence(connection)
                past = rows.history(connection, pose.id)
                self._judge(past)
                if rows.take_place(connection, description.name, most=description.concurrency):
                    recipe = wanted.compose(seed_of(pose.seed, past.rejected))
                    rows.plan(
                        connection,
                        self.lease,
                        pose.id,
                        attempt=past.number + 1,
                        budget=1 + self.studio.paid_retries,
                        recipe=recipe.to_json(),
                        recipe_hash=recipe.digest(),
                    )
                    break
            self._pause(_STEP_SECONDS)
        reached(CommitPoint.AFTER_PLAN)

    def _judge(self, past: History) -> None:
        """Raise what the ended calls of a pose have led to: a worker may have been killed before it failed the pose."""
        why = past.last_error or "The call did not succeed."
        if past.last_state == CallState.REFUSED:
            refused = past.last_code == ErrorCode.INAPPROPRIATE_PROMPT
            raise BackendRefusedContent(why) if refused else BackendRejected(why)
        if past.last_state == CallState.UNCERTAIN and self.backend.description.on_uncertain == "fail":
            raise CallUncertain(why)
        if past.billable > self.studio.paid_retries:
            raise CallUncertain(why) if past.last_state == CallState.UNCERTAIN else ImageInvalid(why)
        if past.fruitless >= self.studio.backend_rule.attempts:
            raise BackendRetriesExceeded(why)

    def _order(self, call: Call, wanted: Wanted) -> Order:
        return Order(call.id, wanted.compose(call.seed), wanted.control, call.sent_at, call.age or 0.0)

    # --- sent ---------------------------------------------------------------------------------------------------------

    def _send(self, call: Call, order: Order, *, again_after: int | None = None) -> None:
        """Mark the call as sent, and send it: one request at most."""
        breaker = Breaker(self.studio.database, call.backend, self.studio.backend_rule)
        while not breaker.admits():
            self._pause(_STEP_SECONDS)
        self._check()
        with self.studio.database.transaction() as connection:
            self._fence(connection)
            if not rows.mark_sent(connection, call.id, self.lease, again_after=again_after):
                return
        reached(CommitPoint.AFTER_MARK)
        try:
            response = self.backend.submit(order)
        except BackendUnavailable as error:
            self._submitted.add(call.id)
            self._without_effect(call, error, breaker)
            return
        except BackendRejected as error:
            response = Refused(error.code, str(error))
        self._submitted.add(call.id)
        reached(CommitPoint.AFTER_SUBMIT)
        breaker.answered()
        if isinstance(response, Accepted):
            accepted = response
            self._note(lambda connection: rows.accept(connection, call.id, accepted))
            reached(CommitPoint.AFTER_ACCEPT)
        else:
            self._take(call, response)

    def _without_effect(self, call: Call, error: BackendUnavailable, breaker: Breaker) -> None:
        """After a submit without a usable response: what is known goes into the row, and the worker pauses."""
        log.warning("call without a response", call=str(call.id), backend=call.backend, reason=str(error))
        without_effect = isinstance(error, CallNotSent | CallNotAccepted | AccountRefused)
        if without_effect:
            self._note(lambda connection: rows.unsend(connection, call.id, token=self.lease.token, error=str(error)))
        else:
            self._note(lambda connection: rows.note_error(connection, call.id, str(error)))
        if self.stop.is_set():
            raise Stopped
        if not isinstance(error, CallNotAccepted):
            breaker.failed(error, at_once=isinstance(error, AccountRefused))
        if without_effect:
            self._count_failure(call, error)

    def _count_failure(self, call: Call, error: BackendUnavailable) -> None:
        """The backend takes calls for others: this one is tried again after a pause, and a few times at most."""
        rule = self.studio.backend_rule
        with self.studio.database.transaction() as connection:
            self._fence(connection)
            failures = rows.count_failure(connection, call.id)
            if failures >= rule.attempts:
                why = f"No response to {failures} calls; the last: {error}"
                rows.end(connection, call.id, CallState.FAILED, code=ErrorCode.BACKEND_RETRIES_EXCEEDED, error=why)
                return
        # Full jitter: workers that were refused together do not come back together.
        longest = min(rule.first_pause * 2 ** (failures - 1), rule.longest_pause)
        self._pause(max(random.uniform(0, longest), error.retry_after or 0))

    def _search(self, call: Call, order: Order) -> None:
        """Find out what became of a submit that got no response."""
        if self._stored_already(call):
            return
        description = self.backend.description
        gone = call.id in self._submitted or self._sender_is_dead(call)
        found: Accepted | NotThere | CannotTell = CannotTell()
        if gone and description.resend_is_safe:
            found = NotThere()
        else:
            with self.studio.database.transaction() as connection:
                recorded = rows.recorded_ids(connection, call.backend)
            try:
                found = self.backend.find(order, recorded)
            except BackendUnavailable as error:
                log.info("call not found yet", call=str(call.id), reason=str(error))
        if isinstance(found, Accepted):
            with self.studio.database.transaction() as connection:
                rows.accept(connection, call.id, found)
        elif isinstance(found, NotThere) and gone:
            self._send(call, order, again_after=call.token)
        elif (call.age or 0) >= self.studio.backend_rule.call_seconds:
            self._give_up(call)
        else:
            self._pause(_SEARCH_SECONDS)

    def _sender_is_dead(self, call: Call) -> bool:
        """Whether the process that sent it has ended: only its file lock in this folder proves that."""
        home = self.studio.worker_home
        if home is None or call.sender_run is None or call.sender_home is None or call.sender_home != home.id:
            return False
        return home.is_dead(call.sender_run)

    def _stored_already(self, call: Call) -> bool:
        """A worker that was killed between storing the file and writing its row has left the file."""
        store = self.studio.store
        for entry in store.list(originals_prefix(call.generation_id, call.id)):
            if not call.far_id:
                log.info("file of a call found in the store", call=str(call.id), key=entry.key)
            self._record(call, store.head(entry.key), Delivered(b"", facts={"found_in_store": True}))
            return True
        return False

    def _give_up(self, call: Call) -> None:
        why = (
            f"The response to call {call.id} of backend {call.backend} was lost, and whether it was made cannot be "
            f"told after {self.studio.backend_rule.call_seconds:g} s. Look it up at the provider; it is not made again."
        )
        self._end_uncertain(call, why)

    def _end_uncertain(self, call: Call, why: str, *, settled: bool = True) -> None:
        """End a call of which it cannot be told whether it was made, and open an incident."""
        with self.studio.database.transaction() as connection:
            self._fence(connection)
            code = ErrorCode.BACKEND_UNCERTAIN
            rows.end(connection, call.id, CallState.UNCERTAIN, code=code, error=why, settled=settled)
            incidents.note_found(
                connection, kind="uncertain_call", subject=call.backend, severity="warning", summary=why
            )

    # --- accepted -----------------------------------------------------------------------------------------------------

    def _wait(self, call: Call) -> None:
        """Look until the call has ended; one that takes too long is cancelled there, and looked at a while longer.

        What is finished is paid for, so a cancelled call that has brought its file is used. While the far end says
        nothing at all, the generation waits in the queue, and nothing is decided.
        """
        limit = self.studio.backend_rule.call_seconds
        sent, pause, gone, asked = time.monotonic() - (call.age or 0.0), _FIRST_LOOK, 0, False
        silent = call.error is not None
        while True:
            reached(CommitPoint.WHILE_WAITING)
            self._pause(pause)
            pause = min(pause * _LOOK_GROWTH, _LONGEST_LOOK)
            age = time.monotonic() - sent
            try:
                seen = self._look(call, cancel=age >= limit and not asked)
            except BackendUnavailable as error:
                log.info("no word of a call", call=str(call.id), reason=str(error))
                silent = silent or self._note_silence(call, str(error))
                if age >= limit:
                    raise BackendHeldBack(call.backend, _SILENT_SECONDS, f"{_overdue(limit)} {error}") from error
                continue
            silent = silent and self._note_silence(call, None)
            asked = age >= limit
            # Said three times, or a far end that has not heard of its own call yet would cost a picture.
            gone = gone + 1 if isinstance(seen, Failed) and seen.billed else 0
            if not isinstance(seen, Waiting) and gone in (0, _TIMES_GONE):
                self._take(call, seen)
                return
            if age >= limit * _CANCELLED_AFTER:
                why = f"{_overdue(limit)} The far end still works on it."
                self._end_uncertain(call, why, settled=False)
                return

    def _note_silence(self, call: Call, why: str | None) -> bool:
        """Note why the far end does not respond, None once it does again; returns whether it is silent."""
        self._note(lambda connection: rows.note_error(connection, call.id, why))
        return why is not None

    def _look(self, call: Call, *, cancel: bool) -> Waiting | Delivered | Refused | Failed | Cancelled:
        try:
            if cancel and self.backend.cancel(call.accepted):
                return Cancelled(_overdue(self.studio.backend_rule.call_seconds))
            return self.backend.look(call.accepted)
        except BackendRejected as error:
            return Refused(error.code, str(error))

    # --- delivered ----------------------------------------------------------------------------------------------------

    def _take(self, call: Call, seen: Delivered | Refused | Failed | Cancelled) -> None:
        if isinstance(seen, Cancelled):
            self._end(call, CallState.CANCELLED, error=seen.why)
        elif isinstance(seen, Refused):
            self._end(call, CallState.REFUSED, code=seen.code, error=seen.detail, bill=seen.bill)
        elif isinstance(seen, Failed) and seen.billed:
            self._end_uncertain(call, seen.detail)
        elif isinstance(seen, Failed):
            self._end(call, CallState.FAILED, code=ErrorCode.BACKEND_RETRIES_EXCEEDED, error=seen.detail)
        else:
            reached(CommitPoint.BEFORE_STORE)
            self._record(call, keep_file(self.studio, call, seen.data, again=self._waits_for_the_store()), seen)

    def _record(self, call: Call, stored: ObjectInfo, delivered: Delivered) -> None:
        self._note(
            lambda connection: record_delivery(
                connection, self.studio, self.backend.description, call, stored, delivered
            )
        )
        reached(CommitPoint.AFTER_DELIVERY)

    def _note(self, write: Callable[[Connection], object]) -> None:
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
                self.stop.wait(_STEP_SECONDS)

    def _waits_for_the_store(self) -> Callable[[], bool]:
        """Pauses, and returns whether the store is to be tried again."""
        ends = time.monotonic() + _STORE_SECONDS
        return lambda: not self.stop.wait(_STEP_SECONDS) and time.monotonic() < ends

    def _read(self, call: Call) -> bytes:
        return self.studio.read(*call.file)

    def _end(
        self,
        call: Call,
        state: CallState,
        *,
        error: str,
        code: ErrorCode | None = None,
        bill: Bill | None = None,
    ) -> None:
        with self.studio.database.transaction() as connection:
            self._fence(connection)
            rows.end(connection, call.id, state, code=code, error=error, bill=bill)

    # --- the worker ---------------------------------------------------------------------------------------------------

    def reject(self, call: Call, why: str) -> None:
        """End a call whose picture did not pass. Raises `LeaseLost`."""
        self._end(call, CallState.REJECTED, code=ErrorCode.IMAGE_INVALID, error=why)

    def refuse(self, call: Call, why: str) -> None:
        """End a call whose picture the provider's checker has flagged. Raises `LeaseLost`."""
        self._end(call, CallState.REFUSED, code=ErrorCode.INAPPROPRIATE_PROMPT, error=why)

    def _fence(self, connection: Connection) -> None:
        if GENERATIONS.queue.hold(connection, self.lease) is None:
            raise GENERATIONS.queue.lost(self.lease)

    def _check(self) -> None:
        if self.stop.is_set():
            raise Stopped
        self.keeper.check()

    def _pause(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if self.stop.wait(min(left, _STEP_SECONDS)):
                raise Stopped
            self.keeper.check()


def _overdue(seconds: float) -> str:
    return f"Not finished within {seconds:g} s."
