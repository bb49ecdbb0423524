"""Events: every step of a generation, numbered without gaps, whoever writes them at once."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from posegen.generations.making import checkpoint
from posegen.generations.rows import events
from posegen.generations.rows.events import EVENTS_CHANNEL
from tests.builders import (
    SLUGS,
    a_user,
    event_kinds,
    execute,
    finished,
    made_pose,
    open_poses,
    queued,
    rows,
    running,
    value,
)
from tests.concurrency import at_once, until


def record(database, generation, kind, **detail):
    with database.transaction() as connection:
        events.record(connection, generation, kind, **detail)


def events_of(database, generation, *, after=0):
    with database.transaction() as connection:
        return events.events_of(connection, generation, after=after)


def sequences(database, generation):
    return [event.sequence for event in events_of(database, generation)]


def test_a_generation_tells_its_whole_story(studio):
    generation = finished(studio, poses=SLUGS[:1], formats=["shopee"])

    assert event_kinds(studio.database, generation) == [
        "submitted",
        "queued",
        "dispatched",
        "started",
        "pose_completed",
        "exports_stored",
        "completed",
    ]


def test_events_are_numbered_without_gaps(studio):
    generation = finished(studio, poses=SLUGS[:3], formats=["shopee"])

    found = sequences(studio.database, generation)

    assert found == list(range(1, len(found) + 1))


def test_threads_that_write_at_once_leave_no_gap_and_no_double(database, connections_open):
    generation = queued(database)

    at_once([lambda: record(database, generation, "note")] * 12)

    assert sequences(database, generation) == list(range(1, 15))


def test_poses_that_are_completed_at_once_are_told_one_after_the_other(database, connections_open):
    lease = running(database, poses=SLUGS[:6])
    poses = open_poses(database, lease.id)

    at_once(
        [
            lambda pose=pose: checkpoint.complete_pose(database, lease, pose, made_pose(lease.id, pose), store="local")
            for pose in poses
        ]
    )

    assert sequences(database, lease.id) == list(range(1, 11))
    assert value(database, "select poses_completed from generations") == 6


def test_a_change_that_is_rolled_back_leaves_no_event_and_no_gap(database):
    generation = queued(database)
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012
        events.record(connection, generation, "note")
        raise ZeroDivisionError

    record(database, generation, "note")

    assert sequences(database, generation) == [1, 2, 3]


def test_who_comes_back_reads_on_from_the_last_one_seen(database):
    generation = queued(database)
    for number in range(3):
        record(database, generation, "note", number=number)

    assert [event.detail for event in events_of(database, generation, after=3)] == [{"number": 1}, {"number": 2}]


def test_every_event_is_notified_with_its_place(database):
    generation = queued(database)

    with database.listening(EVENTS_CHANNEL) as listener:
        record(database, generation, "note")
        assert listener.wait(180) == [f"{generation}:3"]


def test_the_insert_itself_is_an_event_and_many_rows_are_many(database):
    user = a_user(database)
    with database.listening(EVENTS_CHANNEL) as listener:
        execute(
            database,
            "insert into generation_requests (user_id, poses) select %s, '{x}' from generate_series(1, 3)",
            user,
        )
        heard: list[str] = []
        until(lambda: len(heard) == 3 or heard.extend(listener.wait(1)))

    found = rows(database, "select generation_id, sequence, kind from events")
    assert [(event["sequence"], event["kind"]) for event in found] == [(1, "submitted")] * 3
    assert sorted(heard) == sorted(f"{event['generation_id']}:1" for event in found)


def test_the_words_of_an_event_may_hold_what_postgresql_refuses(database):
    generation = queued(database)

    record(database, generation, "note", words="nul \0 and half a pair \ud83d")

    assert rows(database, "select detail from events where kind = 'note'") == [
        {"detail": {"words": "nul \ufffd and half a pair ?"}}
    ]


def test_a_generation_that_does_not_exist_has_no_events(database):
    with pytest.raises(psycopg.IntegrityError):
        record(database, uuid4(), "note")
