"""Everything that a month's report tells, read from the database and from the settings."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np

from posegen.database.connection import Connection
from posegen.reports.cost import GB
from posegen.reports.forecast import forecast
from posegen.reports.page import Month
from posegen.reports.periods import Period, month
from posegen.reports.prices import price_list
from posegen.reports.spending import Economy
from posegen.reports.usage import read_table, read_usage
from posegen.settings import Settings

HISTORY_DAYS = 90
# The same history always gives the same forecast.
_SEED = 20_261_101


def economy_of(settings: Settings) -> Economy:
    """What only the operator knows."""
    return Economy(
        credit_value=settings.posegen_credit_value,
        backend_cost=settings.posegen_backend_costs,
        downloads=settings.posegen_downloads,
        move_bytes=int(settings.posegen_move_gb * GB),
        move_poses=settings.posegen_move_poses,
    )


def read_month_report(connection: Connection, period: Period, settings: Settings, *, now: datetime) -> Month:
    """The report of a month, compared with the one before it."""
    before = month(period.first - timedelta(days=1))
    history = _history(connection, min(period.last, now.date() - timedelta(days=1)))
    random = np.random.default_rng(_SEED)
    return Month(
        title=f"{period.first:%B %Y}",
        usage=read_usage(connection, period),
        before=read_usage(connection, before),
        prices=price_list(local_gb_month=settings.posegen_local_gb_month),
        economy=economy_of(settings),
        poses_ahead=forecast(history["poses_completed"], random=random),
        bytes_ahead=forecast(history["bytes_added"], random=random),
        made=now,
    )


def _history(connection: Connection, last: date) -> dict[str, list[float]]:
    """What each of the last days added; days before the first one with anything are left out."""
    days = read_table(connection, "days", Period(last - timedelta(days=HISTORY_DAYS - 1), last))
    busy = days.index[(days["poses_completed"] > 0) | (days["bytes_added"] > 0)]
    since = days.loc[busy[0] :] if len(busy) else days.iloc[:0]
    return {name: [float(value) for value in since[name]] for name in ("poses_completed", "bytes_added")}
