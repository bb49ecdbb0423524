"""`posegen watch`: the events of a generation as they happen."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.requests import GENERATION_FAILED, NOT_GOOD
from posegen.cli.session import open_session
from posegen.generations import service
from posegen.generations.reading.watching import watch as events_of
from posegen.generations.rows.events import Event

_INTERRUPTED = 130


def watch(
    generation: Annotated[UUID, typer.Argument(help="The generation; `posegen status` lists the latest ones.")],
    after: Annotated[
        int,
        typer.Option(help="Number of the last event that was seen; 0 begins at the beginning.", min=0, max=2**31 - 1),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on each line.")] = False,
) -> None:
    """Follow a generation: one line for each event, until its end.

    Exit code 3 when it failed or was cancelled. Nothing is missed: each event comes once and in order, also those from
    before and those during a restart. Who was interrupted goes on with `--after` and the last number.

    Example: `posegen watch GENERATION --after 8`
    """
    last = after
    try:
        with open_session() as session:
            for event in events_of(session.database, generation, after=after, keep_running=session.urls.keep_running):
                if as_json:
                    console.print_json(_document(event), indent=None)
                else:
                    console.say(console.visible(_in_words(event)))
                last = event.sequence
            (result,) = service.status(session.database, [generation])
    except KeyboardInterrupt:
        console.note(f"To go on: posegen watch {generation} --after {last}")
        raise typer.Exit(_INTERRUPTED) from None
    if result.status in NOT_GOOD:
        raise typer.Exit(GENERATION_FAILED)


def _document(event: Event) -> dict[str, object]:
    return {"sequence": event.sequence, "kind": event.kind, "at": event.created_at.isoformat(), "detail": event.detail}


def _in_words(event: Event) -> str:
    facts = "  ".join(f"{name}={_short(fact)}" for name, fact in event.detail.items() if fact not in (None, [], ""))
    return (
        f"{event.sequence:>4}  {console.utc(event.created_at, '%H:%M:%S.%f')}"[:-3]
        + f"  {event.kind:<16} {facts}".rstrip()
    )


def _short(fact: object) -> str:
    return ",".join(map(str, fact)) if isinstance(fact, list) else str(fact)
