"""Archives: known to the byte beforehand, opened by `unzip` and Python, and given from any byte on."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posegen.errors import ArchiveFailed
from posegen.generations.reading.archive_file import CHUNK, Archive, Entry

NOON = datetime(2026, 11, 21, 12, 30, 40, tzinfo=UTC)
GIGABYTE = 1 << 30

needs_unzip = pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed here")


def entry(name: str, data: bytes, modified: datetime = NOON) -> Entry:
    return Entry(name, len(data), zlib.crc32(data), modified)


def archive_of(files: dict[str, bytes]) -> tuple[Archive, Callable[[int], BinaryIO]]:
    """An archive and what opens its entries."""
    contents = list(files.values())
    return Archive([entry(*file) for file in files.items()]), lambda index: io.BytesIO(contents[index])


def whole(files: dict[str, bytes]) -> bytes:
    archive, opener = archive_of(files)
    made = b"".join(archive.stream(opener))
    assert len(made) == archive.size
    return made


def unzip_says(path: Path) -> str:
    """What `unzip -t` says; it has to find nothing wrong."""
    tested = subprocess.run(["unzip", "-t", path], capture_output=True, timeout=180, check=False)
    said = tested.stdout.decode("utf-8", "replace")
    assert tested.returncode == 0, said + tested.stderr.decode()
    return said


FILES = {
    "Sommer-1a2b3c4d/01-star-jump/tiktok.jpg": b"\xff\xd8" + bytes(range(256)) * 9000,
    "Sommer-1a2b3c4d/01-star-jump/shopee.jpg": b"",
    "Sommer-1a2b3c4d/02-瑜伽-ïlê 🧘/instagram_post.jpg": b"picture",
}


# --- readers of others --------------------------------------------------------------------------------------------


def test_python_finds_every_file_with_its_name_bytes_and_time():
    with zipfile.ZipFile(io.BytesIO(whole(FILES))) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == FILES
        info = opened.infolist()[2]
    assert info.date_time == (2026, 11, 21, 12, 30, 40)
    assert info.compress_type == zipfile.ZIP_STORED
    assert info.flag_bits == 1 << 11, "UTF-8, and no data descriptor"
    assert info.external_attr >> 16 == 0o100644


@needs_unzip
def test_unzip_finds_nothing_wrong_and_unpacks_the_same_files(tmp_path):
    path = tmp_path / "poses.zip"
    path.write_bytes(whole(FILES))

    assert "No errors detected" in unzip_says(path)

    subprocess.run(
        ["unzip", "-q", path, "-d", tmp_path / "out"], env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}, check=True
    )
    unpacked = {str(file.relative_to(tmp_path / "out")): file for file in (tmp_path / "out").rglob("*.jpg")}
    assert {name: file.read_bytes() for name, file in unpacked.items()} == FILES


@needs_unzip
def test_more_files_than_16_bits_can_count_take_the_larger_format(tmp_path):
    for count, is_large in ((65_534, False), (65_535, True)):
        made = whole({f"{number}.txt": b"x" for number in range(count)})
        path = tmp_path / f"{count}.zip"
        path.write_bytes(made)

        assert (b"PK\6\6" in made[-200:]) == is_large
        with zipfile.ZipFile(path) as opened:
            assert len(opened.infolist()) == count
        if is_large:
            assert f"No errors detected in compressed data of {path}" in unzip_says(path)


def test_an_archive_of_nothing_is_an_archive():
    with zipfile.ZipFile(io.BytesIO(whole({}))) as opened:
        assert opened.namelist() == []


class ReadByRange(io.RawIOBase):
    """The archive as a file of which only what is asked for is ever made."""

    def __init__(self, archive: Archive, opener: Callable[[int], BinaryIO]) -> None:
        self._archive, self._opener, self._at = archive, opener, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._archive.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = None if size < 0 else self._at + size
        found = b"".join(self._archive.stream(self._opener, self._at, stop))
        self._at += len(found)
        return found


def no_giant(contents: list[bytes]) -> Callable[[int], BinaryIO]:
    """Opens the small entries; whoever opens the giant one has made a mistake."""

    def open_entry(index: int) -> BinaryIO:
        assert contents[index] is not GIANT, "nobody asked for these bytes"
        return io.BytesIO(contents[index])

    return open_entry


GIANT = b"stands for gigabytes"


@pytest.mark.parametrize("size", [4 * GIGABYTE - 2, 4 * GIGABYTE - 1, 4 * GIGABYTE, 5 * GIGABYTE])
def test_an_entry_and_offsets_beyond_four_gigabytes_are_found_by_python(size):
    contents = [b"before", GIANT, b"behind"]
    archive = Archive([entry("a.txt", b"before"), Entry("giant.bin", size, 7, NOON), entry("b.txt", b"behind")])

    with zipfile.ZipFile(ReadByRange(archive, no_giant(contents))) as opened:
        assert [info.file_size for info in opened.infolist()] == [6, size, 6]
        assert opened.getinfo("giant.bin").CRC == 7
        assert opened.read("b.txt") == b"behind"
    large = {info.filename: info.extract_version for info in opened.infolist()}
    assert large["giant.bin"] == (45 if size >= 4 * GIGABYTE - 1 else 20)
    assert large["b.txt"] == 45, "its offset is beyond 32 bits"


@needs_unzip
def test_an_archive_beyond_four_gigabytes_is_listed_by_unzip(tmp_path):
    """Written as a sparse file: the giant's bytes are holes, and take no disk."""
    size = 5 * GIGABYTE
    contents = [b"before", GIANT, b"behind"]
    archive = Archive([entry("a.txt", b"before"), Entry("giant.bin", size, 7, NOON), entry("b.txt", b"behind")])
    by_range = ReadByRange(archive, no_giant(contents))
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.write(by_range.read(giant_at := 100))
        for at in (giant_at + size, archive.size):
            by_range.seek(at)
            file.seek(at)
            file.write(by_range.read())

    listed = subprocess.run(["unzip", "-l", path], capture_output=True, text=True, timeout=180, check=True).stdout
    tested = subprocess.run(
        ["unzip", "-t", path, "a.txt", "b.txt"], capture_output=True, text=True, timeout=180, check=False
    )

    assert f"{size}" in listed
    assert "3 files" in listed
    assert tested.returncode == 0, tested.stdout + tested.stderr


# --- any byte -----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    contents=st.lists(st.binary(max_size=300), max_size=6),
    start=st.integers(0, 4000),
    length=st.integers(0, 4000),
)
def test_any_part_is_that_part_of_the_whole(contents, start, length):
    files = {f"{number}-ü.jpg": data for number, data in enumerate(contents)}
    archive, opener = archive_of(files)

    assert b"".join(archive.stream(opener, start, start + length)) == whole(files)[start : start + length]
    assert b"".join(archive.stream(opener, start)) == whole(files)[start:]


def test_parts_that_cut_through_chunks_join_to_the_whole():
    files = {"a.bin": bytes(range(256)) * 9000, "b.bin": b"b" * (CHUNK + 1), "c.bin": b"c" * CHUNK}
    archive, opener = archive_of(files)
    cuts = [0, 1, 50, CHUNK - 1, CHUNK, CHUNK + 47, 3 * CHUNK, archive.size - 30, archive.size, archive.size + 10]

    parts = [b"".join(archive.stream(opener, start, stop)) for start, stop in pairwise(cuts)]

    assert b"".join(parts) == whole(files)


def test_a_part_opens_only_the_entries_that_it_touches():
    files = {f"{number}.bin": b"x" * 1000 for number in range(10)}
    archive, opener = archive_of(files)
    opened: list[int] = []

    def remembering(index: int) -> BinaryIO:
        opened.append(index)
        return opener(index)

    list(archive.stream(remembering, 3500, 4600))
    list(archive.stream(remembering, archive.size - 20))

    assert opened == [3, 4]


def test_it_hands_on_chunks_and_never_whole_files():
    archive, opener = archive_of({"large.bin": bytes(10 * CHUNK)})

    assert max(len(chunk) for chunk in archive.stream(opener)) == CHUNK


def test_a_part_before_the_beginning_is_a_mistake():
    archive, opener = archive_of(FILES)

    with pytest.raises(ValueError, match="not at -1"):
        list(archive.stream(opener, -1))


# --- bytes that are not the right ones ----------------------------------------------------------------------------


class Refused(Exception):
    """What a verifying store raises."""


class Refusing(io.BytesIO):
    """Raises instead of giving its last bytes."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() >= len(self.getbuffer()):
            raise Refused
        return data


@pytest.mark.parametrize("stop", [None, 100, 30 + 5 + 3 * CHUNK])
def test_the_last_bytes_of_an_entry_are_not_given_before_all_of_it_was_read(stop):
    data = bytes(3 * CHUNK + 10)
    archive = Archive([entry("a.bin", data)])
    received = bytearray()

    def receive() -> None:
        for chunk in archive.stream(lambda _: Refusing(data), 0, stop):
            received.extend(chunk)

    with pytest.raises(Refused):
        receive()
    wanted = 30 + 5 + len(data) if stop is None else stop
    assert len(received) < wanted


@pytest.mark.parametrize("found", [b"", b"shor", b"longer than planned"])
def test_an_entry_of_another_size_than_planned_ends_the_archive(found):
    archive = Archive([entry("a.txt", b"planned")])

    with pytest.raises(ArchiveFailed, match=r"a\.txt has"):
        list(archive.stream(lambda _: io.BytesIO(found)))


def test_every_file_that_was_opened_is_closed_also_when_the_reader_goes_away():
    opened: list[BinaryIO] = []

    def open_entry(_: int) -> BinaryIO:
        opened.append(io.BytesIO(bytes(4 * CHUNK)))
        return opened[-1]

    stream = Archive([entry("a.bin", bytes(4 * CHUNK))]).stream(open_entry)
    for _ in range(3):
        next(stream)
    stream.close()  # type: ignore[attr-defined]

    assert [file.closed for file in opened] == [True]


# --- names and times ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "x" * 65_536])
def test_a_name_that_no_archive_can_hold_is_refused(name):
    with pytest.raises(ArchiveFailed, match="65,535 bytes"):
        Archive([entry(name, b"")])


@pytest.mark.parametrize(
    ("modified", "kept"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(2026, 11, 21, 19, 30, 41, tzinfo=timezone(timedelta(hours=7))), (2026, 11, 21, 12, 30, 40)),
        (datetime(2400, 2, 29, 23, 59, 59, tzinfo=UTC), (2107, 2, 29, 23, 59, 58)),
    ],
)
def test_times_are_kept_in_utc_where_the_format_can_hold_them(modified, kept):
    archive = Archive([entry("a.txt", b"", modified)])

    with zipfile.ZipFile(io.BytesIO(b"".join(archive.stream(lambda _: io.BytesIO())))) as opened:
        assert opened.infolist()[0].date_time == kept


def test_equal_entries_give_equal_archives():
    assert whole(FILES) == whole(dict(FILES))
