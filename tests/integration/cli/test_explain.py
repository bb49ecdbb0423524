"""`posegen explain`: a generation's whole history on one screen."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from posegen.backends.hosted import Failed
from posegen.database.connection import Database
from posegen.generations.reading.history import history_of
from posegen.running_platform import hold_home
from posegen.upkeep import retention_rows as retention
from tests.builders import (
    SLUGS,
    a_request,
    a_user,
    claimed,
    execute,
    finished,
    queued,
    row,
    rows,
    running,
    take_in,
    taken_over,
    value,
    work,
)
from tests.hosted import NAME, FarEndInProcess, photographing


@pytest.fixture
def generation(studio):
    """Two poses with an export each."""
    return finished(studio, poses=SLUGS[:2], formats=["shopee"])


def deleted(database, generation: UUID) -> None:
    """Let the images of a generation be asked away, and the grace be over."""
    execute(
        database,
        "select delete_images(array_agg(id), 'Wayan', '0 s') from generated_poses where generation_id = %s",
        generation,
    )
    with database.transaction() as connection:
        retention.delete_hidden(connection, limit=100)


# --- what it tells ------------------------------------------------------------------------------------------------


def test_a_generation_that_went_well_is_told_from_request_to_end(posegen, generation):
    answer = posegen("explain", generation, width=200)

    assert answer.code == 0
    assert f"Generation {generation}: completed, 2 of 2 poses completed, 0 failed" in answer.out
    assert "Ayu" in answer.out
    assert f"poses      {SLUGS[0]}, {SLUGS[1]}" in answer.out
    assert "Runs: claims 1, failed attempts 0, lost leases 0" in answer.out
    assert "run run-1 began" in answer.out
    assert "Credits: 60 spent, 0 held, 0 released, 0 refunded" in answer.out
    assert "all of them are there" in answer.out
    for section in ("Poses, times in milliseconds", "Exports", "Objects: 6, ", "Events"):
        assert f"\n{section}" in answer.out


def test_what_is_alike_takes_one_line(posegen, generation):
    answer = posegen("explain", generation, width=200)

    assert [line.split()[2:4] for line in answer.out.splitlines() if "capture" in line] == [["capture", "×2"]]
    assert len(answer.out.splitlines()) < 50


def test_as_json_it_has_every_row(database, posegen, generation):
    document = posegen("explain", generation, "--json").json

    assert document["generation"]["generation_id"] == str(generation)
    assert [pose["library_pose"] for pose in document["poses"]] == SLUGS[:2]
    assert [entry["kind"] for entry in document["ledger"]] == ["hold", "capture", "capture"]
    assert len(document["events"]) == value(database, "select last_event from generations")
    assert len(document["objects"]) == 6
    assert document["missing_objects"] == []
    (claim,) = document["claims"]
    assert (claim["run_id"], claim["ending"], claim["poses"], claim["url"]) == ("run-1", "completed", 2, None)


def test_runs_are_linked_while_the_platform_is_up(posegen, generation, home):
    with hold_home(home, "http://127.0.0.1:9"):
        answer = posegen("explain", generation)

    assert "http://127.0.0.1:9/runs/run-1" in answer.out.split()


def test_a_lost_lease_and_the_run_that_took_over_are_told(database, studio, posegen):
    lost = running(database)
    work(studio, taken_over(database, lost.id))

    answer = posegen("explain", lost.id, width=200)

    assert "Runs: claims 2, failed attempts 0, lost leases 1" in answer.out
    first, second = (line for line in answer.out.splitlines() if line.startswith("  claim "))
    assert "run run-1 began" in first
    assert "poses completed 0, requeued" in first
    assert "the lease ran out" in first
    assert "run run-2 began" in second
    assert "poses completed 1, completed" in second


def test_a_pose_that_failed_says_why_and_what_was_given_back(database, studio, backend, posegen):
    backend.before_each = lambda recipe: 1 / 0 if recipe.pose == SLUGS[1] else None
    generation = finished(studio, poses=SLUGS[:2])

    answer = posegen("explain", generation, width=250)

    (failed,) = [line for line in answer.out.splitlines() if f" {SLUGS[1]} " in line and "failed" in line]
    code, detail = row(
        database, "select error_code, error_detail from generated_poses where status = 'failed'"
    ).values()
    assert code in failed
    assert detail in failed
    assert "Credits: 30 spent, 0 held, 30 released, 0 refunded" in answer.out


def test_calls_of_a_hosted_backend_are_told_with_what_they_cost(studio, posegen):
    far_end = FarEndInProcess()
    generation = finished(photographing(studio, far_end), poses=SLUGS[:2], backend=NAME)

    answer = posegen("explain", generation, width=200)

    assert f"Calls of {NAME}, model test/photographs: 2, 0.15 USD" in answer.out
    told = [line.split() for line in answer.out.splitlines() if " far-" in line]
    assert [(line[0], line[1], line[-2]) for line in told] == [("1", "used", "0.075"), ("2", "used", "0.075")]
    assert "call_sent" not in answer.out
    document = posegen("explain", generation, "--json").json
    assert [(call["state"], call["billed_usd"], call["waits"]) for call in document["calls"]] == [
        ("used", "0.075000", None)
    ] * 2
    assert sum(event["kind"] == "call_sent" for event in document["events"]) == 2
    assert {call["seed"] for call in document["calls"]} == {call["seed_returned"] for call in document["calls"]}


def test_a_call_that_ended_without_a_picture_says_why(studio, posegen, monkeypatch):
    far_end = FarEndInProcess()
    monkeypatch.setattr(far_end, "look", lambda _: Failed("There is no such request.", billed=True))
    generation = finished(photographing(studio, far_end), poses=SLUGS[:1], backend=NAME)

    answer = posegen("explain", generation, width=80)

    assert "uncertain" in answer.out
    assert "backend_uncertain: There is no such request." in " ".join(answer.out.split())
    assert max(map(len, answer.out.split("Calls of")[1].split("\n\n")[0].splitlines())) <= 80


def test_a_refused_request_says_why(database, posegen):
    generation = a_request(database, a_user(database), poses=["flying-carpet"])
    take_in(database)

    answer = posegen("explain", generation)

    assert "invalid_request: There is no pose 'flying-carpet'" in answer.out
    assert "Runs: claims 0" in answer.out


def test_one_that_waits_says_so_and_one_that_was_claimed_has_no_run_yet(database, posegen):
    claim = claimed(database)
    waiting = queued(database)

    assert "not claimed before" in posegen("explain", waiting).out
    assert "no run has begun, not ended" in posegen("explain", claim.id).out


def test_a_refund_names_who_gave_it_and_why(posegen, generation):
    posegen("credits", "refund", generation, "--reason", "six fingers", "--actor", "Wayan")

    answer = posegen("explain", generation, width=200)

    assert "60 refunded" in answer.out
    (line,) = [line for line in answer.out.splitlines() if "refund ×2" in line]
    assert "Wayan" in line
    assert "six fingers" in line


def test_what_people_give_as_reasons_is_shown_as_it_is(posegen, generation):
    posegen("credits", "refund", generation, "--reason", "[red]six[/] [/] :smile:", "--actor", "[bold]Wayan")

    answer = posegen("explain", generation, width=200)

    assert answer.code == 0
    assert "[bold]Wayan [red]six[/] [/] :smile:" in answer.out


def test_an_object_that_is_missing_from_the_store_is_named(posegen, store, generation):
    key = next(entry.key for entry in store.list("poses/"))
    store.delete(key)

    answer = posegen("explain", generation)

    assert f"missing    local:{key}" in answer.out
    assert [each["key"] for each in posegen("explain", generation, "--json").json["missing_objects"]] == [key]


def test_a_store_that_cannot_be_asked_is_no_reason_to_say_nothing(database, posegen, generation):
    execute(database, "insert into stores (name, base_url) values ('s3', null)")
    execute(database, "update objects set store = 's3'")

    answer = posegen("explain", generation)

    assert answer.code == 0
    assert "s3 could not be asked: " in answer.out
    assert "all of them are there" not in answer.out


def test_deleted_images_are_told_with_who_asked_for_it(database, posegen, generation):
    deleted(database, generation)

    answer = posegen("explain", generation, width=250)

    assert answer.code == 0
    assert "deleted    the images of 2 poses" in answer.out
    assert answer.out.count("(asked)") == 2
    (audited,) = [line for line in answer.out.splitlines() if "Wayan" in line and "until" in line and "poses " in line][
        :1
    ]
    assert "images_deleted" in audited
    document = posegen("explain", generation, "--json").json
    assert [entry["action"] for entry in document["audit"]] == ["images_deleted"]
    assert document["missing_objects"] == []


def test_images_that_are_only_hidden_say_until_when_they_can_be_had_back(database, posegen, generation):
    execute(database, "select delete_images(array_agg(id), 'Wayan') from generated_poses")

    assert posegen("explain", generation, width=250).out.count("images hidden, deleted after ") == 2


def test_when_the_traces_are_gone_the_rows_still_tell_and_it_says_so(database, posegen, generation, home):
    execute(database, "update generations set finished_at = now() - interval '30 days'")
    with database.transaction() as connection:
        retention.retire_generations(connection, [generation])

    with hold_home(home, "http://127.0.0.1:9"):
        answer = posegen("explain", generation, width=200)

    assert answer.code == 0
    assert "events, partition and runs were dropped" in answer.out
    assert "\nEvents" not in answer.out
    assert "last run   run-1" in answer.out
    assert "/runs/" not in answer.out
    assert "Credits: 60 spent" in answer.out
    assert "capture ×2" in answer.out


def test_terminals_are_not_told_what_to_do_by_customers(database, posegen):
    generation = a_request(database, a_user(database), prompt="a \x1b[2J[red]cat[/]", project_id="\x1b]0;x\x07[/]")

    answer = posegen("explain", generation)

    assert answer.code == 0
    assert "\x1b" not in answer.out
    assert "[red]cat[/]" in answer.out


# --- which generation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [8, 11, 36])
def test_the_beginning_of_an_id_is_enough(posegen, generation, length):
    document = posegen("explain", str(generation)[:length], "--json").json

    assert document["generation"]["generation_id"] == str(generation)


@pytest.mark.parametrize("unknown", ["00000000-0000-4000-8000-000000000000", "00000000", "garbage", "-", "", "f" * 40])
def test_one_that_does_not_exist_is_a_mistake(database, posegen, unknown):
    queued(database)

    answer = posegen("explain", "--", unknown)

    assert answer.code == 1
    assert answer.err == f"error: There is no generation {unknown}; `posegen status` lists the latest ones.\n"


def test_a_beginning_that_several_have_is_a_mistake_that_names_them(database, posegen):
    first, second = (queued(database, id=f"abcdef00-0000-4000-8000-00000000000{number}") for number in (1, 2))

    answer = posegen("explain", "abcdef00")

    assert answer.code == 1
    assert str(first) in answer.err
    assert str(second) in answer.err
    assert posegen("explain", first).code == 0


# --- how it reads -------------------------------------------------------------------------------------------------


def test_it_reads_no_rows_of_others(database):
    user = a_user(database)
    others = 40
    for _ in range(others):
        a_request(database, user)
    take_in(database)
    execute(
        database,
        """
        insert into objects (store, key, sha256, crc32, size, content_type, generation_id)
        select 'local', 'poses/' || id || '.png', repeat('0', 64), 0, 0, 'image/png', generation_id from generated_poses
        """,
    )
    execute(
        database,
        """
        insert into exports (pose_id, format, status, error_code)
        select id, 'x', 'failed', 'poisoned' from generated_poses
        """,
    )
    execute(database, "insert into audit_entries (actor, action, subject) select 'a', 'b', id::text from generations")
    execute(
        database,
        """
        insert into backend_calls (id, purpose, pose_id, generation_id, budget, attempt, backend, model, recipe_hash,
            seed, state, token, ended_at, sent_at)
        select id, 'pose', id, generation_id, 1, 1, 'mannequin', 'm', 'h', 1, 'used', 1, now(), now()
        from generated_poses
        """,
    )
    generation = value(database, "select id from generations limit 1")
    with psycopg.connect(database.url, autocommit=True) as administrator:
        # The planner looks at the ends of an index, past entries of rows that earlier tests have left dead.
        administrator.execute("vacuum analyze")

    # A session of its own: the figures are those of its transaction, and of what it has not told the server yet.
    with Database(database.url) as fresh, fresh.transaction() as connection:
        # So few rows would be read from end to end, or merged where autovacuum has counted some of the tables; of a
        # million the planner thinks otherwise.
        for way in ("seqscan", "mergejoin", "hashjoin"):
            connection.execute(f"set local enable_{way} = off")
        told = history_of(connection, str(generation))
        read = connection.execute(
            "select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) as rows from pg_stat_xact_user_tables"
        ).fetchall()

    assert len(told.poses) == len(told.exports) == len(told.entries) == len(told.objects) == len(told.audit) == 1
    assert len(told.calls) == 1
    assert {each["relname"] for each in read if each["rows"]} >= {
        *("generations", "exports", "ledger_entries", "objects", "backend_calls")
    }
    # The planner itself may look at some rows at the end of an index, once autovacuum has been there.
    assert {each["relname"]: each["rows"] for each in read if each["rows"] >= others} == {}


def test_the_audit_is_that_of_the_view(database, posegen, generation):
    deleted(database, generation)
    posegen("credits", "refund", generation, "--reason", "six fingers")

    document = posegen("explain", generation, "--json").json

    trail = rows(database, "select action from audit_trail where subject = %s order by created_at", str(generation))
    told = [entry["action"] for entry in document["audit"]]
    told += ["credits_refunded" for entry in document["ledger"] if entry["kind"] == "refund"]
    assert [entry["action"] for entry in trail] == told
