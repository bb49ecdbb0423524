"""Every error that Posegen raises on purpose, drawn as one tree.

A leaf stands for one failure that a caller may want to tell apart. It keeps its facts as attributes, and its message
names the value that was wrong and what to do about it. No error is defined anywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from posegen.error_codes import ErrorCode


class PosegenError(Exception):
    """The root: catch this to catch everything that Posegen raises on purpose."""


# --- configuration and environment -------------------------------------------------------------------------------


class SettingsInvalid(PosegenError):
    """Environment variables that cannot be used. `problems`: one sentence for each variable."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("The settings cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))


class DatabaseUnusable(PosegenError):
    """The PostgreSQL server cannot serve us: unreachable, too old, or a right is missing."""


class EmbeddedServerFailed(PosegenError):
    """The PostgreSQL server that Posegen starts by itself did not come up."""


class PlatformUnusable(PosegenError):
    """`posegen up` cannot run here: a port is taken, or another one already serves this data folder."""


# --- requests ----------------------------------------------------------------------------------------------------


class RequestRefused(PosegenError):
    """A request that intake cannot accept. `code`: the error code that its generation ends with."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


class IdempotencyConflict(PosegenError):
    """The same idempotency key came with another body."""


class GenerationUnknown(PosegenError):
    """No generation has this id."""

    def __init__(self, generation_id: object) -> None:
        self.generation_id = generation_id
        super().__init__(f"There is no generation {generation_id}; `posegen status` lists the latest ones.")


class GenerationAmbiguous(PosegenError):
    """Several generations have ids that begin so. `found`: some of them."""

    def __init__(self, beginning: str, found: Sequence[object]) -> None:
        self.beginning = beginning
        self.found = found
        super().__init__(
            f"Several generations begin with {beginning}, such as {', '.join(map(str, found))}: give more of the id."
        )


class GroupUnknown(PosegenError):
    """No generation of this user lies in this group."""

    def __init__(self, project_id: str, group_name: str) -> None:
        self.project_id = project_id
        self.group_name = group_name
        super().__init__(f"There is no group {group_name!r} in the project {project_id!r} of this user.")


class PoseUnknown(PosegenError):
    """No generated pose has this id."""

    def __init__(self, pose_id: object) -> None:
        self.pose_id = pose_id
        super().__init__(
            f"There is no generated pose {pose_id}; `posegen show GENERATION --json` names those there are."
        )


class PoseNumberUnknown(PosegenError):
    """A generation has no completed pose with this number. `known`: those it has, from 1."""

    def __init__(self, number: int, known: list[int]) -> None:
        self.number = number
        self.known = known
        super().__init__(f"There is no completed pose {number}; it has {', '.join(map(str, known)) or 'none'}.")


class UserUnknown(PosegenError):
    """No user has this id."""

    def __init__(self, user_id: object) -> None:
        self.user_id = user_id
        super().__init__(f"There is no user {user_id}: insert a row into `users` first.")


class UserExists(PosegenError):
    """A user has this id already."""

    def __init__(self, user_id: object) -> None:
        self.user_id = user_id
        super().__init__(f"There is a user {user_id} already: leave the id out, or choose another one.")


class NothingToRefund(PosegenError):
    """No pose of the generation was paid for and not refunded yet."""

    def __init__(self, generation_id: object) -> None:
        self.generation_id = generation_id
        super().__init__(f"Nothing of generation {generation_id} was paid for and is not refunded yet.")


class NothingToDelete(PosegenError):
    """No pose of the generation has images that could be deleted."""

    def __init__(self, generation_id: object) -> None:
        self.generation_id = generation_id
        super().__init__(
            f"Generation {generation_id} has no images to delete: it is at work (cancel it first), or they are deleted."
        )


class NothingToRestore(PosegenError):
    """No pose of the generation has images that could be had back."""

    def __init__(self, generation_id: object, *, gone: int) -> None:
        self.generation_id = generation_id
        self.gone = gone
        why = f"the time of grace of {gone} is over, and they are deleted for good" if gone else "none is deleted"
        super().__init__(f"No images of generation {generation_id} can be restored: {why}.")


class NoVariants(PosegenError):
    """None of the image requests has variants that could be deleted."""

    def __init__(self, requests: Sequence[object]) -> None:
        self.requests = requests
        named = ", ".join(map(str, requests))
        super().__init__(f"No variants to delete: {named} are unknown, are not completed, or were deleted before.")


class DesignUnknown(PosegenError):
    """No design has this id, or it was deleted."""

    def __init__(self, design_id: object) -> None:
        self.design_id = design_id
        super().__init__(f"There is no design {design_id}: it was deleted, or never asked for.")


class ImageRequestUnknown(PosegenError):
    """No image request has this id."""

    def __init__(self, request_id: object) -> None:
        self.request_id = request_id
        super().__init__(f"There is no image request {request_id}.")


class TooManyStreams(PosegenError):
    """A caller has as many streams of events open as it may have. `most`: how many those are."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"A caller may have {most} streams open at once: close one, or follow more with each.")


class InvalidPose(PosegenError):
    """A pose specification that the skeleton cannot take: unknown joint, angle out of its limits."""


class InvalidSize(PosegenError):
    """A picture size, in pixels, that the figure cannot be drawn in."""


class UnknownName(PosegenError):
    """A name that is in none of our lists. `known`: what could have been meant."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = known
        super().__init__(f"There is no {kind} {name!r}; known: {', '.join(known)}.")


class UploadRefused(PosegenError):
    """An upload that a client may not make, or that is not kept: unknown, over, too large, or no picture."""


class UploadUnknown(UploadRefused):
    """No upload has this id."""

    def __init__(self, upload_id: object) -> None:
        self.upload_id = upload_id
        super().__init__(f"There is no upload {upload_id}.")


class PeriodInvalid(PosegenError):
    """Dates that are no span of time: not a day or a month, or in the wrong order."""


# --- access ------------------------------------------------------------------------------------------------------


class CredentialsInvalid(PosegenError):
    """A key, session, link or ticket that admits no caller. `reason`: why, for the caller and for logs."""

    def __init__(self, reason: Literal["malformed", "checksum", "unknown", "revoked", "expired", "used"]) -> None:
        self.reason = reason
        sentence = {
            "malformed": "this is no credential of Posegen; send it whole, as it was shown when it was made",
            "checksum": "the key has a typing error; copy it again",
            "unknown": "there is no such credential here; it may be of another installation",
            "revoked": "it was revoked; ask for another one",
            "expired": "it has expired; ask for another one",
            "used": "it was used already, and is good for one use; ask for another one",
        }[reason]
        super().__init__(f"The credentials are not valid: {sentence}.")


class AccessInvalid(PosegenError):
    """A key, link, ticket or idempotency key with a value out of its range. `field`: which one."""

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        self.detail = detail
        super().__init__(f"{field}: {detail}")


class AccessRefused(PosegenError):
    """A caller gives away rights that it does not have itself."""


class KeyUnknown(PosegenError):
    """No API key has this id, or the caller does not manage it."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(f"There is no API key {key_id}; `posegen key list` lists them.")


class SessionUnknown(PosegenError):
    """No session has this id, or it is not one of the caller's users."""

    def __init__(self, session_id: object) -> None:
        self.session_id = session_id
        super().__init__(f"There is no session {session_id}.")


class ShareLinkUnknown(PosegenError):
    """No share link has this id, or it is not one of the caller's users."""

    def __init__(self, link_id: object) -> None:
        self.link_id = link_id
        super().__init__(f"There is no share link {link_id}.")


# --- work --------------------------------------------------------------------------------------------------------


class WebhookRefused(PosegenError):
    """A message was not accepted by the operator's webhook, or may not have been."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"POSEGEN_ALERT_WEBHOOK has not accepted a message: {reason}.")


class PartlyDone(PosegenError):
    """Some of many things failed, and the others were done.

    `first`: the first failure; `done`: what came of the others.
    """

    def __init__(self, first: Exception, failed: int, done: Any) -> None:
        self.first = first
        self.done = done
        super().__init__(f"{failed} could not be done, the others were; the first: {type(first).__name__}: {first}")


class LeaseLost(PosegenError):
    """Another worker owns the row: stop without a further side effect."""


class GenerationCancelled(LeaseLost):
    """The generation was cancelled: its worker stops, and its run ends as cancelled."""

    def __init__(self, generation_id: object) -> None:
        self.generation_id = generation_id
        super().__init__(f"Generation {generation_id} was cancelled. What was finished stays, nothing more is made.")


class ClaimSuperseded(PosegenError):
    """The run came too late: its generation was claimed anew, cancelled, or has ended."""


class BackendError(PosegenError):
    """A backend made no image. `code` says which kind."""

    code = ErrorCode.BACKEND_REJECTED


class BackendRejected(BackendError):
    """The backend refuses this recipe, now and always."""


class BackendUnavailable(BackendError):
    """The backend did not respond, or said that it cannot right now. `retry_after`: seconds, when it said how long."""

    code = ErrorCode.BACKEND_UNAVAILABLE

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class CallNotSent(BackendUnavailable):
    """No byte of the request has reached the far end: the connection was refused, or its host has no address."""


class CallNotAccepted(BackendUnavailable):
    """The far end says that it did not take the request, such as 429: it may be sent again after a pause."""


class CallUnknown(BackendUnavailable):
    """Whether the far end got the request cannot be told: a timeout, a lost connection, an undocumented response."""


class ResponseTooLong(CallUnknown):
    """The body of the response is longer than a wire reads."""


class AccountRefused(BackendUnavailable):
    """The far end refuses our key, or the account has no money. `variable`: that holds the key."""

    def __init__(self, message: str, *, variable: str) -> None:
        self.variable = variable
        super().__init__(message)


class BackendNotConfigured(BackendUnavailable):
    """A backend that cannot be used under these settings. `backend`: its name."""

    def __init__(self, backend: str, why: str) -> None:
        self.backend = backend
        super().__init__(f"There is no backend {backend!r}{why}.")


class BackendUndescribed(BackendNotConfigured):
    """A backend that the settings name and nothing describes now: what it is to make waits until the file is mended."""


class CallUncertain(BackendError):
    """It will never be known whether a call was made and billed: it is not made again."""

    code = ErrorCode.BACKEND_UNCERTAIN


class BackendRefusedContent(BackendRejected):
    """The provider's own policy refuses the prompt or the picture."""

    code = ErrorCode.INAPPROPRIATE_PROMPT


class ControlUnusable(BackendRejected):
    """The map that has to show the pose cannot be read, or shows none."""

    code = ErrorCode.CONTROL_UNUSABLE


class BackendRetriesExceeded(BackendError):
    """The backend serves other recipes, but fails on this one every time."""

    code = ErrorCode.BACKEND_RETRIES_EXCEEDED


class BackendHeldBack(PosegenError):
    """The backend's circuit breaker is open: its work waits `wait` seconds, at the cost of no attempt."""

    def __init__(self, backend: str, wait: float, reason: str) -> None:
        self.backend = backend
        self.wait = wait
        self.reason = reason
        super().__init__(f"The breaker of backend {backend} is open for another {wait:.0f} s: {reason}")


class ImageInvalid(PosegenError):
    """Bytes or pixels that are no image we accept."""


class DecoderUnavailable(PosegenError):
    """The process that decodes pictures from outside does not start, or is killed from outside."""


class ExportFailed(PosegenError):
    """An export that cannot be made as its platform asks, such as one that stays above the size limit."""


class ReplayRefused(PosegenError):
    """A picture that cannot be rendered again: it was never made, its recipe cannot be read, or it would be billed."""


class ReplayHeldBack(PosegenError):
    """The backend of a replay does not respond. The call stays on record: the next replay goes on with it."""

    def __init__(self, backend: str, reason: str) -> None:
        self.backend = backend
        self.reason = reason
        super().__init__(
            f"Backend {backend} does not respond: {reason} The call is on record; repeat the command later to go on "
            "with it."
        )


class ArchiveFailed(PosegenError):
    """An archive that cannot be made: nothing is there to put into it, or a file has another size than its row says."""


# --- foreign URLs ------------------------------------------------------------------------------------------------


class FetchError(PosegenError):
    """A foreign URL was not read. `url`: it without user, query and fragment; `reason`: why, for a message."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"{url} was not read: {reason}.")


class FetchRefused(FetchError):
    """The URL, its address, a redirect or the size of its body is not allowed; trying again does not help."""


class FetchFailed(FetchError):
    """No complete response with status 200. `status`: the one that came instead, None without a response."""

    def __init__(self, url: str, reason: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(url, reason)


# --- storage -----------------------------------------------------------------------------------------------------


class StorageError(PosegenError):
    """An operation of an object store failed. `store`: its name; `key`: the object's, where there is one."""

    def __init__(self, message: str, *, store: str, key: str | None = None) -> None:
        self.store = store
        self.key = key
        where = f"{store}:{key}" if key is not None else store
        super().__init__(f"{message} [{where}]")


class ObjectMissing(StorageError):
    """There is no object under this key."""


class ObjectExists(StorageError):
    """A create-only put met an object with other bytes."""


class ObjectCorrupt(StorageError):
    """The bytes do not have the SHA-256 that was recorded."""


class StoreDenied(StorageError):
    """The store refuses: credentials, permissions, read-only file system."""


class StoreUnavailable(StorageError):
    """The store does not respond in time; trying again later may help."""


class StoreFull(StorageError):
    """No space, or a quota of the store is used up."""


class InvalidKey(StorageError):
    """A key that could leave the store's root, or that some store could not take."""


class StoreUnknown(StorageError):
    """A row names a store that is not configured. `configured`: the names of those that are."""

    def __init__(self, store: str, configured: list[str]) -> None:
        self.configured = configured
        prefix = {"local": "STORAGE_LOCAL_PATH", "r2": "R2_*", "s3": "S3_*"}.get(store, "its")
        super().__init__(
            f"Objects lie in the store {store!r}, which is not configured here ({', '.join(configured)} is): set "
            f"{prefix} settings again, or move its objects away with `posegen storage migrate` where it is configured.",
            store=store,
        )


class StoreMistaken(StorageError):
    """The store is not the one that this database has been writing to: nothing may be written there."""
