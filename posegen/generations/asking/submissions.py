"""Reading requests for judging: as they lie in the database, and what a retry refers to. `judging` decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import existing, many, one
from posegen.errors import GenerationUnknown
from posegen.generations.asking.judging import Earlier, Submission, invalid
from posegen.generations.asking.requests import GenerationRequest
from posegen.generations.rows import controls
from posegen.generations.rows.poses import PlannedPose
from posegen.states import GenerationStatus


def submission_of(connection: Connection, generation_id: UUID) -> Submission:
    """The request behind a generation. What a client has sent may make this raise."""
    statement = """
        select id, user_id, poses, categories, prompt, avatar, variations, seed, formats, backend, control_weight,
               negative_prompt, allow_degraded, control_kind, control_image, control_start, control_end, retry_of
        from generation_requests where id = %s
    """
    return existing(connection, Submission, statement, [generation_id])


def earlier_of(connection: Connection, submission: Submission) -> Earlier | None:
    """What a retry makes again; None for any other request.

    Raises `RequestRefused` (invalid_request) when nothing can be made again.
    """
    if submission.retry_of is None:
        return None
    generation = one(
        connection, _Ended, "select user_id, status, formats from generations where id = %s", [submission.retry_of]
    )
    if generation is None or generation.user_id != submission.user_id:
        raise invalid(f"The user has no generation {submission.retry_of} that could be retried.")
    if not GenerationStatus(generation.status).is_terminal:
        raise invalid(f"Generation {submission.retry_of} is {generation.status}: retry it when it has ended.")
    poses = many(connection, PlannedPose, _NOT_MADE, [submission.retry_of])
    if not poses:
        raise invalid(f"Generation {submission.retry_of} has no failed or cancelled pose: nothing can be made again.")
    image = controls.find(connection, submission.retry_of)
    root: UUID = existing(connection, _Root, "select root_request(%s) as id", [submission.retry_of]).id
    return Earlier(
        first=submission_of(connection, root),
        formats=generation.formats,
        poses=poses,
        control_image=None if image is None or image.is_left_out else image.source,
    )


def request_again(
    connection: Connection, generation_id: UUID, *, formats: Sequence[str] = ()
) -> tuple[UUID, GenerationRequest]:
    """The user of a generation, and the request that makes its failed and cancelled poses again.

    `formats`: in place of the earlier ones. Raises `GenerationUnknown`.
    """
    statement = "select user_id, project_id, group_name, private, priority from generations where id = %s"
    kept = one(connection, _Kept, statement, [generation_id])
    if kept is None:
        raise GenerationUnknown(generation_id)
    request = GenerationRequest(
        retry_of=generation_id,
        formats=formats,
        project_id=kept.project_id,
        group_name=kept.group_name,
        private=kept.private,
        priority=kept.priority,
    )
    return kept.user_id, request


def inherit(connection: Connection, submission: Submission, formats: Sequence[str]) -> None:
    """Give a retry its formats, and what its request leaves to the earlier generation."""
    connection.execute(
        """
        update generations g set formats = %s, fit = coalesce(g.fit, earlier.fit),
            private = g.private or earlier.private
        from generations earlier where g.id = %s and earlier.id = %s
        """,
        [list(formats), submission.id, submission.retry_of],
    )


_NOT_MADE = """
    select position, library_pose, variation, seed, prompt_used, control_weight, backend, price, negative_prompt,
           control_kind, control_start, control_end, degraded
    from generated_poses where generation_id = %s and status in ('failed', 'cancelled') order by position
"""


@dataclass(frozen=True)
class _Ended:
    user_id: UUID
    status: str
    formats: list[str]


@dataclass(frozen=True)
class _Root:
    id: UUID


@dataclass(frozen=True)
class _Kept:
    user_id: UUID
    project_id: str | None
    group_name: str | None
    private: bool
    priority: int
