"""How the command speaks: sentences for people on a console, one JSON document for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from posegen.cli.plain import PlainConsole, plain, plain_json

# What customers write is shown as it is: `:smile:` stays five letters between colons.
out = PlainConsole(highlight=False, emoji=False)
err = PlainConsole(stderr=True, highlight=False, emoji=False)


def complain(message: str) -> None:
    """Say on standard error what went wrong and what to do."""
    err.print("[bold red]error:[/]", end=" ")
    err.print(plain(message), markup=False, soft_wrap=True)


def say(message: str) -> None:
    """A line on standard output as it is: a path or URL in it stays in one piece, so that it can be copied."""
    out.print(plain(message), markup=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """One JSON document on standard output; ids and times are written as text."""
    print(plain_json(json.dumps(document, indent=2, default=str, ensure_ascii=False)))


def utc(moment: datetime, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A moment as the tables show it, whatever time zone it comes in."""
    return moment.astimezone(UTC).strftime(pattern)
