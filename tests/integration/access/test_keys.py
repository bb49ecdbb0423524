"""API keys: made, presented, listed and revoked, by callers of every kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from posegen.access import service
from posegen.access.callers import DEFAULT_SCOPES, Caller, Kind, Scope
from posegen.errors import AccessInvalid, AccessRefused, CredentialsInvalid, KeyUnknown, UserUnknown
from tests.builders import a_user, execute, row, rows, value

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
OPERATOR = Caller.operator("Budi")
LATER = NOW + timedelta(days=1)


@pytest.fixture
def user(database):
    return a_user(database)


@pytest.fixture
def users_key(database, user):
    """A key of a user, who may manage keys."""
    scopes = ["generations:read", "keys:write"]
    return service.create_key(
        database, OPERATOR, kind=Kind.USER, user_id=user, name="shop", scopes=scopes, expires_at=LATER, now=NOW
    )


@pytest.fixture
def services_key(database):
    return service.create_key(database, OPERATOR, kind=Kind.SERVICE, name="backend", now=NOW)


def refused(database, text, now=NOW):
    with pytest.raises(CredentialsInvalid) as refusal:
        service.caller_of_key(database, text, now)
    return refusal.value.reason


# --- presented ----------------------------------------------------------------------------------------------------


def test_a_key_admits_its_caller(database, user, users_key, services_key):
    caller = service.caller_of_key(database, users_key.secret, NOW)

    assert caller == Caller(
        f"key:{users_key.key.id}",
        Kind.USER,
        user,
        frozenset({Scope.GENERATIONS_READ, Scope.KEYS_WRITE}),
        expires_at=LATER,
    )
    assert service.caller_of_key(database, services_key.secret, NOW).scopes == DEFAULT_SCOPES[Kind.SERVICE]


def test_nothing_stored_admits_anybody(database, users_key):
    stored = str(rows(database, "select *, encode(secret, 'escape') as bytes from api_keys"))

    assert users_key.secret[17:60] not in stored
    assert users_key.secret[17:60] not in str(rows(database, "select * from audit_entries"))


def test_each_refusal_has_its_reason(database, users_key, services_key):
    mine, other = users_key.secret, services_key.secret
    service.revoke_key(database, OPERATOR, services_key.key.id, NOW)
    execute(database, "update api_keys set secret = sha256('x') where id = %s", users_key.key.id)

    assert refused(database, "Bearer") == "malformed"
    assert refused(database, mine[:-1] + ("0" if mine[-1] != "0" else "1")) == "checksum"
    assert refused(database, mine) == "unknown", "the id is there, the secret is another one"
    assert refused(database, other) == "revoked"


def test_a_key_ends_at_its_end(database, users_key):
    assert service.caller_of_key(database, users_key.secret, LATER - timedelta(seconds=1))
    assert refused(database, users_key.secret, LATER) == "expired"


def test_the_last_use_is_noted_once_a_minute(database, users_key):
    def noted_at(now):
        service.caller_of_key(database, users_key.secret, now)
        return row(database, "select last_used_at, xmin from api_keys")

    first, again = noted_at(NOW), noted_at(NOW + timedelta(seconds=60))

    assert first == again
    assert first["last_used_at"] == NOW
    late = NOW + timedelta(seconds=61)
    assert noted_at(late)["last_used_at"] == late


def test_a_key_is_good_while_the_database_takes_no_writes(database, users_key):
    name = value(database, "select current_database()")
    execute(database, f'alter database "{name}" set default_transaction_read_only = on')
    try:
        with type(database)(database.url) as standby:
            assert service.caller_of_key(standby, users_key.secret, NOW)
    finally:
        with database.transaction() as connection:
            connection.execute("set transaction read write")
            connection.execute(f'alter database "{name}" reset default_transaction_read_only')
    assert value(database, "select last_used_at from api_keys") is None


def test_scopes_that_a_kind_may_not_have_are_void_even_when_they_are_stored(database, users_key):
    execute(database, "update api_keys set scopes = array['files:read', 'admin:write', 'of:later']")

    assert service.caller_of_key(database, users_key.secret, NOW).scopes == {Scope.FILES_READ}


# --- made ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "how"),
    [
        ("user_id", {"kind": Kind.USER}),
        ("user_id", {"kind": Kind.SERVICE, "user_id": uuid4()}),
        ("name", {"name": ""}),
        ("name", {"name": "x" * 201}),
        ("name", {"name": "a\0b"}),
        ("name", {"name": "a\u202eb"}),
        ("name", {"name": "a\ud800b"}),
        ("rate", {"rate": 0}),
        ("rate", {"rate": 1_000_001}),
        ("expires_at", {"expires_at": NOW}),
        ("expires_at", {"expires_at": datetime(3000, 1, 2, tzinfo=UTC)}),
        ("scopes", {"scopes": ["files:write"]}),
        ("scopes", {"scopes": []}),
        ("scopes", {"scopes": ["admin:read"]}),
    ],
)
def test_a_value_out_of_range_is_named(database, field, how):
    with pytest.raises(AccessInvalid) as refusal:
        service.create_key(database, OPERATOR, **{"kind": Kind.SERVICE, "name": "x", "now": NOW, **how})

    assert refusal.value.field == field
    assert value(database, "select count(*) from api_keys") == 0


def test_the_bounds_themselves_are_stored(database):
    key = service.create_key(
        database, OPERATOR, kind=Kind.ADMIN, name="學" * 200, rate=1_000_000, now=NOW,
        expires_at=datetime(3000, 1, 1, tzinfo=UTC),
    ).key  # fmt: skip

    assert (len(key.name), key.rate, len(key.scopes)) == (200, 1_000_000, len(Scope))


def test_an_unknown_user_has_no_key(database):
    with pytest.raises(UserUnknown):
        service.create_key(database, OPERATOR, kind=Kind.USER, user_id=uuid4(), name="x", now=NOW)


def test_a_user_makes_keys_for_themselves_only_and_never_stronger_ones(database, user, users_key):
    caller = service.caller_of_key(database, users_key.secret, NOW)
    own = {"kind": Kind.USER, "user_id": user, "name": "x", "now": NOW, "expires_at": LATER}

    made = service.create_key(database, caller, **own)

    assert (made.key.scopes, made.key.created_by) == (["generations:read"], caller.credential)
    for how in (
        {"user_id": a_user(database)},
        {"kind": Kind.SERVICE, "user_id": None},
        {"kind": Kind.ADMIN, "user_id": None},
        {"scopes": ["generations:write"]},
        {"expires_at": None},
        {"expires_at": LATER + timedelta(seconds=1)},
        {"rate": 1_000_000},
    ):
        with pytest.raises(AccessRefused):
            service.create_key(database, caller, **{**own, **how})
    assert value(database, "select count(*) from api_keys") == 2


def test_a_service_makes_keys_for_users_only(database, user, services_key):
    caller = service.caller_of_key(database, services_key.secret, NOW)

    made = service.create_key(database, caller, kind=Kind.USER, user_id=user, name="x", rate=5, now=NOW)

    assert frozenset(made.key.scopes) == DEFAULT_SCOPES[Kind.USER]
    for kind in (Kind.SERVICE, Kind.ADMIN):
        with pytest.raises(AccessRefused):
            service.create_key(database, caller, kind=kind, name="x", now=NOW)


def test_an_admin_with_few_scopes_gives_away_no_others(database):
    few = service.create_key(database, OPERATOR, kind=Kind.ADMIN, name="x", scopes=["keys:write"], now=NOW)
    caller = service.caller_of_key(database, few.secret, NOW)

    with pytest.raises(AccessRefused, match="admin:write"):
        service.create_key(database, caller, kind=Kind.ADMIN, name="x", scopes=["admin:write"], now=NOW)
    assert service.create_key(database, caller, kind=Kind.ADMIN, name="x", now=NOW).key.scopes == ["keys:write"]


# --- listed and revoked -------------------------------------------------------------------------------------------


def test_callers_list_the_keys_that_they_manage(database, user, users_key, services_key):
    stranger = a_user(database)
    own = service.caller_of_key(database, users_key.secret, NOW)
    backend = service.caller_of_key(database, services_key.secret, NOW)

    def listed(caller, **how):
        return [key.name for key in service.list_keys(database, caller, limit=10, **how)]

    assert (listed(OPERATOR), listed(backend), listed(own)) == (["backend", "shop"], ["shop"], ["shop"])
    assert (listed(backend, user_id=user), listed(backend, user_id=stranger)) == (["shop"], [])
    assert listed(own, user_id=stranger) == []


def test_pages_show_every_key_once(database):
    for name in "abcde":
        service.create_key(database, OPERATOR, kind=Kind.SERVICE, name=name, now=NOW)
    execute(database, "update api_keys set created_at = %s where name < 'd'", NOW)

    shown, after = [], None
    while page := service.list_keys(database, OPERATOR, after=after, limit=2):
        shown += page
        after = (page[-1].created_at, page[-1].id)

    assert sorted(key.name for key in shown) == list("abcde")


def test_a_revoked_key_ends_at_once_and_the_audit_says_so(database, users_key):
    first = service.revoke_key(database, OPERATOR, users_key.key.id, NOW)
    again = service.revoke_key(database, OPERATOR, users_key.key.id, LATER)

    assert first.revoked_at == again.revoked_at == NOW
    assert refused(database, users_key.secret) == "revoked"
    made, revoked = rows(database, "select actor, action, subject, detail from audit_entries order by id")
    assert made["action"] == "key_created"
    assert made["detail"]["scopes"] == ["generations:read", "keys:write"]
    assert revoked == {"actor": "Budi", "action": "key_revoked", "subject": users_key.key.id, "detail": {}}


@pytest.mark.parametrize("key_id", ["0" * 12, "", "\0", "\ud800", "x" * 10_000])
def test_an_unknown_key_cannot_be_revoked(database, key_id):
    with pytest.raises(KeyUnknown):
        service.revoke_key(database, OPERATOR, key_id, NOW)


def test_keys_of_others_are_unknown(database, users_key, services_key):
    own = service.caller_of_key(database, users_key.secret, NOW)
    backend = service.caller_of_key(database, services_key.secret, NOW)

    for caller in (own, backend):
        with pytest.raises(KeyUnknown):
            service.revoke_key(database, caller, services_key.key.id, NOW)
    assert service.revoke_key(database, own, users_key.key.id, NOW).revoked_at == NOW
