"""The door for foreign backends: what a plain INSERT does, and what it refuses on the spot."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from posegen.generations.rows.events import REQUESTS_CHANNEL
from tests.builders import A_POSE, SLUGS, a_request, a_user, execute, row, rows, status, value


def notifications(database, insert):
    with database.listening(REQUESTS_CHANNEL) as listener:
        insert()
        return listener.wait(180)


def test_a_plain_insert_becomes_a_submitted_generation(database):
    user = a_user(database)

    generation = a_request(
        database, user, poses=[A_POSE], formats=["tiktok"], project_id="summer", priority=3, backend="mannequin"
    )

    assert row(
        database,
        "select user_id, status, formats, project_id, priority, backend from generations where id = %s",
        generation,
    ) == {
        "user_id": user,
        "status": "submitted",
        "formats": ["tiktok"],
        "project_id": "summer",
        "priority": 3,
        "backend": "mannequin",
    }


def test_a_plain_insert_is_notified_once(database):
    user = a_user(database)

    assert notifications(database, lambda: a_request(database, user)) == [""]


def test_an_insert_of_many_rows_becomes_as_many_generations_and_one_notification(database):
    user = a_user(database)

    heard = notifications(
        database,
        lambda: execute(
            database,
            "insert into generation_requests (user_id, poses) select %s, array[%s] from generate_series(1, 25)",
            user,
            A_POSE,
        ),
    )

    assert heard == [""]
    assert rows(database, "select status, count(*) as n from generations group by 1") == [
        {"status": "submitted", "n": 25}
    ]


def test_a_client_that_uses_sql_text_only_can_ask_as_well(database):
    user = a_user(database)
    with psycopg.connect(database.url) as connection:
        connection.execute(
            f"""
            insert into generation_requests (user_id, poses, prompt, avatar, formats, seed)
            values ('{user}', '{{{SLUGS[0]},{SLUGS[1]}}}', 'on a rainy street', '{{"skin": "olive"}}', '{{shopee}}', 42)
            """
        )

    assert row(database, "select poses, avatar, seed from generation_requests") == {
        "poses": SLUGS[:2],
        "avatar": {"skin": "olive"},
        "seed": 42,
    }


@pytest.mark.parametrize(
    ("constraint", "columns"),
    [
        ("seed_in_range", {"seed": -1}),
        ("seed_in_range", {"seed": 2**32}),
        ("variations_in_range", {"variations": 0}),
        ("variations_in_range", {"variations": 51}),
        ("control_weight_in_range", {"control_weight": 2.1}),
        ("control_weight_in_range", {"control_weight": float("nan")}),
        ("negative_prompt_storable", {"negative_prompt": "x" * 100_001}),
        ("control_kind_known", {"control_kind": "canny"}),
        ("control_kind_known", {"control_kind": ""}),
        ("control_image_length", {"control_image": ""}),
        ("control_image_length", {"control_image": "x" * 2001}),
        ("control_start_in_range", {"control_start": -0.01}),
        ("control_start_in_range", {"control_start": 1}),
        ("control_start_in_range", {"control_start": float("nan")}),
        ("control_end_in_range", {"control_end": 0}),
        ("control_end_in_range", {"control_end": 1.01}),
        ("control_end_in_range", {"control_end": float("nan")}),
        ("control_span_in_order", {"control_start": 0.5, "control_end": 0.5}),
        ("control_span_in_order", {"control_start": 0.6, "control_end": 0.5}),
        ("priority_in_range", {"priority": 11}),
        ("priority_in_range", {"priority": -11}),
        ("poses_length", {"poses": ["x"] * 1001}),
        ("formats_length", {"formats": ["x"] * 1001}),
        ("categories_length", {"categories": ["x"] * 1001}),
        ("prompt_storable", {"prompt": "x" * 100_001}),
        ("project_id_length", {"project_id": ""}),
        ("idempotency_key_length", {"idempotency_key": "k" * 201}),
        ("backend_length", {"backend": ""}),
    ],
)
def test_a_value_out_of_range_is_refused_at_once_by_a_constraint_that_names_it(database, constraint, columns):
    user = a_user(database)

    with pytest.raises(errors.CheckViolation) as refused:
        a_request(database, user, **columns)

    assert refused.value.diag.constraint_name == constraint
    assert value(database, "select count(*) from generations") == 0


@pytest.mark.parametrize(
    ("assignment", "error"),
    [
        ("seed = 'many'", errors.InvalidTextRepresentation),
        ("seed = '99999999999999999999'", errors.NumericValueOutOfRange),
        ("variations = '2.5'", errors.InvalidTextRepresentation),
        ("user_id = 'nobody'", errors.InvalidTextRepresentation),
        ("poses = 'not an array'", errors.InvalidTextRepresentation),
        ("avatar = '{\"skin\": '", errors.InvalidTextRepresentation),
        ("avatar = '{skin: olive}'", errors.InvalidTextRepresentation),
        ("avatar = '[]'", errors.CheckViolation),
        ("avatar = 'null'", errors.CheckViolation),
        ("avatar = '\"olive\"'", errors.CheckViolation),
        ("avatar = null", errors.NotNullViolation),
        ("poses = null", errors.NotNullViolation),
        ("allow_degraded = null", errors.NotNullViolation),
        ("allow_degraded = 'perhaps'", errors.InvalidTextRepresentation),
        ("control_start = 'soon'", errors.InvalidTextRepresentation),
        ("user_id = null", errors.NotNullViolation),
    ],
)
def test_a_wrong_type_or_malformed_json_is_refused_at_once(database, assignment, error):
    user = a_user(database)
    column, literal = assignment.split(" = ")
    columns = {"user_id": f"'{user}'", "poses": f"'{{{A_POSE}}}'"} | {column: literal}

    with pytest.raises(error):
        execute(
            database, f"insert into generation_requests ({', '.join(columns)}) values ({', '.join(columns.values())})"
        )

    assert value(database, "select count(*) from generations") == 0


def test_the_largest_and_the_smallest_values_are_accepted(database):
    user = a_user(database)

    for columns in (
        {"seed": 0},
        {"seed": 2**32 - 1},
        {"variations": 50},
        {"control_weight": 0},
        {"priority": -10},
        {"control_start": 0, "control_end": 1},
        {"control_image": "x" * 2000},
        {"negative_prompt": "x" * 100_000},
    ):
        assert status(database, a_request(database, user, **columns)) == "submitted"


def test_one_row_out_of_range_refuses_the_whole_insert(database):
    user = a_user(database)

    with pytest.raises(errors.CheckViolation):
        execute(database, "insert into generation_requests (user_id, seed) values (%s, 1), (%s, -1)", user, user)

    assert value(database, "select count(*) from generations") == 0


def test_a_request_never_changes_afterwards(database):
    generation = a_request(database, a_user(database))

    with pytest.raises(errors.RestrictViolation, match="append-only"):
        execute(database, "update generation_requests set seed = 5 where id = %s", generation)
    with pytest.raises(psycopg.IntegrityError):  # which of its kinds depends on the version of the server
        execute(database, "delete from generation_requests where id = %s", generation)


def test_a_request_of_a_user_who_does_not_exist_is_left_to_intake(database):
    assert status(database, a_request(database, uuid4())) == "submitted"
