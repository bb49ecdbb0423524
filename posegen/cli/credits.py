"""`posegen credits`: what a user has, and what an operator may do about it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from posegen.accounts import service as accounts
from posegen.accounts.credits import Entry
from posegen.accounts.replay import Audit
from posegen.accounts.service import Granted
from posegen.cli import console
from posegen.cli.actors import ACTOR, local_actor
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.failures import told_on_failure
from posegen.cli.picking import POSES, numbers
from posegen.cli.requests import LOCAL_USER
from posegen.cli.session import open_session
from posegen.generations import service as generations
from posegen.generations.service import Refunded

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
    with open_session() as session:
        balance = accounts.balance(session.database, user)
        entries = accounts.movements(session.database, user, limit=limit)
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

    def may_be_granted(_: Granted) -> None:
        progress.sentence = f"{amount:,} credits may have been granted: {look} says whether."

    with told_on_failure() as progress:
        with open_session() as session:
            granted = accounts.grant(
                session.database,
                user,
                amount,
                reason=reason,
                actor=actor or local_actor("credits"),
                before_commit=may_be_granted,
            )
        progress.sentence = f"{amount:,} credits were granted; {look} shows them."
        if as_json:
            console.print_json({"user": user, "granted": amount, "credits_available": granted.available})
        else:
            console.say(f"{amount:,} credits granted; {granted.available:,} are available now.")


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

    def may_be_refunded(refunded: Refunded) -> None:
        progress.sentence = f"{refunded.credits:,} credits may have been refunded: {look} says whether."

    with told_on_failure() as progress:
        with open_session() as session:
            refunded = generations.refund(
                session.database,
                generation,
                numbers=numbers(pose) or None,
                reason=reason,
                actor=actor or local_actor("credits"),
                before_commit=may_be_refunded,
            )
        progress.sentence = f"{refunded.credits:,} credits were refunded; {look} shows it."
        if as_json:
            console.print_json({"generation": generation, "credits_refunded": refunded.credits})
        else:
            console.say(f"{refunded.credits:,} credits refunded.")


@app.command()
def audit(as_json: AS_JSON = False) -> None:
    """Replay the ledger, and name every difference from the balances.

    Holds and prices are compared, too. Exit code 1 for any difference.

    Example: `posegen credits audit`
    """
    with open_session() as session:
        found = accounts.audit(session.database)
    if as_json:
        console.print_json({**vars(found), "differences": [vars(each) for each in found.differences]})
    else:
        _print(found)
    if found.differences:
        raise typer.Exit(1)


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
