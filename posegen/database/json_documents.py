"""JSON out of rows, read so that a document which cannot be read is a value and not an error of its statement.

What PostgreSQL takes as `jsonb` is more than Python reads: numbers of 131,072 digits, objects in objects thousands
deep, 255 MB. Constraints bound what comes in; rows from before those constraints are read here all the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 4_000_000
DEEPEST = 100
MOST_DIGITS = 300
"""Of a whole number: a `float` holds every one that is not longer."""


@dataclass(frozen=True, repr=False)
class UnreadableJson:
    """Stands where a document cannot be read. `reason`: why, without the document."""

    reason: str

    def __repr__(self) -> str:
        return f"JSON that cannot be read: {self.reason}"


def read_json(data: str | bytes) -> Any:
    """The document, or `UnreadableJson`.

    >>> read_json('{"skin": "tan"}'), read_json("9" * 5000)
    ({'skin': 'tan'}, JSON that cannot be read: it has a number of 5,000 digits; 300 are read)
    """
    if len(data) > MOST_BYTES:
        return UnreadableJson(f"it has {len(data):,} bytes; {MOST_BYTES:,} are read")
    try:
        document = json.loads(data, parse_int=_whole_number)
    except RecursionError:
        return _TOO_DEEP
    except ValueError as unreadable:
        return UnreadableJson(str(unreadable))
    return _TOO_DEEP if _is_too_deep(document) else document


def as_object(document: Any) -> dict[str, Any]:
    """A document that should be an object; another one, or one that cannot be read, as the only value of an object.

    >>> as_object({"skin": "tan"}), as_object([1])
    ({'skin': 'tan'}, {'unreadable': '[1]'})
    """
    return document if isinstance(document, dict) else {"unreadable": str(document)}


_TOO_DEEP = UnreadableJson(f"it is nested too deep; {DEEPEST} levels are read")


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"it has a number of {len(digits):,} digits; {MOST_DIGITS} are read")
    return int(digits)


def _is_too_deep(document: Any) -> bool:
    """Without recursion: Python's own limit depends on who calls."""
    level = [document]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(each, list | dict) for each in level)
