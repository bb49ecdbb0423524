"""Usage reports: a day, a week and a month each as Parquet, CSV and plots in the store. Days are UTC days.

What is counted lies in `posegen.reports.usage_rows`; a report can be made again at any time, with the same figures.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from posegen.errors import ObjectMissing
from posegen.reports.periods import Period, day, month, read_day, week
from posegen.storage.protocol import LONGEST_SIGNED_SECONDS, ObjectStore
from posegen.studio import Studio
from posegen_assets.ownership import CODE_VERSION, OWNERS, REPORTS
from resources.studio import StudioResource

if TYPE_CHECKING:
    import pandas as pd

BEGIN = "2026-01-01"
DAYS = dg.DailyPartitionsDefinition(start_date=BEGIN)
WEEKS = dg.WeeklyPartitionsDefinition(start_date=BEGIN, day_offset=1)
MONTHS = dg.MonthlyPartitionsDefinition(start_date=BEGIN)
LATE_DAYS = 7
_SHOWN = ("totals", "phases", "errors", "backends", "calls")


def _report(
    name: str, partitions: dg.PartitionsDefinition, period_of: Callable[[date], Period], *, due: str
) -> dg.AssetsDefinition:
    """`due`: when it has to be there, as cron says it in UTC; its schedule begins within the three hours before."""

    @dg.asset(
        name=name,
        partitions_def=partitions,
        group_name=REPORTS,
        kinds={"postgres", "pandas"},
        owners=OWNERS,
        code_version=CODE_VERSION,
        freshness_policy=dg.FreshnessPolicy.cron(deadline_cron=due, lower_bound_delta=timedelta(hours=3)),
        description="Generations, poses, credits, durations, errors, users, formats, backends, calls and storage.",
    )
    def report(context: dg.AssetExecutionContext, studio: dg.ResourceParam[StudioResource]) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Count a period and write what was counted."""
        from posegen.reports.files import write_report  # pandas and matplotlib: runs of generations must not load them
        from posegen.reports.usage import read_usage

        period = period_of(read_day(context.partition_key))
        with studio.open() as opened:
            with opened.database.transaction() as connection:
                usage = read_usage(connection, period)
            keys = write_report(opened.store, usage, report=name)
            plots = [_url(opened.store, key) for key in keys if key.endswith(".png")]
        tables = {each: _markdown(usage.tables[each]) for each in _SHOWN if len(usage.tables[each])}
        figures = {
            label.replace("_", " "): round(value, 3) if isinstance(value, float) else value
            for label, value in vars(usage.headline).items()
            if value is not None
        }
        return dg.MaterializeResult(
            metadata={
                "plots": dg.MetadataValue.md("\n\n".join(f"![plot]({url})" for url in plots)),
                **{each: dg.MetadataValue.md(table) for each, table in tables.items()},
                **figures,
                "files": dg.MetadataValue.json(keys),
            }
        )

    return report


usage_daily = _report("usage_daily", DAYS, day, due="0 3 * * *")
usage_weekly = _report("usage_weekly", WEEKS, week, due="0 3 * * 1")
usage_monthly = _report("usage_monthly", MONTHS, month, due="0 3 1 * *")


@dg.asset_check(asset=usage_daily, description="The reports of the last days still say what the database says.")
def reports_are_current(studio: dg.ResourceParam[StudioResource]) -> dg.AssetCheckResult:
    """A transaction that took long may have written into a day after its report was made."""
    from posegen.reports.usage import read_usage  # pandas: runs of generations must not load it

    with studio.open() as opened, opened.database.transaction() as connection:
        row = connection.execute("select (now() at time zone 'utc')::date as today").fetchone()
        assert row is not None, "a clock returns a row"
        days = [row["today"] - timedelta(days=back) for back in range(1, LATE_DAYS + 1)]
        outdated = [each for each in days if _is_outdated(opened, each, read_usage(connection, day(each)).headline)]
    return dg.AssetCheckResult(
        passed=not outdated,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"to be made again": ", ".join(map(str, outdated)) or "none"},
    )


def _is_outdated(studio: Studio, of: date, now: object) -> bool:
    from posegen.reports.files import read_headline

    try:
        return read_headline(studio.store, "usage_daily", str(of)) != now
    except ObjectMissing:
        return False


def _markdown(table: "pd.DataFrame") -> str:
    head = [" | ".join(map(str, table.columns)), " | ".join("---" for _ in table.columns)]
    rows = [
        " | ".join(f"{value:,.3f}" if isinstance(value, float) else str(value) for value in row)
        for row in table.itertuples(index=False)
    ]
    return "\n".join(f"| {line} |" for line in [*head, *rows])


def _url(store: ObjectStore, key: str) -> str:
    """Reports are no public pictures: the URL in the UI is signed, and lives for a week."""
    return store.signed_get_url(key, seconds=LONGEST_SIGNED_SECONDS)
