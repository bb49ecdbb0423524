from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from posegen.errors import PlatformUnusable
from posegen.folders import LONGEST_SOCKET_PATH
from posegen.supervisor.sockets import code_server_socket


@pytest.mark.parametrize("name", ["short", "x" * 120, "with space", "umläut", "100%"])
def test_every_data_folder_has_a_socket_that_its_owner_alone_can_reach(tmp_path: Path, name: str):
    path = code_server_socket(tmp_path / name, pid=4_194_304)
    try:
        assert len(os.fsencode(path)) <= LONGEST_SOCKET_PATH
        assert set(str(path)).isdisjoint(" %ä")
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert code_server_socket(tmp_path / name, pid=1).parent == path.parent, "a successor has to find it again"
    finally:
        shutil.rmtree(path.parent)


def test_a_socket_that_was_left_behind_is_cleared_away(tmp_path: Path):
    left_behind = code_server_socket(tmp_path, pid=1)
    left_behind.touch()

    assert code_server_socket(tmp_path, pid=2) != left_behind
    assert not left_behind.exists()


def test_two_data_folders_never_share_a_socket(tmp_path: Path):
    paths = [code_server_socket(tmp_path / ("x" * 120) / name, pid=1) for name in ("a", "b")]
    for path in paths:
        shutil.rmtree(path.parent)

    assert paths[0] != paths[1]


def test_a_long_or_missing_tmpdir_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    chosen = code_server_socket(tmp_path / ("x" * 120), pid=1)
    for tmpdir in (tmp_path / ("t" * 120), tmp_path / "missing"):
        monkeypatch.setattr(tempfile, "tempdir", str(tmpdir))
        assert code_server_socket(tmp_path / ("x" * 120), pid=1) == chosen
    shutil.rmtree(chosen.parent)


def test_a_folder_that_cannot_be_made_is_named():
    # A path that is short enough for a socket, however long the names of the test's folders are.
    with tempfile.NamedTemporaryFile(dir="/tmp") as file, pytest.raises(PlatformUnusable, match=file.name):
        code_server_socket(Path(file.name) / "home", pid=1)


def test_a_link_in_the_place_of_our_folder_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("posegen.folders.SHORT_PLACES", (tmp_path,))
    path = code_server_socket(Path("/" + "x" * 120), pid=1)
    path.parent.rmdir()
    (tmp_path / "elsewhere").mkdir()
    path.parent.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PlatformUnusable, match="folder of ours"):
        code_server_socket(Path("/" + "x" * 120), pid=1)
