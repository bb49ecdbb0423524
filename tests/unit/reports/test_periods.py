"""The periods that can be asked for: each has a begin and an end, or is refused in a sentence."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.errors import PeriodInvalid
from posegen.reports.periods import FIRST_DAY, LAST_DAY, LONGEST_DAYS, read_day, read_month, read_period

TODAY = date(2026, 11, 29)
HOSTILE = (
    *(
        "",
        "0",
        "nan",
        "inf",
        "infinity",
        "-infinity",
        "today",
        "2026",
        "2026-13",
        "2026-00",
        "2026-02-30",
        "-0001-01-01",
    ),
    *(
        "0000-01-01",
        "10000-01-01",
        "99999999999-01",
        "2026-11-29T00:00:00",
        "２０２６-１１",
        "9" * 5000,
        "0044-03-15 BC",
    ),
)
ENDS = ("0001-01", "0001-12", "1999-12", "3000-01", "9999-01", "9999-12")


@pytest.mark.parametrize("text", [*HOSTILE, *ENDS])
def test_a_month_that_is_none_or_lies_too_far_away_is_refused(text: str):
    with pytest.raises(PeriodInvalid, match=r"is no month|is too far away"):
        read_month(text)


@pytest.mark.parametrize("text", [*HOSTILE, *(f"{month}-05" for month in ENDS), "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_or_lies_too_far_away_is_refused(text: str):
    for arguments in ((text, None), (None, text), (text, text)):
        if not any(arguments):
            continue
        with pytest.raises(PeriodInvalid, match=r"is no day|is too far away"):
            read_period(*arguments, today=TODAY, days=30)


@given(st.dates())
def test_every_day_of_the_calendar_is_a_period_with_both_ends_or_refused(day: date):
    try:
        period = read_period(None, str(day), today=TODAY, days=30)
        month = read_month(f"{day:%Y-%m}".zfill(7))
    except PeriodInvalid:
        assert not FIRST_DAY <= day <= LAST_DAY
        return
    assert period.last == read_day(str(day)) == day
    assert period.days == 30
    assert month.first.day == 1
    assert month.begin <= datetime(day.year, day.month, day.day, tzinfo=UTC) < month.end


@given(st.text(alphabet="0123456789-TWZ+: ", max_size=12))
def test_no_text_is_anything_but_a_period_or_refused(text: str):
    for read in (read_day, read_month):
        with suppress(PeriodInvalid):
            read(text)


def test_a_period_of_centuries_is_refused_because_its_table_has_a_row_for_each_day():
    with pytest.raises(PeriodInvalid, match=f"ask for {LONGEST_DAYS:,} at most"):
        read_period("2000-01-01", "2999-12-31", today=TODAY, days=30)
    assert read_period("2017-01-01", "2026-11-29", today=TODAY, days=30).days <= LONGEST_DAYS
