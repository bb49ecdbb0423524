"""Pages: how a list is returned, and the cursors that lead to its next page."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from posegen.generations.reading import pages
from posegen.generations.reading.pages import Cursor
from posegen.web.problems import Problem

Item = TypeVar("Item")
Key = TypeVar("Key")
LONGEST_CURSOR = 200

Limit = Annotated[int, Query(ge=1, le=100, description="Items on a page.")]
CursorText = Annotated[
    str | None, Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before; none for the first.")
]


class Page(BaseModel, Generic[Item]):
    """A page of a list. `next_cursor`: leads to the next one; null on the last."""

    data: list[Item]
    next_cursor: str | None


def write_cursor(time: datetime, key: object) -> str:
    """The cursor behind a row.

    >>> write_cursor(datetime.fromisoformat("2026-11-30T12:00:00+00:00"), 7)
    'WyIyMDI2LTExLTMwVDEyOjAwOjAwKzAwOjAwIiwiNyJd'
    """
    text = json.dumps([time.isoformat(), str(key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> tuple[datetime, UUID] | None:
    """Time and id of the row that the page begins behind; None for the first page.

    Raises `Problem` (422) for a text that is no cursor of ours. A forged one reaches no row of others: lists are
    restricted by user, not by cursor.
    """
    return _read(text, UUID)


def read_key_cursor(text: str | None) -> tuple[datetime, str] | None:
    """The same for a list whose ids are texts."""
    return _read(text, str)


def read_number_cursor(text: str | None) -> tuple[datetime, int] | None:
    """The same for a list whose ids are numbers of a bigint."""
    return _read(text, _bigint)


def page_of(rows: Sequence[Item], limit: int, place: Callable[[Item], tuple[datetime, object]]) -> Page[Item]:
    """The page of rows, of which one more than `limit` were read.

    Args:
        rows: in the order of the list.
        limit: how many the page shows.
        place: returns time and id of a row, by which the list is sorted.
    """
    shown = list(rows[:limit])
    more = len(rows) > limit
    return Page(data=shown, next_cursor=write_cursor(*place(shown[-1])) if more else None)


def place_of(text: str | None) -> Cursor | None:
    """The cursor as services of generations take it. Raises `Problem` (422)."""
    place = read_cursor(text)
    return None if place is None else Cursor(*place)


def page_from(found: pages.Page[Item]) -> Page[Item]:
    """The page that such a service returns."""
    return Page(data=found.data, next_cursor=None if found.next is None else write_cursor(*found.next))


def _read(text: str | None, key_type: Callable[[str], Key]) -> tuple[datetime, Key] | None:
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        time, key = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is None or not 1 < moment.year < 9999 or not isinstance(key, str) or "\x00" in key:
            raise ValueError(time)
        return moment, key_type(key)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        detail = "This is no cursor: use `next_cursor` of the page before, or leave it out for the first page."
        raise Problem(422, "invalid_request", detail, [{"pointer": "?cursor", "detail": detail}]) from None


def _bigint(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError(text)
    return number
