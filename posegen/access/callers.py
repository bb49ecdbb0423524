"""Who calls, and what they may do: the kinds of callers, their scopes, and the rules between callers.

A caller is what a door gets for a credential; how credentials are stored and checked lives in the modules beside this.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

_LONGEST_CREDENTIAL = 200


class Scope(StrEnum):
    """What an operation asks of its caller; each route declares one."""

    GENERATIONS_READ = "generations:read"
    GENERATIONS_WRITE = "generations:write"
    FILES_READ = "files:read"
    UPLOADS_WRITE = "uploads:write"
    DESIGNS_WRITE = "designs:write"
    ACCOUNT_READ = "account:read"
    USERS_WRITE = "users:write"
    KEYS_WRITE = "keys:write"
    SHARE_WRITE = "share:write"
    ADMIN_READ = "admin:read"
    ADMIN_WRITE = "admin:write"


class Kind(StrEnum):
    """Whose resources a caller reaches: a user their own, a service those of any user, an admin everything."""

    USER = "user"
    SERVICE = "service"
    ADMIN = "admin"


_ADMINS = {Scope.ADMIN_READ, Scope.ADMIN_WRITE}

DEFAULT_SCOPES = {
    # Without keys:write: a stolen key must not make another one that outlives it.
    Kind.USER: frozenset(Scope) - _ADMINS - {Scope.USERS_WRITE, Scope.KEYS_WRITE},
    Kind.SERVICE: frozenset(Scope) - _ADMINS,
    Kind.ADMIN: frozenset(Scope),
}
"""The scopes of a key that names none, and of a session."""

ALLOWED_SCOPES = {**DEFAULT_SCOPES, Kind.USER: DEFAULT_SCOPES[Kind.USER] | {Scope.KEYS_WRITE}}
"""The scopes that a key of each kind may have; with keys:write, the key of a user manages this user's keys."""


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        credential: `key:ID` or `session:UUID`, or the name of a person at a terminal: for logs, the audit trail,
            idempotency and rates.
        kind: whose resources it reaches.
        user_id: the user of a user's key or of a session; None for services and other admins.
        scopes: what it may do there.
        rate: requests a minute; None for the default of its kind.
        expires_at: when the credential ends; None for never.
        is_session: a browser that is signed in, whose cookie other pages can make it send.
    """

    credential: str
    kind: Kind
    user_id: UUID | None
    scopes: frozenset[Scope]
    rate: int | None = None
    expires_at: datetime | None = None
    is_session: bool = False

    @classmethod
    def operator(cls, actor: str) -> Caller:
        """A person at a terminal, who has the settings of the database and may do everything."""
        return cls(actor[:_LONGEST_CREDENTIAL], Kind.ADMIN, None, DEFAULT_SCOPES[Kind.ADMIN])

    def may(self, scope: Scope) -> bool:
        """Whether it has the scope."""
        return scope in self.scopes

    def may_see(self, user_id: UUID) -> bool:
        """Whether it reaches the resources of this user."""
        return self.kind is not Kind.USER or self.user_id == user_id

    def may_manage(self, kind: Kind, user_id: UUID | None) -> bool:
        """Whether it may create, list and revoke the keys of this kind and user.

        Users manage their own keys, services those of users, admins all.
        """
        if self.kind is Kind.ADMIN:
            return True
        return kind is Kind.USER and user_id is not None and self.may_see(user_id)


def scopes_of(kind: Kind, names: list[str]) -> frozenset[Scope]:
    """The stored scopes that this version knows and the kind may have.

    >>> sorted(scopes_of(Kind.USER, ["files:read", "admin:write", "of a later version"]))
    [<Scope.FILES_READ: 'files:read'>]
    """
    return frozenset(Scope(name) for name in names if name in set(Scope)) & ALLOWED_SCOPES[kind]
