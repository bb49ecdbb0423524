"""A report as files in the store: every table as Parquet and CSV, its plots, and the figures as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import asdict

from posegen.reports import plots
from posegen.reports.figures import Headline
from posegen.reports.usage import Usage
from posegen.storage.keys import report_key
from posegen.storage.protocol import ObjectStore

PARQUET, CSV, JSON, PNG = "application/vnd.apache.parquet", "text/csv", "application/json", "image/png"
DAYS_PLOT, PHASES_PLOT, POSES_PLOT = "days", "phases", "popular-poses"


def write_report(store: ObjectStore, usage: Usage, *, report: str) -> list[str]:
    """Put every file of a report, replacing those of an earlier run; returns their keys."""
    period = str(usage.period.first)
    files: dict[tuple[str, str], bytes] = {("headline", JSON): _as_json(usage.headline)}
    for name, table in usage.tables.items():
        parquet, csv = io.BytesIO(), table.to_csv(index=False)
        table.to_parquet(parquet, index=False)
        files[name, PARQUET] = parquet.getvalue()
        files[name, CSV] = csv.encode()
    if usage.period.days > 1:
        files[DAYS_PLOT, PNG] = plots.as_png(plots.days(usage.tables["days"]))
    if len(usage.tables["phases"]):
        files[PHASES_PLOT, PNG] = plots.as_png(plots.phases(usage.tables["phases"]))
    if len(usage.tables["poses"]):
        files[POSES_PLOT, PNG] = plots.as_png(plots.bars(usage.tables["poses"], "library_pose", "poses"))
    for (name, content_type), data in files.items():
        store.put(report_key(report, period, name, content_type), data, content_type=content_type, create_only=False)
    return [report_key(report, period, name, content_type) for name, content_type in files]


def read_headline(store: ObjectStore, report: str, period: str) -> Headline:
    """The figures as they were written. Raises `ObjectMissing` when that report was never made."""
    return Headline(**json.loads(store.get(report_key(report, period, "headline", JSON))))


def _as_json(headline: Headline) -> bytes:
    return json.dumps(asdict(headline), indent=1, sort_keys=True).encode()
