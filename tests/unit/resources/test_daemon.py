from __future__ import annotations

import pytest
from dagster._daemon import sensor

from posegen.errors import PlatformUnusable
from resources.daemon import look_at_sensors_every


def test_the_loop_over_the_sensors_gets_our_pace(monkeypatch):
    monkeypatch.setattr(sensor, "MIN_INTERVAL_LOOP_TIME", 5)

    look_at_sensors_every(1)

    assert sensor.execute_sensor_iteration_loop.__globals__["MIN_INTERVAL_LOOP_TIME"] == 1


def test_a_dagster_that_paces_its_sensors_in_another_way_is_refused(monkeypatch):
    monkeypatch.delattr(sensor, "MIN_INTERVAL_LOOP_TIME")

    with pytest.raises(PlatformUnusable, match=r"uv\.lock"):
        look_at_sensors_every(1)
