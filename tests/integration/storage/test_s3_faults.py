"""The store in a bucket while network and server fail: 8 faults in each of 4 operations, once and for good.

A fault that passes is not noticed. One that stays ends in an error within the time that the operation may take, and
never in other bytes than were put.
"""

from __future__ import annotations

import io
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from posegen.errors import ObjectCorrupt, ObjectMissing, StoreUnavailable
from posegen.storage.configuration import BucketConfig, RequestLimits
from posegen.storage.s3 import BucketStore
from tests.fault_proxy_http import Fault, HttpFaultProxy, SeenRequest
from tests.stores import PNG

BODY = bytes(range(256)) * 1000
STREAM = BODY * 12  # 3 MB: spooled to disk
LARGE = BODY * 80  # 20 MB: read in two pieces
PATIENT = RequestLimits(connect=10.0, request=1.0, total=180.0, first_pause=0.01, longest_pause=0.1)
UNHURRIED = replace(PATIENT, request=60.0, total=600.0)
HASTY = RequestLimits(connect=0.4, request=0.4, total=0.9, first_pause=0.01, longest_pause=0.05)


@pytest.fixture
def key() -> str:
    return f"poses/{secrets.token_hex(8)}/p.png"


def read_all(store: BucketStore, key: str) -> bytes:
    with store.open(key) as stream:
        return b"".join(iter(lambda: stream.read(1_000_000), b""))


WRITES: dict[str, Callable[[BucketStore, str], object]] = {
    "put": lambda store, key: store.put(key, BODY, content_type=PNG),
    "put a stream": lambda store, key: store.put(key, io.BytesIO(STREAM), content_type=PNG),
}
READS: dict[str, Callable[[BucketStore, str], bytes]] = {
    "get": lambda store, key: store.get(key),
    "open": read_all,
}
OTHERS: dict[str, Callable[[BucketStore, str], object]] = {
    "head": lambda store, key: store.head(key).size,
    "exists": lambda store, key: store.exists(key),
    "list": lambda store, key: [entry.size for entry in store.list(f"{key.rpartition('/')[0]}/")],
    "delete": lambda store, key: store.delete(key),
    "get_range": lambda store, key: store.get_range(key, 1, 5),
}


def written(operation: str) -> bytes:
    return BODY if operation == "put" else STREAM


def stored(bucket: BucketConfig, key: str, data: bytes) -> None:
    """Put there by somebody whom no fault befalls."""
    BucketStore(bucket).put(key, data, content_type=PNG)


def about(key: str) -> Callable[[SeenRequest], bool]:
    folder = key.rpartition("/")[0]
    return lambda request: (
        folder in request.path or folder.replace("/", "%2F") in request.path or b"<Key>" in request.body
    )


# --- a fault that passes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("operation", WRITES)
def test_a_write_outlives_a_fault(
    operation: str, fault: Fault, place: BucketConfig, bucket: BucketConfig, proxy: HttpFaultProxy, key: str
) -> None:
    store = BucketStore(replace(place, limits=PATIENT))
    proxy.break_requests(fault, matching=about(key))

    WRITES[operation](store, key)

    assert proxy.faulted == 1
    assert BucketStore(bucket).get(key) == written(operation)
    assert (store.traffic().written.operations, store.traffic().skipped.operations) == (1, 0)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("operation", READS)
def test_a_read_outlives_a_fault(
    operation: str, fault: Fault, place: BucketConfig, bucket: BucketConfig, proxy: HttpFaultProxy, key: str
) -> None:
    stored(bucket, key, BODY)
    proxy.break_requests(fault, matching=about(key))

    assert READS[operation](BucketStore(replace(place, limits=PATIENT)), key) == BODY
    assert proxy.faulted == 1


PASSING = [fault for fault in Fault if fault not in {Fault.FLIP_ON_READ, Fault.FLIP_ON_WRITE}]


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("operation", OTHERS)
def test_every_other_operation_outlives_a_fault(
    operation: str, fault: Fault, place: BucketConfig, bucket: BucketConfig, proxy: HttpFaultProxy, key: str
) -> None:
    stored(bucket, key, BODY)
    expected = OTHERS[operation](BucketStore(bucket), key)
    stored(bucket, key, BODY)
    proxy.break_requests(fault, matching=about(key))

    assert OTHERS[operation](BucketStore(replace(place, limits=PATIENT)), key) == expected
    assert proxy.faulted == 1


def test_a_large_object_is_read_on_where_the_fault_was(
    place: BucketConfig, bucket: BucketConfig, proxy: HttpFaultProxy, key: str
) -> None:
    stored(bucket, key, LARGE)
    proxy.break_requests(Fault.CUT_BODY, matching=lambda request: "range" in request.headers)

    assert read_all(BucketStore(replace(place, limits=UNHURRIED)), key) == LARGE

    ranges = [request.headers["range"] for request in proxy.seen if "range" in request.headers]
    assert len(ranges) == 3
    assert len(set(ranges)) == 2


def test_a_flipped_bit_in_a_large_object_never_comes_to_the_end(
    place: BucketConfig, bucket: BucketConfig, proxy: HttpFaultProxy, key: str
) -> None:
    stored(bucket, key, LARGE)
    proxy.break_requests(Fault.FLIP_ON_READ, matching=lambda request: "range" in request.headers)

    with pytest.raises(ObjectCorrupt):
        read_all(BucketStore(replace(place, limits=UNHURRIED)), key)


# --- a fault that stays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("operation", WRITES)
def test_a_write_ends_in_time_and_leaves_no_other_bytes(
    operation: str, fault: Fault, place: BucketConfig, bucket: BucketConfig, proxy: HttpFaultProxy, key: str
) -> None:
    proxy.break_requests(fault, times=math.inf, matching=about(key))
    began = time.monotonic()

    if fault is Fault.FLIP_ON_READ:  # the answer has no body to flip a bit in
        WRITES[operation](BucketStore(replace(place, limits=UNHURRIED)), key)
        assert content(bucket, key) == written(operation)
        return
    with pytest.raises(StoreUnavailable) as raised:
        WRITES[operation](BucketStore(replace(place, limits=HASTY)), key)

    assert time.monotonic() - began < PATIENT.total, "it ends long before the limits of other stores do"
    assert (raised.value.store, raised.value.key) == ("s3", key)
    assert content(bucket, key) in {None, written(operation)}


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("operation", READS)
def test_a_read_ends_in_time_and_gives_no_other_bytes(
    operation: str, fault: Fault, place: BucketConfig, bucket: BucketConfig, proxy: HttpFaultProxy, key: str
) -> None:
    stored(bucket, key, BODY)
    proxy.break_requests(fault, times=math.inf, matching=about(key))
    began = time.monotonic()

    if fault is Fault.FLIP_ON_WRITE:  # there is no body to flip a bit in
        assert READS[operation](BucketStore(replace(place, limits=UNHURRIED)), key) == BODY
        return
    corrupt = fault is Fault.FLIP_ON_READ
    with pytest.raises(ObjectCorrupt if corrupt else StoreUnavailable) as raised:
        READS[operation](BucketStore(replace(place, limits=UNHURRIED if corrupt else HASTY)), key)

    assert time.monotonic() - began < PATIENT.total, "it ends long before the limits of other stores do"
    assert (raised.value.store, raised.value.key) == ("s3", key)


def content(bucket: BucketConfig, key: str) -> bytes | None:
    try:
        return BucketStore(bucket).get(key)
    except ObjectMissing:
        return None


# --- the answer that got lost --------------------------------------------------------------------------------------


def test_an_object_whose_answer_was_lost_is_not_counted_as_somebody_elses(
    place: BucketConfig, proxy: HttpFaultProxy, key: str
) -> None:
    store = BucketStore(replace(place, limits=PATIENT))
    proxy.break_requests(Fault.LOST_ACK, times=3, matching=lambda request: request.method == "PUT")

    put = store.put(key, BODY, content_type=PNG)

    assert not put.skipped
    assert store.put(key, BODY, content_type=PNG).skipped


def test_the_reason_is_told_in_words(place: BucketConfig, proxy: HttpFaultProxy, key: str) -> None:
    proxy.break_requests(Fault.SLOW_DOWN, times=math.inf)

    with pytest.raises(
        StoreUnavailable, match=r"503 SlowDown: Please reduce your request rate\. Given up after \d+ att"
    ):
        BucketStore(replace(place, limits=HASTY)).get(key)
