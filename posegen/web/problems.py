"""Problems: what an HTTP client is told when a request is not served, as RFC 9457 writes it down.

One table leads from the errors of Posegen to status and code. A code is that of `error_codes` where a generation could
end with it, else one of `CODES`. A problem says nothing about another user's resources: they do not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketState

from posegen import errors
from posegen.database.failures import may_pass
from posegen.error_codes import ErrorCode
from posegen.errors import PosegenError, RequestRefused

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
"""When a request is worth repeating after the database or a store did not respond."""

_REFUSALS = {
    ErrorCode.INSUFFICIENT_CREDITS: 402,
    ErrorCode.QUOTA_EXCEEDED: 409,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.QUEUE_FULL: 503,
    ErrorCode.BACKEND_UNAVAILABLE: 503,
}
_WAITING_HELPS = {429, 503}

_UNKNOWN = {
    errors.GenerationUnknown: "generation_id",
    errors.PoseUnknown: "pose_id",
    errors.DesignUnknown: "design_id",
    errors.UserUnknown: "user_id",
    errors.UploadUnknown: "upload_id",
    errors.ImageRequestUnknown: "request_id",
    errors.KeyUnknown: "key_id",
    errors.ShareLinkUnknown: "link_id",
    errors.SessionUnknown: "session_id",
}
"""What does not exist, by the attribute that names it."""

_STATUS: list[tuple[type[PosegenError], int, str]] = [
    (errors.IdempotencyConflict, 409, "idempotency_conflict"),
    (errors.CredentialsInvalid, 401, "unauthenticated"),
    (errors.AccessRefused, 403, "not_allowed"),
    (errors.AccessInvalid, 422, "invalid_request"),
    (errors.PoseNumberUnknown, 404, "not_found"),
    (errors.NothingToRefund, 409, "nothing_to_refund"),
    (errors.NothingToDelete, 409, "nothing_to_delete"),
    (errors.NothingToRestore, 409, "nothing_to_restore"),
    (errors.NoVariants, 409, "nothing_to_delete"),
    (errors.ArchiveFailed, 409, "nothing_to_archive"),
    (errors.UploadRefused, 422, "upload_refused"),
    (errors.UnknownName, 422, "invalid_request"),
    (errors.PeriodInvalid, 422, "invalid_request"),
    (errors.ExportFailed, 422, "export_failed"),
    (errors.ImageInvalid, 422, "image_invalid"),
    (errors.ObjectMissing, 404, "not_found"),
    (errors.StorageError, 503, "storage_unavailable"),
    (errors.DecoderUnavailable, 503, "unavailable"),
    (errors.BackendError, 503, "unavailable"),
    (errors.TooManyStreams, 429, "too_many_streams"),
    (errors.GroupUnknown, 404, "not_found"),
    (errors.ClaimSuperseded, 409, "not_ended"),
    (errors.UserExists, 409, "user_exists"),
    (errors.DatabaseUnusable, 503, "unavailable"),
]
"""Errors and what they become; the first line that fits counts."""

_BY_STATUS = {404: ("not_found", "There is nothing at this address."), 405: ("method_not_allowed", "")}


@dataclass
class Problem(HTTPException):
    """A request that is not served.

    Attributes:
        status: the HTTP status.
        code: which problem, for programs.
        detail: which value, why, and what to do, for people.
        errors: what is wrong in the body or the query, each with its JSON pointer.
        headers: of the response, such as `Retry-After`.
    """

    status: int
    code: str
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def status_code(self) -> int:  # type: ignore[override]
        """As Starlette names it."""
        return self.status


def problem_of(error: Exception) -> Problem:
    """What a client is told of an error. Defects become a 500 that says nothing but that."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestRefused):
        return _refusal(error)
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        code, detail = _BY_STATUS.get(error.status_code, ("refused", str(error.detail)))
        return Problem(error.status_code, code, detail or str(error.detail), headers=dict(error.headers or {}))
    for kind, attribute in _UNKNOWN.items():
        if isinstance(error, kind):
            noun = attribute.removesuffix("_id")
            return Problem(404, "not_found", f"There is no {noun} {getattr(error, attribute)}.")
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return Problem(status, code, str(error) if status < 500 else _sentence_of(code), headers=_retry(status))
    if isinstance(error, (psycopg.Error, PoolTimeout)) and may_pass(error):
        return Problem(503, "unavailable", _sentence_of("unavailable"), headers=_retry(503))
    return Problem(500, "internal", "Posegen met an error that it did not expect. The operator's log has it.")


def respond(connection: HTTPConnection, error: Exception) -> Response:
    """The response to a request that ended with this error."""
    problem = problem_of(error)
    if problem.status >= 500:
        log = structlog.get_logger(__name__)
        say = log.exception if problem.status == 500 else log.warning
        say("request not served", code=problem.code, reason=f"{type(error).__name__}: {error}")
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.code.replace("_", " "),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail.encode("utf-8", "backslashreplace").decode(),
        "request_id": connection.scope.get("state", {}).get("request_id", ""),
    }
    if problem.errors:
        body["errors"] = list(problem.errors)
    headers = {"cache-control": "no-store", **problem.headers}
    return JSONResponse(body, problem.status, headers=headers, media_type=MEDIA_TYPE)


async def handle(connection: HTTPConnection, error: Exception) -> Response:
    """`respond` as FastAPI calls it. A WebSocket is refused with the same response."""
    response = respond(connection, error)
    if isinstance(connection, WebSocket) and connection.client_state is WebSocketState.CONNECTING:
        await connection.send_denial_response(response)
    return response


def _refusal(error: RequestRefused) -> Problem:
    status = _REFUSALS.get(error.code, 422)
    return Problem(status, str(error.code), error.detail, headers=_retry(status, seconds=60))


def _invalid(error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return Problem(400, "malformed_json", "The body is no JSON.")
    listed = [{"pointer": _pointer(each["loc"]), "detail": str(each["msg"])} for each in found]
    detail = "; ".join(f"{each['pointer']}: {each['detail']}" for each in listed[:3])
    return Problem(422, "invalid_request", detail, listed)


def _pointer(location: Sequence[int | str]) -> str:
    """A JSON pointer into the body, or the name of a parameter behind `?`."""
    where, *path = location
    if where == "query":
        return "?" + ".".join(map(str, path))
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "/" + "/".join(escaped)


def _retry(status: int, *, seconds: int = RETRY_SECONDS) -> dict[str, str]:
    return {"retry-after": str(seconds)} if status in _WAITING_HELPS else {}


def _sentence_of(code: str) -> str:
    what = "A store" if code == "storage_unavailable" else "The platform"
    return f"{what} cannot serve this request right now; repeat it later."
