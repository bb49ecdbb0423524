"""The object route: what of a local store a browser may see, over GET and HEAD.

Pictures under the public prefixes, and nothing else: no listing, no manifest, no upload, no file that is not an
object. Which server the route is mounted in, and where, is that server's business.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from typing import BinaryIO

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from posegen.errors import InvalidKey, ObjectMissing, StorageError
from posegen.storage.keys import cache_control_of, content_hash_of, content_type_of, is_public
from posegen.storage.local import LocalStore

CHUNK = 256 * 1024

# At most 18 digits: a longer number is no position in any object.
_SINGLE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)
_ENTITY_TAG = re.compile(r'"[^"]*"')


def object_routes(store: LocalStore) -> list[BaseRoute]:
    """Routes for a Starlette `Mount`, such as `Mount("/media", routes=object_routes(store))`."""

    def serve(request: Request) -> Response:  # a plain function: Starlette runs it in a thread, since it opens files
        key = request.path_params["key"]
        if not (is_public(key) and content_type_of(key).startswith("image/")):
            return _not_found()
        try:
            file = store.open(key)
        except (ObjectMissing, InvalidKey):
            return _not_found()
        except StorageError as failure:
            structlog.get_logger(__name__).error("object cannot be served", reason=str(failure))
            return _refusal(503, "The store cannot be read right now.")
        return _answer(request, key, file)

    return [Route("/{key:path}", serve, methods=["GET"])]


async def _stretch(file: BinaryIO, length: int) -> AsyncIterator[bytes]:
    """The next bytes of a file, in constant memory and without holding up the event loop."""
    with file:
        while length > 0 and (chunk := await run_in_threadpool(file.read, min(CHUNK, length))):
            length -= len(chunk)
            yield chunk


def _answer(request: Request, key: str, file: BinaryIO) -> Response:
    status = os.fstat(file.fileno())
    size = status.st_size
    tag = f'"{content_hash_of(key) or f"{status.st_mtime_ns:x}-{size:x}"}"'
    headers = {
        "etag": tag,
        "cache-control": cache_control_of(key),
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
    wanted = _wanted_range(request.headers, tag, size)
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


def _wanted_range(headers: Headers, tag: str, size: int) -> range | None:
    """None: the whole object, also for what is no single range; an empty range: there are no such bytes."""
    if headers.get("if-range", tag) != tag:
        return None
    asked = _SINGLE_RANGE.fullmatch(headers.get("range", "").strip())
    if asked is None:
        return None
    first, last = asked.groups()
    if not first:
        return range(max(size - int(last), 0), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _not_found() -> Response:
    return _refusal(404, "There is no such object.")


def _refusal(status_code: int, text: str, headers: dict[str, str] | None = None) -> Response:
    # Not to be kept: the object may be there a moment later.
    fixed = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return PlainTextResponse(text, status_code, headers=fixed | (headers or {}))
