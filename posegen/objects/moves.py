"""Statements about objects that go from one store to another, and about those that are to be deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

from posegen.database.connection import Connection
from posegen.database.rows import column, existing, many
from posegen.objects import adopted_files

Reason = Literal["moved", "orphan", "unused"]


@dataclass(frozen=True)
class MovableObject:
    """An object as its row has it. `size`: bytes."""

    id: int
    key: str
    size: int
    sha256: str
    crc32: int
    content_type: str


@dataclass(frozen=True)
class UnusedObject:
    """An object that nothing points at. `size`: bytes."""

    id: int
    store: str
    key: str
    size: int


class Left(NamedTuple):
    """What is in a store that objects are moved from. `bytes`: their sizes together."""

    objects: int
    bytes: int


class Slice(NamedTuple):
    """Objects of a store whose ids are from `first` to `last`."""

    first: int
    last: int


@dataclass(frozen=True)
class DoomedObject:
    """An object that no row needs. `size`: bytes."""

    key: str
    size: int


def still_to_move(connection: Connection, store: str) -> Left:
    """What rows say to be in a store."""
    statement = "select count(*) as objects, coalesce(sum(size), 0)::bigint as bytes from objects where store = %s"
    return existing(connection, Left, statement, [store])


def slices(connection: Connection, store: str, size: int) -> list[Slice]:
    """The objects of a store in slices of `size`."""
    statement = """
        select min(id) as first, max(id) as last
        from (select id, (row_number() over (order by id) - 1) / %s as slice from objects where store = %s) numbered
        group by slice order by slice
    """
    return many(connection, Slice, statement, [size, store])


def still_in(connection: Connection, store: str, ids: Sequence[int]) -> list[int]:
    """Those of these objects that rows still say to be in a store."""
    return column(connection, "select id from objects where id = any(%s) and store = %s", [list(ids), store])


def movable(connection: Connection, store: str, *, first: int, last: int | None, limit: int) -> list[MovableObject]:
    """The next objects of a store by their ids, from `first` to `last`."""
    statement = """
        select id, key, size, sha256, crc32, content_type from objects
        where store = %s and id >= %s and (%s::bigint is null or id <= %s) order by id limit %s
    """
    return many(connection, MovableObject, statement, [store, first, last, last, limit])


def take_off_the_list(connection: Connection, store: str, keys: Sequence[str]) -> set[str]:
    """Let these objects stay; returns those that were deleted already."""
    statement = """
        with taken_off as (
            delete from doomed_objects where store = %s and key = any(%s) returning key, deleted_at
        )
        select key from taken_off where deleted_at is not null
    """
    return set(column(connection, statement, [store, list(keys)]))


def flip(
    connection: Connection, ids: Sequence[int], *, source: str, target: str, grace: timedelta, delete_files: bool
) -> list[DoomedObject]:
    """Let rows say that their objects are in `target` now, and doom the old copies; returns all of them.

    An old copy that is an adopted file stays, unless `delete_files`.
    """
    connection.execute(
        """
        select merge_objects(o.id, twin.id) from objects o
        join objects twin on twin.store = %s and twin.key = o.key and twin.sha256 = o.sha256
        where o.id = any(%s) and o.store = %s
        """,
        [target, list(ids), source],
    )
    statement = "update objects set store = %s where id = any(%s) and store = %s returning key, size"
    flipped = many(connection, DoomedObject, statement, [target, list(ids), source])
    if delete_files:
        adopted_files.let_go(connection, source, [each.key for each in flipped])
    doom(connection, source, flipped, reason="moved", grace=grace)
    return flipped


def doom(
    connection: Connection, store: str, objects: Sequence[DoomedObject], *, reason: Reason, grace: timedelta
) -> None:
    """Note objects that may be deleted after a while. One that has a row by then stays, and so do adopted files."""
    connection.execute(
        """
        insert into doomed_objects (store, key, size, reason, due)
        select %s, key, size, %s, now() + %s from unnest(%s::text[], %s::bigint[]) as doomed (key, size)
        on conflict (store, key) do update set reason = excluded.reason, due = excluded.due, deleted_at = null
        """,
        [store, reason, grace, [each.key for each in objects], [each.size for each in objects]],
    )


def doom_orphans(connection: Connection, store: str, objects: Sequence[DoomedObject]) -> None:
    """Note objects without a row to be deleted now. One that was noted before keeps its own date."""
    connection.execute(
        """
        insert into doomed_objects (store, key, size, reason, due)
        select %s, key, size, 'orphan', now() from unnest(%s::text[], %s::bigint[]) as doomed (key, size)
        on conflict (store, key) do update set reason = 'orphan', due = now(), deleted_at = null
            where doomed_objects.deleted_at is not null
        """,
        [store, [each.key for each in objects], [each.size for each in objects]],
    )


def point_at(connection: Connection, object_id: int, store: str) -> None:
    """Let a row say that its object is in another store, which has been looked at."""
    connection.execute(
        """
        select merge_objects(o.id, twin.id) from objects o
        join objects twin on twin.store = %s and twin.key = o.key and twin.sha256 = o.sha256 where o.id = %s
        """,
        [store, object_id],
    )
    connection.execute("update objects set store = %s where id = %s", [store, object_id])


def due(connection: Connection, store: str, limit: int) -> tuple[int, list[DoomedObject]]:
    """The next objects whose time has come, and how many were looked at; those that have a row again go off the list.

    They are locked until the transaction ends: a process that registers one of them waits for the outcome.
    """
    statement = """
        select key, size from doomed_objects
        where store = %s and deleted_at is null and due <= now()
        order by due limit %s for update skip locked
    """
    found = many(connection, DoomedObject, statement, [store, limit])
    statement = """
        delete from doomed_objects d where d.store = %s and d.key = any(%s)
            and exists (select from objects o where o.store = d.store and o.key = d.key)
        returning d.key
    """
    needed = set(column(connection, statement, [store, [each.key for each in found]]))
    return len(found), [each for each in found if each.key not in needed]


def note_deleted(connection: Connection, store: str, keys: Sequence[str]) -> None:
    """Write down that objects are gone."""
    connection.execute(
        "update doomed_objects set deleted_at = now() where store = %s and key = any(%s)", [store, list(keys)]
    )


def forget_deleted(connection: Connection, *, after: timedelta) -> None:
    """Drop notes of deletions that no process can still be performing."""
    connection.execute("delete from doomed_objects where deleted_at < now() - %s::interval", [after])


def delete_unused(connection: Connection, *, made_before: timedelta, limit: int, grace: timedelta) -> dict[str, int]:
    """Delete rows that nothing points at, and doom their objects; returns the number by store."""
    statement = """
        delete from objects where id in (select id from unused_objects(now() - %s::interval, 0, %s))
        returning id, store, key, size
    """
    deleted = many(connection, UnusedObject, statement, [made_before, limit])
    counted = {}
    for store in sorted({each.store for each in deleted}):
        doomed = [DoomedObject(each.key, each.size) for each in deleted if each.store == store]
        doom(connection, store, doomed, reason="unused", grace=grace)
        counted[store] = len(doomed)
    return counted


def unused(connection: Connection, *, made_before: timedelta, page: int = 1000) -> Iterator[UnusedObject]:
    """Rows that nothing points at."""
    statement = "select id, store, key, size from unused_objects(now() - %s::interval, %s, %s)"
    behind = 0
    while found := many(connection, UnusedObject, statement, [made_before, behind, page]):
        yield from found
        behind = found[-1].id
