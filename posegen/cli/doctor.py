"""`posegen doctor`: shows what an examination of every part has found, and what mends it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from posegen.cli import console
from posegen.upkeep.examination import examine


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON document for scripts.")] = False) -> None:
    """Check settings, disk, store, backend, database, queue and platform. Exit code 1 when a part needs mending.

    docs/how-to/troubleshooting.md goes from what is seen to the part that finds it.
    """
    findings = examine()
    if as_json:
        console.print_json([vars(finding) for finding in findings])
    else:
        table = Table("part", "", "found", "fix")
        for finding in findings:
            verdict = "[green]good[/]" if finding.good else "[bold red]bad[/]"
            table.add_row(finding.part, verdict, escape(finding.detail), escape(finding.fix))
        console.out.print(table)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
