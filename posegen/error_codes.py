"""Why a generation or a pose ended without its picture: one code, one sentence for the customer, one for the operator.

The codes are data: `posegen db upgrade` writes them into the table `error_codes`, which the views join.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """The codes that a foreign backend may meet."""

    INAPPROPRIATE_PROMPT = "inappropriate_prompt"
    INVALID_REQUEST = "invalid_request"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    QUOTA_EXCEEDED = "quota_exceeded"
    TOO_MANY_REQUESTS = "too_many_requests"
    QUEUE_FULL = "queue_full"
    CONTROL_UNUSABLE = "control_unusable"
    BACKEND_REJECTED = "backend_rejected"
    BACKEND_UNAVAILABLE = "backend_unavailable"
    BACKEND_RETRIES_EXCEEDED = "backend_retries_exceeded"
    BACKEND_UNCERTAIN = "backend_uncertain"
    STORAGE_FAILED = "storage_failed"
    IMAGE_INVALID = "image_invalid"
    TIMED_OUT = "timed_out"
    POISONED = "poisoned"
    CANCELLED = "cancelled"


NOT_OURS = (
    ErrorCode.INAPPROPRIATE_PROMPT,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.INSUFFICIENT_CREDITS,
    ErrorCode.QUOTA_EXCEEDED,
    ErrorCode.TOO_MANY_REQUESTS,
    ErrorCode.CONTROL_UNUSABLE,
    ErrorCode.CANCELLED,
)
"""Failures that only the customer can do something about: they say nothing of how this installation is."""


@dataclass(frozen=True)
class ErrorText:
    """What two readers need to know about one code."""

    customer: str
    operator: str


ERROR_TEXTS: dict[ErrorCode, ErrorText] = {
    ErrorCode.INAPPROPRIATE_PROMPT: ErrorText(
        "This prompt cannot be used; please describe the picture in other words.",
        "The content policy or the backend's own refused the prompt; `error_detail` names the category, or has the "
        "backend's words. Nothing was held.",
    ),
    ErrorCode.INVALID_REQUEST: ErrorText(
        "The request has a value that cannot be used; the detail names it.",
        "Intake refused the request; `error_detail` names the value and the fix. Nothing was held.",
    ),
    ErrorCode.INSUFFICIENT_CREDITS: ErrorText(
        "There are not enough credits for this request.",
        "The hold did not fit into the available credits; grant some or ask for fewer poses.",
    ),
    ErrorCode.QUOTA_EXCEEDED: ErrorText(
        "The storage space of this account is used up.",
        "The reservation did not fit under the storage limit; raise it or delete images.",
    ),
    ErrorCode.TOO_MANY_REQUESTS: ErrorText(
        "This account has asked for too much at once; please try again later.",
        "The user met POSEGEN_MAX_QUEUED_PER_USER or POSEGEN_POSES_PER_HOUR; `error_detail` says which. Nothing was "
        "held.",
    ),
    ErrorCode.QUEUE_FULL: ErrorText(
        "There is too much to do at the moment; please try again later.",
        "POSEGEN_MAX_QUEUED generations wait already; nothing was held.",
    ),
    ErrorCode.CONTROL_UNUSABLE: ErrorText(
        "The control image could not be used; please check it, and ask again. Its credits were returned.",
        "The control image, or the map of the library pose, could not be read or shows no pose; `error_detail` says "
        "why. No call was made. POSEGEN_CONTROL_MISSING=drop leaves it out instead.",
    ),
    ErrorCode.BACKEND_REJECTED: ErrorText(
        "This picture could not be made; its credits were returned.",
        "The backend refused the recipe or raised; the pose's `error_detail` has its words.",
    ),
    ErrorCode.BACKEND_UNAVAILABLE: ErrorText(
        "The picture service is not available at the moment; the credits were returned.",
        "The breaker of the backend was open for longer than POSEGEN_OUTAGE_SECONDS; check its status and key.",
    ),
    ErrorCode.BACKEND_RETRIES_EXCEEDED: ErrorText(
        "The picture could not be made after several attempts; its credits were returned.",
        "The backend made other pictures and failed for this pose POSEGEN_BACKEND_ATTEMPTS times; the last error is in "
        "`error_detail`.",
    ),
    ErrorCode.BACKEND_UNCERTAIN: ErrorText(
        "It could not be confirmed that this picture was made; its credits were returned.",
        "The response to a billed call was lost, and the provider cannot say whether it was made: `posegen calls "
        "--uncertain` lists such calls.",
    ),
    ErrorCode.STORAGE_FAILED: ErrorText(
        "The picture could not be saved; its credits were returned.",
        "The store refused or lost an object; `posegen doctor` checks it.",
    ),
    ErrorCode.IMAGE_INVALID: ErrorText(
        "The picture did not pass the quality checks; its credits were returned.",
        "The backend's image did not pass validation; `error_detail` says which rule.",
    ),
    ErrorCode.TIMED_OUT: ErrorText(
        "The request took too long; the credits of what was not made were returned.",
        "It passed POSEGEN_TIME_LIMIT_SECONDS, outages of its backend left out; the events show where the time went.",
    ),
    ErrorCode.POISONED: ErrorText(
        "The request could not be completed; the credits of what was not made were returned.",
        "Every attempt ended its worker or raised; look at the runs in the events before submitting it again.",
    ),
    ErrorCode.CANCELLED: ErrorText(
        "The request was cancelled; the credits of what was not made were returned.",
        "A customer or an operator cancelled it; the events say who.",
    ),
}
