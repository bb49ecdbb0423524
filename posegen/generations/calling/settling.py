"""Settling calls that no worker holds: finished ones are collected, cancelled ones are cancelled at the far end.

What is finished there is paid for: its file and its bill are kept, also where nothing needs the picture any more.
Passes share the calls among them, and send nothing. Calls of a backend whose key was taken away wait for its return.
A far end that does not respond delays no other one, and only so many of its calls that a pass ends.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

import structlog

from posegen.backends.hosted import Accepted, Delivered, Failed, HostedBackend, NotThere, Order, Refused, Waiting
from posegen.backends.protocol import Recipe
from posegen.errors import BackendUnavailable, PosegenError
from posegen.generations.calling import rows
from posegen.generations.calling.collecting import look_at, try_to_cancel
from posegen.generations.calling.control import control_of
from posegen.generations.calling.keeping import keep_file, record_delivery
from posegen.generations.calling.rows import Call
from posegen.generations.calling.sending import sender_is_dead
from posegen.generations.calling.worker import note_uncertain
from posegen.studio import Studio
from posegen.work.steps import Apart

log = structlog.get_logger(__name__)

MOST_CALLS = 200
# A pass begins to look at no further call of a backend after that: one that hangs costs half a minute.
_FAR_END_SECONDS = 45.0
# After which nothing more is learned of a call: providers forget requests within days.
_LONGEST_SECONDS = 86_400.0
# After which a far end that does not know a call is believed.
_GONE_SECONDS = 3600.0


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
    apart = Apart()
    with studio.database.transaction() as connection:
        rows.end_left_replays(connection)
        calls = rows.take_unattended(connection, backends=studio.hosted, limit=limit)
    of_backends: dict[str, list[Call]] = {}
    for call in calls:
        of_backends.setdefault(call.backend, []).append(call)
    with ThreadPoolExecutor(max(len(of_backends), 1), thread_name_prefix="settle") as threads:
        parts = [
            threads.submit(copy_context().run, _settle_backend, studio, apart, each) for each in of_backends.values()
        ]
    outcomes = [outcome for part in parts for outcome in part.result()]
    return apart.settle(Settled(**{name: outcomes.count(name) for name in ("collected", "cancelled", "left")}))


def _settle_backend(studio: Studio, apart: Apart, calls: Sequence[Call]) -> list[str]:
    """Settle calls of one backend, as many as there is time for; what each of those and of the others counts for."""
    outcomes: list[str] = []
    ends = time.monotonic() + _FAR_END_SECONDS
    for index, call in enumerate(calls):
        if time.monotonic() >= ends:
            later = [each.id for each in calls[index:]]
            log.warning("far end is slow: calls wait for the next pass", backend=call.backend, calls=len(later))
            with studio.database.transaction() as connection:
                rows.leave_unattended(connection, later)
            return outcomes + ["left"] * len(later)
        with apart.each():
            outcomes.append(_settle_one(studio, call))
    return outcomes


def _settle_one(studio: Studio, call: Call) -> str:
    """The field of `Settled` that it counts for."""
    backend = studio.open_hosted(call.backend)
    if call.far_id is None:
        return _search(studio, backend, call)
    ended = call.state not in ("sent", "accepted")
    removed = try_to_cancel(backend, call) if ended else None
    try:
        seen = look_at(backend, call)
    except BackendUnavailable as silent:
        log.info("no word of a call", call=str(call.id), reason=str(silent))
        seen = Waiting()
    if isinstance(seen, Delivered):
        stored = keep_file(studio, call, seen.data)
        with studio.database.transaction() as connection:
            record_delivery(connection, studio, backend.description, call, stored, seen)
        return "collected"
    if not ended:
        return "left"
    if removed or isinstance(seen, Refused) or (isinstance(seen, Failed) and not seen.billed):
        with studio.database.transaction() as connection:
            rows.settle(connection, call.id, bill=seen.bill if isinstance(seen, Refused) else None)
        return "cancelled" if removed else "left"
    # A far end that has lost sight of a call for a moment says so only at first.
    is_gone = isinstance(seen, Failed) and (call.age or 0) >= _GONE_SECONDS
    return _give_up(studio, call) if is_gone else _leave(studio, call)


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
    if isinstance(found, Accepted):
        with studio.database.transaction() as connection:
            rows.accept(connection, call.id, found)
        return "left"
    if isinstance(found, NotThere):
        if sender_is_dead(studio, call) or _is_old(call):
            with studio.database.transaction() as connection:
                rows.settle(connection, call.id)
        return "left"
    # A submit may take as long as a call, and its worker notes the response also after the call has ended.
    cannot_tell = (call.age or 0) >= 2 * studio.backend_rule.call_seconds
    return _give_up(studio, call) if cannot_tell else _leave(studio, call)


def _leave(studio: Studio, call: Call) -> str:
    return _give_up(studio, call) if _is_old(call) else "left"


def _is_old(call: Call) -> bool:
    return (call.age or _LONGEST_SECONDS) >= _LONGEST_SECONDS


def _give_up(studio: Studio, call: Call) -> str:
    """Nothing more can be learned of a call; one that the provider may have made is uncertain, and not forgotten."""
    why = (
        f"Call {call.id} of backend {call.backend} was cancelled after it had been sent, and whether it was made "
        "cannot be told. Look it up at the provider."
    )
    with studio.database.transaction() as connection:
        rows.settle(connection, call.id)
        if rows.doubt(connection, call.id, error=why):
            note_uncertain(connection, call, why)
    return "left"
