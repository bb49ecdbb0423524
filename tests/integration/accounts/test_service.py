"""Users, ledger entries and projects, as doors list and change them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from posegen.accounts import service
from posegen.database.connection import Database
from posegen.errors import RequestRefused, UserExists, UserUnknown
from posegen.settings import Settings
from tests.builders import a_design, a_request, a_user, execute, rows, value


def test_a_user_is_created_under_a_new_id_or_a_given_one(database: Database) -> None:
    given = uuid4()
    created = service.create_user(database, "Ayu", actor="test")
    named = service.create_user(database, "Dewi", actor="test", user_id=given)

    assert (created.name, created.credits_available, created.storage_limit) == ("Ayu", 0, 5 * 2**30)
    assert (named.id, service.user(database, given)) == (given, named)
    assert rows(database, "select subject from audit_trail where action = 'user_created' order by created_at") == [
        {"subject": str(created.id)},
        {"subject": str(given)},
    ]


def test_an_id_is_given_once_and_a_bad_name_is_refused(database: Database) -> None:
    known = a_user(database)

    with pytest.raises(UserExists):
        service.create_user(database, "Ayu", actor="test", user_id=known)
    for bad in ("", "x" * 201, "a\0b"):
        with pytest.raises(RequestRefused):
            service.create_user(database, bad, actor="test")
    assert value(database, "select count(*) from users") == 1


def test_users_are_listed_the_newest_first(database: Database) -> None:
    made = [a_user(database) for _ in range(3)]
    execute(database, "update users set created_at = '2026-11-01T12:00:00Z' where id = any(%s)", made[:2])

    first = service.list_users(database, limit=1)
    rest = service.list_users(database, limit=9, after=(first[0].created_at, first[0].id))

    assert [each.id for each in (first[0], *rest)] == [made[2], *sorted(made[:2], reverse=True)]
    assert len(first) == 2


def test_a_change_of_a_user_is_in_the_audit_trail_and_what_is_none_stays(database: Database) -> None:
    user = service.create_user(database, "Ayu", actor="test")

    renamed = service.update_user(database, user.id, actor="Dewi", name="Ayu B.")
    widened = service.update_user(database, user.id, actor="Dewi", storage_limit=10)
    service.update_user(database, user.id, actor="Dewi", storage_limit=10)

    assert (renamed.name, renamed.storage_limit) == ("Ayu B.", user.storage_limit)
    assert (widened.name, widened.storage_limit) == ("Ayu B.", 10)
    lines = rows(database, "select actor, detail from audit_trail where action = 'user_changed' order by created_at")
    assert lines == [
        {"actor": "Dewi", "detail": {"name": ["Ayu", "Ayu B."]}},
        {"actor": "Dewi", "detail": {"storage_limit": [user.storage_limit, 10]}},
    ]


def test_a_limit_that_cannot_be_kept_is_refused_and_nothing_changes(database: Database) -> None:
    user = a_user(database)
    execute(database, "update accounts set storage_reserved = 100")

    for limit, why in ((99, "used and reserved"), (-1, "0 or more"), (2**60, "at most"), (2**70, "range")):
        with pytest.raises(RequestRefused, match=why):
            service.update_user(database, user, actor="test", name="other", storage_limit=limit)
    with pytest.raises(UserUnknown):
        service.update_user(database, uuid4(), actor="test", name="x")
    assert service.user(database, user).name == "Ayu"


def test_entries_join_to_the_whole_ledger_of_a_user(database: Database) -> None:
    user = a_user(database, credits=1)
    a_user(database)
    for amount in range(2, 6):
        service.grant(database, user, amount, reason="more", actor="test")

    found, after = [], None
    while page := service.entries(database, user, limit=2, after=after):
        found += page[:2]
        after = found[-1].id

    assert [each.amount for each in found] == [5, 4, 3, 2, 1]
    assert service.movements(database, user, limit=2) == found[:2]


def test_projects_are_those_of_generations_and_designs(database: Database) -> None:
    user = a_user(database)
    for project in ("spring", "spring", None, "summer"):
        a_request(database, user, project_id=project)
    a_design(database, user, project_id="spring")
    a_design(database, user, project_id="mugs")
    a_request(database, a_user(database), project_id="theirs")

    first = service.projects(database, user, limit=1)
    rest = service.projects(database, user, limit=9, after=(first[0].last_used_at, first[0].project_id))

    assert [(each.project_id, each.generations, each.designs) for each in (first[0], *rest)] == [
        ("mugs", 0, 1),
        ("spring", 2, 1),
        ("summer", 1, 0),
    ]


def test_limits_are_those_of_the_settings() -> None:
    given = Settings(posegen_max_queued_per_user=3, posegen_max_running_per_user=0, posegen_poses_per_hour=7)

    assert service.limits(given) == service.Limits(queued=3, running=None, poses_per_hour=7)
