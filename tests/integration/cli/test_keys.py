"""`posegen key` and `posegen login`: callers are let in, and kept out again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from posegen.access import service
from posegen.access.callers import DEFAULT_SCOPES, Kind, Scope
from posegen.cli import login
from posegen.cli.login import local_login_url
from posegen.cli.requests import LOCAL_USER
from posegen.cli.session import open_session
from posegen.errors import CredentialsInvalid
from posegen.running_platform import RunningPlatform
from tests.builders import SLUGS, a_user, rows, value
from tests.refusals import refusing


def admitted(database, secret):
    return service.caller_of_key(database, secret, datetime.now(UTC))


# --- keys ---------------------------------------------------------------------------------------------------------


def test_standard_output_is_the_key_alone(database, posegen):
    made = posegen("key", "create", "--name", "backend", width=400)

    caller = admitted(database, made.out.strip())
    assert (caller.kind, caller.scopes, caller.rate) == (Kind.SERVICE, DEFAULT_SCOPES[Kind.SERVICE], None)
    assert made.code == 0
    assert "cannot be shown again" in made.err
    assert made.out.strip() not in made.err


def test_a_key_has_what_it_was_given(database, posegen):
    user = a_user(database)

    made = posegen(
        "key", "create", "--name", "shop", "--user", user, "--scope", "files:read,share:write",
        "--scope", "keys:write", "--expires", 7, "--rate", 9, "--json",
    ).json  # fmt: skip

    caller = admitted(database, made["secret"])
    assert (caller.kind, caller.user_id, caller.rate) == (Kind.USER, user, 9)
    assert caller.scopes == {Scope.FILES_READ, Scope.SHARE_WRITE, Scope.KEYS_WRITE}
    assert timedelta(days=6, hours=23) < caller.expires_at - datetime.now(UTC) <= timedelta(days=7)
    assert made["created_by"].endswith(", by posegen key")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--kind", "user"], "names its user"),
        (["--scope", "admin:read"], "no 'admin:read' for a key of the kind service"),
        (["--user", str(uuid4())], "There is no user"),
    ],
)
def test_a_key_that_cannot_be_is_a_sentence(database, posegen, words, says):
    refused = posegen("key", "create", "--name", "x", *words, width=400)

    assert (refused.code, refused.out) == (1, "")
    assert says in refused.err
    assert value(database, "select count(*) from api_keys") == 0


def test_keys_are_listed_without_their_secrets(database, posegen):
    assert "There is no key yet" in posegen("key", "list").out
    user = a_user(database)
    own = posegen("key", "create", "--name", "shop", "--user", user, "--expires", 3, "--json").json
    admin = posegen("key", "create", "--name", "me", "--kind", "admin", "--json").json
    admitted(database, own["secret"])
    posegen("key", "revoke", admin["id"])

    shown = posegen("key", "list", width=400).out.splitlines()

    assert [admin["id"] in shown[-2], "revoked" in shown[-2], own["id"] in shown[-1], "until" in shown[-1]] == [
        True
    ] * 4
    assert own["secret"][17:] not in str(shown)
    assert [key["name"] for key in posegen("key", "list", "--json").json] == ["me", "shop"]
    (only,) = posegen("key", "list", "--user", user, "--json").json
    assert only["last_used_at"] is not None
    assert "secret" not in only


def test_a_revoked_key_admits_nobody(database, posegen):
    made = posegen("key", "create", "--name", "backend", "--json").json

    revoked = posegen("key", "revoke", made["id"])

    assert f"Key {made['id']} (backend) is revoked." in revoked.out
    assert posegen("key", "revoke", made["id"]).code == 0
    with pytest.raises(CredentialsInvalid):
        admitted(database, made["secret"])
    assert posegen("key", "revoke", "0" * 12).code == 1
    actions = rows(database, "select action, subject from audit_entries where subject = %s order by id", made["id"])
    assert [each["action"] for each in actions] == ["key_created", "key_revoked"]


# --- login --------------------------------------------------------------------------------------------------------


def signed_in(database, secret):
    session = service.sign_in(database, secret, datetime.now(UTC))
    return service.caller_of_session(database, session.secret, datetime.now(UTC))


def test_without_an_api_the_path_is_printed(database, posegen):
    user = a_user(database)

    made = posegen("login", "--user", user)

    caller = signed_in(database, made.out.strip().removeprefix("/login/"))
    assert (caller.kind, caller.user_id) == (Kind.USER, user)
    assert "No API runs" in made.err


def test_the_link_of_a_running_api_can_be_opened(database, posegen, monkeypatch):
    running = RunningPlatform(1, "http://127.0.0.1:3000", "http://127.0.0.1:8080")
    monkeypatch.setattr(login, "find_platform", lambda _: running)
    user = a_user(database)

    made = posegen("login", "--user", user, "--admin", "--json").json

    assert made["url"] == f"http://127.0.0.1:8080{made['path']}"
    assert signed_in(database, made["path"].removeprefix("/login/")).kind is Kind.ADMIN
    assert posegen("login", "--user", user).out.startswith("http://127.0.0.1:8080/login/")


def test_without_a_user_it_is_the_local_one_where_there_is_one(database, posegen):
    without = posegen("login", width=400)
    assert (without.code, value(database, "select count(*) from users")) == (2, 0)
    assert "name one with --user" in without.err

    posegen("submit", SLUGS[0])

    assert posegen("login", "--json").json["user"] == str(LOCAL_USER)
    assert "There is no user" in posegen("login", "--user", uuid4()).err


def the_local_link(*, embedded=False):
    with open_session() as session:
        session = replace(session, urls=replace(session.urls, embedded=embedded))
        return local_login_url(session, "http://127.0.0.1:8080", command="up")


def test_up_prints_a_link_for_the_local_user_of_the_embedded_server(database, posegen):
    url = the_local_link(embedded=True)

    assert signed_in(database, url.removeprefix("http://127.0.0.1:8080/login/")).user_id == LOCAL_USER
    assert the_local_link(embedded=True) != url


def test_on_another_server_it_prints_one_only_for_a_local_user_who_exists(database, posegen):
    assert (the_local_link(), value(database, "select count(*) from users")) == (None, 0)

    posegen("submit", SLUGS[0])

    assert the_local_link() is not None


def test_a_role_that_may_not_make_links_gets_none(database, posegen):
    posegen("submit", SLUGS[0])

    with refusing(database.url, "login_links", "42501", times=1):
        assert the_local_link() is None


def test_all_sessions_of_a_user_are_ended(database, posegen):
    user = a_user(database)
    for _ in range(2):
        signed_in(database, posegen("login", "--user", user, "--json").json["path"].removeprefix("/login/"))

    assert f"2 sessions of {user} are ended." in posegen("login", "--user", user, "--sign-out").out
    assert posegen("login", "--user", user, "--sign-out", "--json").json["sessions_ended"] == 0
