"""What is measured of bytes while they pass by."""

from __future__ import annotations

import hashlib
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.storage.hashing import CHUNK, Fingerprint, chunks_of, copy_hashed, fingerprint, fingerprint_stream


def test_a_fingerprint_is_size_sha256_and_crc32() -> None:
    assert fingerprint(b"pose") == Fingerprint(4, hashlib.sha256(b"pose").hexdigest(), zlib.crc32(b"pose"))


@given(st.binary(max_size=200), st.integers(min_value=1, max_value=50))
def test_the_cut_into_chunks_changes_nothing(data: bytes, size: int) -> None:
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    copied = io.BytesIO()

    assert copy_hashed(chunks, copied.write) == fingerprint(data)
    assert copied.getvalue() == data


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_a_stream_has_the_fingerprint_of_its_bytes(size: int) -> None:
    data = b"\x5a" * size

    assert fingerprint_stream(io.BytesIO(data)) == fingerprint(data)


def test_chunks_are_of_bounded_size() -> None:
    assert [len(chunk) for chunk in chunks_of(io.BytesIO(bytes(2 * CHUNK + 3)))] == [CHUNK, CHUNK, 3]
