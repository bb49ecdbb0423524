"""What an error of obstore means: whether it passes by itself, and which storage error it is when it does not.

obstore tells most failures as text, with what the server answered in it. That text never goes out as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from posegen.errors import ObjectExists, ObjectMissing, StorageError, StoreDenied, StoreFull, StoreUnavailable
from posegen.graphemes import shorten

FAILURES = (BaseError, FileNotFoundError)
"""What a call of obstore raises when the store said no, or nothing."""

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,80})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})</Message>")
_CAUSE = re.compile(r'(?:message|error): "([^"\n]{1,200})"|(TimedOut)|ConnectError\(\s+"([^"\n]{1,100})"')

# The bytes were damaged or cut on their way to the server: they are at hand to be sent again.
_DAMAGED = {"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "IncompleteBody", "RequestTimeout"}
_FULL = {
    "QuotaExceeded",
    "InsufficientStorage",
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
    "ServiceQuotaExceededException",
}
_HINTS = {
    "InvalidAccessKeyId": "the access key is unknown there",
    "SignatureDoesNotMatch": "the secret access key is not the one of this access key",
    "ExpiredToken": "the session token has expired: set a new one",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "AccessDenied": "let these credentials read, write, list and delete in this bucket",
    "AuthorizationHeaderMalformed": "the region is another one",
    "PermanentRedirect": "the bucket is in another region, or behind another endpoint",
    "NoSuchBucket": "there is no such bucket: `posegen storage init` makes it",
}


@dataclass(frozen=True)
class Trouble:
    """A failure of one request. `passes`: another attempt may succeed; `reason`: without any secret."""

    kind: type[StorageError]
    reason: str
    passes: bool

    def error(self, *, store: str, key: str, attempts: int) -> StorageError:
        """The error for the caller of the operation."""
        tried = "" if not self.passes else f" Given up after {attempts} attempt{'' if attempts == 1 else 's'}."
        return self.kind(f"{self.reason}{tried}", store=store, key=key)


def understood(failure: BaseException) -> Trouble:
    """What went wrong, from the exception of an obstore call."""
    text = str(failure)
    found = _STATUS.search(text)
    status = int(found[1]) if found else None
    code = _first(_CODE, text)
    if isinstance(failure, FileNotFoundError) and code != "NoSuchBucket":
        return Trouble(ObjectMissing, "There is no object under this key.", passes=False)
    if isinstance(failure, (AlreadyExistsError, PreconditionError)):
        return Trouble(ObjectExists, "Another object is there already.", passes=False)
    if status is None:
        return _unanswered(text)
    reason = f"{_reason(status, code, text)}."
    if code in _DAMAGED or (status >= 500 and status not in {501, 507}) or status in {408, 409, 425, 429}:
        return Trouble(StoreUnavailable, reason, passes=True)
    if code in _FULL or status == 507:
        return Trouble(StoreFull, f"{reason} Free some space or raise the quota.", passes=False)
    return Trouble(StoreDenied, reason, passes=False)


def is_out_of_range(failure: BaseException) -> bool:
    """Whether a range was asked for that the object does not have."""
    return "status code: 416" in str(failure)


def _unanswered(text: str) -> Trouble:
    """No response came, or half of one; or nothing was sent because there was nothing to sign it with."""
    if "credential" in text.lower():
        # The provider's own words come first; its traceback stays out.
        said = shorten(text.partition("\n")[0].rpartition("provider: ")[2], 300)
        return Trouble(StoreDenied, f"There are no credentials to sign with: {said}", passes=False)
    causes = [part for found in _CAUSE.finditer(text) for part in found.groups() if part]
    what = {"TimedOut": "no response in time"}.get(causes[-1], causes[-1]) if causes else _last_words(text)
    return Trouble(StoreUnavailable, f"The server cannot be reached: {what}.", passes=True)


def _reason(status: int, code: str, text: str) -> str:
    said = _HINTS.get(code) or _first(_MESSAGE, text).strip().rstrip(".")
    return ": ".join(part for part in (f"The server returned {status} {code}".rstrip(), said) if part)


def _last_words(text: str) -> str:
    return shorten(text.partition("\n")[0].rpartition(": ")[2], 200)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
