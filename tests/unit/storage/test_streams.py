"""Streams that know which hash their bytes must have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from posegen.errors import ObjectCorrupt
from posegen.storage.streams import reader_of, verified

PIECES = [b"pose", b"", b"gen", b"!"]
WHOLE = b"posegen!"
HASH = hashlib.sha256(WHOLE).hexdigest()


def pieces(*, size: int = len(WHOLE), sha256: str | None = HASH) -> Iterator[bytes]:
    return verified(iter(PIECES), sha256=sha256, size=size, store="local", key="poses/a.png")


def test_what_is_as_it_should_be_passes() -> None:
    assert b"".join(pieces()) == WHOLE
    assert b"".join(pieces(sha256=None)) == WHOLE


def test_nothing_at_all_passes_when_nothing_was_recorded() -> None:
    empty = hashlib.sha256(b"").hexdigest()

    assert list(verified(iter([]), sha256=empty, size=0, store="local", key="k")) == []


@pytest.mark.parametrize(("size", "sha256"), [(8, "0" * 64), (7, HASH), (9, HASH), (9, None), (7, None), (0, "0" * 64)])
def test_the_last_piece_is_kept_back_when_something_is_wrong(size: int, sha256: str | None) -> None:
    stream, seen = pieces(size=size, sha256=sha256), []

    with pytest.raises(ObjectCorrupt, match=r"restore the object from a backup\. \[local:poses/a\.png\]"):
        seen.extend(iter(stream.__next__, None))

    assert len(b"".join(seen)) < max(size, 1) + 1


def test_a_stream_of_pieces_reads_like_a_file_and_tells_when_it_is_closed() -> None:
    closed = []

    with reader_of(pieces(), lambda: closed.append(True)) as stream:
        assert stream.read(2) == b"po"
        assert stream.read(5) == b"segen"
        assert stream.read() == b"!"
        assert stream.read() == b""
        assert not closed

    assert closed == [True]
