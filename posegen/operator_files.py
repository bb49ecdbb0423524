"""Reading operators' TOML files, and saying what is wrong in one. What a file means is known where it is used."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from posegen.errors import SettingsInvalid

_LARGEST_BYTES = 2_000_000


def read_tables(file: Path, *, variable: str) -> dict[str, Any]:
    """The tables of a file, by their names.

    Args:
        file: its path.
        variable: the setting that names it.

    Raises:
        SettingsInvalid: names the file, and the fix.
    """
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise SettingsInvalid([f"{file} has more than {_LARGEST_BYTES:,} bytes. Keep only what is needed."])
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as unreadable:
        problem = f"cannot be read: {unreadable.strerror}. Correct {variable}, or unset it."
    except UnicodeDecodeError:
        problem = "is no UTF-8 text. Save it as UTF-8."
    except RecursionError:
        problem = "is no TOML that can be read: its tables or lists lie too deep in each other."
    except ValueError as broken:  # TOMLDecodeError, or a number that is too long
        problem = f"is no TOML: {broken}."
    raise SettingsInvalid([f"{file} {problem}"])


def sentences(invalid: ValidationError, rules: type[BaseModel]) -> Iterator[str]:
    """What is wrong with each field of a table, with the description of the field, which says what is right.

    `rules`: the model of the table.
    """
    for error in invalid.errors():
        fields, described = rules.model_fields, ""
        *above, last = [str(each) for each in error["loc"] if isinstance(each, str)]
        for name in above:
            fields = _fields_below(fields[name].annotation)
        if last in fields:
            described = f" {fields[last].description}"
        field = ".".join([*above, last])
        if error["type"] == "missing":
            yield f"{field} is missing.{described}"
        elif error["type"] == "extra_forbidden":
            yield f"there is no field {field!r}; known: {', '.join(fields)}."
        else:
            yield f"{field} = {error['input']!r}: {error['msg'].removeprefix('Value error, ')}.{described}"


def _fields_below(annotation: Any) -> dict[str, Any]:
    """The fields of a table within a table: of a model, or of a model or None."""
    kinds = [annotation, *getattr(annotation, "__args__", ())]
    return next((kind.model_fields for kind in kinds if hasattr(kind, "model_fields")), {})
