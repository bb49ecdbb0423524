"""Login links and the sessions that they begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from posegen.access import service
from posegen.access.callers import DEFAULT_SCOPES, Caller, Kind, Scope
from posegen.errors import AccessRefused, CredentialsInvalid, SessionUnknown, UserUnknown
from tests.builders import a_user, rows, value
from tests.concurrency import at_once

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
OPERATOR = Caller.operator("Budi")


@pytest.fixture
def user(database):
    return a_user(database)


def signed_in(database, user, **how):
    link = service.make_link(database, OPERATOR, user, now=NOW, **how)
    return service.sign_in(database, link.secret, NOW)


def refused(call, *arguments):
    with pytest.raises(CredentialsInvalid) as refusal:
        call(*arguments)
    return refusal.value.reason


def test_a_link_signs_its_user_in_for_30_days(database, user):
    session = signed_in(database, user)

    caller = service.caller_of_session(database, session.secret, NOW + timedelta(days=29))
    assert caller == Caller(
        f"session:{session.session.id}", Kind.USER, user, DEFAULT_SCOPES[Kind.USER],
        expires_at=NOW + timedelta(days=30), is_session=True,
    )  # fmt: skip
    assert refused(service.caller_of_session, database, session.secret, NOW + timedelta(days=30)) == "expired"


def test_an_admins_session_may_do_everything_and_has_its_user(database, user):
    caller = service.caller_of_session(database, signed_in(database, user, is_admin=True).secret, NOW)

    assert (caller.kind, caller.user_id, caller.may(Scope.ADMIN_WRITE)) == (Kind.ADMIN, user, True)


def test_no_secret_is_stored(database, user):
    link = service.make_link(database, OPERATOR, user, now=NOW)
    session = service.sign_in(database, link.secret, NOW)

    stored = str(rows(database, "select encode(secret, 'escape') from login_links")) + str(
        rows(database, "select encode(secret, 'escape') from sessions")
    )
    assert link.secret not in stored
    assert session.secret not in stored


def test_a_link_is_good_once_and_for_ten_minutes(database, user):
    used, late = (service.make_link(database, OPERATOR, user, now=NOW).secret for _ in range(2))
    service.sign_in(database, used, NOW)

    assert refused(service.sign_in, database, used, NOW) == "used"
    assert refused(service.sign_in, database, late, NOW + timedelta(minutes=10)) == "expired"
    assert refused(service.sign_in, database, "0" * 43, NOW) == "unknown"
    assert refused(service.sign_in, database, "../admin", NOW) == "malformed"
    assert value(database, "select count(*) from sessions") == 1


@pytest.mark.usefixtures("connections_open")
def test_of_many_who_use_a_link_at_once_one_is_signed_in(database, user):
    for _ in range(5):
        link = service.make_link(database, OPERATOR, user, now=NOW)

        done = at_once([lambda secret=link.secret: service.sign_in(database, secret, NOW)] * 8)

        assert sum(not isinstance(each, Exception) for each in done) == 1
        assert {each.reason for each in done if isinstance(each, CredentialsInvalid)} == {"used"}


def test_a_session_and_a_link_admit_nobody_in_place_of_each_other(database, user):
    link = service.make_link(database, OPERATOR, user, now=NOW)
    session = signed_in(database, user)

    assert refused(service.caller_of_session, database, link.secret, NOW) == "unknown"
    assert refused(service.sign_in, database, session.secret, NOW) == "unknown"


def test_the_last_use_is_noted_once_a_minute(database, user):
    session = signed_in(database, user)

    def noted_at(now):
        service.caller_of_session(database, session.secret, now)
        return value(database, "select last_used_at from sessions")

    assert [noted_at(NOW + timedelta(seconds=each)) for each in (0, 60, 61)] == [NOW, NOW, NOW + timedelta(seconds=61)]


def test_signing_out_ends_this_session_alone(database, user):
    first, second = signed_in(database, user), signed_in(database, user)
    caller = service.caller_of_session(database, first.secret, NOW)

    service.sign_out(database, caller, NOW)

    assert refused(service.caller_of_session, database, first.secret, NOW) == "revoked"
    assert service.caller_of_session(database, second.secret, NOW)
    actions = rows(database, "select actor, action, subject from audit_entries order by id")
    assert [each["action"] for each in actions] == ["login_link_made", "login_link_made", "session_revoked"]
    assert actions[-1] == {
        "actor": caller.credential, "action": "session_revoked", "subject": str(first.session.id)
    }  # fmt: skip
    with pytest.raises(SessionUnknown):
        service.sign_out(database, OPERATOR, NOW)


def test_signing_out_everywhere_ends_all_sessions_of_a_user(database, user):
    stays = signed_in(database, a_user(database))
    sessions = [signed_in(database, user) for _ in range(3)]

    assert service.sign_out_everywhere(database, OPERATOR, user, NOW) == 3
    assert service.sign_out_everywhere(database, OPERATOR, user, NOW) == 0

    assert {refused(service.caller_of_session, database, each.secret, NOW) for each in sessions} == {"revoked"}
    caller = service.caller_of_session(database, stays.secret, NOW)
    with pytest.raises(UserUnknown):
        service.sign_out_everywhere(database, caller, user, NOW)


def test_services_sign_in_users_and_users_nobody_else(database, user):
    def made_by(kind, **how):
        owner = {"user_id": user} if kind is Kind.USER else {}
        key = service.create_key(database, OPERATOR, kind=kind, name="x", now=NOW, **owner, **how)
        return service.caller_of_key(database, key.secret, NOW)

    backend, own = made_by(Kind.SERVICE), made_by(Kind.USER)

    assert service.make_link(database, backend, user, now=NOW).user_id == user
    for caller, is_admin in (
        (backend, True),
        (own, True),
        (own, False),
        (made_by(Kind.SERVICE, scopes=["users:write"]), False),
    ):
        with pytest.raises(AccessRefused):
            service.make_link(database, caller, user, is_admin=is_admin, now=NOW)
    with pytest.raises(UserUnknown):
        service.make_link(database, own, a_user(database), now=NOW)
    with pytest.raises(UserUnknown):
        service.make_link(database, OPERATOR, uuid4(), now=NOW)
