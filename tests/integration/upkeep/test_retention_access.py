"""What admits callers is deleted once it has ended for long enough, and not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from posegen.access import service
from posegen.access.answered import StoredResponse, remember
from posegen.access.callers import Caller, Kind
from posegen.access.tickets import Followed
from posegen.upkeep import retention_access
from posegen.upkeep.retention_access import delete_ended_access
from tests.builders import a_request, a_user, execute, value

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OPERATOR = Caller.operator("Budi")
TABLES = ("sessions", "login_links", "stream_tickets", "share_links", "answered_requests", "api_keys")


@pytest.fixture
def everything(database):
    """One row in each table."""
    user = a_user(database)
    key = service.create_key(database, OPERATOR, kind=Kind.USER, user_id=user, name="x", now=NOW, expires_at=NOW + DAY)
    caller = service.caller_of_key(database, key.secret, NOW)
    service.sign_in(database, service.make_link(database, OPERATOR, user, now=NOW).secret, NOW)
    service.make_ticket(database, caller, Followed(), NOW)
    service.share(database, caller, a_request(database, user), lasts=7 * DAY, now=NOW)
    with database.transaction() as connection:
        remember(connection, caller, "k", b"x" * 32, StoredResponse(201, {}))
        connection.execute("update answered_requests set created_at = %s", [NOW])


def left(database):
    return [table for table in TABLES if value(database, f"select count(*) from {table}")]


@pytest.mark.usefixtures("everything")
def test_each_goes_after_its_time(database):
    kept = {
        "stream_tickets": timedelta(minutes=1) + DAY,
        "login_links": timedelta(minutes=10) + DAY,
        "answered_requests": 7 * DAY,
        "share_links": 8 * DAY,
        "sessions": 31 * DAY,
        "api_keys": 91 * DAY,
    }
    stays = set(TABLES)
    for table, age in kept.items():
        assert delete_ended_access(database, NOW + age) == 0
        assert set(left(database)) == stays
        stays.remove(table)
        assert delete_ended_access(database, NOW + age + timedelta(microseconds=1)) == 1
        assert set(left(database)) == stays


@pytest.mark.usefixtures("everything")
def test_a_revoked_key_stays_for_90_days(database):
    execute(database, "update api_keys set expires_at = null")
    service.revoke_key(database, OPERATOR, value(database, "select id from api_keys"), NOW)

    delete_ended_access(database, NOW + 90 * DAY)
    assert "api_keys" in left(database)
    delete_ended_access(database, NOW + 91 * DAY)
    assert "api_keys" not in left(database)


def test_what_has_no_end_stays(database):
    service.create_key(database, OPERATOR, kind=Kind.SERVICE, name="x", now=NOW)

    assert delete_ended_access(database, NOW + 10_000 * DAY) == 0


def test_many_go_in_pages(database, monkeypatch):
    monkeypatch.setattr(retention_access, "_PAGE", 2)
    user = a_user(database)
    for _ in range(5):
        service.make_link(database, OPERATOR, user, now=NOW)

    assert delete_ended_access(database, NOW + 2 * DAY) == 5
