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

from posegen.web.problems import Problem

Item = TypeVar("Item")
LONGEST_CURSOR = 200

Limit = Annotated[int, Query(ge=1, le=100, description="Items on a page.")]
CursorText = Annotated[
    str | None, Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before; none for the first.")
]


class Page(BaseModel, Generic[Item]):
    """A page of a list. `next_cursor`: leads to the next one; null on the last."""

    data: list[Item]
    next_cursor: str | None


def write_cursor(time: datetime, key: UUID) -> str:
    """The cursor behind a row.

    >>> write_cursor(datetime.fromisoformat("2026-11-30T12:00:00+00:00"), UUID(int=1))
    'WyIyMDI2LTExLTMwVDEyOjAwOjAwKzAwOjAwIiwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAxIl0'
    """
    text = json.dumps([time.isoformat(), str(key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> tuple[datetime, UUID] | None:
    """Time and id of the row that the page begins behind; None for the first page.

    Raises `Problem` (422) for a text that is no cursor of ours. A forged one reaches no row of others: lists are
    restricted by user, not by cursor.
    """
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        time, key = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        moment, found = datetime.fromisoformat(time), UUID(key)
        if moment.tzinfo is None or not 1 < moment.year < 9999:
            raise ValueError(time)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        detail = "This is no cursor: use `next_cursor` of the page before, or leave it out for the first page."
        raise Problem(422, "invalid_request", detail, [{"pointer": "?cursor", "detail": detail}]) from None
    return moment, found


def page_of(rows: Sequence[Item], limit: int, place: Callable[[Item], tuple[datetime, UUID]]) -> Page[Item]:
    """The page of rows, of which one more than `limit` were read.

    Args:
        rows: in the order of the list.
        limit: how many the page shows.
        place: returns time and id of a row, by which the list is sorted.
    """
    shown = list(rows[:limit])
    more = len(rows) > limit
    return Page(data=shown, next_cursor=write_cursor(*place(shown[-1])) if more else None)
