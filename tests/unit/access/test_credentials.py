"""Keys and secrets as texts."""

from __future__ import annotations

import hashlib
import re
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.access.credentials import digest, new_key, new_secret, read_key
from posegen.access.keys import ApiKey
from posegen.errors import CredentialsInvalid

DIGITS = string.digits + string.ascii_letters
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def refused(text: str) -> str:
    with pytest.raises(CredentialsInvalid) as refusal:
        read_key(text)
    return refusal.value.reason


def test_a_key_is_read_as_it_was_made() -> None:
    text, stored = new_key()

    assert re.fullmatch("psg_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", text)
    assert read_key(text) == stored
    assert stored.id == text[4:16]
    assert stored.secret_sha256 == hashlib.sha256(text[17:60].encode()).digest()


def test_no_two_are_equal_and_every_digit_occurs() -> None:
    drawn = [new_secret() for _ in range(500)]

    assert len(set(drawn)) == 500
    assert set("".join(drawn)) == set(DIGITS)


@given(place=st.integers(4, 65), digit=st.sampled_from(DIGITS))
def test_one_wrong_letter_is_a_typing_error(place: int, digit: str) -> None:
    text, _ = new_key()
    if place == 16 or text[place] == digit:
        return

    assert refused(text[:place] + digit + text[place + 1 :]) == "checksum"


@pytest.mark.parametrize(
    "text",
    ["", "psg_", "psg_" + "0" * 61, "sk_1", "\0", "\ud800", "psg_" + "\u0660" * 12 + "_" + "0" * 49, "x" * 10_000],
)
def test_what_is_no_key_is_malformed(text: str) -> None:
    assert refused(text) == "malformed"


def test_nothing_may_follow_or_precede_a_key() -> None:
    text, _ = new_key()

    assert {refused(each) for each in (text + "\n", " " + text, text + "0", text[:-1])} == {"malformed"}


@pytest.mark.parametrize("secret", ["", "0" * 42, "0" * 44, "0" * 42 + "_", "0" * 43 + "\n", "\ud800" * 43])
def test_a_secret_has_43_digits(secret: str) -> None:
    with pytest.raises(CredentialsInvalid, match="no credential"):
        digest(secret)


def test_a_key_is_shown_without_its_secret() -> None:
    key = ApiKey("0" * 12, "admin", None, "k", ["admin:read"], None, "x", NOW, None, None, None)  # type: ignore[arg-type]

    assert "secret" not in vars(key)
