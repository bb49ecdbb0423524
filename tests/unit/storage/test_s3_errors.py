"""What the words of obstore and of the servers mean."""

from __future__ import annotations

import pytest
from obstore.exceptions import (
    AlreadyExistsError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from posegen.errors import ObjectExists, ObjectMissing, StorageError, StoreDenied, StoreFull, StoreUnavailable
from posegen.storage.s3_errors import is_out_of_range, understood

SECRETS = "AKIACANARY canary-secret canary-token"


def answered(status: int, code: str = "", message: str = "said the server") -> str:
    """The words of obstore around an answer, with what a server may put into one."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message><StringToSign>{SECRETS}</StringToSign></Error>"
    return (
        f"Generic S3 error: Error performing PUT http://s3/b/k in 1ms - Server returned non-2xx status code: {status} "
        f"Some Reason: {body}\n\nDebug source:\nGeneric {{ source: {SECRETS} }}"
    )


def unanswered(inner: str) -> str:
    return (
        "Generic S3 error: Error performing GET http://s3/b/k in 1ms - HTTP error: error sending request\n\n"
        f"Debug source:\n{inner}\n{SECRETS}"
    )


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408, 409])
def test_what_passes_is_tried_again(status: int) -> None:
    trouble = understood(GenericError(answered(status, "SlowDown")))

    assert (trouble.kind, trouble.passes) == (StoreUnavailable, True)


@pytest.mark.parametrize("code", ["BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "RequestTimeout"])
def test_bytes_that_were_damaged_on_their_way_are_sent_again(code: str) -> None:
    assert understood(GenericError(answered(400, code))).passes


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (FileNotFoundError(answered(404, "NoSuchKey")), ObjectMissing),
        (FileNotFoundError("Object at location k not found: status code: 404 Not Found: "), ObjectMissing),
        (FileNotFoundError(answered(404, "NoSuchBucket")), StoreDenied),
        (AlreadyExistsError(answered(412, "PreconditionFailed")), ObjectExists),
        (PreconditionError(answered(412, "PreconditionFailed")), ObjectExists),
        (PermissionDeniedError(answered(403, "AccessDenied")), StoreDenied),
        (UnauthenticatedError(answered(401)), StoreDenied),
        (GenericError(answered(301, "PermanentRedirect")), StoreDenied),
        (GenericError(answered(400, "AuthorizationHeaderMalformed")), StoreDenied),
        (PermissionDeniedError(answered(403, "QuotaExceeded")), StoreFull),
        (GenericError(answered(507, "XMinioStorageFull")), StoreFull),
        (GenericError(answered(501, "NotImplemented")), StoreDenied),
    ],
)
def test_what_stays_is_told_at_once(failure: Exception, kind: type[StorageError]) -> None:
    trouble = understood(failure)

    assert (trouble.kind, trouble.passes) == (kind, False)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InvalidAccessKeyId", "the access key is unknown there"),
        ("SignatureDoesNotMatch", "the secret access key is not the one"),
        ("ExpiredToken", "set a new one"),
        ("RequestTimeTooSkewed", "clock"),
        ("AccessDenied", "read, write, list and delete"),
        ("PermanentRedirect", "another region"),
    ],
)
def test_a_refusal_says_what_mends_it(code: str, words: str) -> None:
    assert words in understood(PermissionDeniedError(answered(403, code))).reason


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ('ConnectError(\n "tcp connect error",\n Os { message: "Connection refused", }', "Connection refused"),
        ('ConnectError(\n "dns error",\n Custom { error: "failed to lookup address", }', "failed to lookup address"),
        ("reqwest::Error { kind: Request, source: TimedOut, }", "no response in time"),
        ('Os { kind: ConnectionReset, message: "Connection reset by peer", }', "Connection reset by peer"),
        ("nothing that is known", "error sending request"),
    ],
)
def test_a_server_that_does_not_answer_may_do_so_later(inner: str, words: str) -> None:
    trouble = understood(GenericError(unanswered(inner)))

    assert (trouble.kind, trouble.passes) == (StoreUnavailable, True)
    assert words in trouble.reason


def test_missing_credentials_are_told_in_the_words_of_whoever_looked_for_them() -> None:
    trouble = understood(
        UnauthenticatedError("for path External AWS credential provider: StoreDenied: set AWS_PROFILE\n\nDebug source:")
    )

    assert (trouble.kind, trouble.passes) == (StoreDenied, False)
    assert "set AWS_PROFILE" in trouble.reason


@pytest.mark.parametrize("text", [answered(403, "SignatureDoesNotMatch"), answered(500), unanswered("x")])
def test_no_reason_repeats_what_the_server_put_into_its_answer(text: str) -> None:
    error = understood(GenericError(text)).error(store="s3", key="k", attempts=2)

    assert not any(secret in str(error) for secret in SECRETS.split())
    assert str(error).isprintable()


def test_a_range_behind_the_end_is_known() -> None:
    assert is_out_of_range(GenericError(answered(416, "InvalidRange")))
    assert not is_out_of_range(GenericError(answered(500)))
