"""The configuration of the stores: where they are and what opening them needs. Nothing is opened here.

Secrets are left out of every `repr`, so that no log line and no traceback has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import SecretStr

from posegen.settings import Settings

LOCAL = "local"
R2 = "r2"
S3 = "s3"


@dataclass(frozen=True)
class LocalConfig:
    """A folder. `base_url`: what its URLs begin with; `cors_origins`: whose pages may read and upload.

    `signing_secret`: what URLs are signed with; without it, what `secret_file` keeps; `is_private`: only signed URLs
    show objects.
    """

    root: Path
    base_url: str
    secret_file: Path
    signing_secret: bytes | None = field(default=None, repr=False)
    cors_origins: tuple[str, ...] = ()
    is_private: bool = False

    @classmethod
    def of(cls, settings: Settings) -> LocalConfig:
        """As the settings say."""
        secret = _shown(settings.storage_signing_secret)
        return cls(
            root=settings.storage_path,
            base_url=settings.storage_base_url,
            secret_file=settings.signing_secret_path,
            signing_secret=None if secret is None else secret.encode(),
            cors_origins=_origins(settings),
            is_private=settings.storage_local_private,
        )


@dataclass(frozen=True)
class Credentials:
    """What requests are signed with. `session_token`: of credentials that expire."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RequestLimits:
    """How long things may take, in seconds, and how many requests of a store may be under way.

    `request`: one request with its body; `total`: all attempts of one operation together, and the last of them is
    only begun when it can end in time; pauses grow from `first_pause` to `longest_pause`, each cut to a random part.
    """

    connect: float = 5.0
    request: float = 60.0
    total: float = 180.0
    first_pause: float = 0.2
    longest_pause: float = 10.0
    at_once: int = 32


QUICK = RequestLimits(request=8.0, total=15.0, longest_pause=1.0)
"""For interactive use."""


@dataclass(frozen=True)
class BucketConfig:
    """A bucket behind an S3 API, addressed as `endpoint/bucket/key`.

    `credentials`: None leaves them to the default AWS chain (profile, SSO, container, instance); `public_url`: what
    public URLs begin with, None where reading needs a signature; `anybody_may_read`: the bucket itself is
    meant to answer anybody, without a domain before it; `cors_origins`: whose pages may read and upload.
    """

    name: str
    endpoint: str
    bucket: str
    region: str
    credentials: Credentials | None
    public_url: str | None = None
    anybody_may_read: bool = False
    cors_origins: tuple[str, ...] = ()
    limits: RequestLimits = RequestLimits()


@dataclass(frozen=True)
class StoresConfig:
    """All stores that are configured. `current`: the name of the one that takes new objects."""

    current: str
    local: LocalConfig
    buckets: tuple[BucketConfig, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> StoresConfig:
        """As the settings say. The local store always is configured; a bucket is when it has a name."""
        buckets = []
        if settings.r2_bucket_name:
            buckets.append(_r2(settings, settings.r2_bucket_name))
        if settings.s3_bucket:
            buckets.append(_s3(settings, settings.s3_bucket))
        return cls(settings.storage_mode, LocalConfig.of(settings), tuple(buckets))

    def where(self) -> str:
        """The current store, for people: a folder, or a bucket with its endpoint."""
        bucket = next((bucket for bucket in self.buckets if bucket.name == self.current), None)
        return str(self.local.root) if bucket is None else f"bucket {bucket.bucket} at {bucket.endpoint}"

    def quick(self) -> StoresConfig:
        """The same stores for interactive use."""
        return replace(self, buckets=tuple(replace(bucket, limits=QUICK) for bucket in self.buckets))

    def base_urls(self) -> dict[str, str | None]:
        """What the URLs of each store begin with; None for a store that is not public."""
        local = None if self.local.is_private else self.local.base_url
        return {LOCAL: local, **{bucket.name: bucket.public_url for bucket in self.buckets}}


def _r2(settings: Settings, bucket: str) -> BucketConfig:
    """Cloudflare serves a bucket at the endpoint of its jurisdiction only (its page on data location, 2026-11)."""
    part = "" if settings.r2_jurisdiction == "default" else f".{settings.r2_jurisdiction}"
    return BucketConfig(
        name=R2,
        endpoint=f"https://{settings.r2_account_id}{part}.r2.cloudflarestorage.com",
        bucket=bucket,
        region="auto",
        credentials=Credentials(_shown(settings.r2_access_key_id) or "", _shown(settings.r2_secret_access_key) or ""),
        public_url=settings.r2_public_url,
        cors_origins=_origins(settings),
    )


def _s3(settings: Settings, bucket: str) -> BucketConfig:
    """Without an endpoint AWS's; without a key, the credentials that AWS's default chain finds."""
    china = ".cn" if settings.s3_region.startswith("cn-") else ""
    endpoint = (settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com{china}").rstrip("/")
    domain = settings.cdn_domain and settings.cdn_domain.removeprefix("https://").rstrip("/")
    own_url = f"{endpoint}/{bucket}" if settings.s3_public_bucket else None
    key, secret = _shown(settings.s3_access_key_id), _shown(settings.s3_secret_access_key)
    return BucketConfig(
        name=S3,
        endpoint=endpoint,
        bucket=bucket,
        region=settings.s3_region,
        credentials=Credentials(key, secret, _shown(settings.s3_session_token)) if key and secret else None,
        public_url=f"https://{domain}" if domain else own_url,
        anybody_may_read=settings.s3_public_bucket,
        cors_origins=_origins(settings),
    )


def _origins(settings: Settings) -> tuple[str, ...]:
    return tuple(origin.strip() for origin in (settings.cors_origins or "").split(",") if origin.strip())


def _shown(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
