from __future__ import annotations

import re
from pathlib import Path

import pytest

from posegen.database.server import DatabaseUrls
from posegen.settings import PROJECT_ROOT, Settings
from posegen.supervisor.environment import child_environment, dagster_environment

URLS = DatabaseUrls("postgresql://u:p@h/posegen", "postgresql+psycopg2://u:p@h/dagster", embedded=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(posegen_home=tmp_path, posegen_max_running=3)


def test_every_variable_of_dagster_yaml_is_set_and_no_other(settings: Settings):
    read = set(re.findall(r"\{env: (\w+)\}", (PROJECT_ROOT / "dagster.yaml").read_text()))

    of_ours = {name for name in dagster_environment(settings, URLS) if name.startswith("POSEGEN_")}
    assert of_ours == read


def test_whatever_dagster_writes_goes_to_the_data_folder(settings: Settings, tmp_path: Path):
    environment = dagster_environment(settings, URLS)

    assert Path(environment["POSEGEN_DAGSTER_DIR"]).is_relative_to(tmp_path)
    assert Path(environment["POSEGEN_DAGSTER_COMPUTE_LOGS"]).is_relative_to(tmp_path)


def test_dagster_runs_as_many_at_once_as_the_settings_allow(settings: Settings):
    assert dagster_environment(settings, URLS)["POSEGEN_DAGSTER_MAX_RUNS"] == "3"
    assert dagster_environment(settings, URLS)["POSEGEN_DAGSTER_MAX_WAITING_RUNS"] == "16"


def test_children_keep_what_the_user_has_set(settings: Settings):
    inherited = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "/mine", "LANG": "C"}

    environment = child_environment(inherited, settings, URLS)

    assert environment["PYTHONPATH"] == f"{PROJECT_ROOT}:/mine"
    assert inherited.items() - {("PYTHONPATH", "/mine")} <= environment.items()
    assert environment["POSEGEN_DAGSTER_DATABASE_URL"] == URLS.dagster


def test_children_find_the_folders_of_the_command_whatever_their_own_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    inherited = {"POSEGEN_HOME": "here/", "storage_local_path": "there", "UPLOAD_DIR": "elsewhere"}
    settings = Settings(posegen_home=Path("here/"), storage_local_path=Path("there"))

    environment = child_environment(inherited, settings, URLS)

    assert environment["POSEGEN_HOME"] == str(tmp_path / "here")
    assert environment["STORAGE_LOCAL_PATH"] == str(tmp_path / "there")
    assert "storage_local_path" not in environment
    assert "POSEGEN_PLATFORMS_FILE" not in environment
