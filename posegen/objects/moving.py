"""Moving objects from one store to another while work goes on: copy, verify, flip the rows, drop the old copies later.

Every slice is one transaction, so a move that was killed goes on where it was. An object is readable at every moment:
its row names a store that has it, and the old copy stays for a grace period. The same move the other way takes it back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import BinaryIO, cast

from psycopg.errors import UniqueViolation

from posegen.database.connection import Database
from posegen.errors import ObjectCorrupt, ObjectExists, ObjectMissing
from posegen.objects import moves
from posegen.objects.moves import MovableObject
from posegen.storage.hashing import CHUNK, Fingerprint
from posegen.storage.keys import content_type_of
from posegen.storage.protocol import ObjectInfo, ObjectStore

DEFAULT_GRACE = timedelta(hours=24)
SLICE = 200
# What has no rows and is replaced in its place.
REPLACEABLE = ("manifests/", "reports/")


@dataclass
class Moved:
    """What a move has done. `problems`: one sentence for each object that could not be moved."""

    objects: int = 0
    bytes: int = 0
    was_there: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Move:
    """How objects are moved.

    `grace`: how long old copies stay; `read_back`: read every copy again from the target; `bytes_per_second`: the most
    that is copied, over all threads; `threads`: objects at once; `delete_files`: old copies go even where they are
    files that were adopted where they lie.
    """

    source: ObjectStore
    target: ObjectStore
    grace: timedelta = DEFAULT_GRACE
    read_back: bool = False
    bytes_per_second: float | None = None
    threads: int = 8
    delete_files: bool = False


def move_objects(
    database: Database,
    move: Move,
    *,
    first: int = 0,
    last: int | None = None,
    progress: Callable[[Moved], object] = lambda _: None,
) -> Moved:
    """Move every object of the source whose id is from `first` to `last`; returns what was done.

    An object that the source has lost or damaged stays where its row says, and is named among the problems. Raises
    `StorageError` when a store does not take part any more; what is moved by then stays moved.
    """
    moved, pace = Moved(), Pace(move.bytes_per_second)
    with ThreadPoolExecutor(move.threads, thread_name_prefix="move") as threads:
        while True:
            with database.transaction() as connection:
                todo = moves.movable(connection, move.source.name, first=first, last=last, limit=SLICE)
            if not todo:
                return moved
            copies = list(threads.map(lambda each: _copied(move, each, pace), todo))
            _flip(database, move, list(zip(todo, copies, strict=True)), moved)
            progress(moved)
            first = todo[-1].id + 1


def move_manifests(source: ObjectStore, target: ObjectStore) -> int:
    """Copy manifests and reports that the target has not; returns how many. They have no rows; a newer one stays."""
    copied = 0
    for entry in (entry for prefix in REPLACEABLE for entry in source.list(prefix)):
        if not target.exists(entry.key):
            with suppress(ObjectExists):
                target.put(entry.key, source.get(entry.key), content_type=content_type_of(entry.key))
                copied += 1
    return copied


class Pace:
    """Holds threads back so that together they are no faster than so many bytes a second."""

    def __init__(self, bytes_per_second: float | None) -> None:
        self._rate = bytes_per_second
        self._free_at = time.monotonic()
        self._lock = threading.Lock()

    def wait(self, size: int) -> None:
        """Wait until so many more bytes may pass."""
        if self._rate is None:
            return
        with self._lock:
            begins = max(self._free_at, time.monotonic())
            self._free_at = begins + size / self._rate
        time.sleep(max(0.0, begins - time.monotonic()))


class _Paced:
    """A stream whose bytes pass at the pace."""

    def __init__(self, stream: BinaryIO, pace: Pace) -> None:
        self._stream = stream
        self._pace = pace

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._pace.wait(len(data))
        return data


def _copied(move: Move, each: MovableObject, pace: Pace) -> ObjectInfo | str:
    """The copy in the target, or why this object cannot be copied."""
    try:
        with move.source.open(each.key, sha256=each.sha256) as stream:
            copy = move.target.put(
                each.key,
                cast(BinaryIO, _Paced(stream, pace)),
                content_type=each.content_type,
                known=Fingerprint(each.size, each.sha256, each.crc32),
            )
        if (copy.size, copy.sha256) != (each.size, each.sha256):
            raise ObjectCorrupt(
                f"The copy has {copy.size} bytes with SHA-256 {copy.sha256}", store=move.target.name, key=each.key
            )
        if move.read_back or copy.skipped:
            _read_all(move.target, each)
    except (ObjectMissing, ObjectCorrupt, ObjectExists) as broken:
        return str(broken)
    return copy


def _read_all(store: ObjectStore, each: MovableObject) -> None:
    with store.open(each.key, sha256=each.sha256) as stream:
        while stream.read(CHUNK):
            pass


def _flip(
    database: Database, move: Move, copies: Iterable[tuple[MovableObject, ObjectInfo | str]], moved: Moved
) -> None:
    copied = {each.key: (each, copy) for each, copy in copies if isinstance(copy, ObjectInfo)}
    for attempt in range(2):
        try:
            with database.transaction() as connection:
                deleted = moves.take_off_the_list(connection, move.target.name, list(copied))
                # Found there by the put and deleted since by another process: the next pass copies it again.
                whole = [each.id for each, copy in copied.values() if not (copy.skipped and each.key in deleted)]
                flipped = moves.flip(
                    connection,
                    whole,
                    source=move.source.name,
                    target=move.target.name,
                    grace=move.grace,
                    delete_files=move.delete_files,
                )
            break
        except UniqueViolation:  # a worker has just registered the same object in the target
            if attempt:
                raise
    moved.objects += len(flipped)
    moved.bytes += sum(each.size for each in flipped)
    moved.was_there += sum(copied[each.key][1].skipped for each in flipped)
    moved.problems += _problems(database, move, copies)


def _problems(
    database: Database, move: Move, copies: Iterable[tuple[MovableObject, ObjectInfo | str]]
) -> Iterator[str]:
    """What could not be copied and is still wanted: an object may have been deleted while we looked."""
    failed = {each.id: copy for each, copy in copies if isinstance(copy, str)}
    if not failed:
        return
    with database.transaction() as connection:
        wanted = moves.still_in(connection, move.source.name, list(failed))
    yield from (failed[each] for each in wanted)


def delete_due(database: Database, store: ObjectStore, *, batch: int = 100) -> tuple[int, int]:
    """Delete what is doomed and due from a store; returns objects and bytes.

    The transaction holds its lines while the objects go: a worker that registers one of them meanwhile waits, and then
    learns that it has to put the object again.
    """
    objects = size = 0
    while True:
        with database.transaction() as connection:
            looked_at, doomed = moves.due(connection, store.name, batch)
            if not looked_at:
                moves.forget_deleted(connection, after=timedelta(days=7))
                return objects, size
            keys = [each.key for each in doomed]
            store.delete(*keys)
            moves.note_deleted(connection, store.name, keys)
        objects += len(doomed)
        size += sum(each.size for each in doomed)
