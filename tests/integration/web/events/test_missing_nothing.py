"""Commits that overtake each other, lost connections and restarts: every event arrives, in order, and is known again.

Two tests also run on a broken variant of Posegen, which they have to detect: one that resumes by sequence, and a hub
without its periodic query.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from threading import Thread
from urllib.parse import urlsplit

import psycopg
import pytest

from posegen.database import session
from posegen.database.connection import Database
from posegen.database.embedded import EmbeddedServer
from posegen.errors import DatabaseUnusable
from posegen.generations.reading import following
from posegen.generations.reading.following import Horizon, Pending
from posegen.upkeep.preparing import prepare_database
from posegen.web.events import hub
from tests.builders import a_user, execute, queued, rows, value
from tests.concurrency import at_once, until
from tests.conftest import BASE_URL
from tests.embedded_server import end_server
from tests.live_server import live_server
from tests.servers import running_postgres
from tests.tcp_fault_proxy import TcpFaultProxy

WRITERS = 16


def record(connection, generation):
    connection.execute("select record_event(%s, 'note')", [generation])


def note(database, generation):
    with database.transaction() as connection:
        record(connection, generation)


def without_a_hint(database, generation):
    """An event whose notification is lost, as on a connection that is dead and not known to be."""
    with database.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            """
            with counted as (update generations set last_event = last_event + 1 where id = %s returning *)
            insert into events (generation_id, sequence, kind, user_id)
            select id, last_event, 'note', user_id from counted
            """,
            [generation],
        )


def all_names(database):
    return {(str(event["generation_id"]), event["sequence"]) for event in rows(database, "select * from events")}


def is_in_order(names):
    """Within each generation, when what came before is left out."""
    of_generation = {}
    for generation, sequence in dict.fromkeys(names):
        of_generation.setdefault(generation, []).append(sequence)
    return all(each == sorted(each) for each in of_generation.values())


class Client:
    """Follows all generations of a user, and leaves and resumes. `names`: of all events that have come, in order."""

    def __init__(self, server, user):
        self._server, self._user = server, user
        self.names = []
        self._source = None
        self.come_back()

    def come_back(self):
        last_id = self._source.last_id if self._source else ""
        self.leave()
        self._source = self._server.follow_many(self._user, last_id=last_id)

    def leave(self):
        if self._source:
            self._source.close()

    def read_until(self, names):
        while not set(names) <= set(self.names):
            self.read_one()

    def read_one(self):
        told = self._source.next()
        if told is None or told.event == "lagging":
            self.come_back()
        elif told.event != "state":
            assert told.event != "reset"
            self.names.append(told.name)


def overtaking_writers(database, user, writers):
    """Open transactions with two events each, of a generation each, in the order in which they have begun."""
    generations = [queued(database, user) for _ in range(WRITERS)]
    connections = [writers.enter_context(psycopg.connect(database.url)) for _ in generations]
    for connection, generation in zip(connections, generations, strict=True):
        record(connection, generation)
        record(connection, generation)
    return list(zip(connections, generations, strict=True))


def by_sequence(pending):
    """The horizon of a reader that goes on behind the highest position that it has seen, as by an identity column."""

    def broken(connection, seen, user_id):
        found = pending(connection, seen, user_id)
        newest = "select coalesce(max(position::text::bigint), 0) + 1 as next from events"
        place = connection.execute(newest).fetchone()["next"]
        return Pending(replace(found.horizon, snapshot=f"{place}:{place}:"), found.events)

    return broken


@pytest.mark.parametrize("is_broken", [False, True], ids=["by horizon", "by sequence"])
@pytest.mark.parametrize("by_token", [False, True], ids=["snapshot", "token"])
def test_commits_that_overtake_each_other_are_all_read(database, monkeypatch, is_broken, by_token):
    if is_broken:
        monkeypatch.setattr(following, "_pending", by_sequence(following._pending))
    user = a_user(database)
    seen, names = following.horizon_now(database), []
    with ExitStack() as writers:
        for connection, _ in reversed(overtaking_writers(database, user, writers)):
            connection.commit()
            pending = following.events_since(database, seen, user_id=user)
            names += [(str(event.generation_id), event.sequence) for event in pending.events]
            seen = Horizon.of_token(pending.horizon.token) if by_token else pending.horizon

    assert is_in_order(names)
    assert (set(names) == all_names(database)) != is_broken, "the broken variant has to miss events"
    if not by_token:
        assert len(set(names)) == len(names), "by snapshot, nothing comes twice"


def test_commits_that_overtake_each_other_reach_who_leaves_and_resumes(database):
    user = a_user(database)
    with live_server(database) as server, ExitStack() as writers:
        client = Client(server, user)
        for connection, generation in reversed(overtaking_writers(database, user, writers)):
            connection.commit()
            client.read_until([(str(generation), 3), (str(generation), 4)])
            client.come_back()
        client.leave()

    assert set(client.names) == all_names(database)
    assert is_in_order(client.names)


def test_many_writers_at_once_reach_followers_that_come_and_go(database, connections_open):
    user = a_user(database)
    generations = [queued(database, user) for _ in range(8)]
    before = all_names(database)

    def write(number):
        with psycopg.connect(database.url) as connection:
            for turn in range(20):
                record(connection, generations[(number + turn) % 8])
                connection.commit()

    with live_server(database) as server:
        clients = [Client(server, user) for _ in range(4)]
        one = server.follow(generations[0], query="?after=0")
        writers = Thread(target=at_once, args=[[partial(write, number) for number in range(WRITERS)]])
        writers.start()
        for sequence in range(6, 43, 6):
            for client in clients:
                client.read_until([(str(generations[0]), sequence)])
                client.come_back()
        writers.join()
        written = all_names(database) - before
        for client in clients:
            client.read_until(written)
            client.leave()
        alone = one.take(43)
        one.close()

    assert all(is_in_order(client.names) and set(client.names) == written for client in clients)
    assert [each.data["sequence"] for each in alone[1:]] == list(range(1, 43)), "alone, each comes exactly once"


@pytest.mark.parametrize("is_broken", [False, True], ids=["with its periodic query", "without it"])
def test_an_event_without_a_notification_is_told(database, monkeypatch, is_broken):
    if is_broken:
        monkeypatch.setattr(hub, "LOOK_SECONDS", 1e9)
    generation = queued(database)
    with live_server(database) as server, server.follow(generation) as source:
        source.next()
        note(database, generation)
        assert source.next().id == "3"  # its notification was received: the first readings are over
        without_a_hint(database, generation)
        if is_broken:
            assert source.is_silent_for(5)
        else:
            assert source.next().id == "4"


def test_a_listener_that_is_cut_off_reconnects_and_misses_nothing(database):
    user = a_user(database)
    generation = queued(database, user)
    cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'posegen listener'"
    with live_server(database) as server, server.follow(generation) as one:
        client = Client(server, user)
        one.next()
        for number in range(3, 9):
            until(lambda: value(database, cut) > 0)
            note(database, generation)
            client.read_until([(str(generation), number)])
            assert one.next().id == str(number)
        client.leave()

    assert is_in_order(client.names)


def test_a_listener_that_hears_nothing_any_more_is_replaced(database, monkeypatch):
    """Its connection is open and dead: notifications are lost, and no error says so."""
    monkeypatch.setattr(hub, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(session, "CONNECT_SECONDS", 1)
    address = urlsplit(database.url)
    generation = queued(database)
    with TcpFaultProxy(lambda: (address.hostname, address.port)) as proxy, ExitStack() as all_of_it:
        login = address.netloc.rpartition("@")[0]
        through = all_of_it.enter_context(Database(address._replace(netloc=f"{login}@127.0.0.1:{proxy.port}").geturl()))
        listeners = []

        @contextmanager
        def listening(*channels):
            with through.listening(*channels) as listener:
                listeners.append(listener)
                yield listener

        monkeypatch.setattr(database, "listening", listening)
        server = all_of_it.enter_context(live_server(database))
        source = all_of_it.enter_context(server.follow(generation))
        source.next()
        until(lambda: listeners)
        proxy.blackhole()
        note(database, generation)
        assert source.next().id == "3"
        until(lambda: listeners[0]._connection.closed)
        proxy.heal()
        until(lambda: len(listeners) > 1)
        monkeypatch.setattr(hub, "LOOK_SECONDS", 1e9)
        note(database, generation)
        assert source.next().id == "4"


def test_a_database_that_crashes_and_comes_back_loses_no_event(tmp_path):
    home = tmp_path / "home"
    with running_postgres(home) as urls, EmbeddedServer(home) as address, Database(urls.application) as database:
        prepare_database(database, base_urls={"local": None})
        server_of_the_database = EmbeddedServer(home)
        server_of_the_database.acquire()
        user = a_user(database)
        generation = queued(database, user)
        with live_server(database) as server, server.follow(generation) as one:
            client, left = Client(server, user), Client(server, user)
            one.next()
            note(database, generation)
            for each in (client, left):
                each.read_until([(str(generation), 3)])
            left.leave()
            assert one.next().id == "3"
            note(database, generation)
            end_server(home)
            assert server_of_the_database.ensure_running() == address
            until(lambda: try_to(partial(note, database, generation)))
            everything = [(str(generation), sequence) for sequence in (4, 5)]
            client.read_until(everything)
            left.come_back()
            left.read_until(everything)
            assert [each.id for each in one.take(2)] == ["4", "5"]
            client.leave()
            left.leave()
        server_of_the_database.release()

    assert is_in_order(client.names)
    assert is_in_order(left.names)


def test_ids_that_a_crash_gives_out_again_are_read_after_it(database):
    """A crash loses ids whose WAL was not flushed: what is written under them again lies before the horizon."""
    now = following.horizon_now(database)
    generation = queued(database)
    later = following.horizon_now(database)

    assert following.events_since(database, later).events == []
    restarted = replace(later, started=now.started - 1)
    found = following.events_since(database, Horizon.of_token(restarted.token)).events
    assert {(event.generation_id, event.sequence) for event in found} >= {(generation, 1), (generation, 2)}


def test_positions_of_a_restored_dump_are_not_told(database):
    generation = queued(database)
    now = following.horizon_now(database)
    execute(database, "update events set position = '123456789012345' where generation_id = %s", generation)

    assert following.events_since(database, now).events == []
    prepare_database(database, base_urls={"local": BASE_URL})
    assert value(database, "select max(position::text::bigint) from events") == 0


def try_to(step):
    try:
        step()
    except (psycopg.Error, DatabaseUnusable):
        return False
    return True
