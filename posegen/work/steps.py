"""Things that are done one after the other, where the failure of one keeps none of the others from being done.

`Apart` is for rows, `Steps` for the steps of a sensor's tick. Only the loss of the database ends either.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import structlog

from posegen.database.connection import Database
from posegen.database.failures import is_lost
from posegen.errors import PartlyDone
from posegen.settings import PROJECT_ROOT
from posegen.work import failing_steps as steps

log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")

# What could not be written down, by this process: it is logged once all the same.
_told: set[tuple[str, str, str]] = set()


class Apart:
    """Keeps the failures of things that are done one by one, so that the next one is done after each."""

    def __init__(self) -> None:
        self._failures: list[Exception] = []

    @contextmanager
    def each(self) -> Iterator[None]:
        """One of the things. What it raises is kept; the loss of the database is raised."""
        try:
            yield
        except Exception as failure:
            if is_lost(failure):
                raise
            self._failures.append(failure)

    def settle(self, done: R) -> R:
        """What was done. Raises `PartlyDone` with it when anything has failed."""
        if self._failures:
            raise PartlyDone(self._failures[0], len(self._failures), done) from self._failures[0]
        return done


class Steps:
    """The steps of one tick of a sensor. Each failure is counted, logged once for each cause, and opens an incident.

    Args:
        database: where failures are counted; that this fails ends no tick.
        tick: the sensor's name.
    """

    def __init__(self, database: Database, tick: str) -> None:
        self._database = database
        self._tick = tick
        self._failing: set[str] | None = None

    def run(self, step: str, work: Callable[[], T]) -> T | None:
        """Do a step; None when it fails, or what was done of it. Raises when the database is lost."""
        try:
            done = work()
        except PartlyDone as partly:
            self._note_failure(step, partly.first)
            return partly.done  # type: ignore[no-any-return]  # what `work` would have answered
        except Exception as failure:
            if is_lost(failure):
                raise
            self._note_failure(step, failure)
            return None
        self._note_success(step)
        return done

    def each(self, step: str, items: Callable[[], Sequence[T]], work: Callable[[T], R]) -> list[R]:
        """Do a step for each of the items; what came of those that did not fail."""

        def all_of_them() -> list[R]:
            apart, done = Apart(), list[R]()
            for item in items():
                with apart.each():
                    done.append(work(item))
            return apart.settle(done)

        return self.run(step, all_of_them) or []

    def _note_failure(self, step: str, failure: Exception) -> None:
        cause, key = _cause_of(failure), (self._tick, step, _cause_of(failure))
        try:
            with self._database.transaction() as connection:
                is_new = steps.note_failure(connection, self._tick, step, cause=cause, detail=str(failure))
        except Exception as unwritten:  # noqa: BLE001  # the other steps have to run, whatever this one meets
            is_new = key not in _told
            if is_new:
                log.warning("a failure could not be counted", tick=self._tick, step=step, reason=str(unwritten))
        if is_new:
            _told.add(key)
            log.error("step failed", tick=self._tick, step=step, cause=cause, exc_info=failure)

    def _note_success(self, step: str) -> None:
        try:
            with self._database.transaction() as connection:
                if self._failing is None:
                    self._failing = steps.failing_of(connection, self._tick)
                if step in self._failing:
                    steps.note_success(connection, self._tick, step)
        except Exception as unread:
            if is_lost(unread):
                raise
            self._failing = set()


def _cause_of(failure: Exception) -> str:
    """Kind and place, without what differs from row to row: the innermost place that is Posegen's own."""
    frames = [frame for frame in traceback.extract_tb(failure.__traceback__) if _is_ours(frame.filename)]
    place = "" if not frames else f" in {Path(frames[-1].filename).relative_to(PROJECT_ROOT)}:{frames[-1].name}"
    return f"{type(failure).__name__}{place}"


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(PROJECT_ROOT) and ".venv" not in path.parts
