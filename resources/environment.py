"""The resources of this deployment, put together from the settings. Nothing is opened and no secret is read here."""

from typing import Any

import dagster as dg

from posegen.settings import Settings
from resources.database import DatabaseResource
from resources.manifest_io_manager import ManifestIOManager
from resources.storage import LocalStorage
from resources.studio import StudioResource


def deployment_resources(settings: Settings) -> dict[str, Any]:
    """Every resource by the name that assets and sensors ask for."""
    database = DatabaseResource(url=dg.EnvVar("DATABASE_URL"))
    storage = LocalStorage(root=str(settings.storage_path), base_url=settings.storage_base_url)
    return {
        "database": database,
        "studio": StudioResource(
            database=database,
            storage=storage,
            render_threads=settings.posegen_render_threads,
            lease_seconds=settings.posegen_lease_seconds,
            most_attempts=settings.posegen_max_attempts,
        ),
        "manifests": ManifestIOManager(storage=storage),
    }
