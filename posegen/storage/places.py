"""Where the stores of a deployment are and what it takes to open them. Configuration only; nothing is opened here.

Secrets are left out of every `repr`, so that no log line and no traceback has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

LOCAL = "local"
R2 = "r2"
S3 = "s3"


@dataclass(frozen=True)
class LocalPlace:
    """A folder. `base_url`: what its URLs begin with; `cors_origins`: whose pages may read and upload.

    `signing_secret`: what URLs are signed with; without it, what `secret_file` keeps.
    """

    root: Path
    base_url: str
    secret_file: Path
    signing_secret: bytes | None = field(default=None, repr=False)
    cors_origins: tuple[str, ...] = ()


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
class BucketPlace:
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
class StorePlaces:
    """All stores that are configured. `current`: the name of the one that takes new objects."""

    current: str
    local: LocalPlace
    buckets: tuple[BucketPlace, ...] = ()

    def where(self) -> str:
        """The current store, for people: a folder, or a bucket with its endpoint."""
        bucket = next((bucket for bucket in self.buckets if bucket.name == self.current), None)
        return str(self.local.root) if bucket is None else f"bucket {bucket.bucket} at {bucket.endpoint}"

    def quick(self) -> StorePlaces:
        """The same stores for interactive use."""
        return replace(self, buckets=tuple(replace(bucket, limits=QUICK) for bucket in self.buckets))

    def base_urls(self) -> dict[str, str | None]:
        """What the URLs of each store begin with; None for a store that is not public."""
        return {LOCAL: self.local.base_url, **{bucket.name: bucket.public_url for bucket in self.buckets}}


def r2_place(
    *,
    account_id: str,
    access_key_id: str,
    secret_access_key: str,
    bucket: str,
    public_url: str | None = None,
    jurisdiction: str = "default",
    cors_origins: str | None = None,
) -> BucketPlace:
    """A bucket of Cloudflare R2, which is served at the endpoint of its jurisdiction only (data location, 2026-11)."""
    part = "" if jurisdiction == "default" else f".{jurisdiction}"
    return BucketPlace(
        name=R2,
        endpoint=f"https://{account_id}{part}.r2.cloudflarestorage.com",
        bucket=bucket,
        region="auto",
        credentials=Credentials(access_key_id, secret_access_key),
        public_url=public_url,
        cors_origins=origins_of(cors_origins),
    )


def s3_place(
    *,
    bucket: str,
    endpoint: str | None = None,
    region: str = "us-east-1",
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    session_token: str | None = None,
    public_bucket: bool = False,
    cdn_domain: str | None = None,
    cors_origins: str | None = None,
) -> BucketPlace:
    """A bucket of any S3 API. Without an endpoint AWS's, without a key whatever AWS's default chain finds."""
    reached = (endpoint or _aws_endpoint(region)).rstrip("/")
    domain = cdn_domain and cdn_domain.removeprefix("https://").rstrip("/")
    own_url = f"{reached}/{bucket}" if public_bucket else None
    given = access_key_id and secret_access_key
    return BucketPlace(
        name=S3,
        endpoint=reached,
        bucket=bucket,
        region=region,
        credentials=Credentials(access_key_id or "", secret_access_key or "", session_token) if given else None,
        public_url=f"https://{domain}" if domain else own_url,
        anybody_may_read=public_bucket,
        cors_origins=origins_of(cors_origins),
    )


def origins_of(text: str | None) -> tuple[str, ...]:
    """What stands between the commas of `CORS_ORIGINS`."""
    return tuple(origin.strip() for origin in (text or "").split(",") if origin.strip())


def _aws_endpoint(region: str) -> str:
    return f"https://s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
