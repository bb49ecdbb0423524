"""`posegen metrics`: what was made, for whom, how well and for how much, over any dates."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posegen.cli import console
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.session import open_session
from posegen.reports.periods import Period, read_period

if TYPE_CHECKING:
    import pandas as pd

app = Commands(help="What was made, for whom, how well and for how much.", invoke_without_command=True)
_DAYS = 30

_FROM = Annotated[
    str | None, typer.Option("--from", help=f"First day, such as 2026-11-01; without it {_DAYS} days before the last.")
]
_TO = Annotated[str | None, typer.Option("--to", help="Last day, which counts; today without it.")]
_LIMIT = Annotated[int, typer.Option(help="How many rows at most.", min=1, max=100_000)]


@app.callback()
def metrics(context: typer.Context, from_: _FROM = None, to: _TO = None, as_json: AS_JSON = False) -> None:
    """Sum up a period: what was made, for whom, how well, for how much.

    Generations, poses, credits, durations, errors and storage. Days are UTC days.

    Examples: `posegen metrics`; `posegen metrics --from 2026-11-01 --to 2026-11-30 --json`;
    `posegen metrics top-users --limit 10`
    """
    if context.invoked_subcommand is not None:
        return
    from posegen.reports.usage import read_usage  # pandas: no other command needs to wait for it

    period = _period(from_, to)
    with open_session() as session, session.database.transaction() as connection:
        usage = read_usage(connection, period)
    if as_json:
        tables = {name: records(table) for name, table in usage.tables.items()}
        console.print_json(
            {"from": period.first, "to": period.last, "headline": vars(usage.headline), "tables": tables}
        )
        return
    console.say(f"{period} (UTC)")
    for name, value in vars(usage.headline).items():
        console.say(f"{name.replace('_', ' ')}: {_shown(name, value)}")
    for name in ("phases", "formats", "backends", "calls", "storage"):
        if len(usage.tables[name]):
            _print_table(usage.tables[name], title=f"\n{name}")


@app.command("top-users")
def top_users(limit: _LIMIT = 10, from_: _FROM = None, to: _TO = None, as_json: AS_JSON = False) -> None:
    """Show who used most credits.

    Example: `posegen metrics top-users --limit 3`
    """
    _show("users", limit, from_, to, as_json=as_json)


@app.command("popular-poses")
def popular_poses(limit: _LIMIT = 20, from_: _FROM = None, to: _TO = None, as_json: AS_JSON = False) -> None:
    """Show which library poses were made most often.

    Example: `posegen metrics popular-poses --from 2026-11-01`
    """
    _show("poses", limit, from_, to, as_json=as_json)


@app.command()
def errors(limit: _LIMIT = 50, from_: _FROM = None, to: _TO = None, as_json: AS_JSON = False) -> None:
    """Show what failed, by error code, with generations to look at.

    What was refunded for it is there, too.

    Example: `posegen metrics errors --from 2026-11-01 --to 2026-11-30`
    """
    _show("errors", limit, from_, to, as_json=as_json)


def _show(name: str, limit: int, from_: str | None, to: str | None, *, as_json: bool) -> None:
    from posegen.reports.usage import read_table  # pandas: no other command needs to wait for it

    period = _period(from_, to)
    with open_session() as session, session.database.transaction() as connection:
        table = read_table(connection, name, period).head(limit)
    if as_json:
        console.print_json(records(table))
    elif len(table):
        _print_table(table, title=f"{name}, {period} (UTC)")
    else:
        console.say(f"There is nothing to show for {period}.")


def _period(from_: str | None, to: str | None) -> Period:
    return read_period(from_, to, today=datetime.now(UTC).date(), days=_DAYS)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, as a JSON document has them."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", date_format="iso"))
    return rows


def _print_table(table: pd.DataFrame, *, title: str) -> None:
    headings = {name: str(name).replace("_", " ") for name in table.columns}
    console.table(
        list(headings.values()),
        [[_shown(str(name), value) for name, value in record.items()] for record in table.to_dict("records")],
        right=[heading for name, heading in headings.items() if _is_number(table[name])],
        title=title,
    )


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(column.dtype.kind in "if")


def _shown(name: str, value: object) -> str:
    if value is None or value != value:  # NaN is not equal to itself
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and name.startswith("usd"):
        return f"{value:,.4f}"
    if isinstance(value, float):
        return f"{value:,.1f} %" if name.endswith("rate") else f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
