"""Share links: who makes, sees and ends them, and how long they show a generation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from posegen.access import service
from posegen.access.callers import Caller, Kind
from posegen.errors import AccessInvalid, CredentialsInvalid, GenerationUnknown, ShareLinkUnknown
from tests.builders import a_request, a_user, execute, rows

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
OPERATOR = Caller.operator("Budi")


@pytest.fixture
def owner(database):
    return a_caller(database, a_user(database))


def a_caller(database, user):
    key = service.create_key(database, OPERATOR, kind=Kind.USER, user_id=user, name="x", now=NOW)
    return service.caller_of_key(database, key.secret, NOW)


def refused(database, secret, now=NOW):
    with pytest.raises(CredentialsInvalid) as refusal:
        service.shared(database, secret, now)
    return refusal.value.reason


def test_a_link_shows_its_generation_until_it_ends(database, owner):
    generation = a_request(database, owner.user_id)
    made = service.share(database, owner, generation, lasts=WEEK, now=NOW)

    found = service.shared(database, made.secret, NOW + WEEK - timedelta(seconds=1))

    assert (found, found.generation_id, found.user_id) == (made.link, generation, owner.user_id)
    assert refused(database, made.secret, NOW + WEEK) == "expired"
    assert refused(database, "0" * 43) == "unknown"
    assert made.secret not in str(rows(database, "select encode(secret, 'escape') from share_links"))


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(days=-1), timedelta(days=365, seconds=1), timedelta.max])
def test_a_link_lasts_a_year_at_most(database, owner, lasts):
    generation = a_request(database, owner.user_id)

    with pytest.raises(AccessInvalid, match="365 days"):
        service.share(database, owner, generation, lasts=lasts, now=NOW)
    assert service.share(database, owner, generation, lasts=timedelta(days=365), now=NOW)


def test_generations_and_links_of_others_are_unknown(database, owner):
    stranger, generation = a_caller(database, a_user(database)), a_request(database, owner.user_id)
    made = service.share(database, owner, generation, lasts=WEEK, now=NOW)

    for unknown in (generation, uuid4()):
        with pytest.raises(GenerationUnknown):
            service.share(database, stranger, unknown, lasts=WEEK, now=NOW)
    for link in (made.link.id, uuid4()):
        with pytest.raises(ShareLinkUnknown):
            service.revoke_share_link(database, stranger, link, NOW)
    assert service.list_share_links(database, stranger, owner.user_id, limit=9) == []
    assert service.list_share_links(database, OPERATOR, owner.user_id, limit=9) == [made.link]


def test_a_revoked_link_shows_nothing(database, owner):
    made = service.share(database, owner, a_request(database, owner.user_id), lasts=WEEK, now=NOW)

    for now in (NOW, NOW + WEEK):
        service.revoke_share_link(database, owner, made.link.id, now)

    assert refused(database, made.secret) == "revoked"
    (listed,) = service.list_share_links(database, owner, owner.user_id, limit=9)
    assert listed.revoked_at == NOW


def test_pages_show_every_link_once(database, owner):
    generation = a_request(database, owner.user_id)
    made = {service.share(database, owner, generation, lasts=WEEK, now=NOW).link.id for _ in range(5)}
    execute(database, "update share_links set created_at = %s", NOW)

    shown, after = [], None
    while page := service.list_share_links(database, owner, owner.user_id, after=after, limit=2):
        shown += [link.id for link in page]
        after = (page[-1].created_at, page[-1].id)

    assert (len(shown), set(shown)) == (5, made)
