"""Making the exports of an ended generation again: one, one format of all poses, or all of them; at no charge.

Deriving lives in `making.exports`. The new rows replace the old ones in one transaction; objects that no row names any
more are left to the reconcile pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from posegen.errors import ClaimSuperseded
from posegen.generations.making.exports import derive_exports
from posegen.generations.rows import events, generations, poses
from posegen.generations.rows.poses import FinishedPose, numbered
from posegen.images.framing import Fit
from posegen.studio import Studio


@dataclass(frozen=True)
class FailedExport:
    """An export that could not be made; what was there before stays. `number`: of the pose, from 1."""

    number: int
    library_pose: str
    format: str


@dataclass(frozen=True)
class Regenerated:
    """What was done. `derived`: exports that were made."""

    derived: int
    failed: tuple[FailedExport, ...]


def regenerate(
    studio: Studio,
    generation_id: UUID,
    *,
    formats: Sequence[str] | None = None,
    numbers: Collection[int] | None = None,
    again: bool = True,
    fit: Fit | None = None,
    on_pose: Callable[[int], object] = lambda _: None,
) -> Regenerated:
    """Derive exports anew, or without `again` those that are missing.

    `formats`: those of the request unless others are named; `numbers`: of poses, from 1, all of them without;
    `fit`: that of the request unless one is named; `on_pose`: called with the number of each pose's exports as they
    are done.
    Raises `GenerationUnknown`, `ClaimSuperseded` when the generation has not ended, `PoseNumberUnknown`, `UnknownName`
    for a format, `RequestRefused` when the new files do not fit into the user's space, and `StorageError`.
    """
    with studio.database.transaction() as connection:
        progress = generations.progress_of(connection, generation_id)
        if not progress.status.is_terminal:
            raise ClaimSuperseded(f"Generation {generation_id} is {progress.status}: try again when it has ended.")
        finished = poses.finished_poses(connection, generation_id)
        seen = max((event.sequence for event in events.events_of(connection, generation_id)), default=0)
    only = {pose.id for pose in numbered({pose.number: pose for pose in finished}, numbers)}
    derived = derive_exports(
        studio, generation_id, None, formats=formats, only=only, again=again, fit=fit, on_pose=on_pose
    )
    return Regenerated(derived, _failures(studio, generation_id, finished, seen))


def _failures(
    studio: Studio, generation_id: UUID, finished: Sequence[FinishedPose], seen: int
) -> tuple[FailedExport, ...]:
    places = {str(pose.id): pose for pose in finished}
    with studio.database.transaction() as connection:
        new = events.events_of(connection, generation_id, after=seen)
    return tuple(
        FailedExport(places[event.detail["pose"]].number, places[event.detail["pose"]].library_pose, name)
        for event in new
        if event.kind == "exports_stored"
        for name in event.detail["failed"]
    )
