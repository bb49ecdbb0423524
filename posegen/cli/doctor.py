"""`posegen doctor`: shows what an examination of every part has found, and what mends it."""

from __future__ import annotations

import typer

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.upkeep.examination import examine


def doctor(as_json: AS_JSON = False) -> None:
    """Check every part, from settings and disk to queue and platform.

    Exit code 1 when a part needs mending. docs/how-to/troubleshooting.md goes from what is seen to the part that finds
    it.

    Example: `posegen doctor`
    """
    findings = examine()
    if as_json:
        console.print_json([vars(finding) for finding in findings])
    else:
        console.table(
            ["part", "state", "found", "fix"],
            [
                [finding.part, console.GOOD if finding.good else console.BAD, *_lines(finding.detail, finding.fix)]
                for finding in findings
            ],
        )
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def _lines(*texts: str) -> list[str]:
    """Texts that may have several lines, each on one: a cell has no line breaks of its own."""
    return [" ".join(text.split()) for text in texts]
