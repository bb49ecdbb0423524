"""`posegen audit`: who did what."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.cli.session import open_session
from posegen.upkeep import service

_MOST_SHOWN = 3


def audit(
    since: Annotated[datetime | None, typer.Option(help="Only what was done from then on, in UTC.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, such as images_restored or credits_refunded.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only what was done to this id.")] = None,
    limit: Annotated[int, typer.Option(help="How many of the latest lines.", min=1, max=100_000)] = 50,
    as_json: AS_JSON = False,
) -> None:
    """Show who did what: deletions, restores, grants, refunds.

    Changed settings are there too. These lines cannot be changed.

    Example: `posegen audit --since 2026-11-01 --action credits_refunded`
    """
    with open_session() as session:
        lines = service.audit_trail(
            session.database, since=since and since.replace(tzinfo=UTC), action=action, subject=subject, limit=limit
        )[:limit]
    if as_json:
        console.print_json([vars(line) for line in lines])
        return
    if not lines:
        console.say("Nothing yet.")
        return
    console.table(
        ["at (UTC)", "who", "did", "to", "detail"],
        [
            [
                console.utc(line.created_at),
                line.actor,
                line.action,
                line.subject,
                ", ".join(f"{name} {_shown(value)}" for name, value in line.detail.items() if name != "values"),
            ]
            for line in lines
        ],
    )


def _shown(value: object) -> str:
    if isinstance(value, list) and len(value) > _MOST_SHOWN:
        return f"{len(value)}"
    return value if isinstance(value, str) else json.dumps(value)
