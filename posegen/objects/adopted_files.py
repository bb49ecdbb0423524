"""Statements about adopted files: files of the operator that became objects where they lie, and outlive their rows.

A trigger on `doomed_objects` keeps them, whatever wants to delete them; here is what an operator may say about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import changed, value


def keep(connection: Connection, store: str, keys: Sequence[str], *, pose: UUID) -> None:
    """Note that these objects of a pose are files of the operator."""
    connection.execute(
        """
        insert into adopted_files (store, key, pose_id) select %s, key, %s from unnest(%s::text[]) key
        on conflict (store, key) do update set pose_id = excluded.pose_id, deletable = false
        """,
        [store, pose, list(keys)],
    )


def count_of_poses(connection: Connection, poses: Sequence[UUID]) -> int:
    """How many files stay when these poses go."""
    statement = "select count(*) from adopted_files where pose_id = any(%s) and not deletable"
    return int(value(connection, statement, [list(poses)]))


def count_in(connection: Connection, store: str) -> int:
    """How many files of the operator a store has, by what was noted."""
    return int(value(connection, "select count(*) from adopted_files where store = %s", [store]))


def let_go_with(connection: Connection, poses: Sequence[UUID]) -> int:
    """Let the files of these poses be deleted together with them; returns how many. A restore takes it back.

    Files of poses whose images are deleted already go now.
    """
    statement = "update adopted_files set deletable = true where pose_id = any(%s) and not deletable"
    chosen = changed(connection, statement, [list(poses)])
    connection.execute(
        """
        insert into doomed_objects (store, key, size, reason, due)
        select f.store, f.key, 0, 'unused', now() from adopted_files f
        join generated_poses p on p.id = f.pose_id and p.images_deleted_at is not null
        where f.pose_id = any(%s) and f.deletable
        on conflict (store, key) do nothing
        """,
        [list(poses)],
    )
    return chosen


def let_go(connection: Connection, store: str, keys: Sequence[str]) -> None:
    """Let these files be deleted."""
    connection.execute(
        "update adopted_files set deletable = true where store = %s and key = any(%s)", [store, list(keys)]
    )
