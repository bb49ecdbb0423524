"""What every object store promises (`posegen/storage/protocol.py`), asked of each implementation in turn.

Hostile keys and work at the same time have files of their own beside this one.
"""

from __future__ import annotations

import hashlib
import io
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from posegen.errors import InvalidKey, ObjectCorrupt, ObjectExists, ObjectMissing
from posegen.storage.protocol import ObjectInfo, ObjectStore
from tests.concurrency import until
from tests.stores import KEY, OTHER_KEY, PNG, keys_in, put


class BreakingStream(io.RawIOBase):
    """Gives some bytes, then fails as a lost connection would."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._given = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._given:
            raise self._error
        self._given = True
        return b"half of it"


class EndlessZeros(io.RawIOBase):
    """Zeros up to a size that nobody wants in memory."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        given = bytes(min(size, self._left))
        self._left -= len(given)
        return given


# --- put and get -------------------------------------------------------------------------------------------------


def test_put_tells_what_was_stored(store: ObjectStore) -> None:
    data = bytes(range(256)) * 5

    stored = put(store, data=data)

    assert stored == ObjectInfo(KEY, 1280, hashlib.sha256(data).hexdigest(), zlib.crc32(data), PNG)


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256)) * 20_000], ids=["empty", "one byte", "5 MB"])
def test_get_gives_back_what_was_put(store: ObjectStore, data: bytes) -> None:
    put(store, data=data)

    assert store.get(KEY) == data


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 20_000], ids=["empty", "one byte", "5 MB"])
def test_a_stream_is_stored_like_the_same_bytes(store: ObjectStore, data: bytes) -> None:
    from_stream = put(store, data=io.BytesIO(data))
    from_bytes = put(store, OTHER_KEY, data)

    assert store.get(KEY) == data
    assert (from_stream.size, from_stream.sha256, from_stream.crc32) == (
        from_bytes.size,
        from_bytes.sha256,
        from_bytes.crc32,
    )


def test_a_stream_is_stored_from_where_it_stands(store: ObjectStore) -> None:
    stream = io.BytesIO(b"header picture")
    stream.seek(7)

    put(store, data=stream)

    assert store.get(KEY) == b"picture"


def test_a_large_stream_needs_little_memory(store: ObjectStore) -> None:
    put(store, OTHER_KEY)  # whatever is loaded once is loaded now
    tracemalloc.start()
    try:
        stored = put(store, data=EndlessZeros(48 * 1024 * 1024))  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert stored.size == 48 * 1024 * 1024
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("error", [ConnectionResetError("peer is gone"), ValueError("no picture")])
def test_a_stream_that_breaks_keeps_its_own_error_and_leaves_nothing(store: ObjectStore, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        put(store, data=BreakingStream(error))  # type: ignore[arg-type]

    assert raised.value is error
    assert not store.exists(KEY)
    assert keys_in(store) == []


def test_a_stream_that_breaks_leaves_the_object_it_should_have_replaced(store: ObjectStore) -> None:
    put(store, data=b"old")

    with pytest.raises(ConnectionResetError):
        put(store, data=BreakingStream(ConnectionResetError()), create_only=False)  # type: ignore[arg-type]

    assert store.get(KEY) == b"old"


# --- create-only and replace -------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_stream", [False, True], ids=["bytes", "stream"])
def test_the_same_bytes_may_be_put_again(store: ObjectStore, as_stream: bool) -> None:
    first = put(store)

    again = put(store, data=io.BytesIO(b"picture") if as_stream else b"picture")

    assert again == first
    assert keys_in(store) == [KEY]


@pytest.mark.parametrize("as_stream", [False, True], ids=["bytes", "stream"])
@pytest.mark.parametrize("other", [b"pictures", b"pictur3", b""], ids=["longer", "same length", "empty"])
def test_other_bytes_never_take_the_place_of_an_object(store: ObjectStore, other: bytes, as_stream: bool) -> None:
    put(store, data=b"picture")

    with pytest.raises(ObjectExists):
        put(store, data=io.BytesIO(other) if as_stream else other)

    assert store.get(KEY) == b"picture"
    assert keys_in(store) == [KEY]


@pytest.mark.parametrize("as_stream", [False, True], ids=["bytes", "stream"])
def test_an_object_is_replaced_when_that_is_asked_for(store: ObjectStore, as_stream: bool) -> None:
    put(store, data=b"old")

    new = put(store, data=io.BytesIO(b"newer") if as_stream else b"newer", create_only=False)

    assert store.get(KEY, sha256=new.sha256) == b"newer"
    assert store.head(KEY) == new


def test_replacing_creates_what_was_not_there(store: ObjectStore) -> None:
    put(store, create_only=False)

    assert store.get(KEY) == b"picture"


def test_a_deleted_key_may_be_created_with_other_bytes(store: ObjectStore) -> None:
    put(store, data=b"old")
    store.delete(KEY)

    put(store, data=b"new")

    assert store.get(KEY) == b"new"


# --- content type ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("poses/g1/p1.png", "image/png"),
        ("exports/g1/p1.jpg", "image/jpeg"),
        ("thumbnails/g1/p1.webp", "image/webp"),
        ("manifests/exports/g1.json", "application/json"),
        ("uploads/u1/unknown", "application/octet-stream"),
    ],
)
def test_the_content_type_is_the_one_of_the_suffix(store: ObjectStore, key: str, content_type: str) -> None:
    stored = store.put(key, b"x", content_type=content_type)

    assert stored.content_type == content_type
    assert store.head(key).content_type == content_type


@pytest.mark.parametrize("content_type", ["image/jpeg", "text/html", ""])
def test_a_content_type_that_the_suffix_denies_is_refused(store: ObjectStore, content_type: str) -> None:
    with pytest.raises(InvalidKey, match="image/png"):
        store.put(KEY, b"x", content_type=content_type)

    assert not store.exists(KEY)


# --- reading -----------------------------------------------------------------------------------------------------


def test_get_verifies_the_recorded_hash(store: ObjectStore) -> None:
    stored = put(store)

    assert store.get(KEY, sha256=stored.sha256) == b"picture"
    with pytest.raises(ObjectCorrupt) as raised:
        store.get(KEY, sha256="0" * 64)
    assert (raised.value.key, raised.value.store) == (KEY, store.name)


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.get(KEY),
        lambda store: store.open(KEY),
        lambda store: store.get_range(KEY, 0, 1),
        lambda store: store.head(KEY),
        lambda store: store.copy(KEY, OTHER_KEY),
    ],
    ids=["get", "open", "get_range", "head", "copy"],
)
def test_a_missing_object_is_missing(store: ObjectStore, read: Callable[[ObjectStore], object]) -> None:
    put(store, "poses/g1/neighbour.png")

    with pytest.raises(ObjectMissing) as raised:
        read(store)

    assert (raised.value.key, raised.value.store) == (KEY, store.name)


def test_an_empty_store_has_nothing(store: ObjectStore) -> None:
    assert not store.exists(KEY)
    assert keys_in(store) == []
    assert store.delete(KEY) == 1
    with pytest.raises(ObjectMissing):
        store.get(KEY)


def test_open_gives_a_stream_that_closes_itself(store: ObjectStore) -> None:
    put(store, data=b"0123456789")

    with store.open(KEY) as stream:
        assert stream.read(4) == b"0123"
        assert stream.read() == b"456789"
        assert stream.read() == b""
    assert stream.closed


def test_an_open_stream_keeps_its_bytes_when_the_object_goes(store: ObjectStore) -> None:
    put(store, data=b"old")

    with store.open(KEY) as stream:
        put(store, data=b"new", create_only=False)
        store.delete(KEY)
        assert stream.read() == b"old"


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 4, b"0123"),
        (3, 4, b"3456"),
        (8, 4, b"89"),
        (0, 10, b"0123456789"),
        (9, 1, b"9"),
        (10, 1, b""),
        (99, 5, b""),
        (5, 0, b""),
        (0, 2**40, b"0123456789"),
        (2**70, 2**70, b""),
    ],
)
def test_a_range_holds_what_there_is_of_it(store: ObjectStore, start: int, length: int, expected: bytes) -> None:
    put(store, data=b"0123456789")

    assert store.get_range(KEY, start, length) == expected


@pytest.mark.parametrize(("start", "length"), [(-1, 5), (0, -5)])
def test_a_negative_range_is_a_mistake(store: ObjectStore, start: int, length: int) -> None:
    put(store)

    with pytest.raises(ValueError, match="0 or more"):
        store.get_range(KEY, start, length)


def test_head_tells_what_put_told(store: ObjectStore) -> None:
    stored = put(store, data=b"x" * 3_000_000)

    assert store.head(KEY) == stored


def test_a_part_of_a_key_is_no_object(store: ObjectStore) -> None:
    put(store)

    assert store.exists(KEY)
    assert not store.exists("poses/g1")
    assert not store.exists("poses")
    assert not store.exists(f"{KEY}/more")
    with pytest.raises(ObjectMissing):
        store.get("poses/g1")


# --- delete ------------------------------------------------------------------------------------------------------


def test_delete_removes_one_object_and_no_other(store: ObjectStore) -> None:
    put(store)
    put(store, OTHER_KEY)

    assert store.delete(KEY) == 1

    assert keys_in(store) == [OTHER_KEY]
    assert not store.exists(KEY)


def test_delete_takes_many_keys_and_counts_each_once(store: ObjectStore) -> None:
    put(store)
    put(store, OTHER_KEY)

    assert store.delete(KEY, OTHER_KEY, KEY, "poses/g9/never-there.png") == 3
    assert keys_in(store) == []


def test_deleting_nothing_is_allowed(store: ObjectStore) -> None:
    assert store.delete() == 0


def test_a_part_of_a_key_cannot_be_deleted(store: ObjectStore) -> None:
    put(store)

    store.delete("poses/g1")

    assert keys_in(store) == [KEY]


def test_one_invalid_key_keeps_all_others_from_being_deleted(store: ObjectStore) -> None:
    put(store)

    with pytest.raises(InvalidKey):
        store.delete(KEY, "../escape")

    assert keys_in(store) == [KEY]


# --- list --------------------------------------------------------------------------------------------------------


ORDERED = sorted(
    [
        "a-b/x.png",
        "a.b/x.png",
        "a/x.png",
        "a/b/x.png",
        "a/b-c.png",
        "a0/x.png",
        "ab.png",
        "a_/x.png",
        "z.png",
        "a-.png",
    ]
)


def test_list_has_every_object_once_and_always_in_the_same_order(store: ObjectStore) -> None:
    for key in reversed(ORDERED):
        put(store, key)

    listed = keys_in(store)

    assert sorted(listed) == ORDERED
    assert keys_in(store) == listed


def test_list_goes_on_behind_any_key(store: ObjectStore) -> None:
    for key in ORDERED:
        put(store, key)
    listed = keys_in(store)

    for place, key in enumerate(listed):
        assert [entry.key for entry in store.list(start_after=key)] == listed[place + 1 :]


def test_list_goes_on_behind_a_key_that_is_gone(store: ObjectStore) -> None:
    for number in range(6):
        put(store, f"poses/g{number}/p.png")
    first, second, third, *rest = keys_in(store, "poses/")
    store.delete(second, third)

    assert [entry.key for entry in store.list("poses/", start_after=second)] == rest
    assert [entry.key for entry in store.list("poses/", start_after=third)] == rest
    assert [entry.key for entry in store.list("poses/", start_after=first)] == rest


def test_behind_the_last_key_there_is_nothing(store: ObjectStore) -> None:
    put(store)

    assert list(store.list(start_after=KEY)) == []
    assert list(store.list("poses/", start_after=KEY)) == []


def test_a_key_to_go_on_from_has_to_be_one(store: ObjectStore) -> None:
    with pytest.raises(InvalidKey):
        store.list(start_after="../x.png")


def test_list_keeps_to_its_prefix(store: ObjectStore) -> None:
    for key in ["poses/g1/a.png", "poses/g10/b.png", "poses/g1.png", "exports/g1/c.png"]:
        put(store, key)

    assert keys_in(store, "poses/g1/") == ["poses/g1/a.png"]
    assert sorted(keys_in(store, "poses/")) == ["poses/g1.png", "poses/g1/a.png", "poses/g10/b.png"]
    assert keys_in(store, "designs/") == []
    assert keys_in(store, "poses/g1.png/") == []


def test_an_entry_has_size_and_age(store: ObjectStore) -> None:
    put(store, data=b"12345")

    (entry,) = store.list()

    assert (entry.key, entry.size) == (KEY, 5)
    assert abs(datetime.now(UTC) - entry.modified) < timedelta(minutes=1)


def test_a_copy_is_as_old_as_the_copying(store: ObjectStore) -> None:
    """An old age would make the sweep of orphans take a copy whose row is about to be written."""
    put(store)
    (before,) = store.list()
    whole_seconds = timedelta(seconds=0 if store.name == "local" else 1)  # that is all that S3 tells
    until(lambda: datetime.now(UTC) > before.modified + whole_seconds)

    store.copy(KEY, OTHER_KEY)

    after = {entry.key: entry for entry in store.list()}[OTHER_KEY]
    assert after.modified > before.modified


def test_list_bears_puts_and_deletes_on_the_way(store: ObjectStore) -> None:
    for number in range(5):
        put(store, f"poses/g{number}/p.png")

    entries = store.list("poses/")
    first = next(entries)
    store.delete("poses/g3/p.png")
    put(store, "poses/g9/p.png")

    seen = [first.key, *(entry.key for entry in entries)]
    assert [key for key in seen if key not in {"poses/g3/p.png", "poses/g9/p.png"}] == [
        f"poses/g{number}/p.png" for number in (0, 1, 2, 4)
    ]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("prefix", ["poses", "/", "/poses/", "poses//", "../", "poses/../", "Poses/", "poses/\x00/"])
def test_a_prefix_is_made_of_whole_parts(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(InvalidKey):
        store.list(prefix)


# --- URLs, copies, health ----------------------------------------------------------------------------------------


def test_a_public_url_ends_with_the_key(store: ObjectStore) -> None:
    assert store.public_url(KEY).startswith("https://")
    assert store.public_url(KEY).endswith(f"/{KEY}")


def test_copy_puts_the_same_bytes_under_another_key(store: ObjectStore) -> None:
    stored = put(store)

    copied = store.copy(KEY, OTHER_KEY)

    assert (copied.key, copied.size, copied.sha256) == (OTHER_KEY, stored.size, stored.sha256)
    assert store.get(OTHER_KEY) == store.get(KEY) == b"picture"


def test_a_copy_may_be_made_again_but_replaces_nothing_else(store: ObjectStore) -> None:
    put(store)
    store.copy(KEY, OTHER_KEY)
    put(store, "poses/g1/taken.png", b"something else")

    store.copy(KEY, OTHER_KEY)
    with pytest.raises(ObjectExists):
        store.copy(KEY, "poses/g1/taken.png")

    assert store.get("poses/g1/taken.png") == b"something else"


def test_a_copy_keeps_its_suffix(store: ObjectStore) -> None:
    put(store)

    with pytest.raises(InvalidKey):
        store.copy(KEY, "poses/g1/p1.jpg")


def test_health_measures_and_leaves_nothing(store: ObjectStore) -> None:
    health = store.health()

    assert health.store == store.name
    assert min(health.write_seconds, health.read_seconds, health.delete_seconds) > 0
    assert keys_in(store) == []
