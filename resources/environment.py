"""The resources of this deployment, put together from the settings. Nothing is opened and no secret is read here."""

from typing import Any

import dagster as dg

from posegen.settings import Settings, variable_of
from resources.database import DatabaseResource
from resources.manifest_io_manager import ManifestIOManager
from resources.storage import StorageResource
from resources.studio import StudioResource


def deployment_resources(settings: Settings) -> dict[str, Any]:
    """Every resource by the name that assets and sensors ask for."""
    database = DatabaseResource(url=dg.EnvVar("DATABASE_URL"))
    storage = storage_resource(settings)
    return {
        "database": database,
        "studio": StudioResource(
            database=database,
            storage=storage,
            render_threads=settings.posegen_render_threads,
            lease_seconds=settings.posegen_lease_seconds,
            most_attempts=settings.posegen_max_attempts,
            most_lost_leases=settings.posegen_max_lost_leases,
            backend_attempts=settings.posegen_backend_attempts,
            backend_seconds=settings.posegen_backend_seconds,
            quality_retries=settings.posegen_quality_retries,
            breaker_failures=settings.posegen_breaker_failures,
            breaker_seconds=settings.posegen_breaker_seconds,
            worker_home=str(settings.workers_path),
            thumbnails=settings.posegen_thumbnails,
        ),
        "manifests": ManifestIOManager(storage=storage),
    }


def storage_resource(settings: Settings) -> StorageResource:
    """The stores of these settings. Credentials go in by the names of their variables, never by their values."""

    def secret(field: str) -> Any:
        return None if getattr(settings, field) is None else dg.EnvVar(variable_of(field))

    return StorageResource(
        storage_mode=settings.storage_mode,
        storage_local_path=str(settings.storage_path),
        storage_base_url=settings.storage_base_url,
        storage_signing_secret=secret("storage_signing_secret"),
        signing_secret_path=str(settings.signing_secret_path),
        r2_account_id=settings.r2_account_id,
        r2_access_key_id=secret("r2_access_key_id"),
        r2_secret_access_key=secret("r2_secret_access_key"),
        r2_bucket_name=settings.r2_bucket_name,
        r2_public_url=settings.r2_public_url,
        r2_jurisdiction=settings.r2_jurisdiction,
        s3_endpoint=settings.s3_endpoint,
        s3_region=settings.s3_region,
        s3_bucket=settings.s3_bucket,
        s3_access_key_id=secret("s3_access_key_id"),
        s3_secret_access_key=secret("s3_secret_access_key"),
        s3_session_token=secret("s3_session_token"),
        s3_public_bucket=settings.s3_public_bucket,
        cdn_domain=settings.cdn_domain,
        cors_origins=settings.cors_origins,
    )
