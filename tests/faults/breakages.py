"""Posegen broken on purpose, one guard at a time: what the checks have to catch, or they prove nothing.

A breakage changes a worker process after it was forked, or the schema of a test's own database; never the product.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, LiteralString
from uuid import UUID

from posegen.backends.protocol import Recipe
from posegen.database.connection import Connection, Database
from posegen.generations.asking import claims
from posegen.generations.making import checkpoint, recovery
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import PosesMade
from posegen.generations.rows import generations, poses
from posegen.generations.rows.poses import MadePose, OpenPose
from posegen.storage.hashing import fingerprint
from posegen.storage.keys import content_type_of
from posegen.storage.protocol import ObjectInfo
from posegen.studio import Studio
from posegen.variants import rows as variant_rows
from posegen.variants.work import VARIANTS
from posegen.work.keeper import LeaseKeeper
from posegen.work.queue import Claim, Lease, Progress, Queue
from tests.faults.breaking import Breakage, put_in_place_of
from tests.faults.hosted_breakages import OF_CALLS


def break_it(name: str) -> None:
    """Break this process; an empty name leaves it whole."""
    if name:
        BREAKAGES[name].patch()


# --- who may write ------------------------------------------------------------------------------------------------


def _guard_by(condition: LiteralString) -> None:
    """Let every write of a worker be guarded by the row's id, and by this condition alone."""

    def guarded(connection: Connection, queue: Queue, lease: Lease, change: LiteralString, *values: object) -> bool:
        state: LiteralString = condition.replace("running", queue.running)
        statement: LiteralString = f"update {queue.table} set {change} where id = %s {state}"
        return connection.execute(statement, [*values, lease.id]).rowcount == 1

    def renew(queue: Queue, connection: Connection, leases: Sequence[Lease], *, lease_seconds: float) -> set[UUID]:
        change: LiteralString = "lease_expires_at = now() + make_interval(secs => %s)"
        return {lease.id for lease in leases if guarded(connection, queue, lease, change, lease_seconds)}

    def hold(queue: Queue, connection: Connection, lease: Lease) -> Progress | None:
        held = guarded(connection, queue, lease, "progressed_at = now()")
        return queue.progress_of(connection, lease.id) if held else None

    def count_pose(connection: Connection, lease: Lease, *, completed: int = 0, failed: int = 0) -> bool:
        change: LiteralString = "poses_completed = poses_completed + %s, poses_failed = poses_failed + %s"
        return guarded(connection, GENERATIONS.queue, lease, change, completed, failed)

    put_in_place_of(Queue, "renew", renew)
    put_in_place_of(Queue, "hold", hold)
    put_in_place_of(generations, "count_pose", count_pose)


def _no_token_in_the_guard() -> None:
    def complete(connection: Connection, lease: Lease, **made: Any) -> bool:
        held = VARIANTS.queue.progress_of(connection, lease.id)
        current = lease if held is None else Lease(lease.id, held.token)
        return bool(true_complete(connection, current, **made))

    _guard_by("and status = 'running'")
    true_complete = put_in_place_of(variant_rows, "complete", complete)


def _nothing_but_the_id_in_the_guard() -> None:
    def complete(connection: Connection, pose: UUID, made: MadePose, **objects: int) -> bool:
        connection.execute("update generated_poses set status = 'running' where id = %s", [pose])
        return true_complete(connection, pose, made, **objects)

    _guard_by("")
    true_complete: Callable[..., bool]
    true_complete = put_in_place_of(poses, "complete", complete)


def _leases_by_the_workers_clock() -> None:
    def expire(connection: Connection, leases: Sequence[Lease], seconds: float) -> None:
        connection.execute(
            "update generations set lease_expires_at = to_timestamp(%s) where id = any(%s) and status = 'running'",
            [time.time() + seconds, [lease.id for lease in leases]],
        )

    def renew(queue: Queue, connection: Connection, leases: Sequence[Lease], *, lease_seconds: float) -> set[UUID]:
        held: set[UUID] = true_renew(queue, connection, leases, lease_seconds=lease_seconds)
        expire(connection, leases, lease_seconds)
        return held

    true_renew = put_in_place_of(Queue, "renew", renew)


# --- what belongs together ----------------------------------------------------------------------------------------


def _capture_outside_the_transaction() -> None:
    true_complete = checkpoint.complete_pose

    def complete(database: Database, lease: Lease, pose: OpenPose, made: MadePose, *, store: str) -> None:
        true_complete(database, lease, pose, made, store=store)
        with database.transaction() as connection:
            true_capture(connection, lease.id, pose.id)

    true_capture = put_in_place_of(checkpoint.credits, "capture", lambda *_: None)
    put_in_place_of(checkpoint, "complete_pose", complete)


def _row_before_its_object() -> None:
    true_put = Studio.put_verified
    true_complete = checkpoint.complete_pose
    later: list[Callable[[], object]] = []

    def put(studio: Studio, key_for: Callable[[str], str], data: bytes, content_type: str) -> ObjectInfo:
        facts = fingerprint(data)
        key = key_for(facts.sha256)
        later.append(lambda: true_put(studio, key_for, data, content_type))
        return ObjectInfo(key, facts.size, facts.sha256, facts.crc32, content_type_of(key))

    def complete(database: Database, lease: Lease, pose: OpenPose, made: MadePose, *, store: str) -> None:
        true_complete(database, lease, pose, made, store=store)
        while later:
            later.pop()()

    put_in_place_of(Studio, "put_verified", put)
    put_in_place_of(checkpoint, "complete_pose", complete)


def _no_verify_after_upload() -> None:
    def put(studio: Studio, key_for: Callable[[str], str], data: bytes, content_type: str) -> ObjectInfo:
        return studio.store.put(key_for(fingerprint(data).sha256), data, content_type=content_type)

    put_in_place_of(Studio, "put_verified", put)


# --- who comes next -----------------------------------------------------------------------------------------------


def _sweeper_ignores_terminal_states() -> None:
    remembered: set[UUID] = set()

    def recover(database: Database, *rest: Any, **named: Any) -> Any:
        with database.transaction() as connection:
            remembered.update(GENERATIONS.queue.ids_where(connection, GENERATIONS.queue.expired, {}))
            connection.execute(
                """
                update generations set status = 'queued', token = token + 1, lease_expires_at = null,
                    finished_at = null, error_code = null
                where id = any(%s) and finished_at is not null
                """,
                [list(remembered)],
            )
        return true_recover(database, *rest, **named)

    true_recover = put_in_place_of(recovery, "recover", recover)


def _cursor_instead_of_claim() -> None:
    cursor = [0.0]

    def claim(database: Database, *, most_running: int) -> list[Claim]:
        with database.transaction() as connection:
            newer = connection.execute(
                """
                select id, extract(epoch from submitted_at)::float8 as at from generations
                where status = 'queued' and extract(epoch from submitted_at) > %s
                """,
                [cursor[0]],
            ).fetchall()
            cursor[0] = max([cursor[0], *(row["at"] for row in newer)])
            claimed = [claims.claim_one(connection, row["id"]) for row in newer]
        return [each for each in claimed if each is not None]

    put_in_place_of(claims, "claim_next", claim)


def _finished_poses_are_made_again() -> None:
    from tests.faults import worker  # which imports this module

    def make(studio: Studio, lease: Lease, keeper: LeaseKeeper) -> PosesMade:
        with studio.database.transaction() as connection:
            finished = connection.execute(
                "select recipe from generated_poses where generation_id = %s and status = 'completed'",
                [lease.id],
            ).fetchall()
        for row in finished:
            studio.open_backend("mannequin").render(Recipe.from_json(row["recipe"]))
        made: PosesMade = true_make(studio, lease, keeper)
        return made

    true_make = put_in_place_of(worker, "make_poses", make)


def _any_picture_will_do() -> None:
    from tests.faults import far_end  # only this breakage has to do with it

    put_in_place_of(far_end, "belongs_to", lambda *_: True)


NOBODY_RECONCILES = "nobody reconciles"

BREAKAGES = {
    **OF_CALLS,
    "no token in the guard": Breakage(patch=_no_token_in_the_guard),
    "nothing but the id in the guard": Breakage(
        schema=(
            "drop trigger guard_status on generations",
            "drop trigger guard_status on generated_poses",
            "drop index one_capture_or_release_per_pose",
            "alter table holds drop constraint no_more_than_was_held",
            "alter table accounts drop constraint accounts_credits_held_check",
            "alter table generations drop constraint progress_within_total",
            "alter table generations drop constraint an_ended_generation_has_its_time",
        ),
        patch=_nothing_but_the_id_in_the_guard,
    ),
    "leases by the worker's clock": Breakage(patch=_leases_by_the_workers_clock),
    "capture outside the transaction": Breakage(patch=_capture_outside_the_transaction),
    "row before its object": Breakage(patch=_row_before_its_object),
    "no verify after upload": Breakage(patch=_no_verify_after_upload),
    "sweeper ignores terminal states": Breakage(
        schema=("drop trigger guard_status on generations",), patch=_sweeper_ignores_terminal_states
    ),
    "cursor instead of claim": Breakage(patch=_cursor_instead_of_claim),
    "finished poses are made again": Breakage(patch=_finished_poses_are_made_again),
    "any picture will do": Breakage(patch=_any_picture_will_do),
    NOBODY_RECONCILES: Breakage(),
    "refund without its unique key": Breakage(
        schema=(
            "drop index one_refund_per_pose",
            "alter table holds drop constraint no_more_refunded_than_was_captured",
        )
    ),
}
"""By the name of what is missing."""
