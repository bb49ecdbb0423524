"""What a generation and its poses wait for: a file of the operator, a place, the breaker, the far end, or a worker.

`posegen.generations.kind` and `posegen.generations.calling.caller` act in these states; this module only names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from posegen.backends.registry import Backends
from posegen.errors import SettingsInvalid
from posegen.generations.calling.listing import ListedCall
from posegen.generations.calling.rows import CallState
from posegen.generations.reading.history import History
from posegen.generations.reading.history_rows import GenerationRow, PoseRow
from posegen.policy.lists import read_lists
from posegen.settings import Settings
from posegen.states import GenerationStatus, PoseStatus


@dataclass(frozen=True)
class Waits:
    """What open calls and poses wait for, in words.

    Attributes:
        history: of the generation.
        most: calls of its backend that may be out, None where these settings do not have the backend.
        call_seconds: how long a call may take.
    """

    history: History
    most: int | None
    call_seconds: float

    def of_pose(self, pose: PoseRow) -> str | None:
        """What an open pose without an open call waits for; None where nothing keeps its call from being planned."""
        held, taken = self.history.generation.is_held, self.history.places_taken
        is_open = any(call.is_open and call.pose_id == pose.pose_id for call in self.history.calls)
        if not held or is_open or pose.status not in (PoseStatus.PENDING, PoseStatus.RUNNING) or self.most is None:
            return None
        if taken >= self.most:
            return f"waits for a place: {taken} of {self.most} calls of {self.history.generation.backend} are out"
        return self._for_the_breaker()

    def of_call(self, call: ListedCall) -> str:
        """What an open call waits for."""
        is_held = self.history.generation.is_held
        if not is_held and call.state in (CallState.PLANNED, CallState.DELIVERED):
            return self._for_a_worker()
        if call.state == CallState.PLANNED:
            return self._until_it_is_sent(call)
        if call.state == CallState.SENT:
            return self._until_it_is_found(call)
        if call.state == CallState.ACCEPTED:
            said = f"the far end does not respond: {call.error}" if call.error else "waits for the far end"
            return said if is_held else f"{said}; no worker holds it, and the settling pass looks every minute"
        return "waits for the check of its file"

    def _for_a_worker(self) -> str:
        put_back = next((event for event in reversed(self.history.events) if event.kind == "held_back"), None)
        why = f": {put_back.detail.get('reason')}" if put_back else ""
        return f"waits for a worker, not before {_clock(self.history.generation.not_before)}{why}"

    def _for_the_breaker(self) -> str | None:
        breaker = self.history.breaker
        if breaker is None or breaker.wait is None:
            return None
        why = f": {breaker.last_error}" if breaker.last_error else ""
        return f"waits for the breaker of {breaker.backend}, open for another {max(breaker.wait, 0):.0f} s{why}"

    def _until_it_is_sent(self, call: ListedCall) -> str:
        if call.failures:
            return f"is sent again; submits without an effect: {call.failures}, the last: {call.error}"
        return self._for_the_breaker() or "is about to be sent"

    def _until_it_is_found(self, call: ListedCall) -> str:
        generation = self.history.generation
        if call.error is None and generation.is_held and call.token == generation.token:
            return "waits for the response to its submit"
        lost = f"the response to its submit was lost: {call.error}" if call.error else "its sender was lost"
        if not generation.is_held:
            return f"{lost}; {self._for_a_worker()}"
        assert call.sent_at is not None, "a sent call says when"
        until = call.sent_at + timedelta(seconds=self.call_seconds)
        return f"{lost}; searched at the far end until {_clock(until)}, and uncertain if it is not found"


def file_that_holds_up(row: GenerationRow, settings: Settings, backends: Backends) -> str | None:
    """The broken file of the operator that a generation waits for, with what is wrong in it; None for none."""
    if row.status not in (GenerationStatus.SUBMITTED, GenerationStatus.QUEUED):
        return None
    backend = row.backend or settings.posegen_backend
    if backend in backends.undescribed:
        return f"for POSEGEN_BACKENDS_FILE, or the settings, to be mended. {backends.undescribed[backend]}"
    has_words = row.prompt is not None or row.negative_prompt is not None
    if row.status == GenerationStatus.SUBMITTED and has_words and settings.posegen_policy_file is not None:
        try:
            read_lists(settings.posegen_policy_file)
        except SettingsInvalid as broken:
            return f"for POSEGEN_POLICY_FILE to be mended. {' '.join(broken.problems)}"
    return None


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S}"
