"""The call of a replay: planned, sent and collected as those of poses are, and gone on with after a kill.

No lease guards it: the generation has ended, and nothing is decided about its pose. Each step compares the state of the
row before it sets the next one, so processes that replay a pose at once share one call, and one of them sends it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from uuid import UUID, uuid4

from posegen.backends.hosted import ControlMap, HostedBackend, Order
from posegen.backends.protocol import Recipe
from posegen.database.connection import Connection
from posegen.error_codes import ErrorCode
from posegen.errors import (
    BackendHeldBack,
    BackendRefusedContent,
    BackendRejected,
    BackendRetriesExceeded,
    CallUncertain,
    ImageInvalid,
    ReplayHeldBack,
)
from posegen.generations.calling import rows
from posegen.generations.calling.collecting import Collector
from posegen.generations.calling.rows import Call, CallState, SentBy
from posegen.generations.calling.sending import Sender
from posegen.generations.calling.worker import Worker
from posegen.images.decoding.pool import DecoderPool
from posegen.images.pixels import Pixels
from posegen.images.validation import check_pixels
from posegen.studio import Studio
from posegen.work.commit_points import CommitPoint, reached

_PURPOSE: rows.Purpose = "replay"


@dataclass(frozen=True)
class Replayed:
    """A call and the picture that it has brought."""

    call: UUID
    pixels: Pixels


@dataclass(frozen=True)
class _RowFence:
    """The row itself: its state is compared with each change. The token tells the sends of processes apart."""

    sender: SentBy

    def check(self) -> None:
        """No other process can take the call away."""

    def hold(self, connection: Connection) -> SentBy:  # noqa: ARG002 - nothing is locked
        return self.sender


def call_again(
    studio: Studio,
    backend: HostedBackend,
    recipe: Recipe,
    control: ControlMap | None,
    *,
    pose: UUID,
    generation: UUID,
) -> Replayed:
    """Have a recipe made again by a hosted backend: one paid call at most, which an earlier replay may have begun.

    Args:
        studio: database, store and rules.
        backend: that the recipe names.
        recipe: is sent as it is.
        control: the map that it names.
        pose: was made from it.
        generation: of the pose; it has ended.

    Raises:
        BackendRejected: the provider refuses this order.
        BackendRetriesExceeded: the backend took no call, or ended it without a picture and a bill.
        CallUncertain: it cannot be told whether the call was made.
        ImageInvalid: what it brought is no picture of this recipe; it is kept for a while, and paid for.
        ReplayHeldBack: the backend does not respond; the call stays on record.
    """
    run = f"posegen replay {uuid4()}"
    sender = SentBy(uuid4().int >> 65, run, studio.hold_lock(run))
    worker = Worker(studio, backend, _RowFence(sender), threading.Event())
    try:
        call_id = _planned(worker, recipe, pose=pose, generation=generation, token=sender.token)
        call = _delivered(worker, call_id, recipe, control)
    except BackendHeldBack as held:
        raise ReplayHeldBack(held.backend, held.reason) from held
    if call.facts.get("flagged"):
        why = "The provider's checker has flagged the picture."
        worker.end(call, CallState.REFUSED, code=ErrorCode.INAPPROPRIATE_PROMPT, error=why)
        raise BackendRefusedContent(why)
    try:
        pixels = _pixels(studio, call, recipe)
    except ImageInvalid as invalid:
        worker.end(call, CallState.REJECTED, code=ErrorCode.IMAGE_INVALID, error=str(invalid))
        raise
    return Replayed(call.id, pixels)


def end_replay(studio: Studio, call: UUID) -> None:
    """Note that the picture of a call was compared: the next replay of its pose makes a call of its own."""
    with studio.database.transaction() as connection:
        rows.use(connection, call)


def _planned(worker: Worker, recipe: Recipe, *, pose: UUID, generation: UUID, token: int) -> UUID:
    """The open call of the pose's replays; planned if there is none, as soon as the backend takes one more."""
    description = worker.backend.description
    while True:
        with worker.studio.database.transaction() as connection:
            has_place = rows.take_place(connection, description.name, most=description.concurrency)
            begun = rows.open_call(connection, pose, _PURPOSE)
            if begun is not None:
                return begun.id
            if has_place:
                past = rows.history(connection, pose, _PURPOSE)
                call_id = rows.plan(
                    connection,
                    pose,
                    recipe,
                    generation=generation,
                    token=token,
                    attempt=past.number + 1,
                    budget=past.billable + 1,
                    purpose=_PURPOSE,
                )
                break
        worker.pause()
    reached(CommitPoint.AFTER_PLAN)
    return call_id


def _delivered(worker: Worker, call_id: UUID, recipe: Recipe, control: ControlMap | None) -> Call:
    """The call once it has its file. Only this one is followed: one that has ended leads to no other."""
    collector = Collector(worker)
    sender = Sender(worker, collector)
    while True:
        with worker.studio.database.transaction() as connection:
            call = rows.call(connection, call_id)
        order = Order(call.id, recipe, control, call.sent_at, call.age or 0.0)
        if call.state == CallState.PLANNED:
            sender.send(call, order)
        elif call.state == CallState.SENT:
            sender.search(call, order)
        elif call.state == CallState.ACCEPTED:
            collector.wait(call)
        elif call.state in (CallState.DELIVERED, CallState.USED):
            return call
        else:
            raise _ended(call)


def _ended(call: Call) -> Exception:
    """What the end of a call without a picture means for its replay."""
    why = f"Call {call.id} of {call.backend} is {call.state}: {call.error or 'it brought no picture.'}"
    if call.state == CallState.UNCERTAIN:
        return CallUncertain(f"{why} Another replay pays for another call.")
    if call.state in (CallState.FAILED, CallState.CANCELLED):
        return BackendRetriesExceeded(why)
    return BackendRejected(why)


def _pixels(studio: Studio, call: Call, recipe: Recipe) -> Pixels:
    returned = call.facts.get("seed")
    if returned is not None and returned != recipe.seed:
        raise ImageInvalid(f"The picture was made with the seed {returned}; {recipe.seed} was asked for.")
    with DecoderPool(1) as decoders:
        pixels = decoders.decode(studio.read(*call.file))
    check_pixels(pixels, recipe.width, recipe.height)
    return pixels
