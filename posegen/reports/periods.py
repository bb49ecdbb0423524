"""The spans of time that reports are about: days, weeks, months and any dates, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from posegen.errors import PeriodInvalid

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
"""The days that can be asked for: those on which a request can be made."""
LONGEST_DAYS = 3_660
"""Of a period that is asked for. A table of days has a row for each, with and without work."""


@dataclass(frozen=True)
class Period:
    """From `first` to `last`, both of them whole UTC days."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise PeriodInvalid(f"{self.last} lies before {self.first}.")

    @property
    def begin(self) -> datetime:
        """The first moment."""
        return _midnight(self.first)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return _midnight(self.last + timedelta(days=1))

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def day(of: date) -> Period:
    """One day."""
    return Period(of, of)


def week(of: date) -> Period:
    """The ISO week of a day, from Monday to Sunday."""
    monday = of - timedelta(days=of.weekday())
    return Period(monday, monday + timedelta(days=6))


def month(of: date) -> Period:
    """The calendar month of a day."""
    first = of.replace(day=1)
    return Period(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))


def read_day(text: str) -> date:
    """The day that is written as 2026-11-21. Raises `PeriodInvalid`."""
    try:
        return _within_bounds(date.fromisoformat(text), text)
    except ValueError:
        raise PeriodInvalid(f"{text!r} is no day: write it as 2026-11-21.") from None


def read_period(first: str | None, last: str | None, *, today: date, days: int) -> Period:
    """The period between two days as `read_day` takes them.

    Args:
        first: without it the period has `days` days.
        last: without it the period ends `today`.
        today: the current UTC day.
        days: at least 1.

    Raises `PeriodInvalid`.
    """
    end = read_day(last) if last else today
    begin = read_day(first) if first else end - timedelta(days=days - 1)
    period = Period(begin, end)
    if period.days > LONGEST_DAYS:
        raise PeriodInvalid(f"{period} has {period.days:,} days: ask for {LONGEST_DAYS:,} at most.")
    return period


def read_month(text: str) -> Period:
    """The month that is written as 2026-11. Raises `PeriodInvalid`."""
    try:
        of = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007  # a month has no time zone; UTC is meant
        return month(_within_bounds(of, text))
    except ValueError:
        raise PeriodInvalid(f"{text!r} is no month: write it as 2026-11.") from None


def _within_bounds(found: date, text: str) -> date:
    if not FIRST_DAY <= found <= LAST_DAY:
        raise PeriodInvalid(f"{text!r} is too far away: choose a time from {FIRST_DAY} to {LAST_DAY}.")
    return found


def _midnight(of: date) -> datetime:
    return datetime.combine(of, time(), UTC)
