"""A usage report: what was made, for whom, how well and for how much, as pandas tables over a period.

What is counted and how is in `posegen.reports.usage_rows`, and the headline in `posegen.reports.figures`; this module
makes tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from posegen.database.connection import Connection
from posegen.reports import usage_rows as counted
from posegen.reports.figures import Headline, headline_of
from posegen.reports.periods import Period
from posegen.reports.usage_rows import TABLES


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
    return Usage(period, headline_of(rows), tables)


def read_table(connection: Connection, name: str, period: Period) -> pd.DataFrame:
    """One table of a report."""
    table = TABLES[name]
    return frame(counted.count(connection, table, begin=period.begin, end=period.end), table)


def frame(rows: list[dict[str, Any]], table: counted.Counted) -> pd.DataFrame:
    """Rows as a table that has its columns even when it is empty."""
    return pd.DataFrame(rows, columns=list(table.columns))
