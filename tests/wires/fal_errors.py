"""fal's errors, in their three forms: of requests, of models, and of the platform's own API.

- requests: https://fal.ai/docs/documentation/model-apis/request-errors: `detail` is a sentence, with `error_type`
- models: https://fal.ai/docs/documentation/model-apis/errors: `detail` is a list
- platform (api.fal.ai): `error` with type and message; this form is assumed
"""

from __future__ import annotations

from typing import Any

from tests.wires.exchange import Reply
from tests.wires.fields import Problem
from tests.wires.wire import Call

_REQUEST_ERRORS = {
    # https://fal.ai/docs/documentation/model-apis/request-errors: the table of error types; those of 400 and 500 are
    # assumed
    400: ("Bad request", "bad_request"),
    500: ("Internal server error", "internal_error"),
    502: ("The runner's connection was refused", "runner_connection_refused"),
    503: ("No runner could be allocated", "runner_scheduling_failure"),
    504: ("Request timed out", "request_timeout"),
}
_OTHER_ERRORS = {
    # These sentences are assumed: no page has them.
    401: "Authentication is required to access this application",
    402: "Payment required",
    403: "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.",
    404: "Not found",
    409: "Conflict",
    422: "Unprocessable entity",
    429: "Too many requests: the limit of concurrent requests is reached",
}


def request_error(status: int, message: str = "") -> Reply:
    """An error of the platform; `error_type` is in a header, too."""
    if status in _REQUEST_ERRORS:
        detail, kind = _REQUEST_ERRORS[status]
        return Reply.json(status, {"detail": message or detail, "error_type": kind}, {"X-Fal-Error-Type": kind})
    return Reply.json(status, {"detail": message or _OTHER_ERRORS[status]})


def entry(problem: Problem) -> dict[str, Any]:
    """https://fal.ai/docs/documentation/model-apis/errors: loc, msg, type, url, input."""
    return {**problem.to_json(), "url": f"https://docs.fal.ai/errors#{problem.type}"}


def failure(call: Call) -> tuple[int, dict[str, Any]]:
    """How a model ends that does not make its picture."""
    if call.kind in ("policy", "moderated", "422"):
        # https://fal.ai/docs/documentation/model-apis/errors#content_policy_violation
        problem = Problem(
            ("body", "prompt"),
            "The content could not be processed because it was flagged by a content checker.",
            "content_policy_violation",
            call.order.prompt,
        )
        categories = ["model_moderated"] if call.kind == "moderated" else ["sexual"]
        return 422, {"detail": [{**entry(problem), "categories": categories}]}
    status = 500 if call.kind == "failed" else int(call.kind)
    if status == 500:
        problem = Problem(("body",), "Internal server error", "internal_server_error", None)
        return 500, {"detail": [entry(problem)]}
    detail, kind = _REQUEST_ERRORS.get(status, (_OTHER_ERRORS.get(status, ""), "bad_request"))
    return status, {"detail": detail, "error_type": kind}


def platform_error(status: int, kind: str, message: str) -> Reply:
    """An error of api.fal.ai."""
    return Reply.json(status, {"error": {"type": kind, "message": message}})
