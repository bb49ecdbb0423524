"""The hook of the fault tests: without its setting it is not there, with it the process is gone at once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from posegen.errors import SettingsInvalid
from posegen.settings import PROJECT_ROOT, load_settings
from posegen.work.commit_points import KILLED, CommitPoint

COME_BY_TWICE = """
from posegen.work.commit_points import CommitPoint, reached
for point in list(CommitPoint) * 2:
    print(point, flush=True)
    reached(point)
print("the end")
"""


def come_by_twice(**settings: str) -> tuple[int, list[str]]:
    """Exit code of a process that comes by every point twice, and the points that it came to."""
    ended = subprocess.run(
        [sys.executable, "-c", COME_BY_TWICE],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), **settings},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout.splitlines()


def test_without_the_setting_every_point_is_passed() -> None:
    code, lines = come_by_twice()

    assert (code, lines[-1]) == (0, "the end")


@pytest.mark.parametrize(("kill_at", "passes"), [("before commit", 0), ("after finish:2", 1)])
def test_the_process_is_gone_at_the_point_that_is_named(kill_at: str, passes: int) -> None:
    code, lines = come_by_twice(POSEGEN_KILL_AT=kill_at)

    point = kill_at.partition(":")[0]
    assert code == KILLED
    assert lines[-1] == point
    assert lines.count(point) == passes + 1


@pytest.mark.parametrize("point", CommitPoint)
def test_every_point_can_be_named(point: CommitPoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEGEN_KILL_AT", f"{point}:3")

    assert load_settings().posegen_kill_at == f"{point}:3"


@pytest.mark.parametrize("nowhere", ["before lunch", "after", "before commit:0", "commit"])
def test_a_point_that_is_none_is_refused_at_start(nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEGEN_KILL_AT", nowhere)

    with pytest.raises(SettingsInvalid, match="POSEGEN_KILL_AT"):
        load_settings()
