"""Getting a file from a hosted backend for one pose, so that no call is paid for twice.

Each step is a row before the next one is taken: planned, sent, accepted, delivered. A worker that is killed anywhere
leaves a row that says what may be done next; what a provider's interface can say is in `posegen.backends.hosted`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from posegen.backends.hosted import ControlMap, HostedBackend, Order
from posegen.backends.protocol import Recipe
from posegen.error_codes import ErrorCode
from posegen.errors import (
    BackendRefusedContent,
    BackendRejected,
    BackendRetriesExceeded,
    CallUncertain,
    ImageInvalid,
)
from posegen.generations.calling import rows
from posegen.generations.calling.collecting import Collector
from posegen.generations.calling.rows import Call, CallState, History
from posegen.generations.calling.sending import Sender
from posegen.generations.calling.worker import LeaseFence, Worker
from posegen.generations.rows.poses import OpenPose
from posegen.images.quality import seed_of
from posegen.studio import Studio
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Lease


@dataclass(frozen=True)
class Delivery:
    """A call and the file that it has brought, as it came."""

    call: Call
    data: bytes


@dataclass(frozen=True)
class Wanted:
    """What a pose is to look like. `compose`: returns the recipe for a seed; `control`: shows the pose."""

    pose: OpenPose
    compose: Callable[[int], Recipe]
    control: ControlMap | None


class HostedCaller:
    """Gets files for the poses of one generation. The threads of a worker share it.

    Args:
        studio: database, store and rules.
        backend: the wire.
        lease: on the generation.
        keeper: of that lease.
        stop: set when nothing more is to be begun.
    """

    def __init__(
        self, studio: Studio, backend: HostedBackend, lease: Lease, keeper: LeaseKeeper, stop: threading.Event
    ) -> None:
        self.studio = studio
        self.backend = backend
        self.lease = lease
        self._worker = Worker(studio, backend, LeaseFence(lease, keeper), stop)
        self._collector = Collector(self._worker)
        self._sender = Sender(self._worker, self._collector)

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
            self._worker.check()
            with self.studio.database.transaction() as connection:
                call = rows.open_call(connection, wanted.pose.id)
            if call is None:
                self._plan(wanted)
            elif call.state == CallState.PLANNED:
                self._sender.send(call, self._order(call, wanted))
            elif call.state == CallState.SENT:
                self._sender.search(call, self._order(call, wanted))
            elif call.state == CallState.ACCEPTED:
                self._collector.wait(call)
            else:
                return Delivery(call, self.studio.read(*call.file))

    def reject(self, call: Call, why: str) -> None:
        """End a call whose picture did not pass. Raises `LeaseLost`."""
        self._worker.end(call, CallState.REJECTED, code=ErrorCode.IMAGE_INVALID, error=why)

    def refuse(self, call: Call, why: str) -> None:
        """End a call whose picture the provider's checker has flagged. Raises `LeaseLost`."""
        self._worker.end(call, CallState.REFUSED, code=ErrorCode.INAPPROPRIATE_PROMPT, error=why)

    def _plan(self, wanted: Wanted) -> None:
        pose, description = wanted.pose, self.backend.description
        while True:
            with self.studio.database.transaction() as connection:
                self._worker.fence.hold(connection)
                past = rows.history(connection, pose.id)
                # An endpoint that is paid by the hour bills no call: an uncertain one has failed, and cost nothing.
                unbilled = 0 if description.is_billed else past.uncertain
                self._judge(past, unbilled)
                if rows.take_place(connection, description.name, most=description.concurrency):
                    rows.plan(
                        connection,
                        pose.id,
                        wanted.compose(seed_of(pose.seed, past.rejected)),
                        generation=self.lease.id,
                        token=self.lease.token,
                        attempt=past.number + 1,
                        budget=1 + self.studio.paid_retries + unbilled,
                    )
                    break
            self._worker.pause()
        reached(CommitPoint.AFTER_PLAN)

    def _judge(self, past: History, unbilled: int) -> None:
        """Raise what the ended calls of a pose have led to: a worker may have been killed before it failed the pose.

        `unbilled`: uncertain calls that count as attempts, and not against what may be paid for.
        """
        why = past.last_error or "The call did not succeed."
        if past.last_state == CallState.REFUSED:
            refused = past.last_code == ErrorCode.INAPPROPRIATE_PROMPT
            raise BackendRefusedContent(why) if refused else BackendRejected(why)
        if past.last_state == CallState.UNCERTAIN and self.backend.description.on_uncertain == "fail":
            raise CallUncertain(why)
        if past.billable - unbilled > self.studio.paid_retries:
            raise CallUncertain(why) if past.last_state == CallState.UNCERTAIN else ImageInvalid(why)
        if past.fruitless + unbilled >= self.studio.backend_rule.attempts:
            raise BackendRetriesExceeded(why)

    def _order(self, call: Call, wanted: Wanted) -> Order:
        return Order(call.id, wanted.compose(call.seed), wanted.control, call.sent_at, call.age or 0.0)
