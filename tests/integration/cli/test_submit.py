"""`posegen submit`: asking for pictures, and being told what is wrong with a request."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from uuid import UUID, uuid4

import psycopg
import pytest

from posegen.cli import requests
from posegen.generations.asking import claims
from posegen.generations.asking import requests as asking
from posegen.running_platform import hold_home
from posegen.settings import PROJECT_ROOT
from tests.builders import A_POSE, a_user, cancel_generation, execute, row, rows, started, take_in, value, work
from tests.commands import commands
from tests.concurrency import until

LOST = UUID("00000000-0000-4000-8000-00000000dead")


def the_request(database):
    return row(database, "select * from generation_requests")


def test_a_request_is_inserted_with_everything_that_was_said(database, posegen):
    user = a_user(database)

    answer = posegen(
        *("submit", "star-jump", "walking-towards-viewer", "--user", user, "--prompt", "on the beach"),
        *("--category", "yoga", "--format", "tiktok", "--format", "shopee", "--avatar", "hair=bob_brown"),
        *("--avatar", "skin=brown", "--variations", 3, "--seed", 4294967295, "--project", "summer"),
    )

    assert answer.code == 0
    request = the_request(database)
    assert request["poses"] == ["star-jump", "walking-towards-viewer"]
    assert request["categories"] == ["yoga"]
    assert request["formats"] == ["tiktok", "shopee"]
    assert request["avatar"] == {"hair": "bob_brown", "skin": "brown"}
    assert (request["prompt"], request["variations"], request["seed"]) == ("on the beach", 3, 4294967295)
    assert (request["user_id"], request["project_id"]) == (user, "summer")
    assert str(request["id"]) in answer.out, "in one piece, for the next command"
    assert "submitted" in answer.out


@pytest.mark.parametrize(
    ("command", "table", "also"),
    [
        ("submit", "generation_requests", {"pose": "poses", "category": "categories", "format": "formats"}),
        ("design submit", "design_requests", {"product": "product_type"}),
        ("variants make", "image_requests", {}),
    ],
)
def test_what_can_be_asked_with_sql_can_be_asked_with_the_command(database, command, table, also):
    columns = rows(database, "select column_name as name from information_schema.columns where table_name = %s", table)
    asked = {each["name"] for each in columns} - {"id", "created_at"}
    names = also | {"user": "user_id", "project": "project_id", "key": "idempotency_key"}
    names |= {"group": "group_name"}
    names |= {"colour": "text_colour", "ground": "ground_colour"}

    options = {param.name for param in commands()[command].params}

    assert asked <= {names.get(option, option) for option in options}


def test_what_guides_a_model_reaches_the_row(database, posegen):
    answer = posegen(
        *("submit", A_POSE, "--negative-prompt", "hats", "--control-kind", "depth", "--control-start", "0.1"),
        *("--control-end", "0.9", "--control-image", "https://maps.example/a.png", "--allow-degraded"),
    )

    assert answer.code == 0
    assert row(
        database,
        "select negative_prompt, control_kind, control_start, control_end, control_image, allow_degraded"
        " from generation_requests",
    ) == {
        "negative_prompt": "hats", "control_kind": "depth", "control_start": 0.1, "control_end": 0.9,
        "control_image": "https://maps.example/a.png", "allow_degraded": True,
    }  # fmt: skip


def test_a_span_that_ends_before_it_begins_is_refused_in_a_sentence(database, posegen):
    answer = posegen("submit", A_POSE, "--control-start", "0.6", "--control-end", "0.5")

    assert answer.code == 1
    assert "the control start must be below the control end" in answer.err


def test_backend_control_weight_and_priority_reach_the_row(database, posegen):
    for key in ([], ["--key", "order-1"]):
        given = ["--backend", "mannequin", "--control-weight", 0.5, "--priority", -3, *key]
        assert posegen("submit", "star-jump", "--fit", "contain", *given).code == 0

        request = row(database, "select * from generation_requests order by created_at desc limit 1")
        assert (request["backend"], request["control_weight"], request["priority"]) == ("mannequin", 0.5, -3)
        assert request["fit"] == "contain"

    refused = posegen("submit", "star-jump", "--priority", 11)
    assert (refused.code, "-10 to 10" in refused.err) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ["--format", "tiktok", "--format", "shopee"],
        ["--format", "tiktok,shopee"],
        ["--formats", "tiktok, shopee"],
        ["--formats=tiktok", "--format", "shopee"],
    ],
)
def test_formats_are_repeated_or_have_commas_under_both_names(database, posegen, words):
    assert posegen("submit", "star-jump", *words, "--project-id", "summer").code == 0

    request = the_request(database)
    assert (request["formats"], request["project_id"]) == (["tiktok", "shopee"], "summer")


def test_a_request_whose_commit_is_lost_may_be_stored(database, posegen, monkeypatch):
    def stored(connection, *_):
        execute(database, "select pg_terminate_backend(%s, 10000)", connection.info.backend_pid)
        return LOST

    monkeypatch.setattr(asking, "insert_request", stored)

    answer = posegen("submit", "star-jump")

    assert answer.code == 1
    assert f"Generation {LOST} may be stored: `posegen status {LOST}` says whether." in answer.err


def test_a_request_that_is_stored_is_named_when_following_it_fails(database, posegen, is_up, monkeypatch):
    def lost(*_, **__):
        raise psycopg.OperationalError("the server went away")

    monkeypatch.setattr(requests, "follow", lost)

    answer = posegen("submit", "star-jump", "--wait")

    assert answer.code == 1
    assert answer.err.count(f"Generation {the_request(database)['id']} is stored") == 1
    assert "the server went away" in answer.err


def test_without_a_user_a_local_one_with_credits_is_made_once(database, posegen):
    posegen("submit", "star-jump")
    posegen("submit", "star-jump")

    (user,) = rows(database, "select u.id, a.credits_available from users u join accounts a on a.user_id = u.id")
    assert user["credits_available"] == 100_000
    assert {each["user_id"] for each in rows(database, "select user_id from generation_requests")} == {user["id"]}


def test_a_prompt_is_taken_as_it_is(database, posegen):
    prompt = "50 % off; [bold]SALE[/] -- 'quoted' \"twice\"\nin two lines, für 学生 🎉"

    assert posegen("submit", "--prompt", prompt).code == 0

    assert the_request(database)["prompt"] == prompt


def test_it_says_when_nobody_is_there_to_make_the_pictures(posegen):
    answer = posegen("submit", "star-jump")

    assert answer.code == 0
    assert "`posegen up`" in answer.err


def test_as_json_it_is_one_document(database, posegen):
    answer = posegen("submit", "star-jump", "--format", "tiktok", "--json")

    assert answer.json["generation_id"] == str(the_request(database)["id"])
    assert (answer.json["status"], answer.json["replayed"]) == ("submitted", False)
    assert answer.json["formats"] == ["tiktok"]


# --- idempotency --------------------------------------------------------------------------------------------------


def test_the_same_key_and_the_same_request_give_the_same_generation(database, posegen):
    first = posegen("submit", "star-jump", "--seed", 1, "--key", "order-17", "--json").json
    again = posegen("submit", "star-jump", "--seed", 1, "--key", "order-17", "--json").json

    assert again["generation_id"] == first["generation_id"]
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert value(database, "select count(*) from generation_requests") == 1


def test_the_same_key_with_another_request_is_refused(posegen):
    first = posegen("submit", "star-jump", "--key", "order-17", "--json").json

    answer = posegen("submit", "star-jump", "--seed", 2, "--key", "order-17")

    assert answer.code == 1
    assert f"'order-17' was used for another request, generation {first['generation_id']}" in answer.err
    assert "choose a new key" in answer.err


# --- what is wrong with a request ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [[], ["--key", "k"]])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seed", "-1"], "the seed must be 0 to 4,294,967,295"),
        (["--seed", "4294967296"], "the seed must be 0 to 4,294,967,295"),
        (["--seed", "1" + "0" * 30], "out of range"),
        (["--variations", "0"], "variations must be 1 to 50"),
        (["--variations", "51"], "variations must be 1 to 50"),
        (["--variations", "40000"], "variations must be 1 to 50"),
        (["--variations", "3000000000"], "out of range"),
        (["--project", ""], "the project id must be 1 to 200 characters long"),
        (["--project", "p" * 201], "the project id must be 1 to 200 characters long"),
        (["--prompt", "p" * 100_001], "the prompt must be at most 100,000 characters long"),
        (["--avatar", "hair"], "--avatar 'hair' has no value: write hair=VALUE"),
        (["pose"] * 1000, "there may be at most 1,000 poses"),
    ],
)  # fmt: skip
def test_what_the_database_refuses_is_told_in_a_sentence(database, posegen, arguments, says, key):
    answer = posegen("submit", "star-jump", *arguments, *key)

    assert answer.code == 1
    assert answer.err.startswith("error: invalid_request: ")
    assert says in answer.err
    assert "constraint" not in answer.err
    assert rows(database, "select from generation_requests") == []


@pytest.mark.parametrize("length", [0, 201])
def test_a_key_has_a_length(posegen, length):
    answer = posegen("submit", "star-jump", "--key", "k" * length)

    assert answer.code == 1
    assert "the idempotency key must be 1 to 200 characters long" in answer.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["star-jump", "--user", "garbage"], "--user"),
        (["star-jump", "--seed", "seven"], "--seed"),
        (["star-jump", "--variations", "many"], "--variations"),
        (["star-jump", "--no-such-option"], "--no-such-option"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_matter_of_usage(database, posegen, arguments, says):
    answer = posegen("submit", *arguments)

    assert answer.code == 2
    assert says in answer.err
    assert rows(database, "select from generation_requests") == []


def test_bytes_that_are_no_text_are_told_without_a_traceback(database, home):
    environment = os.environ | {"DATABASE_URL": database.url, "POSEGEN_HOME": str(home)}
    refused = subprocess.run(
        [sys.executable, "-m", "posegen.cli.main", "submit", "--prompt", b"caf\xe9"],
        env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip

    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert r"'caf\xe9' is not UTF-8" in refused.stderr


@pytest.mark.parametrize(
    "arguments", [["flying-carpet"], [], ["star-jump", "--format", "myspace"], ["star-jump", "--user", str(uuid4())]]
)
def test_the_rest_is_judged_at_intake(database, posegen, arguments):
    posegen("submit", *arguments)
    take_in(database)

    assert posegen("status", "--json").json[0]["error_code"] == "invalid_request"


# --- following ----------------------------------------------------------------------------------------------------


@pytest.fixture
def is_up(home):
    """As if `posegen up` served the folder."""
    with hold_home(home, "http://127.0.0.1:9"):
        yield


@pytest.fixture
def worker(studio):
    """Makes the pictures of the next request that comes in."""

    def make():
        database = studio.database
        until(lambda: take_in(database))
        for claim in claims.claim_next(database, most_running=10):
            work(studio, started(database, claim))

    thread = threading.Thread(target=make)
    thread.start()
    yield
    thread.join(180)


def test_with_wait_it_follows_to_the_end(posegen, is_up, worker):
    answer = posegen("submit", A_POSE, "--format", "shopee", "--wait")

    assert answer.code == 0
    assert "completed" in answer.out
    assert "1/1" in answer.out
    assert "not up" not in answer.err


def test_with_wait_a_generation_that_fails_has_an_exit_code_of_its_own(posegen, is_up, worker):
    answer = posegen("submit", "flying-carpet", "--wait", "--json")

    assert answer.code == 3
    assert answer.json["error_code"] == "invalid_request"


def test_with_wait_a_cancelled_generation_counts_as_failed(database, posegen, is_up):
    def cancel():
        found = until(lambda: rows(database, "select id from generations"))
        cancel_generation(database, UUID(str(found[0]["id"])), actor="test")

    cancelling = threading.Thread(target=cancel)
    cancelling.start()

    assert posegen("submit", A_POSE, "--wait").code == 3
    cancelling.join(180)


def test_with_wait_and_a_database_of_ones_own_it_follows_though_up_runs_elsewhere(posegen, worker):
    answer = posegen("submit", A_POSE, "--wait", "--json")

    assert answer.json["status"] == "completed"


def test_with_wait_what_has_not_ended_in_time_is_no_success(posegen, is_up):
    answer = posegen("submit", A_POSE, "--wait", "--timeout", 1)

    assert answer.code == 1
    assert "`posegen status" in answer.err
