"""Sending an order once: marked before it leaves, and sent again only where that is known to be safe.

What a provider's interface can say of a lost submit is in `posegen.backends.hosted`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from posegen.backends.breaker import Breaker
from posegen.backends.hosted import Accepted, CannotTell, Delivered, NotThere, Order, Refused
from posegen.error_codes import ErrorCode
from posegen.errors import AccountRefused, BackendRejected, BackendUnavailable, CallNotAccepted, CallNotSent
from posegen.generations.calling import rows
from posegen.generations.calling.collecting import Collector
from posegen.generations.calling.rows import Call, CallState
from posegen.generations.calling.worker import Worker
from posegen.storage.keys import originals_prefix
from posegen.studio import Studio
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.working import Stopped

log = structlog.get_logger(__name__)

# How often a worker looks for a call whose submit got no response.
_SEARCH_SECONDS = 2.0


@dataclass(frozen=True)
class Sender:
    """Sends orders. `worker`: that sends them; `collector`: takes what a submit brings at once."""

    worker: Worker
    collector: Collector
    _submitted: set[UUID] = field(default_factory=set)

    def send(self, call: Call, order: Order, *, again_after: int | None = None) -> None:
        """Mark the call as sent, and send it: one request at most."""
        breaker = Breaker(self.worker.studio.database, call.backend, self.worker.studio.backend_rule)
        while not breaker.admits():
            self.worker.pause()
        self.worker.check()
        with self.worker.studio.database.transaction() as connection:
            sender = self.worker.fence.hold(connection)
            if not rows.mark_sent(connection, call.id, sender, again_after=again_after):
                return
        reached(CommitPoint.AFTER_MARK)
        try:
            response = self.worker.backend.submit(order)
        except BackendUnavailable as error:
            self._submitted.add(call.id)
            self._without_effect(call, sender.token, error, breaker)
            return
        except BackendRejected as error:
            response = Refused(error.code, str(error))
        self._submitted.add(call.id)
        reached(CommitPoint.AFTER_SUBMIT)
        breaker.answered()
        if isinstance(response, Accepted):
            accepted = response
            self.worker.note(lambda connection: rows.accept(connection, call.id, accepted))
            reached(CommitPoint.AFTER_ACCEPT)
        else:
            self.collector.take(call, response)

    def search(self, call: Call, order: Order) -> None:
        """Find out what became of a submit that got no response."""
        if self._stored_already(call):
            return
        overdue = (call.age or 0) >= self.worker.studio.backend_rule.call_seconds
        gone = call.id in self._submitted or self._sender_is_dead(call)
        # A sender that may still live has as long as a call may take; afterwards our id lets the far end make it once.
        resend = self.worker.backend.description.resend_is_safe and (gone or overdue)
        found: Accepted | NotThere | CannotTell = CannotTell()
        if resend:
            found = NotThere()
        else:
            with self.worker.studio.database.transaction() as connection:
                recorded = rows.recorded_ids(connection, call.backend)
            try:
                found = self.worker.backend.find(order, recorded)
            except BackendUnavailable as error:
                log.info("call not found yet", call=str(call.id), reason=str(error))
        if isinstance(found, Accepted):
            with self.worker.studio.database.transaction() as connection:
                rows.accept(connection, call.id, found)
        elif isinstance(found, NotThere) and (gone or resend):
            self.send(call, order, again_after=call.token)
        elif overdue:
            self._give_up(call)
        else:
            self.worker.pause(_SEARCH_SECONDS)

    def _without_effect(self, call: Call, token: int, error: BackendUnavailable, breaker: Breaker) -> None:
        """After a submit without a usable response: what is known goes into the row, and the worker pauses."""
        log.warning("call without a response", call=str(call.id), backend=call.backend, reason=str(error))
        without_effect = isinstance(error, CallNotSent | CallNotAccepted | AccountRefused)
        if without_effect:
            self.worker.note(lambda connection: rows.unsend(connection, call.id, token=token, error=str(error)))
        else:
            self.worker.note(lambda connection: rows.note_error(connection, call.id, str(error)))
        if self.worker.stop.is_set():
            raise Stopped
        if not isinstance(error, CallNotAccepted):
            breaker.failed(error, at_once=isinstance(error, AccountRefused))
        if without_effect:
            self._count_failure(call, error)

    def _count_failure(self, call: Call, error: BackendUnavailable) -> None:
        """The backend takes calls for others: this one is tried again after a pause, and a few times at most."""
        rule = self.worker.studio.backend_rule
        with self.worker.studio.database.transaction() as connection:
            self.worker.fence.hold(connection)
            failures = rows.count_failure(connection, call.id)
            if failures >= rule.attempts:
                why = f"No response to {failures} calls; the last: {error}"
                rows.end(connection, call.id, CallState.FAILED, code=ErrorCode.BACKEND_RETRIES_EXCEEDED, error=why)
                return
        # Full jitter: workers that were refused together do not come back together.
        longest = min(rule.first_pause * 2 ** (failures - 1), rule.longest_pause)
        self.worker.pause(max(random.uniform(0, longest), error.retry_after or 0))

    def _sender_is_dead(self, call: Call) -> bool:
        return sender_is_dead(self.worker.studio, call)

    def _stored_already(self, call: Call) -> bool:
        """A worker that was killed between storing the file and writing its row has left the file."""
        store = self.worker.studio.store
        for entry in store.list(originals_prefix(call.generation_id, call.id, private=call.private)):
            if not call.far_id:
                log.info("file of a call found in the store", call=str(call.id), key=entry.key)
            self.collector.record(call, store.head(entry.key), Delivered(b"", facts={"found_in_store": True}))
            return True
        return False

    def _give_up(self, call: Call) -> None:
        seconds = self.worker.studio.backend_rule.call_seconds
        why = (
            f"The response to call {call.id} of backend {call.backend} was lost, and whether it was made cannot be "
            f"told after {seconds:g} s. Look it up at the provider; it is not made again."
        )
        self.worker.end_uncertain(call, why)


def sender_is_dead(studio: Studio, call: Call) -> bool:
    """Whether the process that sent a call has ended: only its file lock in this folder proves that."""
    home = studio.worker_home
    if home is None or call.sender_run is None or call.sender_home is None or call.sender_home != home.id:
        return False
    return home.is_dead(call.sender_run)
