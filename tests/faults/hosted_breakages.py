"""Posegen without one of the guards that keep calls of hosted backends from being paid for twice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from posegen.backends.hosted import Accepted, Delivered, Order
from posegen.database.connection import Connection
from posegen.generations.calling import keeping
from posegen.generations.calling import rows as calling
from posegen.generations.calling.caller import HostedCaller
from posegen.generations.calling.rows import Call
from tests.faults.breaking import Breakage, put_in_place_of


def _sent_again_after_a_timeout() -> None:
    def search(worker: HostedCaller, call: Call, order: Order) -> None:
        worker._send(call, order, again_after=call.token)

    put_in_place_of(HostedCaller, "_search", search)


def _absence_proves_that_a_stopped_sender_is_dead() -> None:
    put_in_place_of(HostedCaller, "_sender_is_dead", lambda *_: True)


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


OF_CALLS = {
    "sent again after a timeout": Breakage(patch=_sent_again_after_a_timeout),
    "absence believed while the sender is only stopped": Breakage(patch=_absence_proves_that_a_stopped_sender_is_dead),
    "gate before flag": Breakage(patch=_the_gate_comes_before_the_flag),
    "id behind the fence": Breakage(patch=_the_far_ends_id_is_a_decision),
}
