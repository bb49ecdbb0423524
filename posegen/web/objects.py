"""The object route: what of a local store a browser may see, and what a client with a signed URL may read or upload.

Unsigned, pictures under the public prefixes and nothing else: no listing, no manifest, no upload, no file that is not
an object. Which server the route is mounted in, and where, is that server's business.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import BinaryIO, cast

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from posegen.errors import InvalidKey, ObjectExists, ObjectMissing, StorageError, StoreFull
from posegen.settings import Settings
from posegen.storage.keys import PRIVATE, cache_control_of, content_hash_of, content_type_of, is_public
from posegen.storage.local import LocalStore
from posegen.storage.signing import Grant
from posegen.web.byte_ranges import wanted_range

CHUNK = 256 * 1024
_MEDIA = "/media"
_UPLOAD_IN_MEMORY = 1024 * 1024

_ENTITY_TAG = re.compile(r'"[^"]*"')


def media_path(settings: Settings) -> str:
    """Where the pictures are mounted: where the URLs of local objects point, unless that is another server."""
    base = settings.storage_base_url.rstrip("/")
    return base if base.startswith("/") and not base.startswith("//") else _MEDIA


def object_routes(store: LocalStore, *, cors_origins: Sequence[str] = ()) -> list[BaseRoute]:
    """Routes for a Starlette `Mount`, such as `Mount("/media", routes=object_routes(store))`.

    `cors_origins`: whose pages may read and upload from a browser.
    """

    async def answer(request: Request) -> Response:
        key = request.path_params["key"]
        if request.method == "PUT" and "signature" in request.query_params:
            return await _take(store, key, request)
        if request.method in {"GET", "HEAD"}:
            return await run_in_threadpool(_serve, store, key, request)
        return _refusal(
            405, "Objects are read, and uploaded by those who were given a URL for it.", {"allow": "GET, HEAD"}
        )

    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(cors_origins),
        allow_methods=["GET", "HEAD", "PUT"],
        allow_headers=["content-type", "if-none-match", "range"],
        expose_headers=["etag"],
        max_age=3600,
    )
    methods = ["GET", "PUT", "OPTIONS"]
    return [Route("/{key:path}", answer, methods=methods, middleware=[cors] if cors_origins else None)]


def _serve(store: LocalStore, key: str, request: Request) -> Response:
    public = store.shows(key)
    if not public:
        if "signature" not in request.query_params:
            return _not_found()
        if store.grant_of("GET", key, request.url.query) is None:
            return _expired()
    try:
        file = store.open(key)
    except (ObjectMissing, InvalidKey):
        return _not_found()
    except StorageError as failure:
        return _unreadable(failure)
    return _answer(request, key, file, PRIVATE if is_public(key) and not public else cache_control_of(key))


async def _take(store: LocalStore, key: str, request: Request) -> Response:
    """An upload to a signed URL. Its headers have to be exactly those that were signed."""
    grant = store.grant_of("PUT", key, request.url.query)
    if grant is None or not _as_granted(request.headers, grant):
        return _expired()
    with tempfile.SpooledTemporaryFile(_UPLOAD_IN_MEMORY) as body:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > grant.size:
                break
            await run_in_threadpool(body.write, chunk)
        if size != grant.size:
            return _refusal(400, f"The upload must have {grant.size} bytes.")
        body.seek(0)
        return await run_in_threadpool(_store, store, key, cast(BinaryIO, body), grant)


def _store(store: LocalStore, key: str, body: BinaryIO, grant: Grant) -> Response:
    try:
        if store.exists(key):
            raise ObjectExists("The upload was made before.", store=store.name, key=key)
        store.put(key, body, content_type=grant.content_type)
    except ObjectExists:
        return _refusal(412, "There is an object already.")
    except StoreFull as full:
        structlog.get_logger(__name__).error("upload cannot be stored", reason=str(full))
        return _refusal(507, "The store has no room for it.")
    except StorageError as failure:
        return _unreadable(failure)
    return Response(status_code=200, headers={"cache-control": "no-store"})


def _as_granted(headers: Headers, grant: Grant) -> bool:
    return (
        headers.get("content-type") == grant.content_type
        and headers.get("content-length") == str(grant.size)
        and headers.get("if-none-match") == "*"
    )


async def _stretch(file: BinaryIO, length: int) -> AsyncIterator[bytes]:
    """The next bytes of a file, in constant memory and without holding up the event loop."""
    with file:
        while length > 0 and (chunk := await run_in_threadpool(file.read, min(CHUNK, length))):
            length -= len(chunk)
            yield chunk


def _answer(request: Request, key: str, file: BinaryIO, cache_control: str) -> Response:
    status = os.fstat(file.fileno())
    size = status.st_size
    tag = f'"{content_hash_of(key) or f"{status.st_mtime_ns:x}-{size:x}"}"'
    headers = {
        "etag": tag,
        "cache-control": cache_control,
        "x-content-type-options": "nosniff",
        # The pictures may share their origin with a user interface: nothing in them may ever run.
        "content-security-policy": "default-src 'none'; sandbox",
    }
    if _is_known(request.headers, tag):
        file.close()
        return Response(status_code=304, headers=headers)
    headers |= {"content-type": content_type_of(key), "accept-ranges": "bytes"}
    if request.method == "HEAD":
        file.close()
        return Response(headers=headers | {"content-length": str(size)})
    wanted = wanted_range(request.headers, tag, size)
    if wanted is None:
        return StreamingResponse(_stretch(file, size), headers=headers | {"content-length": str(size)})
    if not wanted:
        file.close()
        return _refusal(416, "There is no such range.", {"content-range": f"bytes */{size}"})
    file.seek(wanted.start)
    headers |= {
        "content-length": str(len(wanted)),
        "content-range": f"bytes {wanted.start}-{wanted.stop - 1}/{size}",
    }
    return StreamingResponse(_stretch(file, len(wanted)), 206, headers=headers)


def _is_known(headers: Headers, tag: str) -> bool:
    known = ",".join(headers.getlist("if-none-match"))
    return known.strip() == "*" or tag in _ENTITY_TAG.findall(known)


def _not_found() -> Response:
    return _refusal(404, "There is no such object.")


def _expired() -> Response:
    return _refusal(403, "This link does not allow that, or not any more.")


def _unreadable(failure: StorageError) -> Response:
    structlog.get_logger(__name__).error("object cannot be served", reason=str(failure))
    return _refusal(503, "The store cannot be used right now.")


def _refusal(status_code: int, text: str, headers: dict[str, str] | None = None) -> Response:
    # Not to be kept: the object may be there a moment later.
    fixed = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return PlainTextResponse(text, status_code, headers=fixed | (headers or {}))
