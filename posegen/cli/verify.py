"""`posegen verify`: whether everything that must always be true is true."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.text import Text

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.cli.session import open_session
from posegen.upkeep.invariants import Bounds
from posegen.upkeep.verification import DEFAULT_READ, RuleResult
from posegen.upkeep.verification import verify as verify_all


def verify(
    grace_hours: Annotated[
        float,
        typer.Option("--grace", help="Hours that an object may lie in the store without a row.", min=0, max=8760),
    ] = 24.0,
    read_all: Annotated[
        bool, typer.Option("--read-all", help=f"Read every object back, not only the newest {DEFAULT_READ}.")
    ] = False,
    as_json: AS_JSON = False,
) -> None:
    """Check everything that must always be true.

    States, leases, events, credits, space and objects. Exit code 1 on any violation. Looks at one snapshot of the
    database and at the stores; changes nothing, and may run while work goes on.

    Example: `posegen verify --read-all`
    """
    with (
        open_session() as session,
        console.err.status("Looking ...", spinner="dots") as status,
    ):
        findings = verify_all(
            session.database,
            session.stores_in_use(),
            bounds=Bounds.of(session.settings),
            grace=timedelta(hours=grace_hours),
            read_back=None if read_all else DEFAULT_READ,
            looking_at=lambda what: status.update(f"Looking whether {what}", spinner="dots"),
        )
    if as_json:
        console.print_json([vars(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.violations for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[RuleResult]) -> None:
    console.table(
        ["rule", "checked", "violations", "what must be true"],
        [
            [
                finding.name,
                f"{finding.checked:,}",
                Text(f"{finding.violations:,}", style="bold red" if finding.violations else "green"),
                finding.says,
            ]
            for finding in findings
        ],
        right=["checked", "violations"],
    )
    for finding in findings:
        for example in finding.examples:
            console.say(f"{finding.name}: {example}")
        if finding.violations > len(finding.examples):
            console.say(f"{finding.name}: and {finding.violations - len(finding.examples):,} more")
    broken = sum(bool(finding.violations) for finding in findings)
    console.say(f"{broken} of {len(findings)} rules are broken." if broken else "Everything is as it must be.")
