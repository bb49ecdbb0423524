"""Numbers on the command line that `min` and `max` of an option let through although nothing can be done with them."""

from __future__ import annotations

import math

import typer


def finite(value: float | None) -> float | None:
    """The callback of every option that takes a fraction: `nan` lies neither below nor above any bound.

    Raises `typer.BadParameter`.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number: write it in digits, such as 1.5.")
    return value
