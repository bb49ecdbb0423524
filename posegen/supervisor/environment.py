"""The environment that Dagster's processes run in: every variable that `dagster.yaml` reads is set here.

Posegen's own settings are read in `posegen/settings.py`; children inherit those as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from posegen.database.server import DatabaseUrls
from posegen.settings import PROJECT_ROOT, Settings


def dagster_environment(settings: Settings, urls: DatabaseUrls) -> dict[str, str]:
    """The variables without which `dagster.yaml` cannot be loaded."""
    home = settings.posegen_home / "dagster"
    return {
        "DAGSTER_HOME": str(PROJECT_ROOT),
        # Switched off in dagster.yaml, too; without this, its empty folders still appear in the checkout.
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "POSEGEN_DAGSTER_DATABASE_URL": urls.dagster,
        "POSEGEN_DAGSTER_DIR": str(home),
        "POSEGEN_DAGSTER_COMPUTE_LOGS": str(home / "compute_logs"),
        "POSEGEN_DAGSTER_MAX_RUNS": str(settings.posegen_max_running),
        "POSEGEN_DAGSTER_MAX_WAITING_RUNS": str(settings.posegen_max_waiting),
    }


def child_environment(inherited: Mapping[str, str], settings: Settings, urls: DatabaseUrls) -> dict[str, str]:
    """`inherited` with what Dagster's processes need on top.

    PYTHONDONTWRITEBYTECODE stays as the user has it, although every start is several times slower with it.
    """
    paths = [str(PROJECT_ROOT), *filter(None, [inherited.get("PYTHONPATH")])]
    places = _places(settings)
    return {
        **{name: value for name, value in inherited.items() if name.upper() not in places},
        **places,
        **dagster_environment(settings, urls),
        "PYTHONPATH": os.pathsep.join(paths),
        # What a run prints should be in the log when its process is killed.
        "PYTHONUNBUFFERED": "1",
        # A run makes prints in several threads; with an arena of glibc's for each it takes 50 MB more at its peak.
        "MALLOC_ARENA_MAX": inherited.get("MALLOC_ARENA_MAX", "2"),
    }


def _places(settings: Settings) -> dict[str, str]:
    """The settings that are paths, made absolute: the processes work in another folder than the command."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return {name.upper(): str(value) for name, value in values.items() if isinstance(value, Path)}
