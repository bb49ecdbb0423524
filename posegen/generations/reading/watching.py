"""Watching a generation: each of its events once and in order, from the last one seen, until it has ended.

What is notified is a hint only. Events are read from their table, so nothing is missed between two connections, and a
restart of the database is an interruption and not the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from uuid import UUID

from posegen.database.connection import Database
from posegen.database.failures import may_pass
from posegen.generations.reading.results import GenerationResult, results_of
from posegen.generations.rows import events, generations
from posegen.generations.rows.events import EVENTS_CHANNEL, Event

# Without a hint for so long, we look for ourselves.
LOOK_SECONDS = 2.0
_LOOK_AT_RESULTS_SECONDS = 1.0
_PAUSE_SECONDS = 0.5


def watch(
    database: Database, generation_id: UUID, *, after: int = 0, keep_running: Callable[[], object] = lambda: None
) -> Iterator[Event]:
    """The events of a generation with a sequence above `after`, as they happen; ends with the generation.

    `keep_running`: called at every look. Raises `GenerationUnknown`.
    """
    seen = after
    while True:
        try:
            with database.listening(EVENTS_CHANNEL) as hints:
                while True:
                    new, ended = _look(database, generation_id, seen)
                    for event in new:
                        yield event
                        seen = event.sequence
                    if ended:
                        return
                    keep_running()
                    _wait_for(generation_id, hints.wait)
        except Exception as failure:
            if not may_pass(failure):
                raise
            time.sleep(_PAUSE_SECONDS)
            keep_running()


def follow(
    database: Database,
    generations: Collection[UUID],
    *,
    seconds: float,
    keep_running: Callable[[], object] = lambda: None,
) -> Iterator[list[GenerationResult]]:
    """The results of some generations, whenever they may have changed, until each has ended or `seconds` are over.

    `keep_running`: called at every look.
    """
    deadline = time.monotonic() + seconds
    with database.listening(EVENTS_CHANNEL) as hints:
        while True:
            with database.transaction() as connection:
                found = results_of(connection, generations)
            yield found
            if all(result.status.is_terminal for result in found) or time.monotonic() > deadline:
                return
            keep_running()
            hints.wait(_LOOK_AT_RESULTS_SECONDS)


def _wait_for(generation_id: UUID, heard: Callable[[float], list[str]]) -> None:
    """Wait until something happens to this generation; notifications of others are ignored."""
    deadline = time.monotonic() + LOOK_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        if any(payload.startswith(f"{generation_id}:") for payload in heard(left)):
            return


def _look(database: Database, generation_id: UUID, seen: int) -> tuple[list[Event], bool]:
    """What is new, and whether nothing follows it."""
    with database.transaction() as connection:
        # The state first: an end that comes after this look is seen by the next one, together with its event.
        progress = generations.progress_of(connection, generation_id)
        return events.events_of(connection, generation_id, after=seen), progress.status.is_terminal
