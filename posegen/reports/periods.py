"""The spans of time that reports are about: days, weeks, months and any dates, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from posegen.errors import PeriodInvalid


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
        return date.fromisoformat(text)
    except ValueError:
        raise PeriodInvalid(f"{text!r} is no day: write it as 2026-11-21.") from None


def read_month(text: str) -> Period:
    """The month that is written as 2026-11. Raises `PeriodInvalid`."""
    try:
        return month(datetime.strptime(text, "%Y-%m").date())  # noqa: DTZ007  # a month has no time zone; UTC is meant
    except ValueError:
        raise PeriodInvalid(f"{text!r} is no month: write it as 2026-11.") from None


def _midnight(of: date) -> datetime:
    return datetime.combine(of, time(), UTC)
