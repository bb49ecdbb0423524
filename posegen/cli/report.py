"""`posegen report`: a month as one page of HTML, with plots, costs and what comes next."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.cli.metrics import records
from posegen.cli.session import open_session
from posegen.reports.periods import month as month_of
from posegen.reports.periods import read_month


def report(
    month: Annotated[str | None, typer.Option(help="Such as 2026-11; without it the current one.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write; without it one in POSEGEN_HOME, named after the month."
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the system's browser.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Write a month's report as one page of HTML.

    The page needs nothing else: it can be read, printed and sent. Hosted backends cost what their calls were billed.
    Storage is worked out for every store with the prices in Posegen; POSEGEN_CREDIT_VALUE adds the margin, and
    POSEGEN_BACKEND_COSTS what other backends ask for a pose.

    Example: `posegen report --month 2026-11 -o november.html`
    """
    from posegen.reports.monthly import read_month_report  # pandas and matplotlib: no other command waits for them
    from posegen.reports.page import render
    from posegen.reports.spending import margin

    now = datetime.now(UTC)
    period = read_month(month) if month else month_of(now.date())
    with open_session() as session, console.err.status("Counting ...", spinner="dots"):
        with session.database.transaction() as connection:
            told = read_month_report(connection, period, session.settings, now=now)
        text = render(told)
        target = output or session.settings.posegen_home / "reports" / f"{period.first:%Y-%m}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    if as_json:
        spent = margin(told.usage, told.economy)
        console.print_json(
            {
                "report": str(target),
                "month": f"{period.first:%Y-%m}",
                "billed_usd": float(spent.billed),
                "estimated_usd": float(spent.estimated),
                "calls": records(told.usage.tables["calls"]),
            }
        )
    else:
        console.say(f"Report: {target}")
    if open_it:
        typer.launch(str(target))
