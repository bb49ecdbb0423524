"""Server-sent events of one generation and of many: state, order, resuming, and how streams end."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from uuid import uuid4

import pytest

from posegen.database.connection import Database
from posegen.generations.reading import following
from posegen.generations.rows import events
from posegen.web.events import hub, live, sse, streams
from posegen.web.events.live import Live
from posegen.web.events.streams import Sources
from tests.builders import SLUGS, a_user, cancel_generation, execute, finished, queued, running, work
from tests.concurrency import until
from tests.live_server import live_server, never_reading, urls_of


@pytest.fixture
def server(database):
    with live_server(database) as server:
        yield server


def record(database, generation, kind="note", **detail):
    with database.transaction() as connection:
        events.record(connection, generation, kind, **detail)


def test_the_state_comes_first_and_then_each_event_up_to_the_end(server, studio):
    lease = running(studio.database, poses=SLUGS[:2], formats=["shopee"])
    with server.follow(lease.id) as source:
        state = source.next()
        work(studio, lease)
        told = source.rest()

    assert (source.status, source.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (state.event, state.id, state.data["status"]) == ("state", "4", "running")
    assert [each.event for each in told] == ["pose_completed"] * 2 + ["exports_stored"] * 2 + ["completed"]
    assert [each.id for each in told] == ["5", "6", "7", "8", "9"]
    pose = told[0].data
    assert pose["image_url"] == f"https://pictures.example/{pose['detail']['pose']}.png"
    assert pose.keys() >= {"generation_id", "user_id", "sequence", "kind", "detail", "created_at", "thumbnail_url"}


def test_after_the_end_a_client_that_has_seen_it_gets_204(server, studio):
    generation = finished(studio, formats=["shopee"])

    with server.follow(generation) as source:
        assert [each.event for each in source.rest()] == ["state"]
    with server.follow(generation, last_id=source.last_id) as again:
        assert (again.status, again.body()) == (204, b"")


def test_who_left_before_the_end_gets_what_was_missed(server, studio):
    generation = finished(studio, formats=["shopee"])

    with server.follow(generation, last_id="4") as source:
        told = source.rest()

    assert [each.event for each in told] == ["state", "pose_completed", "exports_stored", "completed"]
    assert [each.id for each in told] == ["4", "5", "6", "7"], "leaving after the state must not skip an event"


def test_after_in_the_query_resumes_and_the_header_goes_before_it(server, database):
    generation = queued(database)

    with server.follow(generation, query="?after=0") as source:
        assert [each.event for each in source.take(3)] == ["state", "submitted", "queued"]
    with server.follow(generation, query="?after=0", last_id="1") as source:
        assert [each.event for each in source.take(2)] == ["state", "queued"]


@pytest.mark.parametrize("nonsense", ["99", "-1", "x" * 5000, "1e3", "12345678901234567890", "1-2-3-4", "%00", "\xff"])
def test_an_id_that_is_none_resets_and_goes_on(server, database, nonsense):
    generation = queued(database)

    with server.follow(generation, last_id=nonsense) as source:
        told = source.take(2)
        record(database, generation)
        assert source.next().data["sequence"] == 3

    assert [(each.event, each.id) for each in told] == [("reset", "2"), ("state", "2")]


@pytest.mark.parametrize("after", ["%00", "%EF%BC%91", "%F0%9F%98%80", "a%0Ab"])
def test_nonsense_in_the_query_resets_too(server, database, after):
    with server.follow(queued(database), query=f"?after={after}") as source:
        assert [each.event for each in source.take(2)] == ["reset", "state"]


def test_events_that_were_deleted_are_a_reset(server, studio):
    generation = finished(studio, formats=["shopee"])
    execute(studio.database, "delete from events where generation_id = %s", generation)

    with server.follow(generation, last_id="3") as source:
        assert [each.event for each in source.rest()] == ["reset", "state"]


def test_a_generation_of_another_is_as_unknown_as_none(server, database):
    generation = queued(database)

    for source in (server.follow(generation, viewer=str(uuid4())), server.follow(uuid4())):
        with source:
            assert source.status == 404


def test_a_user_follows_all_generations_and_no_other_ones(server, database):
    user, other = a_user(database), a_user(database)
    with server.follow_many(user) as source:
        assert (source.next().event, source.status) == ("state", 200)
        foreign, own = queued(database, other), queued(database, user)
        told = source.take(2)
    with server.follow_many() as everything:
        everything.next()
        both = {queued(database, other), queued(database, user)}
        assert {each.data["generation_id"] for each in everything.take(4)} == {str(each) for each in both}

    assert [each.name for each in told] == [(str(own), 1), (str(own), 2)]
    assert foreign != own


def test_who_follows_many_resumes_by_the_horizon(server, database):
    user = a_user(database)
    with server.follow_many(user) as source:
        source.next()
    generation = queued(database, user)

    with server.follow_many(user, last_id=source.last_id) as source:
        told = source.take(3)
        record(database, generation)
        # What was read while the stream subscribed may come again.
        sequences = [*iter(lambda: source.next().name[1], 3)]

    assert [each.event for each in told] == ["state", "submitted", "queued"]
    assert set(sequences) <= {1, 2}


def test_an_event_that_cannot_be_encoded_keeps_no_other_back(server, database, monkeypatch):
    encoded = hub.data_of

    def refusing(event, urls):
        if "poison" in event.detail:
            raise ValueError("cannot be encoded")
        return encoded(event, urls)

    monkeypatch.setattr(hub, "data_of", refusing)
    generation = queued(database)
    with server.follow(generation) as source:
        source.next()
        record(database, generation, poison=1)
        record(database, generation)

        assert source.next().name == (str(generation), 4)


def tokens(database):
    now = following.horizon_now(database)
    system, timeline, started, xmin = now.token.split("-")
    yield "nonsense"
    yield f"{system}-{timeline}-{started}-{int(xmin, 16) + 10**6:x}"  # of the future
    yield f"{int(system, 16) ^ 1:x}-{timeline}-{started}-{xmin}"  # of another cluster
    yield f"{system}-{int(timeline, 16) + 1:x}-{started}-{xmin}"  # of before a restore
    yield f"{system}-{timeline}-{started}-{'f' * 16}"
    yield f"{'f' * 16}-{'f' * 8}-{'f' * 16}-0"


def test_tokens_of_nonsense_of_the_future_and_of_others_reset(server, database):
    for token in tokens(database):
        with server.follow_many(last_id=token) as source:
            reset, state = source.take(2)
            assert (reset.event, state.event) == ("reset", "state"), token
            assert following.Horizon.of_token(state.id) is not None
        with server.follow_many(last_id=state.id) as source:
            assert source.next().event == "state"


def test_too_many_pending_events_are_a_reset(server, database, monkeypatch):
    monkeypatch.setattr(following, "MOST_PENDING", 5)
    generation = queued(database)
    with server.follow_many() as source:
        token = source.next().id
    for _ in range(6):
        record(database, generation)

    for source in (server.follow_many(last_id=token), server.follow(generation, last_id="1")):
        with source:
            assert [each.event for each in source.take(2)] == ["reset", "state"]


def test_silence_is_filled_with_comments_and_moves_the_id_of_who_follows_many(server, database, monkeypatch):
    monkeypatch.setattr(streams, "KEEP_ALIVE_SECONDS", 0.05)
    user, generation = a_user(database), queued(database)
    with server.follow_many(user) as source, server.follow(generation) as one:
        first = source.next().id
        one.next()
        queued(database)  # of another user: it moves the horizon, and is not told
        until(lambda: server.live.hub._horizon.token != first)
        time.sleep(0.2)
        queued(database, user)
        record(database, generation)
        told = source.next()
        one.next()

    assert told.event == "submitted"
    assert told.id != first
    assert one.comments > 0


def test_who_reads_too_slowly_is_told_so_and_resumes(server, database, monkeypatch):
    monkeypatch.setattr(hub, "MOST_WAITING", 3)
    generation = queued(database)
    with server.follow(generation) as source:
        source.next()
        with database.transaction() as connection:  # all of them are one reading
            for _ in range(5):
                events.record(connection, generation, "note")
        assert [each.event for each in source.rest()] == ["lagging"]
    with server.follow(generation, last_id=source.last_id) as source:
        assert [each.id for each in source.take(6)] == ["2", "3", "4", "5", "6", "7"]


def test_who_never_reads_is_given_up_and_delays_no_other(server, database, monkeypatch):
    monkeypatch.setattr(sse, "SEND_SECONDS", 0.5)
    generation = queued(database)
    sleeper = never_reading(server.port, f"/generations/{generation}/events", {"x-viewer": "sleeper"})
    with sleeper, server.follow(generation) as source:
        until(lambda: server.live.streams == 2)
        source.next()
        deadline = time.monotonic() + 60
        while server.live.streams == 2:  # the kernel takes some megabytes for it
            assert time.monotonic() < deadline, "it was not given up"
            execute(database, "select record_event(%s, 'note', to_jsonb(repeat('x', 300000)))", generation)
            assert source.next().event == "note"


def test_a_caller_has_20_streams_and_no_21st(server, database):
    generation = queued(database)
    viewers = [server.follow(generation, viewer="one") for _ in range(live.MOST_STREAMS)]
    assert {each.next().event for each in viewers} == {"state"}

    with server.follow(generation, viewer="one") as refused, server.follow(generation, viewer="two") as other:
        assert (refused.status, refused.headers["content-type"]) == (429, "application/problem+json")
        assert other.next().event == "state"

    viewers.pop().close()
    until(lambda: server.live.streams == live.MOST_STREAMS - 1)
    with server.follow(generation, viewer="one") as again:
        assert again.status == 200
    for each in viewers:
        each.close()


def test_a_stream_ends_with_the_rights_of_its_caller(database, monkeypatch):
    assert 2 * live.CHECK_SECONDS <= 30
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.1)
    generation = queued(database)
    with (
        live_server(database) as server,
        server.follow(generation, viewer="revoked") as source,
        server.follow_many(viewer="revoked") as many,
        server.follow(generation, viewer="valid") as other,
    ):
        for each in (source, many, other):
            assert each.next().event == "state"
        server.revoked.add("revoked")
        assert (source.rest(), many.rest()) == ([], [])
        record(database, generation)
        assert other.next().id == "3"


def test_when_the_server_stops_all_streams_end_at_once(database):
    generation = queued(database)
    with ExitStack() as clients:
        with live_server(database) as server:
            sources = [clients.enter_context(server.follow(generation, viewer="one")) for _ in range(10)]
            sources.append(clients.enter_context(server.follow_many()))
            assert [each.next().event for each in sources] == ["state"] * 11
            began = time.monotonic()
        took = time.monotonic() - began
        assert [each.rest() for each in sources] == [[]] * 11

    assert took < 3, "all streams end within 3 s"


def test_without_the_database_a_new_stream_is_refused(database, monkeypatch):
    monkeypatch.setattr(hub, "_FIRST_READING_SECONDS", 0.1)
    with (
        Database("postgresql://nobody@127.0.0.1:1/nowhere") as away,
        live_server(away) as server,
        server.follow(uuid4()) as one,
        server.follow_many() as many,
    ):
        assert (one.status, many.status) == (503, 503)


def test_waiting_for_an_end_returns_when_it_comes_and_not_later(database):
    generation, another, ended = (queued(database) for _ in range(3))
    cancel_generation(database, ended, actor="test")

    async def wait() -> list[bool]:
        progress = Live(database, urls_of, Sources(bytes, bytes, lambda credentials: credentials))
        async with progress.running():
            late = await progress.wait_for_end(generation, 0.1)
            waiting = asyncio.create_task(progress.wait_for_end(generation, 60))
            await has_followers(progress)
            await asyncio.to_thread(cancel_generation, database, generation, actor="test")
            found = [late, await waiting]
            found += [await progress.wait_for_end(ended, 60), await progress.wait_for_end(uuid4(), 60)]
            stopped = asyncio.create_task(progress.wait_for_end(another, 60))
            await has_followers(progress)
            progress.stop()
            return [*found, await asyncio.wait_for(stopped, 30)]

    assert asyncio.run(wait()) == [False, True, True, False, False]


async def has_followers(progress: Live) -> None:
    while not len(progress.hub):
        await asyncio.sleep(0.01)
