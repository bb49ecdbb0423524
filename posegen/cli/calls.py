"""`posegen calls`: what hosted backends were asked for, and what each call has cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.cli.session import open_session
from posegen.generations import service
from posegen.generations.calling.listing import ListedCall, Which
from posegen.generations.reading.waiting import Waits


def calls(
    is_open: Annotated[bool, typer.Option("--open", help="Only calls that are under way.")] = False,
    uncertain: Annotated[
        bool, typer.Option("--uncertain", help="Only calls of which it is not known whether they were made.")
    ] = False,
    unused: Annotated[
        bool, typer.Option("--unused", help="Only calls that may have been billed and whose picture nothing has used.")
    ] = False,
    generation: Annotated[UUID | None, typer.Option(help="Only calls of one generation.")] = None,
    limit: Annotated[int, typer.Option(help="How many of the newest.", min=1, max=100_000)] = 50,
    as_json: AS_JSON = False,
) -> None:
    """List calls of hosted backends, the newest first.

    Each has its state and what it has cost. An uncertain call was sent, and its response was lost: look it up at the
    provider by its time.

    Example: `posegen calls --uncertain`
    """
    chosen = [which for which, is_chosen in zip(_FLAGS, (is_open, uncertain, unused), strict=True) if is_chosen]
    if len(chosen) > 1:
        raise typer.BadParameter(f"--{chosen[0]} and --{chosen[1]} cannot be combined; name one.")
    with open_session() as session:
        which = chosen[0] if chosen else Which.ALL
        found = service.calls(session.database, which, generation_id=generation, limit=limit)
    if as_json:
        console.print_json([vars(call) for call in found])
        return
    if not found:
        console.say("No such calls.")
        return
    console.table(
        ["planned (UTC)", "call", "generation", "pose", "purpose", "backend", "state", "seconds", "USD", "error"],
        [_row(call) for call in found],
        right=("pose", "seconds", "USD"),
    )


def in_words(call: ListedCall) -> list[str]:
    """What one call was, as lines: how it ended and what it cost, then its seed and its licence."""
    cost = "no bill" if call.billed_usd is None else f"{usd(call.billed_usd)} USD ({call.bill_source})"
    returned = "no seed came back" if call.seed_returned is None else f"{call.seed_returned} came back"
    seed = "came back" if call.seed_returned == call.seed else f"was asked for, {returned}"
    licence = "" if call.licence is None else f", licence {call.licence}"
    return [
        f"call {call.id} of {call.backend}: {call.state}, {cost}",
        f"model {call.model}{licence}, seed {call.seed} {seed}",
    ]


def say_calls(calls: Sequence[ListedCall], waits: Waits) -> None:
    """Print the calls of one generation, with what open ones wait for; nothing where there are none."""
    if not calls:
        return
    billed = sum((call.billed_usd for call in calls if call.billed_usd is not None), Decimal(0))
    console.say(f"\nCalls of {calls[0].backend}, model {calls[0].model}: {len(calls)}, {usd(billed)} USD")
    rows = [
        [
            str(call.position + 1),
            call.state,
            "" if call.sent_at is None else console.utc(call.sent_at, "%m-%d %H:%M:%S"),
            "" if call.seconds is None else f"{call.seconds:.1f}",
            "" if call.billed_usd is None else usd(call.billed_usd),
            _remarks(call, waits),
        ]
        for call in calls
    ]
    console.table(["#", "state", "sent", "s", "USD", "remarks"], rows, right=["#", "s", "USD"])


def _remarks(call: ListedCall, waits: Waits) -> str:
    said = [] if call.purpose == "pose" else [f"for a {call.purpose}"]
    if call.far_id is not None:
        said.append(call.far_id)
    if call.is_open:
        said.append(waits.of_call(call))
    elif call.error is not None:
        said.append(f"{call.error_code}: {call.error}" if call.error_code else call.error)
    return "; ".join(said)


_FLAGS = (Which.OPEN, Which.UNCERTAIN, Which.UNUSED)


def _row(call: ListedCall) -> list[str]:
    return [
        console.utc(call.planned_at),
        str(call.id),
        str(call.generation_id),
        str(call.position + 1),
        call.purpose,
        call.backend,
        call.state,
        "" if call.seconds is None else f"{call.seconds:.1f}",
        "" if call.billed_usd is None else usd(call.billed_usd),
        call.error or "",
    ]


def usd(amount: Decimal) -> str:
    """An amount without zeros at its end."""
    return f"{amount.normalize():f}"
