"""Intake against the database: a request is queued with everything held, or refused with nothing held."""

from __future__ import annotations

import threading
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from posegen.accounts import credits as ledger
from posegen.errors import PartlyDone
from posegen.generations.asking import claims
from posegen.generations.asking.intake import IntakeLimits
from posegen.generations.asking.judging import POSE_RESERVE_BYTES
from posegen.generations.rows import poses
from posegen.platforms.platform import reserved_bytes
from posegen.policy.policy import read_policy
from tests import hosted
from tests.builders import (
    A_POSE,
    PRICE,
    SEED,
    SLUGS,
    a_request,
    a_user,
    account,
    credits,
    event_kinds,
    execute,
    result,
    row,
    rows,
    status,
    take_in,
    value,
)
from tests.concurrency import at_once
from tests.refusals import refusing


def entries(database, user):
    return [r["kind"] for r in rows(database, "select kind from ledger_entries where user_id = %s order by id", user)]


def assert_nothing_was_taken(database, user, generation, *, available=10_000):
    assert credits(database, user) == (available, 0, 0)
    assert account(database, user)["storage_reserved"] == 0
    assert entries(database, user) == ["grant"]
    assert value(database, "select count(*) from holds where generation_id = %s", generation) == 0
    assert value(database, "select count(*) from generated_poses where generation_id = %s", generation) == 0


# --- accepted -----------------------------------------------------------------------------------------------------


def test_an_accepted_request_is_queued_with_its_poses_credits_and_space(database):
    user = a_user(database, credits=1000)
    generation = a_request(database, user, poses=SLUGS[:2], variations=2, formats=["tiktok"], seed=3)

    assert take_in(database) == 1

    assert result(database, generation) | {
        "status": "queued",
        "poses_total": 4,
        "credits_held": 4 * PRICE,
        "credits_spent": 0,
        "error_code": None,
    } == result(database, generation)
    assert credits(database, user) == (1000 - 4 * PRICE, 4 * PRICE, 0)
    assert account(database, user)["storage_reserved"] == 4 * (POSE_RESERVE_BYTES + reserved_bytes(["tiktok"]))
    assert event_kinds(database, generation) == ["submitted", "queued"]


def test_the_poses_of_a_generation_have_ids_that_every_attempt_can_know(database):
    generation = a_request(database, a_user(database), poses=SLUGS[:3])
    take_in(database)

    found = rows(
        database, "select pose_id, position, library_pose, seed_used, credits from pose_results order by position"
    )

    assert [pose["pose_id"] for pose in found] == [poses.pose_id(generation, position) for position in range(3)]
    assert [pose["library_pose"] for pose in found] == SLUGS[:3]
    assert {(pose["seed_used"], pose["credits"]) for pose in found} == {(SEED, PRICE)}


def test_the_price_at_intake_is_the_price_whatever_it_costs_later(database):
    user = a_user(database, credits=1000)
    a_request(database, user)
    take_in(database, credits_per_pose=50)
    a_request(database, user)
    take_in(database, credits_per_pose=10)

    assert sorted(r["price"] for r in rows(database, "select price from generated_poses")) == [10, 50]
    assert credits(database, user) == (940, 60, 0)


def test_a_free_pose_holds_nothing_and_is_queued(database):
    user = a_user(database, credits=0)
    generation = a_request(database, user)

    take_in(database, credits_per_pose=0)

    assert status(database, generation) == "queued"
    assert credits(database, user) == (0, 0, 0)


def test_the_last_credit_and_the_last_byte_may_be_used(database):
    user = a_user(database, credits=PRICE, storage_limit=POSE_RESERVE_BYTES)

    assert take_in_one(database, user) == "queued"


def test_a_pose_of_an_operator_can_be_asked_for(database):
    add_pose(database, "my-pose", {"lift": 0.2})

    assert take_in_one(database, a_user(database), poses=["my-pose"]) == "queued"
    assert take_in_one(database, a_user(database), categories=["mine"]) == "queued"


# --- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"poses": ["flying"]}, "'flying'"),
        ({"poses": [None]}, "None"),
        ({"poses": [[A_POSE], [SLUGS[1]]]}, A_POSE),
        ({"categories": ["flying"]}, "'flying'"),
        ({"formats": ["myspace"]}, "'myspace'"),
        ({"backend": "camera"}, "'camera'"),
        ({"poses": []}, "0 poses"),
        ({"poses": SLUGS[:51]}, "51 pictures"),
        ({"prompt": ""}, "empty"),
        ({"prompt": "x" * 20_000}, "20,000 characters"),
        ({"prompt": "bell \x07"}, "U+0007"),
        ({"avatar": {"wings": "two"}}, "'wings'"),
        ({"avatar": {"skin": "blue"}}, "'blue'"),
        ({"avatar": {"skin": {"deep": [1, 2]}}}, "deep"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_made_fails_with_its_reason_and_nothing_is_taken(database, columns, says):
    user = a_user(database)
    generation = a_request(database, user, **columns)
    good = a_request(database, user)

    assert take_in(database) == 2

    ended = result(database, generation)
    assert (ended["status"], ended["error_code"]) == ("failed", "invalid_request")
    assert says in ended["error_detail"]
    assert "detail names it" in ended["error_message"]
    assert ended["finished_at"] is not None
    assert event_kinds(database, generation) == ["submitted", "failed"]
    assert status(database, good) == "queued"
    assert credits(database, user) == (10_000 - PRICE, PRICE, 0)


def test_a_request_of_an_unknown_user_fails(database):
    nobody = uuid4()
    generation = a_request(database, nobody)

    take_in(database)

    ended = result(database, generation)
    assert (ended["status"], ended["error_code"]) == ("failed", "invalid_request")
    assert str(nobody) in ended["error_detail"]
    assert "insert the user" in ended["error_detail"]


def test_a_request_that_costs_more_than_is_available_fails_and_holds_nothing(database):
    user = a_user(database, credits=2 * PRICE - 1)
    generation = a_request(database, user, poses=SLUGS[:2])

    take_in(database)

    ended = result(database, generation)
    assert (ended["status"], ended["error_code"]) == ("failed", "insufficient_credits")
    assert "costs 60 credits and 59 are available" in ended["error_detail"]
    assert_nothing_was_taken(database, user, generation, available=59)


def test_a_request_that_does_not_fit_into_the_storage_fails_and_reserves_nothing(database):
    user = a_user(database, storage_limit=POSE_RESERVE_BYTES)
    generation = a_request(database, user, poses=SLUGS[:2])

    take_in(database)

    ended = result(database, generation)
    assert (ended["status"], ended["error_code"]) == ("failed", "quota_exceeded")
    assert "8,000,000 bytes and 4,000,000 of 4,000,000 are free" in ended["error_detail"]
    assert_nothing_was_taken(database, user, generation)


def test_a_disabled_pose_cannot_be_asked_for_any_more(database):
    execute(database, "update library_poses set enabled = false where slug = %s", A_POSE)

    assert take_in_one(database, a_user(database)) == "failed"


def test_an_operators_pose_that_cannot_be_drawn_is_refused_by_name_and_never_chosen(database):
    add_pose(database, "my-pose", {"angles": {"left_knee": [400, 0, 0]}}, description="levitating zeppelin")
    user = a_user(database)

    named = a_request(database, user, poses=["my-pose"])
    described = a_request(database, user, prompt="a levitating zeppelin")
    take_in(database)

    assert result(database, named)["error_code"] == "invalid_request"
    assert "left_knee" in result(database, named)["error_detail"]
    assert status(database, described) == "queued"


# --- the content policy -------------------------------------------------------------------------------------------


def test_a_prompt_that_the_policy_refuses_holds_nothing_and_its_neighbours_go_on(database):
    user = a_user(database)
    refused = a_request(database, user, prompt="a n4ked person on a sofa")
    good = a_request(database, user, prompt="nude lipstick and killer heels")

    assert take_in(database) == 2

    ended = result(database, refused)
    assert (ended["status"], ended["error_code"]) == ("failed", "inappropriate_prompt")
    assert ended["error_detail"] == "The content policy does not allow this request. Category: sexual."
    assert "other words" in ended["error_message"]
    assert event_kinds(database, refused) == ["submitted", "failed"]
    assert value(database, "select count(*) from holds where generation_id = %s", refused) == 0
    assert status(database, good) == "queued"
    assert credits(database, user) == (10_000 - PRICE, PRICE, 0)


def test_an_avatar_of_a_child_is_refused_with_suggestive_words_only(database):
    user = a_user(database)
    child = {"age_group": "child"}
    refused, good = (
        a_request(database, user, avatar=child, prompt=words) for words in ("a seductive look", "a shy look")
    )

    take_in(database)

    assert codes(database, [refused, good]) == ["inappropriate_prompt", "queued"]
    assert result(database, refused)["error_detail"].endswith("Category: minor.")


@pytest.mark.parametrize(
    "columns", [{"avatar": {"age_group": "teen"}}, {"avatar": {"age_group": "child"}}, {"prompt": "two kids playing"}]
)
def test_a_backend_that_makes_photographs_shows_minors_only_where_the_operator_allows_it(database, columns):
    user = a_user(database)

    photo = a_request(database, user, backend=hosted.NAME, **columns)
    drawing = a_request(database, user, **columns)
    adult = a_request(database, user, backend=hosted.NAME)
    take_in(database)
    allowed = a_request(database, user, backend=hosted.NAME, **columns)
    take_in(database, policy=read_policy(None, photos_of_minors=True))

    assert codes(database, [photo, drawing, adult, allowed]) == ["inappropriate_prompt", "queued", "queued", "queued"]


def test_a_prompt_with_a_name_of_the_operators_file_is_refused(database, tmp_path):
    (tmp_path / "own.toml").write_text('real_person = ["Jane Q. Example"]')
    generation = a_request(database, a_user(database), prompt="jane q example, waving")

    take_in(database, policy=read_policy(tmp_path / "own.toml"))

    assert result(database, generation)["error_detail"].endswith("Category: real_person.")
    assert "jane" not in result(database, generation)["error_detail"].lower()


# --- too much -----------------------------------------------------------------------------------------------------


def codes(database, generations):
    return [result(database, generation)["error_code"] or status(database, generation) for generation in generations]


def test_a_user_may_have_so_many_generations_waiting(database):
    limits = IntakeLimits(most_queued_per_user=2)
    user, other = a_user(database), a_user(database)
    asked = [a_request(database, user) for _ in range(3)]
    others = a_request(database, other)

    take_in(database, limits=limits)

    assert codes(database, [*asked, others]) == ["queued", "queued", "too_many_requests", "queued"]
    assert "2 generations of this user wait already" in result(database, asked[2])["error_detail"]
    assert credits(database, user) == (10_000 - 2 * PRICE, 2 * PRICE, 0), "nothing is held for what was refused"

    claims.claim_next(database, most_running=1)
    again = a_request(database, user)
    take_in(database, limits=limits)
    assert codes(database, [again]) == ["queued"], "what is under way does not wait any more"


def test_a_user_may_have_so_many_poses_accepted_in_any_hour(database):
    limits = IntakeLimits(poses_per_hour=5)
    user, other = a_user(database), a_user(database)
    large = a_request(database, user, poses=SLUGS[:3])
    too_large = a_request(database, user, poses=SLUGS[:3])
    fits = a_request(database, user, poses=SLUGS[:2])
    others = a_request(database, other, poses=SLUGS[:5])

    take_in(database, limits=limits)

    assert codes(database, [large, too_large, fits, others]) == ["queued", "too_many_requests", "queued", "queued"]
    detail = result(database, too_large)["error_detail"]
    assert "3 poses of this user were accepted in the last hour, and 3 more would be above 5" in detail

    execute(database, "update generations set queued_at = queued_at - interval '61 minutes' where id = %s", large)
    later = a_request(database, user, poses=SLUGS[:3])
    take_in(database, limits=limits)
    assert codes(database, [later]) == ["queued"], "an hour is over"


def test_the_whole_queue_takes_so_many_generations(database):
    limits = IntakeLimits(most_queued=3)
    asked = [a_request(database, a_user(database)) for _ in range(5)]

    take_in(database, limits=limits)

    assert sorted(codes(database, asked)) == ["queue_full"] * 2 + ["queued"] * 3
    claims.claim_next(database, most_running=1)
    more = [a_request(database, a_user(database)) for _ in range(2)]
    take_in(database, limits=limits)
    assert sorted(codes(database, more)) == ["queue_full", "queued"]


def test_what_is_refused_for_other_reasons_takes_no_place(database):
    user = a_user(database)
    wrong = [a_request(database, user, poses=["flying"]) for _ in range(3)]
    good = a_request(database, user)

    take_in(database, limits=IntakeLimits(most_queued=1, most_queued_per_user=1, poses_per_hour=1))

    assert codes(database, [*wrong, good]) == ["invalid_request"] * 3 + ["queued"]


def test_requests_of_one_user_that_are_judged_at_once_stay_within_the_limit(database, connections_open):
    user = a_user(database)
    asked = [a_request(database, user) for _ in range(12)]
    limits = IntakeLimits(most_queued_per_user=5, poses_per_hour=5)

    at_once([lambda: take_in(database, limits=limits)] * 4)

    assert sorted(codes(database, asked)) == ["queued"] * 5 + ["too_many_requests"] * 7


# --- a batch ------------------------------------------------------------------------------------------------------


def test_credits_go_to_the_oldest_requests_first(database):
    user = a_user(database, credits=2 * PRICE)
    generations = [a_request(database, user) for _ in range(3)]

    take_in(database)

    assert [status(database, generation) for generation in generations] == ["queued", "queued", "failed"]


def test_as_many_are_judged_as_the_limit_says(database):
    user = a_user(database)
    generations = [a_request(database, user) for _ in range(3)]

    assert take_in(database, limit=2) == 2
    assert [status(database, generation) for generation in generations] == ["queued", "queued", "submitted"]
    assert take_in(database, limit=2) == 1
    assert take_in(database, limit=2) == 0


def test_a_defect_in_the_intake_of_one_request_does_not_stop_the_others(database, monkeypatch):
    user = a_user(database)
    generations = [a_request(database, user, seed=seed) for seed in range(3)]
    hold = ledger.hold

    def hold_with_a_defect(connection, of_user, generation_id, amount):
        hold(connection, of_user, generation_id, amount)
        if generation_id == generations[1]:
            raise ZeroDivisionError("a defect of ours\0")

    monkeypatch.setattr(ledger, "hold", hold_with_a_defect)

    assert take_in(database) == 3

    assert [status(database, generation) for generation in generations] == ["queued", "failed", "queued"]
    assert result(database, generations[1])["error_code"] == "poisoned"
    assert "ZeroDivisionError" in result(database, generations[1])["error_detail"]
    assert credits(database, user) == (10_000 - 2 * PRICE, 2 * PRICE, 0)


def test_trouble_with_the_database_refuses_nobody(database):
    user = a_user(database)
    generation = a_request(database, user)
    # Another transaction holds what is needed, for longer than this one may wait.
    with refusing(database.url, "ledger_entries", "55P03", times=1):
        with pytest.raises(PartlyDone) as passing:
            take_in(database)
        assert isinstance(passing.value.first, psycopg.OperationalError)

    assert status(database, generation) == "submitted"
    take_in(database)
    assert status(database, generation) == "queued"


def test_two_intakes_at_once_judge_every_request_once(database, connections_open):
    user = a_user(database)
    generations = [a_request(database, user) for _ in range(20)]

    judged = at_once([lambda: take_in(database)] * 3)

    assert sum(judged) == 20
    assert {status(database, generation) for generation in generations} == {"queued"}
    assert credits(database, user) == (10_000 - 20 * PRICE, 20 * PRICE, 0)
    assert value(database, "select count(*) from events where kind = 'queued'") == 20


def test_two_intakes_never_hold_more_than_there_is(database, connections_open):
    user = a_user(database, credits=5 * PRICE)
    for _ in range(10):
        a_request(database, user)

    at_once([lambda: take_in(database)] * 3)

    assert credits(database, user) == (0, 5 * PRICE, 0)
    assert rows(database, "select status, count(*) as n from generations group by 1 order by 1") == [
        {"status": "failed", "n": 5},
        {"status": "queued", "n": 5},
    ]


def test_a_request_that_is_cancelled_while_it_is_judged_ends_cancelled_with_nothing_held(database, monkeypatch):
    user = a_user(database)
    generation = a_request(database, user)
    cancelling = threading.Thread(
        target=lambda: execute(database, "select cancel_generation(%s, 'customer')", generation)
    )
    hold = ledger.hold

    def hold_and_be_cancelled(*arguments):
        hold(*arguments)
        cancelling.start()

    monkeypatch.setattr(ledger, "hold", hold_and_be_cancelled)
    take_in(database)
    cancelling.join(180)

    assert status(database, generation) == "cancelled"
    assert credits(database, user) == (10_000, 0, 0)
    assert account(database, user)["storage_reserved"] == 0


def test_a_refused_generation_is_never_claimed(database):
    take_in_one(database, a_user(database), poses=["flying"])

    assert claims.claim_next(database, most_running=10) == []


def take_in_one(database, user, **columns):
    generation = a_request(database, user, **columns)
    take_in(database)
    return status(database, generation)


def add_pose(database, slug, specification, *, description="as an operator likes it"):
    execute(database, "insert into pose_categories (slug, name) values ('mine', 'Mine')")
    execute(
        database,
        "insert into library_poses (slug, name, category, description, difficulty, specification) "
        "values (%s, 'Mine', 'mine', %s, 'easy', %s)",
        slug,
        description,
        Jsonb(specification),
    )
    assert row(database, "select built_in from library_poses where slug = %s", slug) == {"built_in": False}
