"""What customers and operators do with generations, for every door: the command, and HTTP.

A door calls these functions and shows what they return; it decides nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Database
from posegen.errors import GenerationUnknown
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.reading import results
from posegen.states import GenerationStatus


@dataclass(frozen=True)
class Cancelled:
    """A generation that was cancelled. `poses_kept`: completed before; `credits_released`: held for the others."""

    generation_id: UUID
    poses_kept: int
    credits_released: int


@dataclass(frozen=True)
class AlreadyEnded:
    """A generation that had ended before. `status`: how."""

    generation_id: UUID
    status: GenerationStatus


@again_after_conflict
def cancel(database: Database, generation_id: UUID, *, actor: str) -> Cancelled | AlreadyEnded:
    """Cancel a generation and release the credits and the space of its open poses.

    Completed poses stay, and stay paid for. A worker that is on it stops before its next pose.

    Args:
        database: where the generation is.
        generation_id: the generation to cancel.
        actor: who asked for it, for the audit trail.

    Returns:
        `Cancelled` with the released credits, or `AlreadyEnded` with the final status.

    Raises:
        GenerationUnknown: there is no such generation.
    """
    with database.transaction() as connection:
        progress = GENERATIONS.queue.progress_of(connection, generation_id)
        if progress is None:
            raise GenerationUnknown(generation_id)
        (before,) = results.results_of(connection, [generation_id])
        is_cancelled = GENERATIONS.cancel(connection, progress, actor=actor)
        (after,) = results.results_of(connection, [generation_id])
    if not is_cancelled:
        return AlreadyEnded(generation_id, after.status)
    return Cancelled(generation_id, after.poses_completed, after.credits_released - before.credits_released)
