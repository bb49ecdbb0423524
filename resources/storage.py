"""The stores as a Dagster resource. Configuration only: `open()` gives the stores that the domain knows.

The fields are the settings of `docs/reference/settings.md` by their names there; give secrets as `dg.EnvVar`, which the
UI shows by its name only.
"""

from pathlib import Path
from typing import Literal

import dagster as dg

from posegen.errors import SettingsInvalid
from posegen.storage.opening import open_stores
from posegen.storage.places import R2, S3, BucketPlace, LocalPlace, StorePlaces, origins_of, r2_place, s3_place
from posegen.storage.stores import Stores


class StorageResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # the base is generic over itself
    """The store that takes what is new (`storage_mode`), and the others that are configured."""

    storage_mode: Literal["local", "r2", "s3"] = "local"
    storage_local_path: str
    storage_base_url: str
    storage_signing_secret: str | None = None
    signing_secret_path: str
    r2_account_id: str | None = None
    r2_access_key_id: str | None = None
    r2_secret_access_key: str | None = None
    r2_bucket_name: str | None = None
    r2_public_url: str | None = None
    r2_jurisdiction: Literal["default", "eu", "us"] = "default"
    s3_endpoint: str | None = None
    s3_region: str = "us-east-1"
    s3_bucket: str | None = None
    s3_access_key_id: str | None = None
    s3_secret_access_key: str | None = None
    s3_session_token: str | None = None
    s3_public_bucket: bool = False
    cdn_domain: str | None = None
    cors_origins: str | None = None

    def open(self) -> Stores:
        """The stores, of which the current one is opened now. Raises `SettingsInvalid` for one without its settings."""
        return open_stores(self.places())

    def places(self) -> StorePlaces:
        """Where the stores are."""
        secret = self.storage_signing_secret
        local = LocalPlace(
            root=Path(self.storage_local_path),
            base_url=self.storage_base_url,
            secret_file=Path(self.signing_secret_path),
            signing_secret=None if secret is None else secret.encode(),
            cors_origins=origins_of(self.cors_origins),
        )
        buckets = [place for place in (self._r2(), self._s3()) if place is not None]
        if self.storage_mode in (R2, S3) and self.storage_mode not in [bucket.name for bucket in buckets]:
            raise SettingsInvalid([f"storage_mode is {self.storage_mode}, but no bucket is named for it"])
        return StorePlaces(self.storage_mode, local, tuple(buckets))

    def _r2(self) -> BucketPlace | None:
        if not self.r2_bucket_name:
            return None
        return r2_place(
            account_id=self.r2_account_id or "",
            access_key_id=self.r2_access_key_id or "",
            secret_access_key=self.r2_secret_access_key or "",
            bucket=self.r2_bucket_name,
            public_url=self.r2_public_url,
            jurisdiction=self.r2_jurisdiction,
            cors_origins=self.cors_origins,
        )

    def _s3(self) -> BucketPlace | None:
        if not self.s3_bucket:
            return None
        return s3_place(
            bucket=self.s3_bucket,
            endpoint=self.s3_endpoint,
            region=self.s3_region,
            access_key_id=self.s3_access_key_id,
            secret_access_key=self.s3_secret_access_key,
            session_token=self.s3_session_token,
            public_bucket=self.s3_public_bucket,
            cdn_domain=self.cdn_domain,
            cors_origins=self.cors_origins,
        )
