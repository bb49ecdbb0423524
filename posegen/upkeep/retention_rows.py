"""Statements of retention: which images go and when, whose traces go, and what is left of them. One page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import changed, column, existing, many
from posegen.objects import moves
from posegen.objects.moves import DoomedObject
from posegen.storage.keys import manifest_key

_NOW = timedelta(0)
_EXPIRED = """
    from generated_poses p
    where p.status = 'completed' and p.delete_after is null and not p.is_favourite and p.download_count = 0
        and p.expires and p.completed_at < now() - %(age)s::interval
"""
_FORGOTTEN_MEASURES = "brightness = null, contrast = null, sharpness = null, noise = null, perceptual_hash = null"


@dataclass(frozen=True)
class Due:
    """What a pass would do. `poses`: with their images; `bytes`: of those; `oldest`: when the first was completed."""

    poses: int
    bytes: int
    oldest: datetime | None


@dataclass(frozen=True)
class Deleted:
    """What a page has deleted. `bytes`: that the stores will be relieved of."""

    poses: int = 0
    objects: int = 0
    bytes: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        return Deleted(self.poses + other.poses, self.objects + other.objects, self.bytes + other.bytes)


@dataclass(frozen=True)
class _Hidden:
    id: UUID
    generation_id: UUID
    objects: list[int | None]


def expired(connection: Connection, *, age: timedelta) -> Due:
    """Images that were neither marked nor downloaded for so long."""
    return _due(connection, f"select p.id, p.completed_at {_EXPIRED}", {"age": age})


def to_delete(connection: Connection) -> Due:
    """Images whose time of grace is over."""
    return _due(
        connection,
        """
        select p.id, p.completed_at from generated_poses p
        where p.delete_after <= now() and p.images_deleted_at is null
        """,
        {},
    )


def hide_expired(connection: Connection, *, age: timedelta, grace: timedelta, limit: int) -> int:
    """Hide one page of expired images; returns how many poses. They are deleted after `grace`."""
    statement = f"""
        with page as materialized (
            select p.id {_EXPIRED} order by p.completed_at limit %(limit)s for update skip locked
        )
        update generated_poses p set delete_after = now() + %(grace)s::interval, delete_reason = 'expired'
        from page where p.id = page.id
    """
    return changed(connection, statement, {"age": age, "grace": grace, "limit": limit})


def delete_hidden(connection: Connection, *, limit: int) -> Deleted:
    """Delete the rows of one page of images whose grace is over, and doom their objects and all that was made of them.

    Rows go first, objects later: so no row is ever without its object. The poses stay, without recipe and keypoints.
    """
    statement = """
        select id, generation_id, array[image_object, original_object, thumbnail_object] as objects from generated_poses
        where delete_after <= now() and images_deleted_at is null
        order by delete_after limit %s for update skip locked
    """
    hidden = many(connection, _Hidden, statement, [limit])
    if not hidden:
        return Deleted()
    poses = [each.id for each in hidden]
    named = {object_id for each in hidden for object_id in each.objects}
    exported = "select object_id from exports where pose_id = any(%s) and object_id is not null"
    named.update(column(connection, exported, [poses]))
    named.update(column(connection, "delete from thumbnails where pose_id = any(%s) returning object_id", [poses]))
    connection.execute(
        "update exports set object_id = null, deleted_at = now() where pose_id = any(%s) and object_id is not null",
        [poses],
    )
    connection.execute(
        f"""
        update generated_poses set images_deleted_at = now(), image_object = null, original_object = null,
            thumbnail_object = null, recipe = null, keypoints = null, {_FORGOTTEN_MEASURES}
        where id = any(%s)
        """,
        [poses],
    )
    named.update(_forget_calls(connection, "pose_id = any(%s)", [poses]))
    generations = sorted({each.generation_id for each in hidden})
    named.update(_take_sheets(connection, generations))
    named.update(_forget_controls(connection, "g.id = any(%s)", [generations]))
    sizes = _drop_variants(connection, "pose_id = any(%s)", [poses])
    sizes += column(connection, "select size from drop_objects(%s)", [sorted(each for each in named if each)])
    return Deleted(len(poses), len(sizes), sum(sizes))


def delete_leftover_variants(connection: Connection, *, limit: int) -> Deleted:
    """Delete one page of variants whose pictures are gone: those that earlier versions have left."""
    sizes = _drop_variants(
        connection,
        """
        id in (
            select v.id from image_variants v
            left join generated_poses p on p.id = v.pose_id
            left join uploads u on u.id = v.upload_id
            left join image_variants source on source.id = v.variant_id
            where v.status = 'completed' and v.deleted_at is null
                and (p.images_deleted_at is not null or u.status = 'deleted' or source.deleted_at is not null)
            limit %s)
        """,
        [limit],
    )
    return Deleted(0, len(sizes), sum(sizes))


def delete_unused_files(connection: Connection, *, age: timedelta, limit: int) -> Deleted:
    """Delete one page of files that hosted backends have delivered and no pose uses, of calls that ended so long ago.

    What the calls have cost stays.
    """
    files = _forget_calls(
        connection,
        """
        id in (select id from backend_calls where (state <> 'used' or purpose = 'replay')
                   and ended_at < now() - %s::interval and object_id is not null order by ended_at limit %s)
        """,
        [age, limit],
    )
    sizes = column(connection, "select size from drop_objects(%s)", [sorted(each for each in files if each)])
    return Deleted(0, len(sizes), sum(sizes))


def delete_unused_controls(connection: Connection, *, age: timedelta, limit: int) -> Deleted:
    """Delete one page of maps made of control images, of generations without a picture that ended so long ago."""
    of_old = """
        g.id in (select o.id from generations o join control_images i on i.generation_id = o.id
                 where i.object_id is not null and o.finished_at < now() - %s::interval and not exists (
                     select from generated_poses p where p.generation_id = o.id and p.image_object is not null)
                 order by o.finished_at limit %s)
    """
    maps = _forget_controls(connection, of_old, [age, limit])
    sizes = column(connection, "select size from drop_objects(%s)", [sorted(each for each in maps if each)])
    # Generations share a map, so that a page may free no object; it counts as one with the rows that it has changed.
    return Deleted(0, max(len(sizes), len(maps)), sum(sizes))


def _forget_controls(connection: Connection, which: LiteralString, values: list[object]) -> list[int | None]:
    """Take the maps from control images of generations without any picture; returns their objects."""
    statement = f"""
        with before as (
            select c.generation_id, c.object_id from control_images c join generations g on g.id = c.generation_id
            where {which} and c.object_id is not null and not exists (
                select from generated_poses p where p.generation_id = g.id and p.image_object is not null)
            for update of c
        ), forgotten as (
            update control_images c set object_id = null from before where c.generation_id = before.generation_id
        )
        select object_id from before
    """
    return column(connection, statement, values)


def _forget_calls(connection: Connection, which: LiteralString, values: list[object]) -> list[int | None]:
    """Take files and recipes from calls; returns the files."""
    statement = f"""
        with before as (
            select id, object_id from backend_calls
            where {which} and ended_at is not null and (object_id is not null or recipe is not null) for update
        ), forgotten as (
            update backend_calls c set object_id = null, recipe = null from before where c.id = before.id
        )
        select object_id from before
    """
    return column(connection, statement, values)


def _drop_variants(connection: Connection, which: LiteralString, values: list[object]) -> list[int]:
    """Delete these variants; returns the sizes of their objects, in bytes."""
    statement = f"select size from drop_variants(array(select id from image_variants where {which}))"
    return column(connection, statement, values)


def generations_to_retire(connection: Connection, *, age: timedelta, limit: int) -> list[UUID]:
    """Generations that ended so long ago and still have their traces, the oldest first."""
    statement = """
        select id from generations where finished_at < now() - %s::interval and retired_at is null
        order by finished_at limit %s
    """
    return column(connection, statement, [age, limit])


def designs_to_retire(connection: Connection, *, age: timedelta, limit: int) -> list[UUID]:
    """Designs that ended so long ago and still have their partition, the oldest first."""
    statement = """
        select id from designs where finished_at < now() - %s::interval and retired_at is null
        order by finished_at limit %s
    """
    return column(connection, statement, [age, limit])


def retire_generations(connection: Connection, generations: Sequence[UUID]) -> int:
    """Drop the events of these and write down that their traces are gone; returns how many events there were."""
    ids = list(generations)
    # First the mark, after which no event is added.
    connection.execute("update generations set retired_at = now() where id = any(%s)", [ids])
    connection.execute("delete from lost_runs where work = 'generations' and work_id = any(%s)", [ids])
    return changed(connection, "delete from events where generation_id = any(%s)", [ids])


def retire_designs(connection: Connection, designs: Sequence[UUID]) -> None:
    """Write down that the partitions of these are gone."""
    connection.execute("update designs set retired_at = now() where id = any(%s)", [list(designs)])


def _due(connection: Connection, poses: str, values: dict[str, object]) -> Due:
    statement = f"""
        with due as materialized ({poses}), named as (
            select o.size from due join generated_poses p on p.id = due.id join objects o on o.id = p.image_object
            union all
            select o.size from due join generated_poses p on p.id = due.id join objects o on o.id = p.thumbnail_object
            union all
            select o.size from due join thumbnails t on t.pose_id = due.id join objects o on o.id = t.object_id
            union all
            select o.size from due join exports e on e.pose_id = due.id join objects o on o.id = e.object_id
            union all
            select o.size from due join image_variants v on v.pose_id = due.id and v.deleted_at is null
            join objects o on o.id in (v.normal_object, v.high_quality_object)
        )
        select (select count(*) from due) as poses, (select coalesce(sum(size), 0)::bigint from named) as bytes,
               (select min(completed_at) from due) as oldest
    """
    return existing(connection, Due, statement, values)


def _take_sheets(connection: Connection, generations: Sequence[UUID]) -> list[int | None]:
    """Take the contact sheets from generations of which a picture was deleted; returns their objects.

    A sheet shows the deleted pictures. The manifests of generations without any picture go as well: they name nothing
    that is there.
    """
    taken = """
        with before as (select id, contact_sheet_object from generations where id = any(%s) for update)
        update generations g set contact_sheet_object = null from before where g.id = before.id
        returning before.contact_sheet_object
    """
    sheets = column(connection, taken, [list(generations)])
    without_picture = """
        select g.id from generations g where g.id = any(%s) and not exists (
            select from generated_poses p where p.generation_id = g.id and p.image_object is not null)
    """
    manifests = [
        DoomedObject(manifest_key(asset, str(generation)), 0)
        for generation in column(connection, without_picture, [list(generations)])
        for asset in ("generated_poses", "thumbnails", "exports")
    ]
    for store in column(connection, "select name from stores order by name") if manifests else ():
        moves.doom(connection, store, manifests, reason="unused", grace=_NOW)
    return sheets
