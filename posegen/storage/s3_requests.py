"""The requests that the store in a bucket is made of, each with its time limit and its further attempts.

What an object store promises beyond single requests is `s3.py`; how a bucket is set up is `bucket.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from mmap import mmap
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from posegen.errors import ObjectExists, ObjectMissing
from posegen.proxies import is_this_machine
from posegen.storage.configuration import BucketConfig, Credentials
from posegen.storage.credentials import as_obstore_wants, credentials_source
from posegen.storage.s3_attempts import Attempts
from posegen.storage.s3_errors import is_out_of_range
from posegen.storage.streams import check_bytes

if TYPE_CHECKING:
    from obstore import Attributes, GetOptions, ObjectMeta
    from obstore.store import ClientConfig

T = TypeVar("T")

PIECE_BYTES = 16 * 1024 * 1024
"""What one request reads or, as a part of a larger object, writes. All parts but the last are equal, as R2 wants it."""
PAGE = 1000
"""Keys in one answer of a listing, and in one request to delete."""
_MOST_PARTS = 10_000
_PARTS_AT_ONCE = 4
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Opened:
    """An object that was found. `body`: its bytes, checked; None when they have to be read piece by piece."""

    size: int
    etag: str | None
    sha256: str | None
    body: bytes | None


@dataclass(frozen=True)
class Taken:
    """A create-only put met an object. `first_attempt`: no earlier attempt of it can have put it there."""

    first_attempt: bool


@lru_cache(maxsize=8)
def requests_to(config: BucketConfig) -> S3Requests:
    """The one for this bucket in this process: all who open the store share its connections and its limit."""
    return S3Requests(config)


class S3Requests:
    """Requests about one bucket. Every method raises the storage errors that `s3_errors.py` knows."""

    def __init__(self, config: BucketConfig) -> None:
        self._config = config
        self._credentials = credentials_source(config.credentials, store=config.name)
        self._attempts = Attempts(config.limits, store=config.name)
        self._client = self._connected(retry_seconds=0)
        self._bucket_seen = False

    def create(self, key: str, data: bytes | mmap, attributes: Mapping[str, str]) -> Taken | None:
        """Puts an object where none is; returns what it found when there was one."""
        before = 0

        def request(attempt: int) -> None:
            nonlocal before
            before = attempt
            obstore.put(self._client, key, data, attributes=dict(attributes), mode="create", use_multipart=False)

        try:
            self._run(request, key)
        except ObjectExists:
            return Taken(first_attempt=before == 0)
        return None

    def replace(self, key: str, data: bytes | mmap, attributes: Mapping[str, str]) -> None:
        """Puts an object, whatever is there."""
        self._run(lambda _: obstore.put(self._client, key, data, attributes=dict(attributes), use_multipart=False), key)

    def replace_in_parts(self, key: str, data: bytes | mmap, attributes: Mapping[str, str]) -> None:
        """The same for objects that are too large for one request. The parts are repeated one by one."""
        parts = self._connected(retry_seconds=self._config.limits.total)
        size = max(PIECE_BYTES, -(-len(data) // _MOST_PARTS))
        self._run(
            lambda _: obstore.put(
                parts,
                key,
                data,
                attributes=dict(attributes),
                use_multipart=True,
                chunk_size=size,
                max_concurrency=_PARTS_AT_ONCE,
            ),
            key,
        )

    def open(self, key: str, sha256: str | None) -> Opened:
        """Reads an object of at most `PIECE_BYTES`, checked against `sha256` or its metadata; of others the facts."""

        def request(_: int) -> Opened:
            result = obstore.get(self._client, key)
            size, etag = result.meta["size"], result.meta["e_tag"]
            recorded = result.attributes.get("sha256", "")
            expected = sha256 or (recorded if _SHA256.fullmatch(recorded) else None)
            if size > PIECE_BYTES:
                return Opened(size, etag, expected, None)
            body = bytes(result.bytes())
            found = hashlib.sha256(body).hexdigest() if expected else None
            check_bytes(len(body), found, size=size, sha256=expected, store=self._config.name, key=key)
            return Opened(size, etag, expected, body)

        return self._run(request, key)

    def piece(self, key: str, start: int, end: int, *, etag: str | None = None) -> bytes:
        """The bytes from `start` up to `end`, of the version with this ETag; none behind the end of the object."""
        options: GetOptions = {"range": (start, end)}
        if etag is not None:
            options["if_match"] = etag

        def request(_: int) -> bytes:
            try:
                return bytes(obstore.get(self._client, key, options=options).bytes())
            except BaseError as failure:
                if is_out_of_range(failure):
                    return b""
                raise

        try:
            return self._run(request, key)
        except ObjectExists:
            raise ObjectMissing(
                "The object was replaced while it was read.", store=self._config.name, key=key
            ) from None

    def look(self, key: str) -> tuple[int, Attributes]:
        """Size and metadata of an object; `ObjectMissing`."""

        def request(_: int) -> tuple[int, Attributes]:
            found = obstore.get(self._client, key, options={"head": True})
            return found.meta["size"], found.attributes

        try:
            return self._run(request, key)
        except ObjectMissing:
            # The answer to HEAD has no body that could say that it is the bucket that is missing.
            if not self._bucket_seen:
                next(self.pages("", None), None)
            raise

    def delete(self, keys: list[str]) -> None:
        """Makes at most `PAGE` objects be gone."""
        what = keys[0] if len(keys) == 1 else keys
        self._run(lambda _: obstore.delete(self._client, what), keys[0])

    def pages(self, prefix: str, start_after: str | None) -> Iterator[list[ObjectMeta]]:
        """What lies below a prefix, `PAGE` objects at a time."""
        after = start_after
        stream: Iterator[list[ObjectMeta]] | None = None

        def request(attempt: int) -> list[ObjectMeta]:
            nonlocal stream
            if stream is None or attempt:
                stream = self._listing(prefix, after)
            return next(stream, [])

        while page := self._run(request, prefix):
            after = page[-1]["path"]
            yield page

    def credentials(self) -> Credentials:
        """What requests are signed with right now."""
        return self._credentials()

    def signed_get_url(self, key: str, seconds: int) -> str:
        """A URL that reads the object for so long. Nothing is sent."""
        return self._run(lambda _: obstore.sign(self._client, "GET", key, timedelta(seconds=seconds)), key)

    def _run(self, request: Callable[[int], T], key: str) -> T:
        answer = self._attempts.run(request, key)
        self._bucket_seen = True
        return answer

    def _listing(self, prefix: str, after: str | None) -> Iterator[list[ObjectMeta]]:
        for page in obstore.list(self._client, prefix or None, offset=after, chunk_size=PAGE):
            yield list(page)

    def _connected(self, *, retry_seconds: float) -> S3Store:
        """A client whose every choice is made here: what is left out, obstore would take from the environment."""
        config, limits = self._config, self._config.limits
        provider = as_obstore_wants(self._credentials, fixed=config.credentials is not None)
        return S3Store(
            config.bucket,
            config={
                "endpoint": config.endpoint,
                "aws_endpoint_url_s3": config.endpoint,
                "region": config.region,
                "virtual_hosted_style_request": False,
                "skip_signature": False,
                "s3_express": False,
                "request_payer": False,
                "conditional_put": "etag",
                # The server holds what it got against this, which costs next to nothing to compute. A signature over
                # the SHA-256 of the body would have every byte hashed once more.
                "checksum_algorithm": "CRC64NVME",
                "unsigned_payload": True,
            },
            client_options={
                "allow_http": config.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=limits.connect),
                "timeout": timedelta(seconds=limits.request),
                "user_agent": "posegen",
                **_proxy_options(config.endpoint),
            },
            retry_config={
                "max_retries": 10 if retry_seconds else 0,
                "retry_timeout": timedelta(seconds=retry_seconds),
                "backoff": {
                    "init_backoff": timedelta(seconds=limits.first_pause),
                    "max_backoff": timedelta(seconds=limits.longest_pause),
                    "base": 2,
                },
            },
            credential_provider=provider,  # type: ignore[arg-type]  # a plain function is what it calls
        )


def _proxy_options(endpoint: str) -> ClientConfig:
    """Without any, the client follows the environment; with a proxy that no host goes through, it does not."""
    if not is_this_machine(endpoint):
        return {}
    return {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": "0.0.0.0/0,::/0,*"}
