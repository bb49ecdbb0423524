"""What customers and operators do with generations, for every door: the command, and HTTP.

A door calls these functions and shows what they return; it decides nothing and opens no transaction. What is a page of
its own is called in the same way: `asking.regeneration` and `adopting.adoption` make files, `reading` has archives,
files, history, origins, replay and watching. The work itself lies in `making`, the statements in `rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from posegen.accounts import credits
from posegen.backends.registry import Backends
from posegen.database.conflicts import again_after_conflict
from posegen.database.connection import Connection, Database
from posegen.errors import GenerationUnknown, NothingToDelete, NothingToRefund, NothingToRestore, RequestRefused
from posegen.generations.asking import quoting, requests, submissions
from posegen.generations.asking.judging import Submission
from posegen.generations.asking.quoting import Quoted, Terms
from posegen.generations.asking.requests import GenerationRequest
from posegen.generations.calling import listing
from posegen.generations.calling.listing import ListedBackend, ListedCall, Which
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.reading import pages, results
from posegen.generations.reading.pages import LARGEST_PAGE, Cursor, GenerationFilter, Page, PoseFilter
from posegen.generations.reading.results import GenerationResult, PoseResult
from posegen.generations.rows import generations, poses
from posegen.objects import adopted_files
from posegen.states import GenerationStatus


@dataclass(frozen=True)
class Submitted:
    """A stored request. `replayed`: it was stored before, under the same idempotency key."""

    generation_id: UUID
    replayed: bool = False


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


@dataclass(frozen=True)
class Deleted:
    """Images that are hidden, and deleted later. `adopted_files_kept`: files of the operator, which stay."""

    generation_id: UUID
    poses_hidden: int
    adopted_files_kept: int


@dataclass(frozen=True)
class Restored:
    """Images that are shown again. `poses_gone`: poses whose images are deleted for good."""

    generation_id: UUID
    poses_restored: int
    poses_gone: int


@dataclass(frozen=True)
class Refunded:
    """Credits that were given back for completed poses."""

    generation_id: UUID
    credits: int


def submit(
    database: Database,
    user_id: UUID,
    request: GenerationRequest,
    *,
    idempotency_key: str | None = None,
    terms: Terms | None = None,
    before_commit: Callable[[Submitted], object] = lambda _: None,
) -> Submitted:
    """Store a request for pictures, as an INSERT into `generation_requests` does; intake judges it afterwards.

    Args:
        database: where requests are.
        user_id: who asks and pays.
        request: what is asked for.
        idempotency_key: the same key with the same request is stored once; 1 to 200 characters.
        terms: what intake would refuse now by these is not stored; None stores it all the same. A request that was
            stored before is not judged again.
        before_commit: called with the result; a commit that fails with a lost connection may have been made.

    Raises:
        IdempotencyConflict: the key came with another request before.
        RequestRefused: the database refuses a type or a range (invalid_request), or intake would refuse it. Without
            `terms`, intake refuses an unknown user afterwards.
    """
    with database.transaction() as connection:
        if idempotency_key is None:
            submitted = Submitted(requests.insert_request(connection, user_id, request.columns))
        else:
            submitted = Submitted(*requests.submit(connection, user_id, idempotency_key, request.columns))
        if terms is not None and not submitted.replayed:
            refusal = quoting.quote(connection, terms, user_id, [request], are_stored=True).together.refusal
            if refusal is not None:
                raise RequestRefused(refusal.code, refusal.detail)
        before_commit(submitted)
    return submitted


def retry(
    database: Database,
    generation_id: UUID,
    *,
    formats: Sequence[str] = (),
    idempotency_key: str | None = None,
    terms: Terms | None = None,
    before_commit: Callable[[Submitted], object] = lambda _: None,
) -> Submitted:
    """Submit a request that makes the failed and cancelled poses of an ended generation again, for the same user.

    Library poses, variations, seeds and prompts are the earlier ones, and so are project, group, privacy and priority.

    Args:
        database: where the generation is.
        generation_id: the generation to retry.
        formats: in place of the earlier ones.
        idempotency_key: the same key with the same generation is stored once; 1 to 200 characters.
        terms: as `submit` takes them.
        before_commit: called with the result; a commit that fails with a lost connection may have been made.

    Raises:
        GenerationUnknown: there is no such generation.
        RequestRefused: it has not ended, or has no failed or cancelled pose (invalid_request).
        IdempotencyConflict: the key came with another request before.
    """
    with database.transaction() as connection:
        user_id, request = submissions.request_again(connection, generation_id, formats=formats)
        submissions.earlier_of(connection, Submission(generation_id, user_id, retry_of=generation_id))
    return submit(database, user_id, request, idempotency_key=idempotency_key, terms=terms, before_commit=before_commit)


def quote(database: Database, terms: Terms, user_id: UUID, requests: Sequence[GenerationRequest]) -> Quoted:
    """What requests of one user would make, cost and reserve, and why they would be refused now. Nothing is written.

    Args:
        database: where requests and accounts are.
        terms: of intake, from a `CatalogueCache`.
        user_id: who would ask and pay.
        requests: what would be submitted together.
    """
    with database.reading() as connection:
        return quoting.quote(connection, terms, user_id, requests)


def status(database: Database, generation_ids: Collection[UUID]) -> list[GenerationResult]:
    """These generations as their customers see them, the oldest first. Raises `GenerationUnknown` for any other id."""
    with database.reading() as connection:
        found = results.results_of(connection, generation_ids)
    missing = set(generation_ids) - {result.generation_id for result in found}
    if missing:
        raise GenerationUnknown(min(missing))
    return found


def list_generations(
    database: Database, which: GenerationFilter, *, after: Cursor | None = None, limit: int = LARGEST_PAGE
) -> Page[GenerationResult]:
    """A page of the generations that a filter chooses, as their customers see them.

    Args:
        database: where they are.
        which: which ones, and in which order.
        after: the `next` of the page before; None for the first page.
        limit: generations at most, 1 to 100.
    """
    with database.reading() as connection:
        return pages.page_of_generations(connection, which, after=after, limit=limit)


def list_poses(
    database: Database, which: PoseFilter, *, after: Cursor | None = None, limit: int = LARGEST_PAGE
) -> Page[PoseResult]:
    """A page of the poses that a filter chooses, with their URLs.

    Args:
        database: where they are.
        which: which ones, and in which order.
        after: the `next` of the page before; None for the first page.
        limit: poses at most, 1 to 100.
    """
    with database.reading() as connection:
        return pages.page_of_poses(connection, which, after=after, limit=limit)


def pose_results(database: Database, generation_id: UUID) -> list[PoseResult]:
    """The poses of a generation with their URLs, by position. Raises `GenerationUnknown`."""
    with database.reading() as connection:
        generations.progress_of(connection, generation_id)
        return results.pose_results(connection, generation_id)


def poses_with_ids(database: Database, pose_ids: Collection[UUID]) -> list[PoseResult]:
    """These poses with their URLs, without those that there are not; hidden ones have no URLs."""
    with database.reading() as connection:
        return results.poses_with_ids(connection, pose_ids)


def calls(
    database: Database, which: Which = Which.ALL, *, generation_id: UUID | None = None, limit: int = 50
) -> list[ListedCall]:
    """Calls of hosted backends, the newest first.

    Args:
        database: where they are.
        which: all, or those of one kind.
        generation_id: only those of one generation.
        limit: calls at most.
    """
    with database.transaction() as connection:
        return listing.list_calls(connection, which, generation=generation_id, limit=limit)


def backends(database: Database, configured: Backends) -> list[ListedBackend]:
    """The configured backends, each with its breaker and the number of its open calls."""
    with database.transaction() as connection:
        return listing.list_backends(connection, configured)


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


def refund(
    database: Database,
    generation_id: UUID,
    *,
    numbers: Collection[int] | None = None,
    reason: str,
    actor: str,
    before_commit: Callable[[Refunded], object] = lambda _: None,
) -> Refunded:
    """Give back what was paid for completed poses, once each. The pictures stay.

    Args:
        database: where the generation is.
        generation_id: the generation.
        numbers: of poses, from 1; None for all.
        reason: why, for the ledger.
        actor: who decided, for the ledger and the audit trail.
        before_commit: called with the result; a commit that fails with a lost connection may have been made.

    Raises:
        GenerationUnknown: there is no such generation.
        PoseNumberUnknown: a number is not that of a completed pose.
        NothingToRefund: none of the poses was paid for and is not refunded yet.
    """
    with database.transaction() as connection:
        chosen = _completed(connection, generation_id, numbers)
        refunded = Refunded(generation_id, credits.refund(connection, chosen, reason=reason, actor=actor))
        if not refunded.credits:
            raise NothingToRefund(generation_id)
        before_commit(refunded)
    return refunded


def delete(
    database: Database,
    generation_id: UUID,
    *,
    numbers: Collection[int] | None = None,
    grace: timedelta,
    delete_files: bool = False,
    actor: str,
) -> Deleted:
    """Hide the images of completed poses and all that was made of them; the nightly clean-up deletes them.

    What they cost stays paid; rows, ledger and audit stay as they are.

    Args:
        database: where the generation is.
        generation_id: a generation that has ended.
        numbers: of poses, from 1; None for all.
        grace: how long they can be restored.
        delete_files: also delete files that were adopted where they lie.
        actor: who asked for it, for the audit trail.

    Raises:
        GenerationUnknown: there is no such generation.
        PoseNumberUnknown: a number is not that of a completed pose.
        NothingToDelete: none of the poses has images that could be deleted.
    """
    with database.transaction() as connection:
        chosen = _completed(connection, generation_id, numbers)
        hidden = poses.hide(connection, chosen, actor=actor, grace=grace)
        released = adopted_files.let_go_with(connection, chosen) if delete_files else 0
        kept = adopted_files.count_of_poses(connection, chosen)
    if not hidden and not released:
        raise NothingToDelete(generation_id)
    return Deleted(generation_id, hidden, kept)


def restore(database: Database, generation_id: UUID, *, numbers: Collection[int] | None = None, actor: str) -> Restored:
    """Take a deletion back, asked for or by age, where the images still exist.

    Args:
        database: where the generation is.
        generation_id: the generation.
        numbers: of poses, from 1; None for all.
        actor: who asked for it, for the audit trail.

    Raises:
        GenerationUnknown: there is no such generation.
        PoseNumberUnknown: a number is not that of a completed pose.
        NothingToRestore: no images can be restored; `gone` says how many are deleted for good.
    """
    with database.transaction() as connection:
        chosen = _completed(connection, generation_id, numbers)
        hidden = poses.hidden_poses(connection, generation_id)
        restored = poses.restore(connection, chosen, actor=actor)
    gone = sum(each.id in chosen and each.images_deleted_at is not None for each in hidden)
    if not restored:
        raise NothingToRestore(generation_id, gone=gone)
    return Restored(generation_id, restored, gone)


def _completed(connection: Connection, generation_id: UUID, numbers: Collection[int] | None) -> Sequence[UUID]:
    """The completed poses of a generation with these numbers, hidden ones among them."""
    generations.progress_of(connection, generation_id)
    return poses.numbered(poses.completed_poses(connection, generation_id), numbers)
