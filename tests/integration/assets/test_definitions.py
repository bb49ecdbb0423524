"""The code location as Dagster loads it: in a process of its own, with warnings as errors."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from posegen.database.server import DatabaseUrls
from posegen.settings import PROJECT_ROOT, Settings
from posegen.supervisor.environment import child_environment
from posegen.upkeep.health import HealthRule

TOP_LEVEL = {"posegen", "posegen_assets", "resources", "sensors"}
PASSWORD = "open-sesame-7261"
# Dagster gives it to every code location that has a schedule.
WARNING_OF_ITSELF = "Property `ScheduleDefinition.environment_vars` is deprecated"


@pytest.fixture(scope="module")
def visited() -> Any:
    """A place where a database could be, and that remembers whether anybody came."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("definitions") / "home"


@pytest.fixture(scope="module")
def facts(home: Path, visited: socket.socket) -> dict[str, Any]:
    """What the code location holds, loaded where nothing can be connected to."""
    url = f"postgresql://ayu:{PASSWORD}@127.0.0.1:{visited.getsockname()[1]}/posegen"
    environment = os.environ | {"DATABASE_URL": url, "POSEGEN_HOME": str(home), "PYTHONPATH": str(PROJECT_ROOT)}
    script = Path(__file__).with_name("describe_definitions.py")
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-W", f"ignore:{WARNING_OF_ITSELF}:DeprecationWarning", script],
        env=environment, cwd="/", capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stderr == ""
    described: dict[str, Any] = json.loads(loaded.stdout)
    return described


def test_every_asset_says_whose_it_is_and_what_it_is_made_with(facts):
    assert facts["assets"].keys() == {
        *("pose_library", "generated_poses", "thumbnails", "exports", "image_variants", "design_previews"),
        *(
            "recovery",
            "settled_calls",
            "health",
            "reconciled_storage",
            "cleaned_images",
            "retired_work",
            "recounted_space",
        ),
        *("usage_daily", "usage_weekly", "usage_monthly"),
    }
    for name, asset in facts["assets"].items():
        assert asset["group"] in {"pose_library", "pose_images", "variants", "design_previews", "upkeep", "reports"}, (
            name
        )
        assert asset["kinds"], name
        assert asset["owners"], name
        assert asset["code_version"], name
        assert len(asset["description"]) > 20, name


def test_pictures_have_a_partition_for_each_generation_and_stand_in_line(facts):
    pictures = {name: asset for name, asset in facts["assets"].items() if asset["group"].startswith("pose_")}

    partitioned = {name for name, asset in pictures.items() if asset["partitioned"]}
    assert partitioned == {"generated_poses", "thumbnails", "exports"}
    assert {name: asset["parents"] for name, asset in pictures.items()} == {
        "pose_library": [],
        "generated_poses": ["pose_library"],
        "thumbnails": ["generated_poses"],
        "exports": ["generated_poses"],
    }


def test_only_the_check_for_corruption_stops_what_follows(facts):
    assert facts["blocking"] == ["poses_are_whole"]
    assert {name: check["asset"] for name, check in facts["checks"].items()} == {
        "poses_are_whole": "generated_poses",
        "quality": "generated_poses",
        "poses_are_paid_once": "generated_poses",
        "exports_are_whole": "exports",
        "nothing_is_missing": "exports",
        "invariants_hold": "recovery",
        "reports_are_current": "usage_daily",
        **dict.fromkeys(HealthRule, "health"),
    }
    assert all(check["description"] for check in facts["checks"].values())


def test_every_sensor_runs_by_itself_and_aims_at_a_job_that_exists(facts):
    for name, sensor in facts["sensors"].items():
        assert sensor["runs"] == "RUNNING", name
        assert sensor["description"], name
        assert set(sensor["targets"]) <= facts["jobs"].keys(), name
    assert facts["sensors"]["generation_requests"]["targets"] == ["generate"]


def test_jobs_run_in_one_process_also_those_that_the_ui_starts_and_only_a_move_has_one_for_each_slice(facts):
    executors = {name: executor for name, (_, executor) in facts["jobs"].items()}
    assert executors.pop("move_storage") == "multi_or_in_process_executor"
    assert set(executors.values()) == {"in_process"}
    assert {"generate", "__ASSET_JOB"} <= facts["jobs"].keys()


def test_loading_connects_to_nothing_and_writes_nothing(facts, visited, home):
    came, _, _ = select.select([visited], [], [], 0)

    assert came == []
    assert not home.exists()


def test_no_secret_is_in_what_the_webserver_and_the_daemon_are_told(facts):
    assert "generation_requests" in facts["serialized"]
    assert PASSWORD not in facts["serialized"]


def test_the_command_that_operators_know_finds_nothing_wrong(postgres: DatabaseUrls, tmp_path: Path):
    environment = child_environment(os.environ, Settings(posegen_home=tmp_path), postgres)
    command = [Path(sys.executable).with_name("dagster"), "definitions", "validate"]

    checked = subprocess.run(
        command, env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=180, check=False
    )

    assert checked.returncode == 0, checked.stderr
    assert "Validation successful" in checked.stdout + checked.stderr


@pytest.mark.parametrize("name", sorted(TOP_LEVEL))
def test_no_other_installed_distribution_has_our_names(name):
    assert set(packages_distributions().get(name, [])) <= {"posegen"}
