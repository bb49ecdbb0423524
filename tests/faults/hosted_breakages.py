"""Posegen without one of the guards that keep calls of hosted backends from being paid for twice."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, LiteralString
from uuid import UUID

from posegen.backends.hosted import Accepted, AcceptedCall, Delivered, Failed, HostedBackend, Order, Refused, Waiting
from posegen.backends.registry import Backends
from posegen.database.connection import Connection
from posegen.generations.calling import keeping
from posegen.generations.calling import rows as calling
from posegen.generations.calling.caller import HostedCaller, Wanted
from posegen.generations.calling.collecting import Collector
from posegen.generations.calling.rows import Call, SentBy
from posegen.generations.calling.sending import Sender
from posegen.generations.calling.worker import Fence
from posegen.images.validation import open_image
from posegen.work.commit_points import CommitPoint, reached
from tests.faults.breaking import Breakage, put_in_place_of


def _sent_again_after_a_timeout() -> None:
    def search(sender: Sender, call: Call, order: Order) -> None:
        sender.send(call, order, again_after=call.token)

    put_in_place_of(Sender, "search", search)


def _absence_proves_that_a_stopped_sender_is_dead() -> None:
    put_in_place_of(Sender, "_sender_is_dead", lambda *_: True)


def _the_gate_comes_before_the_flag() -> None:
    def facts(delivered: Delivered) -> dict[str, Any]:
        return {**true_facts(delivered), "flagged": False}

    true_facts = put_in_place_of(keeping, "_facts", facts)


def _the_far_ends_id_is_a_decision() -> None:
    def accept(connection: Connection, call_id: UUID, accepted: Accepted) -> bool:
        row = connection.execute(
            "select g.token = c.token as held from backend_calls c join generations g on g.id = c.generation_id "
            "where c.id = %s",
            [call_id],
        ).fetchone()
        return bool(row and row["held"]) and bool(true_accept(connection, call_id, accepted))

    true_accept = put_in_place_of(calling, "accept", accept)


@dataclass(frozen=True)
class _WaitsInItsSubmit:
    """A wire that returns the picture from its submit, as a provider's synchronous client does."""

    wire: HostedBackend

    def submit(self, order: Order) -> Accepted | Delivered | Refused | Failed:
        accepted = self.wire.submit(order)
        assert isinstance(accepted, Accepted), "a wire that accepts calls"
        call = AcceptedCall(order.call, accepted.far_id, accepted.urls)
        while isinstance(seen := self.wire.look(call), Waiting):
            reached(CommitPoint.WHILE_WAITING)
            time.sleep(0.05)
        return seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wire, name)


def _the_id_is_stored_after_waiting() -> None:
    def open_hosted(backends: Backends, name: str) -> _WaitsInItsSubmit:
        return _WaitsInItsSubmit(true_open(backends, name))

    true_open = put_in_place_of(Backends, "open_hosted", open_hosted)


@dataclass(frozen=True)
class _NoFence:
    """Lets everybody pass a decision. `fence`: whose lease is still looked at between two of them."""

    fence: Fence

    def check(self) -> None:
        self.fence.check()

    def hold(self, connection: Connection) -> SentBy:
        return SentBy(0, None, None)


def _calls_are_planned_outside_the_fence() -> None:
    """A worker finds no open call, is stopped before it inserts one, and its token is not compared then."""

    def plan(caller: HostedCaller, wanted: Wanted) -> None:
        reached(CommitPoint.AFTER_PLAN)
        unfenced = copy(caller)
        unfenced._worker = replace(caller._worker, fence=_NoFence(caller._worker.fence))
        true_plan(unfenced, wanted)

    true_plan = put_in_place_of(HostedCaller, "_plan", plan)


def _delivered_bytes_are_decoded_first() -> None:
    def take(collector: Collector, call: Call, seen: Any) -> None:
        if isinstance(seen, Delivered):
            open_image(seen.data)
            reached(CommitPoint.AFTER_DELIVERY)
        true_take(collector, call, seen)

    true_take = put_in_place_of(Collector, "take", take)


OUTSIDE_THE_FENCE = "planned outside the fence"
_NO_INDEX: LiteralString = "drop index one_open_call_for_each_pose"


OF_CALLS = {
    "id stored after waiting": Breakage(patch=_the_id_is_stored_after_waiting),
    OUTSIDE_THE_FENCE: Breakage(patch=_calls_are_planned_outside_the_fence),
    f"{OUTSIDE_THE_FENCE}, no unique index": Breakage(schema=(_NO_INDEX,), patch=_calls_are_planned_outside_the_fence),
    "delivered bytes not stored first": Breakage(patch=_delivered_bytes_are_decoded_first),
    "sent again after a timeout": Breakage(patch=_sent_again_after_a_timeout),
    "absence believed while the sender is only stopped": Breakage(patch=_absence_proves_that_a_stopped_sender_is_dead),
    "gate before flag": Breakage(patch=_the_gate_comes_before_the_flag),
    "id behind the fence": Breakage(patch=_the_far_ends_id_is_a_decision),
}
