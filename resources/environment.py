"""The resources of this deployment, made of its settings. Nothing is opened here.

They are plain objects, not Dagster's configuration: no setting, and above all no secret, is shown in the UI.
"""

from typing import Any

from posegen.settings import Settings
from resources.database import DatabaseResource
from resources.manifest_io_manager import ManifestIOManager
from resources.studio import StudioResource


def deployment_resources(settings: Settings) -> dict[str, Any]:
    """Every resource by the name that assets and sensors ask for."""
    return {
        "settings": settings,
        "database": DatabaseResource(settings.database_url),
        "studio": StudioResource(settings),
        "manifests": ManifestIOManager(settings),
    }
