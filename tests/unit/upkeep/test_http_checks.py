"""What an examination asks of Dagster is what Dagster knows."""

from __future__ import annotations

import graphql
from dagster_graphql.schema import create_schema

from posegen.upkeep.http_checks import NEEDED_SENSORS, UI_QUESTION
from sensors.outcomes import cancelled_runs, failed_runs
from sensors.requests import design_requests, generation_requests, image_requests


def test_dagsters_page_understands_the_question() -> None:
    assert graphql.validate(create_schema().graphql_schema, graphql.parse(UI_QUESTION)) == []


def test_the_sensors_without_which_work_stands_still_have_these_names() -> None:
    ours = {generation_requests, image_requests, design_requests, failed_runs, cancelled_runs}

    assert {sensor.name for sensor in ours} == set(NEEDED_SENSORS)
