"""Locks that end with their holders."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from posegen.file_locks import EXCLUSIVE, SHARED, open_lock, try_lock, unlock, wait_until


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """The same lock, opened twice."""
    openings = open_lock(tmp_path / "lock"), open_lock(tmp_path / "lock")
    yield openings
    for opening in openings:
        os.close(opening)


def test_many_may_share_and_only_one_may_have_it_alone(two: tuple[int, int]) -> None:
    one, other = two
    assert try_lock(one, SHARED)
    assert try_lock(other, SHARED)
    assert not try_lock(other, EXCLUSIVE)

    unlock(one)
    assert try_lock(other, EXCLUSIVE)
    assert not try_lock(one, SHARED)


def test_asking_for_more_and_failing_gives_up_what_was_held(two: tuple[int, int]) -> None:
    one, other = two
    assert try_lock(one, SHARED)
    assert try_lock(other, SHARED)

    assert not try_lock(one, EXCLUSIVE)

    assert try_lock(other, EXCLUSIVE)


def test_a_program_that_inherits_the_opening_holds_the_lock_until_it_ends(tmp_path: Path) -> None:
    opening = open_lock(tmp_path / "lock")
    assert try_lock(opening, EXCLUSIVE)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[opening]) as heir:
        os.close(opening)
        other = open_lock(tmp_path / "lock")
        assert not try_lock(other, SHARED)
        heir.communicate(b"")
    assert try_lock(other, SHARED)
    os.close(other)


def test_waiting_ends_with_the_condition_or_with_the_deadline() -> None:
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), time.monotonic() + 5)

    deadline = time.monotonic() + 0.05
    assert not wait_until(lambda: False, deadline)
    assert time.monotonic() >= deadline
