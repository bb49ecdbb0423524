"""The folders that Posegen makes, under every umask that a shell may have."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from posegen.folders import is_ours, keep_folder, make_folders, passable

UMASKS = (0o000, 0o002, 0o022, 0o027, 0o077, 0o177, 0o777)


@pytest.fixture(params=UMASKS, ids=lambda umask: f"{umask:03o}")
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_what_is_missing_is_made_with_the_mode_that_was_asked_for(tmp_path: Path, umask: int):
    make_folders(tmp_path / "a" / "b" / "c", lambda _: 0o755)

    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o755] * 3


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077], indirect=True)
def test_a_passable_folder_opens_no_more_than_the_way_through(tmp_path: Path, umask: int):
    make_folders(tmp_path / "home", passable)

    assert mode(tmp_path / "home") == 0o777 & ~umask | 0o111


def test_folders_that_were_there_keep_their_modes(tmp_path: Path, umask: int):
    tmp_path.chmod(0o700)

    make_folders(tmp_path / "new", passable)
    make_folders(tmp_path, passable)

    assert mode(tmp_path) == 0o700


@pytest.mark.parametrize("left", [0o000, 0o700, 0o711])
def test_a_folder_of_ours_gets_what_its_mode_lacks(tmp_path: Path, umask: int, left: int):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours").chmod(left)

    assert keep_folder(tmp_path / "ours", 0o755)
    assert keep_folder(tmp_path / "new", 0o711)

    assert (mode(tmp_path / "ours"), mode(tmp_path / "new")) == (0o755, 0o711)


def test_a_folder_of_ours_that_is_open_enough_stays_as_it_is(tmp_path: Path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours").chmod(0o750)

    assert keep_folder(tmp_path / "ours", 0o700)

    assert mode(tmp_path / "ours") == 0o750


@pytest.mark.parametrize("kind", ["link", "file", "open to all", "another user's"])
def test_what_is_not_ours_is_left_alone(tmp_path: Path, kind: str):
    place = tmp_path / "place"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to("elsewhere")
    elif kind == "file":
        place.touch(mode=0o600)
    else:
        place.mkdir(mode=0o700)
        if kind == "open to all":
            place.chmod(0o777)
        elif os.geteuid() != 0:
            pytest.skip("only root gives a folder to another user")
        else:
            os.chown(place, 65534, 65534)
    before = place.stat()

    assert not keep_folder(place, 0o755)

    assert not is_ours(place)
    assert place.stat() == before
