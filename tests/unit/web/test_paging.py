"""Cursors: what leads from one page to the next, and what is refused in their place."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.web.paging import page_of, read_cursor, write_cursor
from posegen.web.problems import Problem

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(3000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.uuids())
def test_a_cursor_is_read_as_it_was_written(moment: datetime, key: UUID) -> None:
    assert read_cursor(write_cursor(moment, key)) == (moment, key)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "x",
        "é",
        "-1",
        "' or 1=1 --",
        encoded("null"),
        encoded("[]"),
        encoded('["2026-01-01T00:00:00", "00000000-0000-0000-0000-000000000001"]'),
        encoded('["9999-12-31T23:59:59+00:00", "00000000-0000-0000-0000-000000000001"]'),
        encoded('["2026-01-01T00:00:00+00:00", 1]'),
        encoded('["2026-01-01T00:00:00+00:00", "1"]'),
        encoded('{"a": 1}'),
        encoded("[" * 100),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        read_cursor(text)

    assert (refused.value.status, refused.value.code) == (422, "invalid_request")
    assert refused.value.errors[0]["pointer"] == "?cursor"


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with suppress(Problem):  # anything else fails
        read_cursor(text)


def test_the_last_page_has_no_cursor() -> None:
    rows = [(datetime(2026, 1, day, tzinfo=UTC), uuid4()) for day in (3, 2, 1)]

    first = page_of(rows, 2, lambda row: row)
    last = page_of(rows[2:], 2, lambda row: row)

    assert first.data == rows[:2]
    assert read_cursor(first.next_cursor) == rows[1]
    assert (last.data, last.next_cursor) == (rows[2:], None)
