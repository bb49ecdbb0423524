from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from posegen import running_platform as locks
from posegen.errors import PlatformUnusable
from posegen.running_platform import RunningPlatform, find_platform, hold_home

URL = "http://127.0.0.1:3000"


def test_a_second_platform_is_told_who_the_first_one_is(tmp_path: Path):
    with (
        hold_home(tmp_path, URL),
        pytest.raises(PlatformUnusable, match=f"already runs .* as process {os.getpid()}, at {URL}"),
        hold_home(tmp_path, "http://127.0.0.1:3001"),
    ):
        pass


def test_a_platform_can_be_found_while_it_runs(tmp_path: Path):
    assert find_platform(tmp_path) is None

    with hold_home(tmp_path, URL):
        assert find_platform(tmp_path) == RunningPlatform(os.getpid(), URL)

    assert find_platform(tmp_path) is None


def test_looking_for_a_platform_makes_nothing(tmp_path: Path):
    find_platform(tmp_path / "nowhere")

    assert list(tmp_path.iterdir()) == []


def test_a_new_platform_waits_for_what_the_last_one_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with hold_home(tmp_path, URL) as held:
        remnant = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held])
    try:
        monkeypatch.setattr(locks, "REMNANT_SECONDS", 0.2)
        with pytest.raises(PlatformUnusable, match="earlier"), hold_home(tmp_path, URL):
            pass
        monkeypatch.setattr(locks, "REMNANT_SECONDS", 30)
        assert remnant.stdin is not None
        remnant.stdin.close()
        with hold_home(tmp_path, URL):
            assert remnant.wait() is not None
    finally:
        remnant.kill()
        remnant.wait()
