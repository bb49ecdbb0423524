"""`submit_generation`: the same key and body give the same generation, another body is a conflict."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from posegen.generations.rows.events import REQUESTS_CHANNEL
from tests.builders import A_POSE, SLUGS, a_user, queued, row, rows, status, take_in, value
from tests.concurrency import at_once

BODY = {
    "poses": [A_POSE],
    "prompt": "in the park",
    "categories": [],
    "avatar": Jsonb({"skin": "olive", "hair": "shaved"}),
    "variations": 2,
    "seed": 5,
    "formats": ["tiktok", "shopee"],
    "project_id": "summer",
    "backend": "mannequin",
    "control_weight": 0.8,
    "negative_prompt": "blurred",
    "allow_degraded": True,
    "control_kind": "depth",
    "control_image": "https://maps.example/pose.png",
    "control_start": 0.1,
    "control_end": 0.9,
    "priority": 1,
}


def submit(database, user, key, **body):
    """Raises what PostgreSQL says."""
    arguments = ", ".join(f"{name} => %s" for name in body)
    with database.transaction() as connection:
        return connection.execute(
            f"select * from submit_generation(%s, %s{', ' + arguments if body else ''})", [user, key, *body.values()]
        ).fetchone()


def test_a_new_key_submits_a_generation(database):
    user = a_user(database)

    answer = submit(database, user, "order-1", **BODY)

    assert (answer["status"], answer["replayed"]) == ("submitted", False)
    assert row(
        database, "select user_id, poses, seed, avatar from generation_requests where id = %s", answer["generation_id"]
    ) == {
        "user_id": user,
        "poses": [A_POSE],
        "seed": 5,
        "avatar": {"skin": "olive", "hair": "shaved"},
    }


def test_the_same_key_and_body_give_the_same_generation_and_where_it_stands_now(database):
    user = a_user(database)
    first = submit(database, user, "order-1", **BODY)
    take_in(database)

    again = submit(database, user, "order-1", **{**BODY, "avatar": Jsonb({"hair": "shaved", "skin": "olive"})})

    assert again == {"generation_id": first["generation_id"], "status": "queued", "replayed": True}
    assert value(database, "select count(*) from generations") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"poses": [SLUGS[1]]},
        {"poses": [A_POSE, A_POSE]},
        {"prompt": None},
        {"prompt": "in the Park"},
        {"categories": ["standing"]},
        {"avatar": Jsonb({"skin": "olive"})},
        {"variations": 3},
        {"seed": None},
        {"formats": ["shopee", "tiktok"]},
        {"project_id": "winter"},
        {"backend": None},
        {"control_weight": 0.81},
        {"priority": 0},
        {"negative_prompt": None},
        {"negative_prompt": "Blurred"},
        {"allow_degraded": False},
        {"control_kind": "openpose"},
        {"control_kind": None},
        {"control_image": "https://maps.example/pose2.png"},
        {"control_image": None},
        {"control_start": 0.11},
        {"control_start": None},
        {"control_end": 0.91},
        {"control_end": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_same_key_with_another_body_is_a_conflict(database, change):
    user = a_user(database)
    first = submit(database, user, "order-1", **BODY)

    with pytest.raises(psycopg.Error, match="'order-1' was used for another request") as conflict:
        submit(database, user, "order-1", **{**BODY, **change})

    assert conflict.value.sqlstate == "PG409"
    assert str(first["generation_id"]) in str(conflict.value)
    assert "new key" in conflict.value.diag.message_hint
    assert value(database, "select count(*) from generations") == 1


def test_calls_by_position_of_earlier_versions_still_mean_the_same(database):
    user = a_user(database)
    call = """
        select * from submit_generation(%s, 'order-1', array[%s], 'in the park', '{}', '{}', 2, 5, '{tiktok}', 'summer',
            'mannequin', 0.8, 1, 'cover')
    """

    first, again = row(database, call, user, A_POSE), row(database, call, user, A_POSE)

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert row(
        database,
        "select fit, negative_prompt, allow_degraded, control_kind, control_image, control_start, control_end"
        " from generation_requests",
    ) == {
        "fit": "cover", "negative_prompt": None, "allow_degraded": False, "control_kind": None, "control_image": None,
        "control_start": None, "control_end": None,
    }  # fmt: skip


def test_a_key_belongs_to_its_user(database):
    one, other = a_user(database), a_user(database)

    first, second = submit(database, one, "order-1", **BODY), submit(database, other, "order-1", **BODY)

    assert first["generation_id"] != second["generation_id"]
    assert not second["replayed"]


def test_without_a_key_every_call_is_a_new_request(database):
    user = a_user(database)

    first, second = submit(database, user, None, poses=[A_POSE]), submit(database, user, None, poses=[A_POSE])

    assert first["generation_id"] != second["generation_id"]


def test_eight_callers_with_one_key_get_one_generation(database, connections_open):
    user = a_user(database)

    answers = at_once([lambda: submit(database, user, "order-1", **BODY)] * 8)

    assert len({answer["generation_id"] for answer in answers}) == 1
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 7
    assert value(database, "select count(*) from generations") == 1


def test_eight_callers_with_one_key_and_two_bodies_get_one_generation_and_conflicts(database, connections_open):
    user = a_user(database)

    answers = at_once([lambda n=n: submit(database, user, "order-1", poses=[A_POSE], seed=n % 2) for n in range(8)])

    refused = [answer for answer in answers if isinstance(answer, psycopg.Error)]
    assert [error.sqlstate for error in refused] == ["PG409"] * 4
    assert value(database, "select count(*) from generations") == 1


def test_a_submission_is_notified(database):
    user = a_user(database)
    with database.listening(REQUESTS_CHANNEL) as listener:
        submit(database, user, "order-1", **BODY)
        assert listener.wait(180) == [""]


def test_what_the_constraints_refuse_uses_up_no_key(database):
    user = a_user(database)
    with pytest.raises(psycopg.errors.CheckViolation):
        submit(database, user, "order-1", poses=[A_POSE], seed=-1)

    assert not submit(database, user, "order-1", poses=[A_POSE], seed=1)["replayed"]


def test_an_insert_with_a_key_that_was_used_is_refused(database):
    user = a_user(database)
    queued(database, user, idempotency_key="order-1")

    with pytest.raises(psycopg.errors.UniqueViolation, match="one_request_per_idempotency_key"):
        queued(database, user, idempotency_key="order-1")
    assert [status(database, r["id"]) for r in rows(database, "select id from generations")] == ["queued"]
