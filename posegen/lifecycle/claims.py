"""Claims: which generations may start now, and the step from a claim to the lease of a running one."""

from __future__ import annotations

from uuid import UUID

from posegen.database import events, generations
from posegen.database.connection import Database
from posegen.database.generations import Claim, Lease
from posegen.errors import ClaimSuperseded, GenerationUnknown
from posegen.states import GenerationStatus

RUN_SHOULD_HAVE_STARTED_SECONDS = 10.0


def claim_next(database: Database, *, most_running: int) -> list[Claim]:
    """Claim queued generations in fair order, as many as there are free slots."""
    with database.transaction() as connection:
        generations.lock_claiming(connection)
        free = most_running - generations.count_under_way(connection)
        if free <= 0:
            return []
        claims = generations.claim_queued(connection, free)
        for claim in claims:
            events.record(connection, claim.generation_id, "dispatched", dispatch=claim.dispatch)
        return claims


def claims_to_send_again(database: Database) -> list[Claim]:
    """Claims whose run has not begun in time; sending the same run key again is harmless when the run exists."""
    with database.transaction() as connection:
        return generations.claims_without_run(connection, older_than_seconds=RUN_SHOULD_HAVE_STARTED_SECONDS)


def start_work(
    database: Database, generation_id: UUID, *, dispatch: int | None, run_id: str, lease_seconds: float
) -> Lease | None:
    """The lease of a generation that begins to run, or None when it has ended and nothing is left to make.

    `dispatch` is that of the claim that launched the run; a run started by hand has none and claims for itself.
    Raises `ClaimSuperseded` when somebody else has the generation now, `GenerationUnknown` when there is none.
    """
    with database.transaction() as connection:
        progress = generations.progress_of(connection, generation_id, lock=True)
        if progress is None:
            raise GenerationUnknown(generation_id)
        if progress.status.is_terminal:
            return None
        if dispatch is None and progress.status is GenerationStatus.QUEUED:
            claim = generations.claim_one(connection, generation_id)
            assert claim is not None, "the row is locked"
            dispatch = claim.dispatch
        lease = generations.start(
            connection, generation_id, dispatch=dispatch or 0, run_id=run_id, lease_seconds=lease_seconds
        )
        if lease is None:
            raise ClaimSuperseded(
                f"Generation {generation_id} is {progress.status} under dispatch {progress.dispatch}; "
                f"this run came with dispatch {dispatch}. Nothing was changed; wait for the other run."
            )
        events.record(connection, generation_id, "started", run=run_id, token=lease.token, dispatch=dispatch)
        return lease


def resume_work(database: Database, generation_id: UUID, *, run_id: str) -> Lease | None:
    """The lease that this run took earlier, or None when the generation has ended.

    Raises `ClaimSuperseded` when the generation is not at work under this run, `GenerationUnknown` when there is none.
    """
    with database.transaction() as connection:
        progress = generations.progress_of(connection, generation_id)
    if progress is None:
        raise GenerationUnknown(generation_id)
    if progress.status.is_terminal:
        return None
    if progress.status is not GenerationStatus.RUNNING or progress.run_id != run_id:
        raise ClaimSuperseded(
            f"Generation {generation_id} is {progress.status} under run {progress.run_id}, not under run {run_id}. "
            "Nothing was changed; wait until it has ended."
        )
    return Lease(generation_id, progress.token)
