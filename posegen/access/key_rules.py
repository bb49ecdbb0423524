"""What an API key may be: the ranges of its values, and the scopes that a caller may give to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from posegen.access.callers import ALLOWED_SCOPES, DEFAULT_SCOPES, Caller, Kind, Scope
from posegen.errors import AccessInvalid, AccessRefused

LONGEST_NAME = 200
HIGHEST_RATE = 1_000_000
LATEST_END = datetime(3000, 1, 1, tzinfo=UTC)
"""The constraints of the table have the same bounds."""


def check_key(
    kind: Kind, user_id: UUID | None, name: str, rate: int | None, expires_at: datetime | None, now: datetime
) -> None:
    """Raises `AccessInvalid` for the first value that is out of its range."""
    if (kind is Kind.USER) != (user_id is not None):
        raise AccessInvalid("user_id", "a key of the kind user names its user, and no other key names one.")
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise AccessInvalid("name", f"write 1 to {LONGEST_NAME} characters, none of them a control character.")
    if rate is not None and not 1 <= rate <= HIGHEST_RATE:
        raise AccessInvalid("rate", f"a key has 1 to {HIGHEST_RATE:,} requests a minute.")
    if expires_at is not None and not now < expires_at <= LATEST_END:
        raise AccessInvalid("expires_at", "a key expires in the future, before the year 3000.")


def given_scopes(caller: Caller, kind: Kind, names: Sequence[str] | None) -> list[Scope]:
    """The scopes of a new key, in order.

    Args:
        caller: who makes the key.
        kind: of the key.
        names: of its scopes; None for the default of its kind, as far as the caller has it.

    Raises:
        AccessInvalid: there is no such scope, keys of this kind may not have it, or none is left.
        AccessRefused: the caller lacks it.
    """
    given: Collection[Scope] = DEFAULT_SCOPES[kind] & caller.scopes
    if names is not None:
        allowed = ALLOWED_SCOPES[kind]
        for name in names:
            if name not in allowed:
                may_have = ", ".join(sorted(allowed))
                raise AccessInvalid("scopes", f"there is no {name!r} for a key of the kind {kind}; known: {may_have}.")
        given = {Scope(name) for name in names}
        if lacking := given - caller.scopes:
            raise AccessRefused(f"{caller.credential} lacks {', '.join(sorted(lacking))} itself.")
    if not given:
        raise AccessInvalid("scopes", "a key without any scope does nothing: name one that you have.")
    return sorted(given)
