"""Following generations to their end, with a progress bar for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from posegen.cli import console
from posegen.database.connection import Database
from posegen.generations.reading.results import GenerationResult
from posegen.generations.reading.watching import follow as follow_results


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
    columns = (
        SpinnerColumn(finished_text="•"),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
    )
    results: list[GenerationResult] = []
    with Progress(*columns, console=console.err, disable=quiet) as progress:
        bars = {each: progress.add_task(name, total=None, status="submitted") for each, name in generations.items()}
        for results in follow_results(database, generations, seconds=seconds, keep_running=keep_running):
            for result in results:
                ended = result.poses_completed + result.poses_failed
                total = result.poses_total or (1 if result.status.is_terminal else None)
                completed = total if result.status.is_terminal else ended
                progress.update(
                    bars[result.generation_id], total=total, completed=completed or 0, status=_words(result)
                )
    return results


def _words(result: GenerationResult) -> str:
    if result.error_code is not None:
        return f"{result.status} ({result.error_code})"
    return str(result.status)
