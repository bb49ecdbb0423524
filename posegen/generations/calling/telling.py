"""Events of calls: what a client that follows a generation learns of a call, in the transaction of the change itself.

A decision has the token of its lease, as every event of a worker. A fact has none: a worker without a lease may write
it. Nothing is recorded once the generation has ended; the row of the call then has what was learned later.
"""

from __future__ import annotations

from uuid import UUID

from psycopg.types.json import Jsonb

from posegen.database.connection import Connection
from posegen.database.texts import storable
from posegen.error_codes import ErrorCode
from posegen.graphemes import shorten

_LONGEST_DETAIL = 500


def lock_generation(connection: Connection, call_id: UUID) -> None:
    """Lock the generation of a call before the call itself, in the order of every decision.

    The lock also gives the events of all workers one sequence.
    """
    statement = """
        select from generations where id = (select generation_id from backend_calls where id = %s) for no key update
    """
    connection.execute(statement, [call_id])


def decided(connection: Connection, call_id: UUID, *, code: ErrorCode | None = None, error: str | None = None) -> None:
    """Record that a worker with a lease has brought a call into the state that it has.

    Args:
        connection: in a transaction that holds the fence.
        call_id: the call.
        code: what its pose fails with.
        error: why, in words.
    """
    why = {"error_code": code, "error_detail": error and shorten(storable(error), _LONGEST_DETAIL)}
    _record(connection, call_id, why if error else {}, with_token=True)


def learned(connection: Connection, call_id: UUID) -> None:
    """Record what any worker has learned of a call, in a transaction that has locked its generation."""
    _record(connection, call_id, {}, with_token=False)


def _record(connection: Connection, call_id: UUID, more: dict[str, str | None], *, with_token: bool) -> None:
    connection.execute(
        """
        select record_event(g.id, 'call_' || c.state, %(more)s || jsonb_build_object('pose', p.id, 'position',
            p.position, 'call', c.id, 'attempt', c.attempt, 'backend', c.backend)
            || case when %(with_token)s then jsonb_build_object('token', g.token) else '{}' end
            || case when c.state = 'delivered' then jsonb_build_object('seconds',
                round(extract(epoch from c.delivered_at - c.sent_at), 3)) else '{}' end)
        from backend_calls c join generations g on g.id = c.generation_id join generated_poses p on p.id = c.pose_id
        where c.id = %(call)s and c.purpose = 'pose'
            and g.status not in ('completed', 'partial', 'failed', 'cancelled')
        """,
        {"call": call_id, "more": Jsonb(more), "with_token": with_token},
    )
