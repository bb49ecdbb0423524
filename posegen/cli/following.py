"""Following generations to their end, with a progress bar for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from uuid import UUID

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from posegen.cli import console
from posegen.database.connection import Database
from posegen.generations.reading.results import GenerationResult, results_of
from posegen.generations.rows.events import EVENTS_CHANNEL

_LOOK_SECONDS = 1.0


def follow(
    database: Database,
    generations: Mapping[UUID, str],
    *,
    seconds: float,
    quiet: bool = False,
    keep_running: Callable[[], object] = lambda: None,
) -> list[GenerationResult]:
    """Show how these generations come along until each has ended, for at most `seconds`.

    `generations`: ids with the name to show for each; `keep_running`: called at every look. Returns their last state.
    """
    deadline = time.monotonic() + seconds
    columns = (
        SpinnerColumn(finished_text="•"),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
    )
    with (
        Progress(*columns, console=console.err, disable=quiet) as progress,
        database.listening(EVENTS_CHANNEL) as events,
    ):
        bars = {each: progress.add_task(name, total=None, status="submitted") for each, name in generations.items()}
        while True:
            results = _read(database, list(generations))
            for result in results:
                ended = result.poses_completed + result.poses_failed
                total = result.poses_total or (1 if result.status.is_terminal else None)
                completed = total if result.status.is_terminal else ended
                progress.update(
                    bars[result.generation_id], total=total, completed=completed or 0, status=_words(result)
                )
            if all(result.status.is_terminal for result in results) or time.monotonic() > deadline:
                return results
            keep_running()
            events.wait(_LOOK_SECONDS)


def _read(database: Database, generations: list[UUID]) -> list[GenerationResult]:
    with database.transaction() as connection:
        return results_of(connection, generations)


def _words(result: GenerationResult) -> str:
    if result.error_code is not None:
        return f"{result.status} ({result.error_code})"
    return str(result.status)
