"""Settling calls that no worker holds: finished ones are collected, cancelled ones are cancelled at the far end.

What is finished there is paid for: its file and its bill are kept, also where nothing needs the picture any more.
Passes share the calls among them, and send nothing. Calls of a backend whose key was taken away wait for its return.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from posegen.backends.hosted import Accepted, Delivered, Failed, HostedBackend, Order, Refused
from posegen.backends.protocol import Recipe
from posegen.errors import BackendError, BackendRejected, PosegenError
from posegen.generations.calling import rows
from posegen.generations.calling.control import control_of
from posegen.generations.calling.keeping import keep_file, record_delivery
from posegen.generations.calling.rows import Call
from posegen.studio import Studio
from posegen.work.steps import Apart

log = structlog.get_logger(__name__)

MOST_CALLS = 200
# After which nothing more is learned of a call: providers forget requests within days.
_LONGEST_SECONDS = 86_400.0


@dataclass(frozen=True)
class Settled:
    """What a pass did. `collected`: files; `cancelled`: calls at the far end; `left`: calls to look at again."""

    collected: int = 0
    cancelled: int = 0
    left: int = 0


def settle_calls(studio: Studio, *, limit: int = MOST_CALLS) -> Settled:
    """Look once at each call that no worker holds.

    Args:
        studio: database, store and backends.
        limit: calls at most.

    Raises:
        PartlyDone: some could not be looked at; the others were.
    """
    done, apart = Settled(), Apart()
    with studio.database.transaction() as connection:
        calls = rows.take_unattended(connection, backends=studio.hosted, limit=limit)
    for call in calls:
        with apart.each():
            outcome = _settle_one(studio, call)
            done = replace(done, **{outcome: getattr(done, outcome) + 1})
    return apart.settle(done)


def _settle_one(studio: Studio, call: Call) -> str:
    """The field of `Settled` that it counts for."""
    backend = studio.open_hosted(call.backend)
    ended = call.state not in ("sent", "accepted")
    if call.far_id is None:
        return _search(studio, backend, call)
    cancelled = False
    try:
        cancelled = ended and backend.cancel(call.accepted)
        seen = backend.look(call.accepted)
    except BackendRejected as refused:
        seen = Refused(refused.code, str(refused))
    except BackendError as silent:
        log.info("no word of a call", call=str(call.id), reason=str(silent))
        return _leave(studio, call)
    if isinstance(seen, Delivered):
        stored = keep_file(studio, call, seen.data)
        with studio.database.transaction() as connection:
            record_delivery(connection, studio, backend.description, call, stored, seen)
        return "collected"
    if isinstance(seen, Refused | Failed) or cancelled:
        if ended:
            with studio.database.transaction() as connection:
                rows.bill(connection, call.id, seen.bill if isinstance(seen, Refused) else None)
                rows.settle(connection, call.id)
        return "cancelled" if cancelled else "left"
    return _leave(studio, call)


def _search(studio: Studio, backend: HostedBackend, call: Call) -> str:
    """An ended call without the far end's id: it may have reached the far end all the same."""
    try:
        recipe = Recipe.from_json(call.recipe or {})
        order = Order(call.id, recipe, control_of(studio, recipe), call.sent_at, call.age or 0.0)
        with studio.database.transaction() as connection:
            recorded = rows.recorded_ids(connection, call.backend)
        found = backend.find(order, recorded)
    except (PosegenError, KeyError, TypeError, ValueError) as failure:
        log.info("call not found", call=str(call.id), reason=str(failure))
        return _leave(studio, call)
    if not isinstance(found, Accepted):
        return _leave(studio, call)
    with studio.database.transaction() as connection:
        rows.accept(connection, call.id, found)
    return "left"


def _leave(studio: Studio, call: Call) -> str:
    if (call.age or _LONGEST_SECONDS) >= _LONGEST_SECONDS:
        with studio.database.transaction() as connection:
            rows.settle(connection, call.id)
    return "left"
