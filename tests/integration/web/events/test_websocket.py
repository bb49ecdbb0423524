"""The WebSocket: generations that are followed and unfollowed over one connection, and messages that are none."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from posegen.generations.rows import events
from posegen.web.events import hub, live, websocket
from tests.builders import a_user, cancel_generation, execute, finished, queued
from tests.concurrency import until
from tests.live_server import PATIENCE, live_server

SOME_ID = "b0000000-0000-4000-8000-000000000001"


@pytest.fixture
def server(database):
    with live_server(database) as server:
        yield server


def record(database, generation):
    with database.transaction() as connection:
        events.record(connection, generation, "note")


def follow(connection, *generations, **more):
    followed = [{"id": str(generation), **more} for generation in generations]
    connection.send(json.dumps({"type": "follow", "generations": followed}))


def unfollow(connection, *generations):
    connection.send(json.dumps({"type": "unfollow", "generations": [str(each) for each in generations]}))


def received(connection, number=1):
    return [json.loads(connection.recv(PATIENCE)) for _ in range(number)]


def test_several_generations_are_followed_to_their_ends(server, database):
    one, two = queued(database), queued(database)
    with server.websocket() as connection:
        follow(connection, one, two)
        states = received(connection, 2)
        cancel_generation(database, two, actor="test")
        told = received(connection, 2)
        record(database, one)
        (last,) = received(connection)

    assert [(each["event"], each["generation_id"], each["id"]) for each in states] == [
        ("state", str(one), 2),
        ("state", str(two), 2),
    ]
    assert states[0]["data"]["status"] == "queued"
    assert [(each["event"], each["generation_id"]) for each in told] == [("cancelled", str(two)), ("end", str(two))]
    assert (last["event"], last["id"], last["data"]["sequence"]) == ("note", 3, 3)


def test_after_a_sequence_what_was_missed_comes_and_an_ended_one_ends(server, studio):
    generation = finished(studio, formats=["shopee"])
    with server.websocket() as connection:
        follow(connection, generation, after=5)
        missed = received(connection, 4)
        follow(connection, generation, after=7)
        nothing = received(connection, 1)
        follow(connection, generation, after=99)
        future = received(connection, 3)

    assert [each["event"] for each in missed] == ["state", "exports_stored", "completed", "end"]
    assert [each["event"] for each in nothing] == ["end"]
    assert [each["event"] for each in future] == ["reset", "state", "end"]


def test_what_is_unfollowed_is_silent(server, database):
    one, two = queued(database), queued(database)
    with server.websocket() as connection:
        follow(connection, one, two)
        received(connection, 2)
        unfollow(connection, one)
        until(lambda: len(server.live.hub) == 1)
        record(database, one)
        record(database, two)
        assert received(connection)[0]["generation_id"] == str(two)


@pytest.mark.parametrize(
    "message",
    [
        "", "null", "[]", "{", "\0", '{"type": "follow"}', '{"type": "listen", "generations": []}',
        '{"type": "follow", "generations": []}', '{"type": "follow", "generations": ["x"]}',
        json.dumps({"type": "follow", "generations": [{"id": SOME_ID, "after": -1}]}),
        json.dumps({"type": "follow", "generations": [{"id": SOME_ID, "after": 10**30}]}),
        json.dumps({"type": "follow", "generations": [{"id": SOME_ID, "after": "1"}]}),
        json.dumps({"type": "follow", "generations": [{"id": SOME_ID}], "more": 1}),
        json.dumps({"type": "unfollow", "generations": [SOME_ID] * 101}),
        "[" * 10_000, "x" * 20_000, b"bytes",
    ],
)  # fmt: skip
def test_a_message_that_is_none_gets_an_error_and_the_connection_goes_on(server, database, message):
    generation = queued(database)
    with server.websocket() as connection:
        connection.send(message)
        (error,) = received(connection)
        follow(connection, generation)
        assert received(connection)[0]["event"] == "state"

    assert (error["event"], error["data"]["code"]) == ("error", "invalid_message")
    assert error["data"]["detail"]


def test_generations_of_others_and_too_many_are_refused_one_by_one(server, database, monkeypatch):
    monkeypatch.setattr(websocket, "MOST_FOLLOWED", 2)
    user = a_user(database)
    own = [queued(database, user) for _ in range(3)]
    with server.websocket(str(user)) as connection:
        follow(connection, queued(database), *own)
        told = received(connection, 4)

    errors = [(each["data"]["code"], each["generation_id"]) for each in told if each["event"] == "error"]
    assert [code for code, _ in errors] == ["not_found", "too_many"]
    assert errors[1][1] == str(own[2])


def test_who_lags_is_told_and_follows_again(server, database, monkeypatch):
    monkeypatch.setattr(hub, "MOST_WAITING", 3)
    generation = queued(database)
    with server.websocket() as connection:
        follow(connection, generation)
        received(connection)
        execute(database, "select record_event(%s, 'note') from generate_series(1, 5)", generation)
        lagging, end = received(connection, 2)
        follow(connection, generation, after=2)
        told = received(connection, 6)

    assert (lagging["event"], end["event"], lagging["generation_id"]) == ("lagging", "end", str(generation))
    assert [each["id"] for each in told] == [2, 3, 4, 5, 6, 7]


def test_a_connection_counts_as_a_stream_and_the_21st_is_refused(server, database):
    sources = [server.follow(queued(database), viewer="one") for _ in range(live.MOST_STREAMS - 1)]
    with server.websocket("one"):
        with pytest.raises(InvalidStatus) as refused, server.websocket("one"):
            pass
        assert refused.value.response.status_code == 429
    for each in sources:
        each.close()
    until(lambda: server.live.streams == 0)
    assert len(server.live.hub) == 0


def test_it_ends_with_the_rights_of_its_caller_and_with_the_server(database, monkeypatch):
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.1)
    generation = queued(database)
    with ExitStack() as clients:
        with live_server(database) as server:
            other, connection = (clients.enter_context(server.websocket(name)) for name in ("other", "revoked"))
            for each in (other, connection):
                follow(each, generation)
                assert received(each)[0]["event"] == "state"
            server.revoked.add("revoked")
            with pytest.raises(ConnectionClosed) as revoked:
                connection.recv(PATIENCE)
            record(database, generation)
            assert received(other)[0]["id"] == 3
        with pytest.raises(ConnectionClosed) as stopped:
            other.recv(PATIENCE)

    assert revoked.value.rcvd.code == 1008
    assert stopped.value.rcvd.code == 1012
