"""`posegen watch`: each event once, in order, from the last one seen, until the generation has ended."""

from __future__ import annotations

import json
import threading
from uuid import uuid4

import pytest

from posegen.generations.asking import claims
from posegen.generations.making import checkpoint, outcomes
from posegen.generations.reading import watching
from posegen.generations.rows import events
from tests.builders import (
    SLUGS,
    a_request,
    a_user,
    cancel_generation,
    finished,
    made_pose,
    open_poses,
    queued,
    rows,
    running,
    started,
    take_in,
)
from tests.concurrency import until

PATIENCE = 180


def lines(answer):
    return [json.loads(line) for line in answer.out.splitlines()]


def test_an_ended_generation_is_told_from_the_beginning(studio, posegen):
    generation = finished(studio, poses=SLUGS[:2], formats=["shopee"])

    answer = posegen("watch", generation)

    kinds = [line.split()[2] for line in answer.out.splitlines()]
    assert answer.code == 0
    assert kinds == [
        *("submitted", "queued", "dispatched", "started", "pose_completed", "pose_completed"),
        *("exports_stored", "exports_stored", "completed"),
    ]
    assert "   2  " in answer.out
    assert "poses=2  credits_held=60" in answer.out


def test_who_comes_back_goes_on_after_the_last_one_seen(studio, posegen):
    generation = finished(studio)

    told = lines(posegen("watch", generation, "--after", 4, "--json"))

    assert [(event["sequence"], event["kind"]) for event in told] == [(5, "pose_completed"), (6, "completed")]
    assert told[0]["detail"]["credits"] == 30
    assert told[0]["at"].endswith("+00:00")


def test_a_generation_that_failed_or_was_cancelled_ends_it_with_code_3(database, posegen):
    user = a_user(database)
    cancelled, failed = queued(database, user), a_request(database, user, poses=["flying"])
    cancel_generation(database, cancelled, actor="customer")
    take_in(database)

    assert posegen("watch", cancelled).code == 3
    assert posegen("watch", failed).code == 3


def test_a_generation_that_there_is_not_is_said_in_one_sentence(posegen):
    unknown = uuid4()

    answer = posegen("watch", unknown)

    assert (answer.code, answer.out) == (1, "")
    assert f"There is no generation {unknown}" in answer.err


# --- live ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(database):
    """What somebody who watches has heard so far, in a thread of its own."""
    threads = []

    def begin(generation, **options):
        heard = []

        def listen():
            for event in watching.watch(database, generation, **options):
                heard.append((event.sequence, event.kind))  # noqa: PERF401 - one by one, as they come
            heard.append("the end")

        thread = threading.Thread(target=listen, daemon=True)
        threads.append(thread)
        thread.start()
        return heard

    yield begin
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "somebody still waits"


def test_what_happens_is_told_as_it_happens(database, watched):
    user = a_user(database)
    generation = a_request(database, user, poses=SLUGS[:2])
    heard = watched(generation)
    until(lambda: heard == [(1, "submitted")])

    take_in(database)
    until(lambda: heard[-1] == (2, "queued"), seconds=PATIENCE)
    lease = started(database, _claim(database))
    for pose in open_poses(database, generation):
        checkpoint.complete_pose(database, lease, pose, made_pose(generation, pose), store="local")
    outcomes.finish_generation(database, lease)

    until(lambda: heard[-1] == "the end", seconds=PATIENCE)
    assert [number for number, _ in heard[:-1]] == list(range(1, 8))


def test_a_hint_is_not_needed(database, watched, monkeypatch):
    """As if every notification were lost."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(watching, "EVENTS_CHANNEL", "nobody_speaks_here")
    lease = running(database)
    heard = watched(lease.id)
    until(lambda: len(heard) == 4)

    cancel_generation(database, lease.id, actor="customer")

    until(lambda: heard[-1] == "the end", seconds=PATIENCE)
    assert heard[-2] == (5, "cancelled")


def test_hints_of_other_generations_wake_nobody(database, watched, monkeypatch):
    looks = []
    look = watching._look
    monkeypatch.setattr(watching, "LOOK_SECONDS", 60)
    monkeypatch.setattr(watching, "_look", lambda *given: looks.append(1) or look(*given))
    user = a_user(database)
    generation = queued(database, user)
    heard = watched(generation)
    until(lambda: looks)
    for _ in range(3):
        queued(database, user)

    cancel_generation(database, generation, actor="customer")

    until(lambda: heard and heard[-1] == "the end", seconds=PATIENCE)
    assert len(looks) <= 3


def test_a_restart_of_the_database_loses_nothing_and_tells_nothing_twice(database, watched):
    generation = queued(database)
    heard = watched(generation)
    until(lambda: len(heard) == 2)

    rows(database, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'posegen listener'")
    with database.transaction() as connection:
        events.record(connection, generation, "note")
    cancel_generation(database, generation, actor="customer")

    until(lambda: heard[-1] == "the end", seconds=PATIENCE)
    assert heard[:-1] == [(1, "submitted"), (2, "queued"), (3, "note"), (4, "cancelled")]


def _claim(database):
    (claim,) = claims.claim_next(database, most_running=10)
    return claim
