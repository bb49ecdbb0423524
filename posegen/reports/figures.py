"""The figures of a period that operators look at first, in plain Python: importing this module loads no pandas.

What is counted and how is in `posegen.reports.usage_rows`; whole reports are in `posegen.reports.usage`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from posegen.database.connection import Database
from posegen.database.rows import many
from posegen.reports import usage_rows as counted
from posegen.reports.periods import Period
from posegen.reports.usage_rows import Counted, Rows

T = TypeVar("T")


@dataclass(frozen=True)
class Headline:
    """The figures that one looks at first. Rates in percent, None where nothing was counted; durations in seconds."""

    generations: int
    success_rate: float | None
    poses_completed: int
    pose_failure_rate: float | None
    users: int
    credits_used: int
    credits_released: int
    credits_refunded: int
    refund_rate: float | None
    duration_average: float | None
    duration_p50: float | None
    duration_p95: float | None
    duration_p99: float | None
    stored_objects: int
    stored_bytes: int
    dedupe_rate: float | None


@dataclass(frozen=True)
class UserFigures:
    """What a user has used. `name`: None for a user who was deleted."""

    user_id: str
    name: str | None
    generations: int
    poses_completed: int
    credits_used: int


@dataclass(frozen=True)
class PoseFigures:
    """How often a library pose was made, marked as favourite and downloaded."""

    library_pose: str
    category: str
    poses: int
    generations: int
    favourites: int
    downloads: int


@dataclass(frozen=True)
class ErrorFigures:
    """What failed with one error code. `examples`: ids of at most three generations."""

    error_code: str
    generations: int
    poses: int
    exports: int
    credits_refunded: int
    examples: list[str]


def headline(database: Database, period: Period) -> Headline:
    """The figures of a period."""
    tables = {name: counted.TABLES[name] for name in ("totals", "credits", "phases", "storage", "traffic")}
    with database.transaction() as connection:
        return headline_of(counted.count_all(connection, tables, begin=period.begin, end=period.end))


def top_users(database: Database, period: Period, *, limit: int) -> list[UserFigures]:
    """The users who used most credits, the first `limit` of them."""
    return _first(database, UserFigures, counted.USERS, period, limit)


def popular_poses(database: Database, period: Period, *, limit: int) -> list[PoseFigures]:
    """The library poses that were made most often, the first `limit` of them."""
    return _first(database, PoseFigures, counted.POPULAR_POSES, period, limit)


def errors(database: Database, period: Period, *, limit: int) -> list[ErrorFigures]:
    """What failed, by error code, the most frequent `limit` codes."""
    return _first(database, ErrorFigures, counted.ERRORS, period, limit)


def headline_of(rows: Mapping[str, Rows]) -> Headline:
    """The headline of counted tables. `rows`: those of totals, credits, phases, storage and traffic, by these names."""
    (totals,), (credits,) = rows["totals"], rows["credits"]
    duration = next((each for each in rows["phases"] if each["phase"] == "duration"), {})
    operations: Counter[str] = Counter()
    for each in rows["traffic"]:
        operations[each["operation"]] += each["operations"]
    good = totals["completed"] + totals["partial"]
    ended = totals["poses_completed"] + totals["poses_failed"]
    return Headline(
        generations=totals["generations"],
        success_rate=percent(good, totals["generations"] - totals["cancelled"]),
        poses_completed=totals["poses_completed"],
        pose_failure_rate=percent(totals["poses_failed"], ended),
        users=totals["users"],
        credits_used=credits["used"],
        credits_released=credits["released"],
        credits_refunded=credits["refunded"],
        refund_rate=percent(credits["refunded"], credits["used"]),
        duration_average=duration.get("average"),
        duration_p50=duration.get("p50"),
        duration_p95=duration.get("p95"),
        duration_p99=duration.get("p99"),
        stored_objects=sum(each["objects"] for each in rows["storage"]),
        stored_bytes=sum(each["bytes"] for each in rows["storage"]),
        dedupe_rate=percent(operations["skipped"], operations["skipped"] + operations["write"]),
    )


def percent(part: float, whole: float) -> float | None:
    """`part` of `whole` in percent; None when there is no whole."""
    return None if not whole else 100 * part / whole


def _first(database: Database, kind: type[T], table: Counted, period: Period, limit: int) -> list[T]:
    """The first rows of a table, whose statement ends with its order."""
    with database.transaction() as connection:
        return many(
            connection,
            kind,
            f"{table.statement} limit %(limit)s",
            {"begin": period.begin, "end": period.end, "limit": limit},
        )
