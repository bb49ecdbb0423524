"""Stream tickets, and whether the caller of a stream is still admitted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from posegen.access import service
from posegen.access.callers import Caller, Kind, Scope
from posegen.access.tickets import Followed
from posegen.errors import AccessRefused, CredentialsInvalid, GenerationUnknown, UserUnknown
from tests.builders import a_request, a_user, execute
from tests.concurrency import at_once

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
OPERATOR = Caller.operator("Budi")


@pytest.fixture
def user(database):
    return a_user(database)


def a_key(database, kind, user=None, **how):
    key = service.create_key(database, OPERATOR, kind=kind, user_id=user, name="x", now=NOW, **how)
    return service.caller_of_key(database, key.secret, NOW)


def a_session(database, user, **how):
    link = service.make_link(database, OPERATOR, user, now=NOW, **how)
    return service.caller_of_session(database, service.sign_in(database, link.secret, NOW).secret, NOW)


def refused(database, secret, now=NOW):
    with pytest.raises(CredentialsInvalid) as refusal:
        service.caller_of_ticket(database, secret, now)
    return refusal.value.reason


def test_a_ticket_admits_its_caller_to_follow_and_nothing_else(database, user):
    for caller in (a_key(database, Kind.USER, user), a_session(database, user)):
        ticket = service.make_ticket(database, caller, Followed(), NOW)

        holder = service.caller_of_ticket(database, ticket.secret, NOW)

        assert holder.followed == Followed()
        assert (holder.caller.credential, holder.caller.user_id) == (caller.credential, user)
        assert holder.caller.scopes == {Scope.GENERATIONS_READ}


def test_the_ticket_of_a_service_reaches_one_user(database, user):
    backend, generation = a_key(database, Kind.SERVICE), a_request(database, user)

    for followed in (Followed(user_id=user), Followed(generation_id=generation)):
        ticket = service.make_ticket(database, backend, followed, NOW)
        holder = service.caller_of_ticket(database, ticket.secret, NOW)

        assert holder.followed == Followed(followed.generation_id, user)
        assert (holder.caller.kind, holder.caller.may_see(user), holder.caller.may_see(uuid4())) == (
            Kind.USER, True, False
        )  # fmt: skip
    with pytest.raises(AccessRefused, match="Name a generation or a user"):
        service.make_ticket(database, backend, Followed(), NOW)


def test_a_ticket_gives_nothing_away(database, user):
    own, foreign = a_key(database, Kind.USER, user), a_request(database, a_user(database))

    for generation in (foreign, uuid4()):
        with pytest.raises(GenerationUnknown):
            service.make_ticket(database, own, Followed(generation_id=generation), NOW)
    with pytest.raises(UserUnknown):
        service.make_ticket(database, own, Followed(user_id=a_user(database)), NOW)
    with pytest.raises(AccessRefused, match="generations:read"):
        service.make_ticket(database, a_key(database, Kind.USER, user, scopes=["files:read"]), Followed(), NOW)


def test_a_ticket_is_good_once_and_for_a_minute(database, user):
    caller = a_key(database, Kind.USER, user)
    used, late = (service.make_ticket(database, caller, Followed(), NOW).secret for _ in range(2))
    service.caller_of_ticket(database, used, NOW)

    assert refused(database, used) == "used"
    assert refused(database, late, NOW + timedelta(seconds=60)) == "expired"
    assert refused(database, "0" * 43) == "unknown"
    assert refused(database, "") == "malformed"


@pytest.mark.usefixtures("connections_open")
def test_of_many_who_use_a_ticket_at_once_one_is_admitted(database, user):
    ticket = service.make_ticket(database, a_key(database, Kind.USER, user), Followed(), NOW)

    done = at_once([lambda: service.caller_of_ticket(database, ticket.secret, NOW)] * 8)

    assert sum(not isinstance(each, Exception) for each in done) == 1


def test_a_ticket_ends_with_the_credential_that_made_it(database, user):
    key, session = a_key(database, Kind.USER, user), a_session(database, user)
    tickets = [service.make_ticket(database, each, Followed(), NOW) for each in (key, session)]

    service.revoke_key(database, OPERATOR, key.credential.removeprefix("key:"), NOW)
    service.sign_out(database, session, NOW)

    assert [refused(database, each.secret) for each in tickets] == ["revoked", "revoked"]


def test_a_credential_is_valid_until_it_ends(database, user):
    end = NOW + timedelta(hours=1)
    key, session = a_key(database, Kind.USER, user, expires_at=end), a_session(database, user)
    gone = a_key(database, Kind.SERVICE)
    execute(database, "delete from api_keys where id = %s", gone.credential.removeprefix("key:"))

    assert [service.still_valid(database, each, NOW) for each in (key, session, gone, OPERATOR)] == [
        True, True, False, False
    ]  # fmt: skip
    assert not service.still_valid(database, key, end)
    service.sign_out(database, session, NOW)
    assert not service.still_valid(database, session, NOW)


def test_many_credentials_are_checked_at_once(database, user):
    keys = [a_key(database, Kind.USER, user).credential for _ in range(3)]
    session = a_session(database, user).credential
    service.revoke_key(database, OPERATOR, keys[0].removeprefix("key:"), NOW)

    valid = service.valid_credentials(database, [*keys, session, session, f"session:{uuid4()}"], NOW)

    assert valid == {keys[1], keys[2], session}
    assert service.valid_credentials(database, [], NOW) == frozenset()
