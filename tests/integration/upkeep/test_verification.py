"""Verifying: silent about what is right, at any moment of the work, and it names whatever was damaged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from posegen.database.connection import Database
from posegen.generations.making import checkpoint
from posegen.generations.making.outcomes import GENERATIONS
from posegen.upkeep.invariants import INVARIANTS, Bounds
from posegen.upkeep.preparing import prepare_database
from posegen.upkeep.verification import verify
from posegen.work.outcomes import release, retry_after_error
from posegen.work.rules import RetryRule
from tests.builders import (
    SLUGS,
    a_request,
    a_user,
    cancel_generation,
    claimed,
    execute,
    expire_lease,
    finished,
    open_poses,
    queued,
    rows,
    running,
    taken_over,
    value,
)

AT_ONCE = timedelta(0)


def found(studio, **options) -> dict[str, list[str]]:
    """What is wrong, by the name of the rule."""
    wrong: dict[str, list[str]] = {}
    for finding in verify(studio.database, [studio.store], **options):
        if finding.violations:
            wrong.setdefault(finding.name, []).extend(finding.examples)
    return wrong


def damage(database, *statements: str) -> None:
    """What no door allows: the server checks neither triggers nor foreign keys for this."""
    with psycopg.connect(database.url) as connection:
        connection.execute("set session_replication_role = replica")
        for statement in statements:
            connection.execute(statement.encode())


# --- right --------------------------------------------------------------------------------------------------------


def test_an_empty_database_has_nothing_wrong(studio):
    assert found(studio) == {}


def test_every_state_that_work_goes_through_is_right(studio):
    """A generation in each state, among them one that lost its lease and one that was released."""
    database, user = studio.database, a_user(studio.database)
    finished(studio, user, poses=SLUGS[:2], formats=["shopee"])
    a_request(database, user, poses=["flying"])
    claimed(database, user)
    running(database, user)
    half = running(database, user, poses=SLUGS[:3])
    first, second, _ = open_poses(database, half.id)
    checkpoint.begin_pose(database, half, first)
    checkpoint.fail_pose(database, half, second, "image_invalid", "all black")
    again = taken_over(database, half.id)
    release(database, GENERATIONS, again, reason="test")
    cancel_generation(database, queued(database, user), actor="customer")

    assert found(studio) == {}
    assert {finding.name for finding in verify(database)} == {invariant.name for invariant in INVARIANTS}


def test_it_says_how_much_it_has_looked_at(studio):
    finished(studio, poses=SLUGS[:2], formats=["shopee"])

    checked = {(finding.name, finding.checked) for finding in verify(studio.database, [studio.store])}

    assert {("I2", 2), ("I3", 2), ("I5", 1), ("I6", 1), ("I3", 6), ("I4", 6), ("I14", 6)} <= checked


# --- damaged ------------------------------------------------------------------------------------------------------

STALE_EVENT = """
insert into events (generation_id, user_id, sequence, kind, detail)
select id, user_id, last_event + 1, 'pose_completed', '{"token": 9, "pose": "x"}' from generations
"""
COUNT_EVENT = "update generations set last_event = last_event + 1"

DAMAGES = {
    "a write under a token that nobody holds": ("I1", STALE_EVENT),
    "a pose that was completed twice": (
        "I2",
        "insert into events (generation_id, user_id, sequence, kind, detail) "
        "select generation_id, user_id, 100, kind, detail from events where kind = 'pose_completed' limit 1",
    ),
    "a pose with an id of its own": ("I2", "update generated_poses set id = gen_random_uuid() where position = 0"),
    "a pose that is gone": ("I2", "delete from generated_poses where position = 0"),
    "a pose without its object": ("I3", "delete from objects where content_type = 'image/png'"),
    "a pose that nobody has paid for": ("I3", "delete from ledger_entries where kind = 'capture'"),
    "a capture for a pose that was not made": ("I3", "update generated_poses set status = 'cancelled'"),
    "progress that was forgotten": ("I3", "update generations set poses_completed = poses_completed - 1"),
    "a balance that has drifted": (
        "I5",
        "update accounts set credits_granted = credits_granted + 1, credits_available = credits_available + 1",
    ),
    "a hold that has drifted": ("I6", "update holds set captured = captured - 1"),
    "a price that was changed afterwards": ("I7", "update generated_poses set price = price + 1"),
    "a pose that is open after the end": ("I7", "update generated_poses set status = 'pending'"),
    "a refund of more than was paid": (
        "I7",
        "insert into ledger_entries (kind, user_id, source, target, amount, generation_id, pose_id, reason, actor) "
        "select 'refund', user_id, 'spent', 'available', amount + 1, generation_id, pose_id, reason, actor "
        "from ledger_entries where kind = 'capture' limit 1",
    ),
    "space that nobody uses": ("I8", "update accounts set storage_used = storage_used + 1"),
    "a request that was lost": ("I9", "delete from generations"),
    "a step after the end": (
        "I10",
        "insert into events (generation_id, user_id, sequence, kind) "
        "select id, user_id, last_event + 1, 'requeued' from generations",
        COUNT_EVENT,
    ),
    "a state without its event": ("I10", "update generations set status = 'cancelled'"),
    "an event that is gone": ("I10", "delete from events where kind = 'started'"),
    "too many errors": (
        "I11",
        "update generations set status = 'queued', finished_at = null, attempts = 3 where true",
    ),
    "a lease that nobody sweeps": (
        "I12",
        "update generations set status = 'running', finished_at = null, lease_expires_at = now() - interval '1 hour'",
    ),
    "an attempt that nobody has seen": ("I13", "update generations set attempts = attempts + 1"),
}
HIDDEN = """
update generated_poses set delete_after = now(), delete_reason = 'asked', images_deleted_at = now() + interval '1 s',
    image_object = null, original_object = null, thumbnail_object = null
"""
DAMAGES |= {
    "a contact sheet of a picture that is deleted": (
        "I16",
        "update generations set contact_sheet_object = (select min(id) from objects)",
        HIDDEN,
    ),
    "a further thumbnail of a picture that is deleted": (
        "I16",
        "insert into thumbnails (pose_id, size, object_id) select id, '200.png', thumbnail_object from generated_poses",
        HIDDEN,
    ),
}
TWICE = """
insert into ledger_entries (kind, user_id, source, target, amount, generation_id, pose_id, reason, actor)
select kind, user_id, source, target, amount, generation_id, pose_id, reason, actor from ledger_entries
where kind = 'capture'
"""


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_in_the_database_is_named(studio, name):
    rule, *statements = DAMAGES[name]
    finished(studio, poses=SLUGS[:2])
    assert found(studio) == {}

    damage(studio.database, *statements)

    assert rule in found(studio)


def test_guards_that_are_gone_are_named_and_what_they_let_through(studio, empty_database_url):
    with Database(empty_database_url) as database:
        prepare_database(database, base_urls={studio.store.name: "/media"})
        unguarded = replace(studio, database=database)
        finished(unguarded)
        damage(database, "drop index one_capture_or_release_per_pose", TWICE)
        damage(database, "alter table ledger_entries disable trigger ledger_is_append_only")

        wrong = found(unguarded)

    assert "captured or released 2 times" in " ".join(wrong["I6"])
    assert wrong["guards"] == [
        "the trigger ledger_is_append_only is missing or disabled",
        "the unique index one_capture_or_release_per_pose is missing or invalid",
    ]


def test_an_object_that_is_gone_is_named(studio):
    finished(studio)
    key = value(studio.database, "select key from objects limit 1")
    studio.store.delete(key)

    assert found(studio) == {"I3": [f"{key} is not there"], "I14": [f"{key} is not there"]}


def test_an_object_that_was_cut_short_is_named(studio):
    finished(studio)
    key = value(studio.database, "select key from objects where content_type = 'image/png'")
    studio.store.put(key, studio.store.get(key)[:-1], content_type="image/png", create_only=False)

    wrong = found(studio)

    assert wrong.keys() == {"I3", "I14"}
    assert key in wrong["I3"][0]


def test_a_flipped_bit_is_named(studio):
    finished(studio)
    key = value(studio.database, "select key from objects where content_type = 'image/png'")
    data = studio.store.get(key)
    studio.store.put(key, bytes([data[0] ^ 1]) + data[1:], content_type="image/png", create_only=False)

    assert found(studio).keys() == {"I14"}
    assert found(studio, read_back=0) == {}
    assert found(studio, read_back=None).keys() == {"I14"}


def test_an_object_without_a_row_is_named_when_its_time_is_over(studio):
    finished(studio)
    studio.store.put("poses/nobody/nothing-6b56f89a918f.png", b"left behind", content_type="image/png")

    assert found(studio) == {}
    assert "nothing-6b56f89a918f.png" in found(studio, grace=AT_ONCE)["I4"][0]


def test_the_bounds_are_those_that_it_was_told(studio):
    lease = running(studio.database)
    retry_after_error(studio.database, GENERATIONS, lease, RetryRule(), reason="boom")

    assert found(studio) == {}
    assert found(studio, bounds=Bounds(most_attempts=1)).keys() == {"I11"}


def test_only_the_first_examples_are_shown(studio):
    user = a_user(studio.database)
    for _ in range(7):
        expire_lease(studio.database, running(studio.database, user).id)

    (finding,) = [each for each in verify(studio.database, bounds=Bounds(sweep_slack=0)) if each.violations]

    assert (finding.name, finding.violations, len(finding.examples)) == ("I12", 7, 5)


def test_it_changes_nothing(studio):
    finished(studio)
    before = rows(studio.database, "select xmin, * from generations")

    verify(studio.database, [studio.store])

    assert rows(studio.database, "select xmin, * from generations") == before
    assert execute(studio.database, "select pg_current_xact_id_if_assigned()") == 1
