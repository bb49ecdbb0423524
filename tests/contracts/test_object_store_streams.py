"""Objects as streams, hashes that are known beforehand, and what a store tells about what it was given."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
import zlib
from dataclasses import replace

import pytest

from posegen.errors import ObjectCorrupt, ObjectMissing
from posegen.storage.hashing import fingerprint
from posegen.storage.protocol import ObjectStore
from posegen.storage.traffic import Traffic
from tests.stores import KEY, OTHER_KEY, PNG, keys_in, put

LARGE = bytes(range(256)) * 4096 * 20  # 20 MiB: more than one request reads
BODIES = {"empty": b"", "small": b"picture", "large": LARGE}


@pytest.mark.parametrize("data", BODIES.values(), ids=BODIES)
def test_a_stream_gives_the_objects_bytes_and_knows_their_hash(store: ObjectStore, data: bytes) -> None:
    stored = put(store, data=data)

    with store.open(KEY, sha256=stored.sha256) as stream:
        assert stream.read() == data


def read_on(store: ObjectStore) -> None:
    with store.open(KEY, sha256="0" * 64) as stream:
        while stream.read(100_000):
            pass


@pytest.mark.parametrize("data", BODIES.values(), ids=BODIES)
def test_a_stream_with_another_hash_never_comes_to_its_end(store: ObjectStore, data: bytes) -> None:
    put(store, data=data)

    with pytest.raises(ObjectCorrupt) as raised:
        read_on(store)

    assert (raised.value.store, raised.value.key) == (store.name, KEY)


def test_a_stream_is_read_in_whatever_pieces_one_likes(store: ObjectStore) -> None:
    put(store, data=LARGE)
    found = hashlib.sha256()

    with store.open(KEY) as stream:
        found.update(stream.read(1))
        while piece := stream.read(1_234_567):
            found.update(piece)

    assert found.hexdigest() == hashlib.sha256(LARGE).hexdigest()


def test_reading_a_large_object_needs_the_memory_of_a_piece(store: ObjectStore) -> None:
    put(store, data=LARGE * 3)
    tracemalloc.start()
    try:
        with store.open(KEY) as stream:
            while stream.read(65536):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 40 * 1024 * 1024


def test_a_stream_never_mixes_two_objects(store: ObjectStore) -> None:
    put(store, data=LARGE)

    with store.open(KEY) as stream:
        first = stream.read(1000)
        put(store, data=LARGE[::-1], create_only=False)
        try:
            rest = stream.read()
        except ObjectMissing:
            rest = LARGE[1000:]

    assert first + rest == LARGE


# --- hashes that are known -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_stream", [False, True], ids=["bytes", "stream"])
def test_what_has_the_known_hash_is_stored(store: ObjectStore, as_stream: bool) -> None:
    data = b"picture" * 100_000

    stored = store.put(KEY, io.BytesIO(data) if as_stream else data, content_type=PNG, known=fingerprint(data))

    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert store.get(KEY) == data
    assert store.head(KEY) == stored


@pytest.mark.parametrize("size", [1, 3_000_000], ids=["small", "large"])
def test_a_stream_that_turns_out_to_be_another_is_not_stored(store: ObjectStore, size: int) -> None:
    expected = fingerprint(bytes(size))

    with pytest.raises(ObjectCorrupt) as raised:
        store.put(KEY, io.BytesIO(b"\x01" + bytes(size - 1)), content_type=PNG, known=expected)

    assert (raised.value.store, raised.value.key) == (store.name, KEY)
    assert keys_in(store) == []
    assert list(store.list_unfinished()) == []


def test_a_stream_that_was_cut_is_not_stored(store: ObjectStore) -> None:
    expected = fingerprint(b"picture")

    with pytest.raises(ObjectCorrupt):
        store.put(KEY, io.BytesIO(b"pict"), content_type=PNG, known=expected)

    assert not store.exists(KEY)


# --- what is told --------------------------------------------------------------------------------------------------


def test_a_put_of_what_is_there_is_skipped_and_counted(store: ObjectStore) -> None:
    before = store.traffic()

    first, again = put(store), put(store)
    put(store, OTHER_KEY, b"another")
    from_stream = put(store, OTHER_KEY, io.BytesIO(b"another"))

    assert (first.skipped, again.skipped, from_stream.skipped) == (False, True, True)
    assert first == again
    assert before == Traffic()
    counted = store.traffic()
    assert [(each.operations, each.bytes) for each in (counted.written, counted.skipped)] == [(2, 14), (2, 14)]


def test_a_replacement_is_never_skipped(store: ObjectStore) -> None:
    put(store)

    assert not put(store, create_only=False).skipped
    assert store.traffic().written.operations == 2


def test_whether_a_put_was_skipped_is_no_fact_about_the_object(store: ObjectStore) -> None:
    stored = put(store)

    assert replace(stored, skipped=True) == stored == store.head(KEY)
    assert stored.crc32 == zlib.crc32(b"picture")


def test_a_store_that_all_writers_left_in_order_has_nothing_unfinished(store: ObjectStore) -> None:
    put(store)

    assert list(store.list_unfinished()) == []


# --- what is counted -----------------------------------------------------------------------------------------------


def test_everything_that_a_store_is_asked_for_is_counted(store: ObjectStore) -> None:
    stored = put(store)
    put(store)
    put(store, OTHER_KEY, b"another")

    store.get(KEY, sha256=stored.sha256)
    store.get_range(KEY, 2, 3)
    with store.open(OTHER_KEY) as stream:
        stream.read()
    with pytest.raises(ObjectMissing):
        store.get("poses/g/never-0123456789ab.png")
    store.delete(KEY, OTHER_KEY)

    counted = store.traffic()
    # A look at what is there is a read as well, and stores differ in how often they look: those read no bytes.
    assert counted.read.operations >= 4
    assert counted.read.bytes == 7 + 3 + 7
    assert (counted.written.operations, counted.written.bytes) == (2, 14)
    assert (counted.skipped.operations, counted.skipped.bytes) == (1, 7)
    assert (counted.deleted.operations, counted.deleted.bytes) == (2, 0)
    assert all(each.seconds > 0 and not each.errors for each in counted.by_operation().values())


@pytest.mark.parametrize("data", [b"picture", LARGE], ids=["small", "large"])
def test_a_read_that_fails_is_counted_as_an_error(store: ObjectStore, data: bytes) -> None:
    put(store, data=data)

    with pytest.raises(ObjectCorrupt):
        store.get(KEY, sha256="0" * 64)
    before = store.traffic().read.errors
    with pytest.raises(ObjectCorrupt):
        read_on(store)

    assert (before, store.traffic().read.errors) == (1, 2)


def test_what_the_caller_has_promised_wrongly_is_no_error_of_the_store(store: ObjectStore) -> None:
    with pytest.raises(ObjectCorrupt):
        store.put(KEY, io.BytesIO(b"pict"), content_type=PNG, known=fingerprint(b"picture"))

    assert not store.traffic().written
