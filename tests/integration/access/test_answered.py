"""Idempotency keys: one request is done once, and its response is given again."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from posegen.access.answered import StoredResponse, answered, remember
from posegen.access.callers import Caller
from posegen.errors import AccessInvalid, IdempotencyConflict
from tests.builders import value
from tests.concurrency import at_once

CALLER = Caller.operator("Budi")
BODY, OTHER_BODY = (hashlib.sha256(each).digest() for each in (b"one", b"other"))
CREATED = StoredResponse(201, {"id": 1, "name": "學"})


def request(database, key="k", body=BODY, caller=CALLER, response=CREATED):
    """A request as a door does it: the work is one user."""
    with database.transaction() as connection:
        known = answered(connection, caller, key, body)
        if known is None:
            connection.execute("insert into users (name) values ('made')")
            remember(connection, caller, key, body, response)
    return known


def made(database):
    return value(database, "select count(*) from users where name = 'made'")


def test_the_second_request_gets_the_response_of_the_first(database):
    assert request(database) is None
    assert request(database) == CREATED
    assert made(database) == 1


def test_another_body_is_a_conflict(database):
    request(database)

    with pytest.raises(IdempotencyConflict, match="'k'"):
        request(database, body=OTHER_BODY)


def test_keys_of_other_callers_are_other_keys(database):
    request(database)

    assert request(database, caller=replace(CALLER, credential="key:b"), body=OTHER_BODY) is None
    assert request(database, key="l", body=OTHER_BODY) is None


@pytest.mark.usefixtures("connections_open")
def test_of_many_at_once_one_does_the_work_and_all_get_its_response(database):
    for key in "abc":
        done = at_once([lambda key=key: request(database, key)] * 8)

        assert sorted(done, key=str) == sorted([None, *[CREATED] * 7], key=str)
    assert made(database) == 3


def test_a_request_that_fails_may_come_again(database):
    with pytest.raises(TypeError):
        request(database, response=StoredResponse(201, {"id": object()}))

    assert request(database) is None


def test_secrets_are_not_stored(database):
    request(database, response=StoredResponse(201, {"id": "a", "secret": "psg_x"}))

    assert request(database) == StoredResponse(201, {"id": "a", "secret": None})
    assert "psg_x" not in value(database, "select response::text from answered_requests")


@pytest.mark.parametrize("key", ["", "x" * 201, "a\0", "a\n", "\ud800", "é"])
def test_a_key_is_printable_and_short(database, key):
    with pytest.raises(AccessInvalid, match="Idempotency-Key"):
        request(database, key=key)
    assert request(database, key="~" * 200) is None
