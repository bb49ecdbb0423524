"""Credentials as texts: drawing secrets, writing and reading keys, the digest that is stored, and when they end.

A secret has 256 random bits, so that a plain SHA-256 protects it: unlike a password it cannot be guessed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from posegen.errors import CredentialsInvalid

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 12
# 62 ** 43 > 2 ** 256
_SECRET_LENGTH = 43
# 62 ** 6 > 2 ** 32
_CHECKSUM_LENGTH = 6
_SECRET = re.compile(r"[0-9A-Za-z]{43}", re.ASCII)
_KEY = re.compile(r"(psg_([0-9A-Za-z]{12})_([0-9A-Za-z]{43}))([0-9A-Za-z]{6})", re.ASCII)


@dataclass(frozen=True)
class KeyText:
    """A key as its owner sends it. `id`: public; `secret_sha256`: 32 bytes."""

    id: str
    secret_sha256: bytes


def new_secret() -> str:
    """43 random digits of base 62."""
    return _random(_SECRET_LENGTH)


def digest(secret: str) -> bytes:
    """SHA-256 of a secret.

    Rows are looked up by it: how long an index takes tells of digests only, and no secret follows from these.
    Raises `CredentialsInvalid` for a text that is no secret.
    """
    if not _SECRET.fullmatch(secret):
        raise CredentialsInvalid("malformed")
    return _sha256(secret)


def new_key() -> tuple[str, KeyText]:
    """A new key: the text for its owner, and what is stored of it."""
    key_id, secret = _random(_ID_LENGTH), new_secret()
    begun = f"psg_{key_id}_{secret}"
    return begun + _checksum(begun), KeyText(key_id, _sha256(secret))


def read_key(text: str) -> KeyText:
    """The parts of a key. Raises `CredentialsInvalid` for a text that is no key, or that was mistyped."""
    found = _KEY.fullmatch(text)
    if found is None:
        raise CredentialsInvalid("malformed")
    begun, key_id, secret, checksum = found.groups()
    if checksum != _checksum(begun):
        raise CredentialsInvalid("checksum")
    return KeyText(key_id, _sha256(secret))


def _random(length: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(length))


def _sha256(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _checksum(text: str) -> str:
    """CRC32 in base 62: a mistyped key is told from an unknown one, and scanners for secrets find keys by it."""
    number = zlib.crc32(text.encode())
    return "".join(_DIGITS[number // 62**place % 62] for place in reversed(range(_CHECKSUM_LENGTH)))


class _Ending(Protocol):
    """A row of something that ends."""

    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def revoked_at(self) -> datetime | None: ...


def is_live(row: _Ending, now: datetime) -> bool:
    """Whether it is neither revoked nor expired."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def require_live(row: _Ending, now: datetime) -> None:
    """Raises `CredentialsInvalid` when it was revoked or has expired."""
    if not is_live(row, now):
        raise CredentialsInvalid("expired" if row.revoked_at is None else "revoked")
