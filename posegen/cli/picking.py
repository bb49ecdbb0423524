"""Options that pick some of a generation's files: formats and numbers of poses, with commas between them."""

from __future__ import annotations

from typing import Annotated

import typer

POSES = Annotated[
    str | None, typer.Option(help="Numbers of poses, as `posegen show` has them, with commas; without it all of them.")
]


def names(text: str) -> list[str]:
    """The parts of a text with commas.

    >>> names("tiktok, shopee,")
    ['tiktok', 'shopee']
    """
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str | None) -> list[int] | None:
    """The numbers of a text with commas; None stays None. Raises `typer.BadParameter`."""
    if text is None:
        return None
    try:
        return [int(part) for part in names(text)]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of numbers: write 1,3,4.", param_hint="--poses") from None
