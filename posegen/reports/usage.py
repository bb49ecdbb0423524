"""A usage report: what was made, for whom, how well and for how much, as pandas tables over a period.

What is counted and how is in `posegen.reports.usage_rows`; this module makes tables of it and what follows from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from posegen.database.connection import Connection
from posegen.reports import usage_rows as counted
from posegen.reports.periods import Period

TABLES: Mapping[str, counted.Counted] = {
    "totals": counted.TOTALS,
    "credits": counted.CREDITS,
    "phases": counted.PHASES,
    "errors": counted.ERRORS,
    "users": counted.USERS,
    "refusals": counted.REFUSALS,
    "poses": counted.POPULAR_POSES,
    "formats": counted.FORMATS,
    "backends": counted.BACKENDS,
    "calls": counted.CALLS,
    "storage": counted.STORAGE,
    "storage_users": counted.STORAGE_USERS,
    "kept": counted.KEPT,
    "traffic": counted.TRAFFIC,
    "days": counted.DAYS,
}


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
class Usage:
    """A report: its period, the headline, and every table by its name."""

    period: Period
    headline: Headline
    tables: Mapping[str, pd.DataFrame]


def read_usage(connection: Connection, period: Period) -> Usage:
    """Count everything over a period."""
    rows = counted.count_all(connection, TABLES, begin=period.begin, end=period.end)
    tables = {name: frame(rows[name], table) for name, table in TABLES.items()}
    tables["categories"] = (
        tables["poses"]
        .groupby("category", as_index=False)[["poses", "favourites", "downloads"]]
        .sum()
        .sort_values(["poses", "category"], ascending=[False, True], ignore_index=True)
    )
    return Usage(period, _headline(tables), tables)


def read_table(connection: Connection, name: str, period: Period) -> pd.DataFrame:
    """One table of a report."""
    table = TABLES[name]
    return frame(counted.count(connection, table, begin=period.begin, end=period.end), table)


def frame(rows: list[dict[str, Any]], table: counted.Counted) -> pd.DataFrame:
    """Rows as a table that has its columns even when it is empty."""
    return pd.DataFrame(rows, columns=list(table.columns))


def percent(part: float, whole: float) -> float | None:
    """`part` of `whole` in percent; None when there is no whole."""
    return None if not whole else 100 * part / whole


def _headline(tables: Mapping[str, pd.DataFrame]) -> Headline:
    totals, credits = (tables[name].iloc[0] for name in ("totals", "credits"))
    phases = tables["phases"].set_index("phase")
    duration = phases.loc["duration"] if "duration" in phases.index else None
    operations = tables["traffic"].groupby("operation")["operations"].sum()
    skipped, written = int(operations.get("skipped", 0)), int(operations.get("write", 0))
    good = int(totals["completed"] + totals["partial"])
    ended = int(totals["poses_completed"] + totals["poses_failed"])
    return Headline(
        generations=int(totals["generations"]),
        success_rate=percent(good, int(totals["generations"] - totals["cancelled"])),
        poses_completed=int(totals["poses_completed"]),
        pose_failure_rate=percent(int(totals["poses_failed"]), ended),
        users=int(totals["users"]),
        credits_used=int(credits["used"]),
        credits_released=int(credits["released"]),
        credits_refunded=int(credits["refunded"]),
        refund_rate=percent(int(credits["refunded"]), int(credits["used"])),
        duration_average=None if duration is None else float(duration["average"]),
        duration_p50=None if duration is None else float(duration["p50"]),
        duration_p95=None if duration is None else float(duration["p95"]),
        duration_p99=None if duration is None else float(duration["p99"]),
        stored_objects=int(tables["storage"]["objects"].sum()),
        stored_bytes=int(tables["storage"]["bytes"].sum()),
        dedupe_rate=percent(skipped, skipped + written),
    )
