"""`dagster.yaml` and `workspace.yaml` as Dagster itself reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.load import location_origins_from_yaml_paths

from posegen.database.server import DatabaseUrls
from posegen.settings import PROJECT_ROOT, Settings
from posegen.supervisor.environment import dagster_environment

URLS = DatabaseUrls("postgresql://u:p@h/posegen", "postgresql+psycopg2://u:p@h/dagster", embedded=False)


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstanceRef:
    settings = Settings(posegen_home=tmp_path, posegen_max_running=3, posegen_max_waiting=5)
    for name, value in dagster_environment(settings, URLS).items():
        monkeypatch.setenv(name, value)
    return InstanceRef.from_dir(str(PROJECT_ROOT))


def test_dagster_accepts_it_and_knows_every_key():
    config, custom_class = dagster_instance_config(str(PROJECT_ROOT))

    assert custom_class is None
    assert config["telemetry"] == {"enabled": False}
    assert config["nux"] == {"enabled": False}


def test_everything_that_dagster_writes_goes_to_the_data_folder(reference: InstanceRef, tmp_path: Path):
    assert Path(reference.local_artifact_storage.base_dir).is_relative_to(tmp_path)
    assert Path(reference.compute_log_manager.get_captured_local_path(["a"], "out")).is_relative_to(tmp_path)
    assert str(tmp_path) in str(reference.defs_state_storage.base_path)


def test_the_queue_is_as_wide_as_the_settings_say_and_is_looked_at_every_second(reference: InstanceRef):
    coordinator = reference.run_coordinator

    queue = coordinator.get_run_queue_config()
    assert {limit["value"]: limit["limit"] for limit in queue.tag_concurrency_limits} == {"own": 3, "waiting": 5}
    assert queue.max_concurrent_runs == 3 + 5
    assert coordinator.dequeue_interval_seconds == 1
    assert coordinator.dequeue_use_threads


def test_a_sensor_that_waits_keeps_no_other_from_its_turn(reference: InstanceRef):
    assert reference.settings["sensors"]["use_threads"] is True
    assert reference.settings["sensors"]["num_workers"] > 1


def test_a_lost_run_ends_some_day_but_after_our_own_leases(reference: InstanceRef):
    monitoring = reference.settings["run_monitoring"]

    assert monitoring["enabled"] is True
    assert monitoring["max_runtime_seconds"] > 2 * 60 * 60


def test_a_run_that_nobody_started_is_noticed_within_two_minutes(reference: InstanceRef):
    monitoring = reference.settings["run_monitoring"]

    assert monitoring["start_timeout_seconds"] + monitoring["poll_interval_seconds"] <= 90


def test_dagster_dev_finds_the_same_code_location_as_up():
    origins = location_origins_from_yaml_paths([str(PROJECT_ROOT / "workspace.yaml")])

    assert [origin.location_name for origin in origins] == ["posegen"]
