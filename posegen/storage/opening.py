"""From settings to stores: which are configured, which takes what is new, and how each is opened.

S3 is loaded only when a store of that kind is asked for.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from posegen.settings import Settings
from posegen.storage.local import LocalStore
from posegen.storage.places import LOCAL, BucketPlace, LocalPlace, StorePlaces, origins_of, r2_place, s3_place
from posegen.storage.protocol import ObjectStore
from posegen.storage.stores import Stores


def places_of(settings: Settings) -> StorePlaces:
    """Where the stores of these settings are. The local one always is; a bucket is when it has a name."""
    buckets = []
    if settings.r2_bucket_name:
        buckets.append(
            r2_place(
                account_id=settings.r2_account_id or "",
                access_key_id=_shown(settings.r2_access_key_id) or "",
                secret_access_key=_shown(settings.r2_secret_access_key) or "",
                bucket=settings.r2_bucket_name,
                public_url=settings.r2_public_url,
                jurisdiction=settings.r2_jurisdiction,
                cors_origins=settings.cors_origins,
            )
        )
    if settings.s3_bucket:
        buckets.append(
            s3_place(
                bucket=settings.s3_bucket,
                endpoint=settings.s3_endpoint,
                region=settings.s3_region,
                access_key_id=_shown(settings.s3_access_key_id),
                secret_access_key=_shown(settings.s3_secret_access_key),
                session_token=_shown(settings.s3_session_token),
                public_bucket=settings.s3_public_bucket,
                cdn_domain=settings.cdn_domain,
                cors_origins=settings.cors_origins,
            )
        )
    return StorePlaces(settings.storage_mode, local_place(settings), tuple(buckets))


def local_place(settings: Settings) -> LocalPlace:
    """Where the local store of these settings is."""
    secret = _shown(settings.storage_signing_secret)
    return LocalPlace(
        root=settings.storage_path,
        base_url=settings.storage_base_url,
        secret_file=settings.signing_secret_path,
        signing_secret=None if secret is None else secret.encode(),
        cors_origins=origins_of(settings.cors_origins),
    )


def open_stores(places: StorePlaces) -> Stores:
    """All stores, of which only the current one is opened now."""
    ways: dict[str, Callable[[], ObjectStore]] = {LOCAL: partial(open_local, places.local)}
    ways |= {bucket.name: partial(open_bucket, bucket) for bucket in places.buckets}
    return Stores(ways[places.current](), ways)


def open_local(place: LocalPlace) -> LocalStore:
    """The store in a folder of this machine, which is made by the first put."""
    return LocalStore(
        place.root,
        base_url=place.base_url,
        signing_secret=lambda: place.signing_secret or _kept_secret(place.secret_file),
    )


def open_bucket(place: BucketPlace) -> ObjectStore:
    """The store in a bucket, which has to be there."""
    from posegen.storage.s3 import BucketStore  # loads obstore: 25 ms that a local store need not wait for

    return BucketStore(place)


def _kept_secret(file: Path) -> bytes | None:
    """The secret that this installation signs with: drawn once, and kept where only its owner can read it.

    None where nothing can be written: then nothing is signed either, and everything else works.
    """
    drawn = secrets.token_hex(32).encode()
    try:
        if file.exists():
            return file.read_bytes()
        file.parent.mkdir(parents=True, exist_ok=True)
        pending = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        descriptor = os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(drawn)
        with suppress(FileExistsError):  # another process was quicker: its secret counts
            os.link(pending, file)
        pending.unlink()
        return file.read_bytes()
    except OSError:
        return None


def _shown(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
