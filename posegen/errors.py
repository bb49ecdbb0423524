"""Every error that Posegen raises on purpose, drawn as one tree.

A leaf stands for one failure that a caller may want to tell apart. It keeps its facts as attributes, and its message
names the value that was wrong and what to do about it. No error is defined anywhere else.
"""

from __future__ import annotations

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


class InvalidPose(PosegenError):
    """A pose specification that the skeleton cannot take: unknown joint, angle out of its limits."""


class UnknownName(PosegenError):
    """A name that is in none of our lists. `known`: what could have been meant."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = known
        super().__init__(f"There is no {kind} {name!r}; known: {', '.join(known)}.")


# --- work --------------------------------------------------------------------------------------------------------


class LeaseLost(PosegenError):
    """Somebody else may write now: stop without a further side effect."""


class ClaimSuperseded(PosegenError):
    """The run came too late: its generation was claimed anew, cancelled, or has ended."""


class BackendError(PosegenError):
    """A backend made no image. `code` says which kind; `retryable` whether another attempt may help."""

    code = ErrorCode.BACKEND_REJECTED
    retryable = False


class BackendRejected(BackendError):
    """The backend refuses this recipe, now and always."""


class BackendUnavailable(BackendError):
    """The backend did not answer, or said that it cannot right now."""

    code = ErrorCode.BACKEND_UNAVAILABLE
    retryable = True


class ImageInvalid(PosegenError):
    """Bytes or pixels that are no image we accept."""


class ExportFailed(PosegenError):
    """An export that cannot be made as its platform asks, such as one that stays above the size limit."""


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
    """The store does not answer in time; trying again later may help."""


class StoreFull(StorageError):
    """No space, or a quota of the store is used up."""


class InvalidKey(StorageError):
    """A key that could leave the store's root, or that some store could not take."""
