"""Streams that wait on disk until their length and hash are known."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import pytest

from posegen.errors import StoreFull
from posegen.storage.hashing import CHUNK, fingerprint
from posegen.storage.spooling import spooled


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 5 * CHUNK + 7])
def test_all_bytes_come_back_with_what_was_measured(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)

    with spooled(io.BytesIO(data), folder=tmp_path, store="s3", key="k") as spool:
        assert bytes(spool.data) == data
        assert spool.fingerprint == fingerprint(data)


def test_what_is_small_touches_no_disk_and_nothing_stays_there(tmp_path: Path) -> None:
    for size in (CHUNK, 3 * CHUNK):
        with spooled(io.BytesIO(bytes(size)), folder=tmp_path, store="s3", key="k") as spool:
            assert isinstance(spool.data, bytes) == (size == CHUNK)
            assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullFile:
        def __init__(self, **_: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", FullFile)

    with (
        pytest.raises(StoreFull, match="No space left") as raised,
        spooled(io.BytesIO(bytes(3 * CHUNK)), folder=tmp_path, store="s3", key="poses/a.png"),
    ):
        pass

    assert str(tmp_path) in str(raised.value)
    assert (raised.value.store, raised.value.key) == ("s3", "poses/a.png")
