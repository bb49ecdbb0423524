"""Options that pick some of a generation's files: formats and numbers of poses, repeated or with commas."""

from __future__ import annotations

from typing import Annotated

import typer

POSES = Annotated[
    list[str] | None,
    typer.Option(
        help="Number of a pose, as `posegen show` has it; may be repeated, or several with commas. Without it all."
    ),
]


def names(texts: list[str] | None) -> list[str]:
    """The values of an option that may be repeated, or hold several with commas between them.

    >>> names(["tiktok, shopee,", "image"])
    ['tiktok', 'shopee', 'image']
    """
    return [part.strip() for text in texts or [] for part in text.split(",") if part.strip()]


def numbers(texts: list[str] | None) -> list[int] | None:
    """The numbers of such an option; None when it was not given. Raises `typer.BadParameter`."""
    if not texts:
        return None
    try:
        return [int(part) for part in names(texts)]
    except ValueError:
        said = ",".join(texts)
        raise typer.BadParameter(f"'{said}' is not a list of numbers: write 1,3,4.", param_hint="--pose") from None
