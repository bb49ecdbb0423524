"""Signed URLs of pictures that have no public one: those in a private store, and private ones in any store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from posegen.database.rows import many
from posegen.generations.reading.results import PoseResult
from posegen.states import PoseStatus
from posegen.studio import Studio

_HOUR = 3600
_MOST_KEPT = 100_000  # URLs, of some 500 bytes each


@dataclass(frozen=True)
class SignedPose:
    """A pose whose URLs can all be opened. `urls_expire_at`: None when all of them are public."""

    pose: PoseResult
    urls_expire_at: datetime | None


class SignedUrls:
    """Signs files, each with one URL within an hour, so that browsers cache it. Threads share it.

    A URL is valid for one to two hours, until a full hour.
    """

    def __init__(self, studio: Studio, *, clock: Callable[[], float]) -> None:
        """`clock`: returns the Unix time in seconds."""
        self._studio = studio
        self._clock = clock
        self._lock = threading.Lock()
        self._hour = 0
        self._kept: dict[tuple[str, str], str] = {}

    def url(self, store: str, key: str) -> tuple[str, datetime]:
        """A signed URL of an object, and when it expires. Raises `StoreUnknown`."""
        now = self._clock()
        hour = int(now // _HOUR)
        expires = (hour + 2) * _HOUR
        with self._lock:
            if hour != self._hour or len(self._kept) >= _MOST_KEPT:
                self._hour, self._kept = hour, {}
            kept = self._kept.get((store, key))
        if kept is None:
            signed = self._studio.store_named(store).signed_get_url(key, seconds=expires - int(now))
            with self._lock:
                kept = self._kept.setdefault((store, key), signed)
        return kept, datetime.fromtimestamp(expires, UTC)

    def poses(self, found: Sequence[PoseResult]) -> list[SignedPose]:
        """These poses with signed URLs in place of those that are null."""
        wanted = [pose.pose_id for pose in found if _lacks_urls(pose)]
        files: dict[UUID, list[_File]] = {}
        if wanted:
            with self._studio.database.transaction() as connection:
                for file in many(connection, _File, _FILES, [wanted]):
                    files.setdefault(file.pose_id, []).append(file)
        return [self._signed(pose, files.get(pose.pose_id, [])) for pose in found]

    def _signed(self, pose: PoseResult, files: Sequence[_File]) -> SignedPose:
        plain: dict[str, str] = {}
        named = {"exports": dict(pose.exports), "thumbnails": dict(pose.thumbnails)}
        expire_at = None
        for file in files:
            present = named[file.field].get(file.name) if file.field in named else getattr(pose, file.field)
            if present is not None:
                continue
            url, expire_at = self.url(file.store, file.key)
            if file.field in named:
                named[file.field][file.name] = url
            else:
                plain[file.field] = url
        return SignedPose(replace(pose, **plain, **named), expire_at)  # type: ignore[arg-type]


def _lacks_urls(pose: PoseResult) -> bool:
    urls = [pose.image_url, pose.thumbnail_url, pose.original_url, *pose.exports.values(), *pose.thumbnails.values()]
    return pose.status == PoseStatus.COMPLETED and pose.delete_after is None and None in urls


_FILES = """
    select p.id as pose_id, file.field, file.name, o.store, o.key
    from generated_poses p
    cross join lateral (
        select 'image_url' as field, '' as name, p.image_object as object_id
        union all select 'thumbnail_url', '', p.thumbnail_object
        union all select 'original_url', '', p.original_object
        union all
        select 'exports', e.format, e.object_id from exports e where e.pose_id = p.id and e.status = 'completed'
        union all select 'thumbnails', t.size, t.object_id from thumbnails t where t.pose_id = p.id
    ) file
    join objects o on o.id = file.object_id
    where p.id = any(%s) and p.delete_after is null
"""


@dataclass(frozen=True)
class _File:
    pose_id: UUID
    field: str
    name: str
    store: str
    key: str
