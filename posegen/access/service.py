"""Who may come in, for every door: keys, sessions, login links, stream tickets and share links.

Each function takes the `Caller` that acts, and gives nothing away that this caller lacks. It knows no HTTP: a door
turns `CredentialsInvalid` into 401. Doors also use two modules beside this one: `answered`, whose functions run in the
transaction of a request, and `rates`, which has no rows.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.errors import ForeignKeyViolation

from posegen import audit
from posegen.access import credentials, keys, sessions, share_links, tickets
from posegen.access.callers import DEFAULT_SCOPES, Caller, Kind, Scope
from posegen.access.credentials import is_live, require_live
from posegen.access.key_rules import check_key, given_scopes
from posegen.access.keys import ApiKey
from posegen.access.sessions import Session
from posegen.access.share_links import ShareLink
from posegen.access.tickets import Followed, Ticket
from posegen.database.connection import Connection, Database
from posegen.database.failures import TAKES_NO_WRITES
from posegen.errors import (
    AccessInvalid,
    AccessRefused,
    CredentialsInvalid,
    GenerationUnknown,
    KeyUnknown,
    SessionUnknown,
    ShareLinkUnknown,
    UserUnknown,
)

SESSION = timedelta(days=30)
"""A browser signs in again once a month, also when it is used every day: a copied cookie ends with it."""
LOGIN_LINK = timedelta(minutes=10)
"""Long enough to copy a link from a terminal or an e-mail; it may stay in a browser's history."""
STREAM_TICKET = timedelta(seconds=60)
"""A page asks for a ticket right before it opens the stream; the ticket is part of a URL, which proxies log."""
LONGEST_SHARE_LINK = timedelta(days=365)
_USE_NOTED = timedelta(minutes=1)


@dataclass(frozen=True)
class NewKey:
    """A key that was made. `secret`: what its owner sends, `psg_...`; it cannot be shown again."""

    key: ApiKey
    secret: str


@dataclass(frozen=True)
class LoginLink:
    """A link that signs one browser in. `secret`: the last part of its URL."""

    user_id: UUID
    is_admin: bool
    secret: str
    expires_at: datetime


@dataclass(frozen=True)
class SignedIn:
    """A session that has begun. `secret`: the value of its cookie."""

    session: Session
    secret: str


@dataclass(frozen=True)
class StreamTicket:
    """What opens one stream. `secret`: a parameter of its URL."""

    followed: Followed
    secret: str
    expires_at: datetime


@dataclass(frozen=True)
class TicketHolder:
    """Who opens a stream with a ticket, and what they may follow there."""

    caller: Caller
    followed: Followed


@dataclass(frozen=True)
class NewShareLink:
    """A share link that was made. `secret`: the last part of its URL; it cannot be shown again."""

    link: ShareLink
    secret: str


# --- keys ---------------------------------------------------------------------------------------------------------


def create_key(
    database: Database,
    caller: Caller,
    *,
    kind: Kind,
    name: str,
    now: datetime,
    user_id: UUID | None = None,
    scopes: Sequence[str] | None = None,
    rate: int | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make an API key.

    Args:
        database: where keys are.
        caller: who makes it. A user makes keys for themselves, which have neither a rate of their own nor a longer life
            than the key that makes them; a service makes keys for users; an admin makes all.
        kind: of callers with the key.
        name: what it is for, 1 to 200 characters.
        now: the present.
        user_id: of a user's key, and of no other.
        scopes: what it may do; None for the default of its kind, as far as the caller has it.
        rate: requests a minute, 1 to 1,000,000; None for the default of its kind.
        expires_at: when it ends; None for never.

    Raises:
        AccessInvalid: a value is out of its range, or kind, user and scopes do not fit each other.
        AccessRefused: the caller gives away what it does not have.
        UserUnknown: there is no such user.
    """
    check_key(kind, user_id, name, rate, expires_at, now)
    if not caller.may_manage(kind, user_id):
        raise AccessRefused(f"{caller.credential} may not make keys of the kind {kind} for {user_id or 'services'}.")
    given = given_scopes(caller, kind, scopes)
    if caller.kind is Kind.USER:
        if rate is not None and rate != caller.rate:
            raise AccessRefused("The rate of a user's key is set by the operator: leave it out.")
        if caller.expires_at is not None and (expires_at is None or expires_at > caller.expires_at):
            raise AccessRefused(
                f"The key would outlive yours: let it expire by {caller.expires_at:%Y-%m-%d %H:%M} UTC."
            )
        rate = caller.rate
    text, stored = credentials.new_key()
    try:
        with database.transaction() as connection:
            key = keys.insert(
                connection, stored, kind=kind, user_id=user_id, name=name, scopes=given, rate=rate,
                expires_at=expires_at, created_by=caller.credential,
            )  # fmt: skip
            detail = {"kind": kind, "user": user_id and str(user_id), "name": name, "scopes": given}
            audit.record(connection, actor=caller.credential, action="key_created", subject=key.id, detail=detail)
    except ForeignKeyViolation:
        raise UserUnknown(user_id) from None
    return NewKey(key, text)


def list_keys(
    database: Database,
    caller: Caller,
    *,
    user_id: UUID | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> list[ApiKey]:
    """Keys that the caller manages, the latest first, revoked and expired ones included.

    Args:
        database: where keys are.
        caller: who looks.
        user_id: only keys of this user; none when the caller does not reach them.
        after: creation time and id of the last key of the page before.
        limit: how many.
    """
    if caller.kind is Kind.USER:
        if user_id not in {None, caller.user_id}:
            return []
        user_id = caller.user_id
    kind = None if caller.kind is Kind.ADMIN else Kind.USER
    with database.transaction() as connection:
        return keys.page(connection, kind=kind, user_id=user_id, after=after, limit=limit)


def revoke_key(database: Database, caller: Caller, key_id: str, now: datetime) -> ApiKey:
    """End a key; requests with it are refused from the next one on. A second call changes nothing.

    Raises `KeyUnknown` when there is no such key, or the caller does not manage it.
    """
    with database.transaction() as connection:
        found = keys.find(connection, key_id) if key_id.isalnum() else None
        if found is None or not caller.may_manage(found.kind, found.user_id):
            raise KeyUnknown(key_id)
        revoked = keys.revoke(connection, key_id, now)
        if revoked is not None:
            audit.record(connection, actor=caller.credential, action="key_revoked", subject=key_id, detail={})
    return revoked or found


def caller_of_key(database: Database, text: str, now: datetime) -> Caller:
    """Who calls with this key. Raises `CredentialsInvalid`."""
    presented = credentials.read_key(text)
    with database.reading() as connection:
        found = keys.find(connection, presented.id)
    if found is None or not hmac.compare_digest(found.secret, presented.secret_sha256):
        raise CredentialsInvalid("unknown")
    require_live(found, now)
    if _is_use_due(found.last_used_at, now):
        with suppress(*TAKES_NO_WRITES), database.transaction() as connection:
            keys.note_use(connection, found.id, now)
    return found.caller()


# --- sessions -----------------------------------------------------------------------------------------------------


def make_link(database: Database, caller: Caller, user_id: UUID, *, is_admin: bool = False, now: datetime) -> LoginLink:
    """Make a link that signs a browser in, once, within 10 minutes.

    Args:
        database: where links are.
        caller: who makes it; services make links for users, admins also links of admins.
        user_id: who is signed in.
        is_admin: whether the session may do what an admin may.
        now: the present.

    Raises:
        AccessRefused: the session could do more than the caller.
        UserUnknown: there is no such user, or the caller does not reach it.
    """
    kind = Kind.ADMIN if is_admin else Kind.USER
    if not caller.may_see(user_id):
        raise UserUnknown(user_id)
    # No user has users:write: a stolen key must not begin a session that outlives it.
    if not caller.may_manage(kind, user_id) or not caller.scopes >= DEFAULT_SCOPES[kind] | {Scope.USERS_WRITE}:
        raise AccessRefused(f"{caller.credential} may not sign in anybody who may do more than itself.")
    secret, expires_at = credentials.new_secret(), now + LOGIN_LINK
    try:
        with database.transaction() as connection:
            sessions.insert_link(
                connection, credentials.digest(secret), user_id, is_admin=is_admin, created_by=caller.credential,
                expires_at=expires_at,
            )  # fmt: skip
            detail = {"is_admin": is_admin}
            audit.record(
                connection, actor=caller.credential, action="login_link_made", subject=str(user_id), detail=detail
            )
    except ForeignKeyViolation:
        raise UserUnknown(user_id) from None
    return LoginLink(user_id, is_admin, secret, expires_at)


def sign_in(database: Database, link_secret: str, now: datetime) -> SignedIn:
    """Begin a session of 30 days by a login link, which is used up. Raises `CredentialsInvalid`."""
    link, secret = credentials.digest(link_secret), credentials.new_secret()
    with database.transaction() as connection:
        session = sessions.begin(connection, link, credentials.digest(secret), now=now, expires_at=now + SESSION)
        if session is None:
            raise _refusal(sessions.is_used(connection, link))
    return SignedIn(session, secret)


def caller_of_session(database: Database, secret: str, now: datetime) -> Caller:
    """Who calls with this cookie. Raises `CredentialsInvalid`."""
    presented = credentials.digest(secret)
    with database.reading() as connection:
        found = sessions.find(connection, presented)
    if found is None:
        raise CredentialsInvalid("unknown")
    require_live(found, now)
    if _is_use_due(found.last_used_at, now):
        with suppress(*TAKES_NO_WRITES), database.transaction() as connection:
            sessions.note_use(connection, found.id, now)
    return found.caller()


def sign_out(database: Database, caller: Caller, now: datetime) -> None:
    """End the session that the caller calls with. Raises `SessionUnknown` for a caller with a key."""
    if not caller.is_session or caller.user_id is None:
        raise SessionUnknown(caller.credential)
    with database.transaction() as connection:
        _revoke_sessions(connection, caller, caller.user_id, UUID(caller.credential.removeprefix("session:")), now)


def sign_out_everywhere(database: Database, caller: Caller, user_id: UUID, now: datetime) -> int:
    """End all sessions of a user; returns how many were open. Raises `UserUnknown` for one that the caller lacks."""
    if not caller.may_see(user_id):
        raise UserUnknown(user_id)
    with database.transaction() as connection:
        return _revoke_sessions(connection, caller, user_id, None, now)


# --- streams ------------------------------------------------------------------------------------------------------


def make_ticket(database: Database, caller: Caller, followed: Followed, now: datetime) -> StreamTicket:
    """Make a ticket that opens one stream within 60 s.

    Args:
        database: where tickets are.
        caller: who makes it, and whose rights the stream depends on.
        followed: what its holder may follow. A service names a generation or a user, because it gives the ticket to the
            page of a customer.
        now: the present.

    Raises:
        AccessRefused: a service's ticket without generation and user, or a caller that may not follow anything.
        GenerationUnknown: there is none, or the caller does not reach it.
        UserUnknown: the caller does not reach this user.
    """
    if caller.kind is Kind.SERVICE and followed == Followed():
        raise AccessRefused("Name a generation or a user: the ticket of a service would show everybody's work.")
    if not caller.may(Scope.GENERATIONS_READ):
        raise AccessRefused(f"{caller.credential} lacks the scope {Scope.GENERATIONS_READ}.")
    if followed.user_id is not None and not caller.may_see(followed.user_id):
        raise UserUnknown(followed.user_id)
    secret, expires_at = credentials.new_secret(), now + STREAM_TICKET
    with database.transaction() as connection:
        if followed.generation_id is not None:
            followed = replace(followed, user_id=_owner(connection, caller, followed.generation_id))
        ticket = Ticket(caller.credential, followed)
        tickets.insert(connection, credentials.digest(secret), ticket, expires_at=expires_at)
    return StreamTicket(followed, secret, expires_at)


def caller_of_ticket(database: Database, secret: str, now: datetime) -> TicketHolder:
    """Who opens a stream with this ticket, which is used up.

    The caller is the one of the credential that made the ticket, as it is now, with no other scope than to read
    generations. Where the ticket names a generation or a user, the caller is that user.

    Raises:
        CredentialsInvalid: of the ticket, or of the credential that made it.
    """
    presented = credentials.digest(secret)
    with database.transaction() as connection:
        ticket = tickets.use(connection, presented, now)
        if ticket is None:
            raise _refusal(tickets.is_used(connection, presented))
        caller = _callers_of(connection, [ticket.credential], now).get(ticket.credential)
    if caller is None:
        raise CredentialsInvalid("revoked")
    user = ticket.followed.user_id
    if user is not None:
        caller = replace(caller, kind=Kind.USER, user_id=user)
    return TicketHolder(replace(caller, scopes=caller.scopes & {Scope.GENERATIONS_READ}), ticket.followed)


def still_valid(database: Database, caller: Caller, now: datetime) -> bool:
    """Whether the key or session of a caller is valid now; streams outlive the request that opens them."""
    return caller.credential in valid_credentials(database, [caller.credential], now)


def valid_credentials(database: Database, credentials: Iterable[str], now: datetime) -> frozenset[str]:
    """Those of many keys and sessions that are valid now, by two statements at most: for all streams of a process."""
    with database.reading() as connection:
        return frozenset(_callers_of(connection, set(credentials), now))


# --- share links --------------------------------------------------------------------------------------------------


def share(database: Database, caller: Caller, generation_id: UUID, *, lasts: timedelta, now: datetime) -> NewShareLink:
    """Make a link that shows the pictures of a generation to everybody who has it.

    Args:
        database: where links are.
        caller: who makes it.
        generation_id: what it shows.
        lasts: how long, above 0 and at most 365 days.
        now: the present.

    Raises:
        AccessInvalid: it would last too long, or has ended already.
        GenerationUnknown: there is none, or the caller does not reach it.
    """
    if not timedelta(0) < lasts <= LONGEST_SHARE_LINK:
        raise AccessInvalid("lasts", f"a share link ends within {LONGEST_SHARE_LINK.days} days.")
    secret = credentials.new_secret()
    with database.transaction() as connection:
        link = share_links.insert(
            connection, credentials.digest(secret), _owner(connection, caller, generation_id), generation_id,
            expires_at=now + lasts, created_by=caller.credential,
        )  # fmt: skip
    return NewShareLink(link, secret)


def list_share_links(
    database: Database, caller: Caller, user_id: UUID, *, after: tuple[datetime, UUID] | None = None, limit: int
) -> list[ShareLink]:
    """The links of a user, the latest first, revoked and expired ones included; none when the caller lacks the user.

    `after`: creation time and id of the last link of the page before.
    """
    if not caller.may_see(user_id):
        return []
    with database.transaction() as connection:
        return share_links.page(connection, user_id, after=after, limit=limit)


def revoke_share_link(database: Database, caller: Caller, link_id: UUID, now: datetime) -> None:
    """End a link; a second call changes nothing. Raises `ShareLinkUnknown`."""
    with database.transaction() as connection:
        link = share_links.by_id(connection, link_id)
        if link is None or not caller.may_see(link.user_id):
            raise ShareLinkUnknown(link_id)
        share_links.revoke(connection, link_id, now)


def shared(database: Database, secret: str, now: datetime) -> ShareLink:
    """The link with this secret, whose generation may be shown. Raises `CredentialsInvalid`."""
    presented = credentials.digest(secret)
    with database.transaction() as connection:
        link = share_links.find(connection, presented)
    if link is None:
        raise CredentialsInvalid("unknown")
    require_live(link, now)
    return link


# --- rules --------------------------------------------------------------------------------------------------------


def _owner(connection: Connection, caller: Caller, generation_id: UUID) -> UUID:
    """The user of a generation that the caller reaches. Raises `GenerationUnknown`."""
    owner = share_links.owner_of(connection, generation_id)
    if owner is None or not caller.may_see(owner):
        raise GenerationUnknown(generation_id)
    return owner


def _callers_of(connection: Connection, credentials: Iterable[str], now: datetime) -> dict[str, Caller]:
    """The callers of those credentials that are still valid; these were checked before."""
    named: dict[str, list[str]] = {"key": [], "session": []}
    for credential in credentials:
        kind, _, name = credential.partition(":")
        named.setdefault(kind, []).append(name)
    found: list[ApiKey | Session] = [
        *(keys.with_ids(connection, named["key"]) if named["key"] else ()),
        *(sessions.with_ids(connection, [UUID(each) for each in named["session"]]) if named["session"] else ()),
    ]
    return {each.credential: each.caller() for each in found if is_live(each, now)}


def _revoke_sessions(
    connection: Connection, caller: Caller, user_id: UUID, session_id: UUID | None, now: datetime
) -> int:
    revoked = sessions.revoke(connection, user_id, session_id, now)
    for each in revoked:
        detail = {"user": str(user_id)}
        audit.record(connection, actor=caller.credential, action="session_revoked", subject=str(each.id), detail=detail)
    return len(revoked)


def _refusal(is_used: bool | None) -> CredentialsInvalid:
    """Why a link or a ticket was not good for its use."""
    if is_used is None:
        return CredentialsInvalid("unknown")
    return CredentialsInvalid("used" if is_used else "expired")


def _is_use_due(last_used_at: datetime | None, now: datetime) -> bool:
    """Whether the use of a credential is to be noted again."""
    return last_used_at is None or last_used_at < now - _USE_NOTED
