"""The name of the person at the terminal, for the ledger and the audit trail."""

from __future__ import annotations

import os
import pwd
from typing import Annotated

import typer

ACTOR = Annotated[str | None, typer.Option(help="Who decided; without it the user of this shell.")]


def local_actor(command: str) -> str:
    """The user of this shell, and what they typed."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that has no name
        name = f"user {os.getuid()}"
    return f"{name}, by posegen {command}"
