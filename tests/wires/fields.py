"""Fields that a maker documents, and what is wrong with a body: unknown fields, wrong types, values out of bounds.

Makers that run on FastAPI document pydantic's form of it; `Problem` has its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """One documented field.

    Args:
        kind: "string", "integer", "number", "boolean", "object", "array" or "any"; several with `|`.
        required: whether it has to be there.
        choices: the only values.
        least: the smallest number, or length of a list.
        most: the largest number, or length of a list or string.
        fields: the fields of an object, or of each object of a list.
    """

    kind: str
    required: bool = False
    choices: tuple[object, ...] = ()
    least: float | None = None
    most: float | None = None
    fields: Mapping[str, Field] | None = None


Fields = Mapping[str, Field]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, as pydantic names it."""

    loc: tuple[str | int, ...]
    msg: str
    type: str
    input: object

    def to_json(self) -> dict[str, Any]:
        """The entry of a `detail` list."""
        return {"loc": list(self.loc), "msg": self.msg, "type": self.type, "input": _short(self.input)}


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "any": (object,),
}
_PYDANTIC = {"string": "string_type", "integer": "int_type", "number": "float_type", "boolean": "bool_type"}


def problems(body: object, fields: Fields, at: tuple[str | int, ...] = ("body",)) -> Iterator[Problem]:
    """Everything that is wrong with an object."""
    if not isinstance(body, dict):
        yield Problem(at, "Input should be a valid dictionary", "dict_type", body)
        return
    for name in body.keys() - fields.keys():
        yield Problem((*at, name), "Extra inputs are not permitted", "extra_forbidden", body[name])
    for name, field in fields.items():
        if body.get(name) is None:
            if field.required:
                yield Problem((*at, name), "Field required", "missing", body)
            continue
        yield from _problems_of(body[name], field, (*at, name))


def _problems_of(value: object, field: Field, at: tuple[str | int, ...]) -> Iterator[Problem]:
    if not _is_of(value, field):
        first = field.kind.split("|")[0]
        kind = _PYDANTIC.get(first, f"{'dict' if first == 'object' else 'list'}_type")
        yield Problem(at, f"Input should be a valid {field.kind.replace('|', ' or ')}", kind, value)
        return
    if field.choices and not isinstance(value, dict) and value not in field.choices:
        listed = " or ".join(repr(choice) for choice in field.choices)
        yield Problem(at, f"Input should be {listed}", "literal_error", value)
    measured = len(value) if isinstance(value, str | list) else value
    if isinstance(measured, int | float) and not isinstance(value, bool):
        if field.least is not None and measured < field.least and not isinstance(value, str):
            yield Problem(at, f"Input should be at least {field.least:g}", "greater_than_equal", value)
        if field.most is not None and measured > field.most:
            yield Problem(at, f"Input should be at most {field.most:g}", "less_than_equal", value)
    if field.fields is None:
        return
    if isinstance(value, dict):
        yield from problems(value, field.fields, at)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from problems(item, field.fields, (*at, index))


def _is_of(value: object, field: Field) -> bool:
    if isinstance(value, bool):
        return "boolean" in field.kind or field.kind == "any"
    return any(isinstance(value, _TYPES[kind]) for kind in field.kind.split("|"))


def _short(value: object) -> object:
    """Inputs are given back, but no data URI of a megabyte."""
    if isinstance(value, str):
        return value[:200]
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, list) else value
