"""Usage reports as assets: a partition a day, files in the store, and a check that finds what came late."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
import pytest

from posegen.images.validation import open_image
from posegen_assets.usage import reports_are_current, usage_daily, usage_monthly, usage_weekly
from resources.environment import deployment_resources
from tests.builders import execute, finished
from tests.deployments import QUIET
from tests.histories import a_history, write
from tests.stores import keys_in


@pytest.fixture
def run(deployment):
    """Materialise a report, or run its check."""

    def run_one(selection, partition=None):
        definitions = dg.Definitions(
            assets=[usage_daily, usage_weekly, usage_monthly],
            asset_checks=[reports_are_current],
            jobs=[dg.define_asset_job("report", selection=selection)],
            resources=deployment_resources(deployment.settings),
            executor=dg.in_process_executor,
        )
        return definitions.resolve_job_def("report").execute_in_process(
            instance=deployment.instance, run_config=QUIET, partition_key=partition
        )

    return run_one


def shown(result, asset):
    (materialization,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in materialization.metadata.items()}


def only(asset):
    return dg.AssetSelection.assets(asset).without_checks()


def test_a_day_is_written_as_parquet_csv_and_plots_and_shown_with_tables(database, prepared_url, store, run):
    write(prepared_url, a_history(5, generations=40))

    metadata = shown(run(only("usage_daily"), "2026-03-30"), "usage_daily")

    keys = keys_in(store, "reports/usage_daily/2026-03-30/")
    assert sorted(keys) == sorted(metadata["files"])
    parquet = pd.read_parquet(io.BytesIO(store.get("reports/usage_daily/2026-03-30/totals.parquet")))
    csv = pd.read_csv(io.BytesIO(store.get("reports/usage_daily/2026-03-30/totals.csv")))
    assert parquet.to_dict() == csv.to_dict()
    assert metadata["generations"] == parquet["generations"][0] > 0
    assert "| generations | completed |" in metadata["totals"]
    assert metadata["plots"].count("![plot](") == 2
    for plot in ("phases", "popular-poses"):
        picture = open_image(store.get(f"reports/usage_daily/2026-03-30/{plot}.png"))
        assert picture.shape[1] <= 640, "wider ones are cut off in the UI"
    assert not store.exists("reports/usage_daily/2026-03-30/days.png"), "one day is one bar"


def test_a_back_fill_writes_the_same_bytes(prepared_url, database, store, run):
    write(prepared_url, a_history(5, generations=40))
    run(only("usage_monthly"), "2026-03-01")
    before = {key: store.get(key) for key in keys_in(store, "reports/")}

    run(only("usage_monthly"), "2026-03-01")

    assert {key: store.get(key) for key in keys_in(store, "reports/")} == before


def test_weeks_begin_on_monday_and_hold_their_days(prepared_url, database, store, run):
    write(prepared_url, a_history(5, generations=40))

    run(only("usage_weekly"), "2026-03-30")

    days = pd.read_csv(io.BytesIO(store.get("reports/usage_weekly/2026-03-30/days.csv")))
    assert list(days["day"]) == [f"2026-03-{day}" for day in (30, 31)] + [f"2026-04-0{day}" for day in range(1, 6)]


def test_what_came_late_is_found_until_the_report_is_made_again(database, studio, store, run):
    generation = finished(studio, poses=["star-jump"])
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    check = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("usage_daily"), "reports_are_current"))
    run(only("usage_daily"), str(yesterday))

    def verdict():
        (evaluation,) = run(check).get_asset_check_evaluations()
        return evaluation.passed, evaluation.metadata["to be made again"].value

    assert verdict() == (True, "none")
    execute(database, "update generations set finished_at = %s where id = %s", datetime.combine(
        yesterday, datetime.min.time(), UTC), generation)  # fmt: skip
    assert verdict() == (False, str(yesterday))
    run(only("usage_daily"), str(yesterday))
    assert verdict() == (True, "none")
