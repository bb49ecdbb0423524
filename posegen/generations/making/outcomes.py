"""Outcomes: generations as a kind of work, and how they end: with their poses, credits, space and events.

What follows from the end of an attempt is the same for every kind of work: `posegen.work.outcomes`. What ends
generations that take too long is in `recovery`.
"""

from __future__ import annotations

from uuid import UUID

from posegen.accounts import quota
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.database.rows import value
from posegen.error_codes import ErrorCode
from posegen.errors import BackendHeldBack
from posegen.generations.rows import events, exports, generations, poses
from posegen.graphemes import shorten
from posegen.states import GenerationStatus
from posegen.work.commit_points import CommitPoint, reached
from posegen.work.outcomes import Work
from posegen.work.queue import FREE, Cost, Lease, Progress, Queue

# So much later than the breaker allows does a generation come back that has just met it: another one tries first.
BEHIND_OTHERS_SECONDS = 5.0


class _Generations(Work):
    """Each step is an event, and the end releases credits and space."""

    def put_back(
        self, connection: Connection, progress: Progress, *, wait_seconds: float, reason: str, cost: Cost = FREE
    ) -> None:
        self.queue.put_back(connection, progress, wait_seconds=wait_seconds, cost=cost)
        if cost == FREE:
            events.record(connection, progress.id, "released", reason=reason)
            return
        events.record(
            connection,
            progress.id,
            "requeued",
            reason=shorten(reason, 500),
            attempts=progress.attempts + cost.attempts,
            lost_leases=progress.lost_leases + cost.lost_leases,
            wait=wait_seconds,
        )

    def give_up(
        self, connection: Connection, progress: Progress, *, code: ErrorCode, detail: str, cost: Cost = FREE
    ) -> None:
        end_early(connection, progress.id, code, detail, reason=f"generation given up: {code}", cost=cost)

    def cancel(self, connection: Connection, progress: Progress, *, actor: str) -> bool:
        """Also while it waits or runs; finished poses stay and stay paid for."""
        return bool(value(connection, "select cancel_generation(%s, %s)", [progress.id, actor]))


GENERATIONS = _Generations(Queue("generations", noun="generation", waiting="queued", running="running"))


@again_after_conflict
def finish_generation(database: Database, lease: Lease) -> GenerationStatus:
    """End a generation whose poses and exports are done, and give back what was not used. Raises `LeaseLost`."""
    with database.transaction() as connection:
        if GENERATIONS.queue.hold(connection, lease) is None:
            raise GENERATIONS.queue.lost(lease)
        progress = generations.progress_of(connection, lease.id)
        status, code, detail = _verdict(connection, progress)
        reached(CommitPoint.BEFORE_FINISH)
        _end(connection, progress, status, code, detail, reason="generation finished")
    reached(CommitPoint.AFTER_FINISH)
    return status


@again_after_conflict
def hold_back(database: Database, lease: Lease, held: BackendHeldBack) -> bool:
    """Put a generation back until its backend may be tried again, at the cost of no attempt; False without a lease."""
    with database.transaction() as connection:
        progress = GENERATIONS.queue.hold(connection, lease)
        if progress is None:
            return False
        wait = held.wait + BEHIND_OTHERS_SECONDS
        GENERATIONS.queue.put_back(connection, progress, wait_seconds=wait)
        reason = shorten(held.reason, 500)
        events.record(connection, lease.id, "held_back", backend=held.backend, reason=reason, wait=wait)
        return True


def end_early(
    connection: Connection, generation_id: UUID, code: ErrorCode, detail: str, *, reason: str, cost: Cost = FREE
) -> None:
    """End a locked generation before all of its poses are made: `partial` when some are. See `Work.give_up`."""
    progress = generations.progress_of(connection, generation_id)
    status = GenerationStatus.PARTIAL if progress.poses_completed else GenerationStatus.FAILED
    _end(connection, progress, status, code, detail, reason=reason, cost=cost)


def _verdict(connection: Connection, progress: generations.Progress) -> tuple[GenerationStatus, str | None, str | None]:
    if progress.poses_completed == 0:
        code, detail = poses.first_error(connection, progress.id) or (ErrorCode.BACKEND_REJECTED, "no pose was made")
        return GenerationStatus.FAILED, code, detail
    failed_export = next((row for row in exports.exports_of(connection, progress.id) if row.status == "failed"), None)
    if progress.poses_completed < progress.poses_total:
        return GenerationStatus.PARTIAL, *(poses.first_error(connection, progress.id) or (None, None))
    if failed_export is not None:
        return GenerationStatus.PARTIAL, failed_export.error_code, failed_export.error_detail
    return GenerationStatus.COMPLETED, None, None


def _end(
    connection: Connection,
    progress: generations.Progress,
    status: GenerationStatus,
    code: str | None,
    detail: str | None,
    *,
    reason: str,
    cost: Cost = FREE,
) -> None:
    """End a locked generation: what is open is cancelled, and its credits and space are released."""
    generations.finish(connection, progress.id, status, code=code, detail=detail, cost=cost)
    connection.execute("select end_open_poses(%s, %s, 'posegen')", [progress.id, reason])
    quota.give_back(connection, progress.id)
    events.record(
        connection,
        progress.id,
        status,
        error_code=code,
        poses_completed=progress.poses_completed,
        poses_failed=progress.poses_failed,
    )
