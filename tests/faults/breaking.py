"""How a guard is taken away. Which guards there are is in `breakages.py` and `hosted_breakages.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, LiteralString


@dataclass(frozen=True)
class Breakage:
    """One guard that is taken away.

    `schema`: statements for the test's database, which holds the guard a second time; `patch`: what a worker becomes.
    """

    schema: tuple[LiteralString, ...] = ()
    patch: Callable[[], None] = field(default=lambda: None)


def put_in_place_of(owner: ModuleType | type, name: str, replacement: Any) -> Any:
    """Answers what was there. A breakage whose guard has moved must not go unnoticed."""
    original = vars(owner)[name]
    setattr(owner, name, replacement)
    return original
