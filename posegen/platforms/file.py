"""Validating operators' own platforms: a TOML file as a whole, and rows of the table `platforms` one by one.

The built-in platforms live in `platform`, the statements on the table in `rows`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from posegen.errors import SettingsInvalid
from posegen.images.validation import OF_OUR_OWN
from posegen.operator_files import read_tables, sentences
from posegen.platforms.platform import EXTEND, PLATFORMS, Platform

MOST_PIXELS = OF_OUR_OWN.max_pixels
MOST_ASPECT = 10
RESERVES = (20_000, 100_000_000)
"""Bytes that may be set aside for one export."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NOISE = 1.25  # bytes: more than a pixel of pure noise takes at any size at quality 90
_HEADER = 20_000  # bytes: profile and provenance


class _Rules(BaseModel):
    """One table of the file. The descriptions stand in error messages: they say what is right."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    width: int = Field(ge=16, le=8192, description="Pixels, 16 to 8192.")
    height: int = Field(ge=16, le=8192, description="Pixels, 16 to 8192.")
    source: str = Field(min_length=1, max_length=2000, description="The page or document that the rule was read in.")
    read_on: str = Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", description='When it was read, such as "2026-11".')
    fit: Literal["figure", "contain", "cover"] = Field("figure", description='"figure", "contain" or "cover".')
    background: str = Field(
        EXTEND, pattern=r"^(extend|#[0-9a-fA-F]{6})$", description='"extend" or a colour such as "#ffffff".'
    )
    quality: int = Field(90, ge=60, le=95, description="Of the JPEG, 60 to 95.")
    max_bytes: int | None = Field(
        None, ge=20_000, le=1_000_000_000, description="The largest file that the platform takes, in bytes."
    )
    dpi: int = Field(72, ge=1, le=2400, description="Written into the file, 1 to 2400.")


def own_platforms(file: Path | None) -> list[Platform] | None:
    """The platforms of an operator's file, or None when there is no file.

    Raises `SettingsInvalid`, which names the file, and each platform and field that cannot be used, with what is right.
    """
    if file is None:
        return None
    problems: list[str] = []
    own: list[Platform] = []
    for name, values in read_tables(file, variable="POSEGEN_PLATFORMS_FILE").items():
        try:
            own.append(_platform(name, values))
        except ValidationError as invalid:
            problems += [f"{file}, platform {name}: {problem}" for problem in sentences(invalid, _Rules)]
        except ValueError as wrong:
            problems.append(f"{file}, platform {name}: {wrong}")
    if problems:
        raise SettingsInvalid(problems)
    return own


def problem_of(platform: Platform) -> str | None:
    """Why no export can be made for a platform of the table, or None."""
    values = {name: getattr(platform, name) for name in _Rules.model_fields}
    try:
        _check_name(platform.name)
        _check_rules(values)
    except ValidationError as invalid:
        return "; ".join(sentences(invalid, _Rules))[:1000]
    except ValueError as wrong:
        return str(wrong)
    low, high = RESERVES
    if not low <= platform.reserve_bytes <= high:
        return f"reserve_bytes is {platform.reserve_bytes:,}; {low:,} to {high:,} can be set aside."
    return None


def _platform(name: str, values: object) -> Platform:
    """Raises `ValueError` with a sentence, or pydantic's `ValidationError`."""
    _check_name(name)
    if name in PLATFORMS:
        raise ValueError("this name is built in. Choose another one.")
    if not isinstance(values, dict):
        raise ValueError(f"{values!r} is no table. Begin it with a line [{name}].")
    rules = _check_rules(values)
    pixels = rules.width * rules.height
    return Platform(name=name, reserve_bytes=round(pixels * _NOISE) + _HEADER, **rules.model_dump())


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("a name has lower-case letters, digits and _, begins with a letter, and is 63 long at most.")


def _check_rules(values: dict[str, Any]) -> _Rules:
    """Raises `ValueError` with a sentence, or pydantic's `ValidationError`."""
    rules = _Rules.model_validate(values)
    pixels, (shorter, longer) = rules.width * rules.height, sorted((rules.width, rules.height))
    if pixels > MOST_PIXELS:
        raise ValueError(f"{rules.width}x{rules.height} are {pixels:,} pixels; {MOST_PIXELS:,} are the most.")
    if longer > shorter * MOST_ASPECT:
        raise ValueError(f"{rules.width}x{rules.height}: one side may be {MOST_ASPECT} times the other at most.")
    return rules
