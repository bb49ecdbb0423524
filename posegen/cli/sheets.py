"""Sheets as files: where one may be written, and in which format its name asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import typer
from PIL import Image

from posegen.images.contact_sheet import encode_sheet

_FORMATS: dict[str, Literal["png", "jpeg"]] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


def check_suffix(path: Path | None) -> Path | None:
    """Callback of an option that names a sheet's file; another suffix is a mistake of usage."""
    if path is not None and path.suffix.lower() not in _FORMATS:
        raise typer.BadParameter(f"{path.name!r} has to end in one of {', '.join(_FORMATS)}.")
    return path


def write_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a sheet into a file, and make its folder first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_sheet(sheet, _FORMATS[path.suffix.lower()]).data)
