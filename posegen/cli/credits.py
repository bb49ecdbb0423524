"""`posegen credits`: what a user has, and what an operator may do about it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from posegen.accounts import credits
from posegen.accounts import replay as ledger_audit
from posegen.accounts.credits import Balance, Entry
from posegen.accounts.replay import Audit
from posegen.cli import console
from posegen.cli.actors import ACTOR, local_actor
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.failures import told_on_failure
from posegen.cli.picking import POSES, numbers
from posegen.cli.requests import LOCAL_USER
from posegen.cli.session import open_session
from posegen.database.connection import Connection
from posegen.errors import GenerationUnknown, NothingToRefund, PoseNumberUnknown, UserUnknown
from posegen.generations.reading.results import pose_results, results_of

app = Commands(help="Credits: what a user has; grant, refund, audit.", no_args_is_help=True)

_REASON = Annotated[str, typer.Option(help="The reason, which the ledger keeps.")]


@app.command()
def show(
    user: Annotated[UUID, typer.Argument(help="Without it the local user.")] = LOCAL_USER,
    limit: Annotated[int, typer.Option(help="How many of the latest movements.", min=0, max=10_000)] = 10,
    as_json: AS_JSON = False,
) -> None:
    """Show a user's balance and the latest movements.

    Example: `posegen credits show --user USER`
    """
    with open_session() as session, session.database.transaction() as connection:
        balance = _balance(connection, user)
        entries = credits.entries_of(connection, user, limit)
    if as_json:
        console.print_json({"user": user, **vars(balance), "entries": [vars(entry) for entry in entries]})
        return
    console.say(
        f"{balance.credits_available:,} available, {balance.credits_held:,} held, {balance.credits_spent:,} spent; "
        f"{balance.credits_granted:,} granted in all."
    )
    if entries:
        _print_movements(entries)


@app.command()
def grant(
    user: Annotated[UUID, typer.Argument(help="Who gets them.")],
    amount: Annotated[int, typer.Argument(help="How many, above 0.", min=1, max=1_000_000_000)],
    reason: _REASON,
    actor: ACTOR = None,
    as_json: AS_JSON = False,
) -> None:
    """Give credits to a user.

    Example: `posegen credits grant USER 500 --reason "invoice 1041"`
    """
    look = f"`posegen credits show {user}`"
    with told_on_failure() as progress:
        with open_session() as session, session.database.transaction() as connection:
            _balance(connection, user)
            available = credits.grant(connection, user, amount, reason=reason, actor=actor or local_actor("credits"))
            progress.sentence = f"{amount:,} credits may have been granted: {look} says whether."
        progress.sentence = f"{amount:,} credits were granted; {look} shows them."
        if as_json:
            console.print_json({"user": user, "granted": amount, "credits_available": available})
        else:
            console.say(f"{amount:,} credits granted; {available:,} are available now.")


@app.command()
def refund(
    generation: Annotated[UUID, typer.Argument(help="The generation; `posegen status` lists the latest ones.")],
    reason: _REASON,
    pose: POSES = None,
    actor: ACTOR = None,
    as_json: AS_JSON = False,
) -> None:
    """Give back what was paid for completed poses, once each.

    The pictures stay. Exit code 1 when there is nothing to give back.

    Example: `posegen credits refund GENERATION --pose 1 --reason "wrong hat"`
    """
    look = f"`posegen explain {generation}`"
    with told_on_failure() as progress:
        with open_session() as session, session.database.transaction() as connection:
            poses = _completed(connection, generation, numbers(pose))
            refunded = credits.refund(connection, poses, reason=reason, actor=actor or local_actor("credits"))
            if not refunded:
                raise NothingToRefund(generation)
            progress.sentence = f"{refunded:,} credits may have been refunded: {look} says whether."
        progress.sentence = f"{refunded:,} credits were refunded; {look} shows it."
        if as_json:
            console.print_json({"generation": generation, "credits_refunded": refunded})
        else:
            console.say(f"{refunded:,} credits refunded.")


@app.command()
def audit(as_json: AS_JSON = False) -> None:
    """Replay the ledger, and name every difference from the balances.

    Holds and prices are compared, too. Exit code 1 for any difference.

    Example: `posegen credits audit`
    """
    with open_session() as session, session.database.transaction() as connection:
        found = ledger_audit.audit(connection)
    if as_json:
        console.print_json({**vars(found), "differences": [vars(each) for each in found.differences]})
    else:
        _print(found)
    if found.differences:
        raise typer.Exit(1)


def _balance(connection: Connection, user: UUID) -> Balance:
    balance = credits.balance_of(connection, user)
    if balance is None:
        raise UserUnknown(user)
    return balance


def _completed(connection: Connection, generation: UUID, wanted: list[int] | None) -> list[UUID]:
    if not results_of(connection, [generation]):
        raise GenerationUnknown(generation)
    rows = pose_results(connection, generation)
    completed: dict[int, Any] = {row["position"] + 1: row["pose_id"] for row in rows if row["status"] == "completed"}
    for number in wanted or ():
        if number not in completed:
            raise PoseNumberUnknown(number, list(completed))
    return [completed[number] for number in wanted or completed]


def _print_movements(entries: list[Entry]) -> None:
    console.table(
        ["at (UTC)", "movement", "credits", "by", "generation", "reason"],
        [
            [
                console.utc(entry.created_at, "%m-%d %H:%M:%S"),
                entry.kind,
                f"{entry.amount:,}",
                entry.actor,
                str(entry.generation_id or ""),
                entry.reason,
            ]
            for entry in entries
        ],
        right=["credits"],
    )


def _print(found: Audit) -> None:
    if found.differences:
        console.table(
            ["what", "id", "number", "recorded", "replayed"],
            [
                [each.what, each.id, each.number, f"{each.recorded:,}", f"{each.replayed:,}"]
                for each in found.differences
            ],
            right=["recorded", "replayed"],
        )
    verdict = f"{len(found.differences):,} differences." if found.differences else "No difference."
    console.say(
        f"{found.entries:,} entries of {found.accounts:,} accounts replayed: {found.granted:,} credits granted, "
        f"{found.in_circulation:,} in the accounts. {verdict}"
    )
