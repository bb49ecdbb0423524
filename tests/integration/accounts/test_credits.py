"""Credits: every movement is an entry that nothing can change, and no pose is charged or given back twice."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from posegen.accounts import credits as ledger
from posegen.error_codes import ErrorCode
from posegen.generations.making import checkpoint, outcomes
from posegen.generations.making.outcomes import GENERATIONS
from posegen.work.outcomes import retry_after_error
from posegen.work.rules import RetryRule
from tests.builders import (
    PRICE,
    SLUGS,
    a_request,
    a_user,
    account,
    credits,
    execute,
    made_pose,
    open_poses,
    queued,
    result,
    row,
    rows,
    running,
    value,
)
from tests.concurrency import at_once


def capture(database, generation, pose):
    with database.transaction() as connection:
        ledger.capture(connection, generation, pose)


def release(database, generation, pose):
    with database.transaction() as connection:
        ledger.release(connection, generation, pose, "test")


def hold_of(database, generation):
    with database.transaction() as connection:
        return ledger.hold_of(connection, generation)


def add_entry(database, kind, user, source, target, generation, pose, *, amount=1):
    execute(
        database,
        "insert into ledger_entries (kind, user_id, source, target, generation_id, pose_id, amount, reason, actor) "
        "values (%s, %s, %s, %s, %s, %s, %s, 'test', 'test')",
        *(kind, user, source, target, generation, pose, amount),
    )


def two_poses(database, user):
    lease = running(database, user, poses=SLUGS[:2])
    return lease.id, [pose.id for pose in open_poses(database, lease.id)]


# --- the entries --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    ["update ledger_entries set amount = 1", "delete from ledger_entries", "truncate ledger_entries"],
)
def test_an_entry_never_changes_and_never_goes(database, statement):
    a_user(database, credits=100)

    with pytest.raises(errors.RestrictViolation, match="append-only"):
        execute(database, statement)

    assert value(database, "select amount from ledger_entries") == 100


def test_the_ledger_cannot_be_emptied_through_another_table(database):
    a_user(database, credits=100)

    with pytest.raises(errors.RestrictViolation, match="append-only"):
        execute(database, "truncate users cascade")


@pytest.mark.parametrize(
    ("kind", "source", "target"),
    [
        ("grant", "available", "issued"),
        ("capture", "available", "spent"),
        ("capture", "held", "available"),
        ("release", "spent", "available"),
        ("refund", "held", "available"),
    ],
)
def test_credits_move_in_known_ways_only(database, kind, source, target):
    user = a_user(database)
    generation = queued(database, user)
    (pose,) = open_poses(database, generation)

    with pytest.raises(errors.CheckViolation, match="a_kind_moves_credits_one_way"):
        add_entry(database, kind, user, source, target, *((None, None) if kind == "grant" else (generation, pose.id)))


@pytest.mark.parametrize("kind", ["gift", "hold", "capture", "release", "refund"])
def test_an_entry_says_what_it_is_about(database, kind):
    user = a_user(database)
    ways = {"hold": ("available", "held"), "capture": ("held", "spent"), "release": ("held", "available")}
    source, target = ways.get(kind, ("spent", "available"))

    with pytest.raises(errors.CheckViolation, match="a_kind_has_its_subject"):
        add_entry(database, kind, user, source, target, None, None)


def test_an_entry_moves_no_negative_amount(database):
    user = a_user(database)

    with pytest.raises(errors.CheckViolation, match="amount"):
        add_entry(database, "grant", user, "issued", "available", None, None, amount=-1)


def test_what_was_granted_is_available_held_or_spent(database):
    user = a_user(database)

    for column in ("credits_available", "credits_held", "credits_spent", "credits_granted"):
        with pytest.raises(errors.CheckViolation, match="credits_balance"):
            execute(database, f"update accounts set {column} = {column} + 1 where user_id = %s", user)


# --- grant --------------------------------------------------------------------------------------------------------


def test_granted_credits_are_available(database):
    user = a_user(database, credits=0)

    assert value(database, "select grant_credits(%s, 100, 'welcome')", user) == 100
    assert value(database, "select grant_credits(%s, 50, 'birthday', 'Budi')", user) == 150

    assert credits(database, user) == (150, 0, 0)
    assert rows(database, "select kind, amount, reason from ledger_entries order by id") == [
        {"kind": "grant", "amount": 100, "reason": "welcome"},
        {"kind": "grant", "amount": 50, "reason": "birthday"},
    ]
    assert value(database, "select actor from ledger_entries where amount = 50") == "Budi"


@pytest.mark.parametrize("amount", [0, -5])
def test_a_grant_gives_something(database, amount):
    user = a_user(database, credits=0)

    with pytest.raises(errors.CheckViolation, match="must be above 0"):
        value(database, "select grant_credits(%s, %s, 'x')", user, amount)


def test_a_grant_says_why_and_to_whom(database):
    user = a_user(database, credits=0)

    with pytest.raises(errors.CheckViolation):
        value(database, "select grant_credits(%s, 5, '')", user)
    with pytest.raises(psycopg.IntegrityError):
        value(database, "select grant_credits(%s, 5, 'x')", uuid4())


def test_grants_at_once_all_arrive(database, connections_open):
    user = a_user(database, credits=0)

    at_once([lambda: value(database, "select grant_credits(%s, 1, 'x')", user)] * 8)

    assert credits(database, user) == (8, 0, 0)


# --- hold, capture, release ---------------------------------------------------------------------------------------


def test_a_completed_pose_is_captured_and_a_failed_one_released(database):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:3])
    first, second, _ = open_poses(database, lease.id)
    assert credits(database, user) == (10_000 - 3 * PRICE, 3 * PRICE, 0)

    checkpoint.complete_pose(database, lease, first, made_pose(lease.id, first), store="local")
    assert credits(database, user) == (10_000 - 3 * PRICE, 2 * PRICE, PRICE)

    checkpoint.fail_pose(database, lease, second, ErrorCode.IMAGE_INVALID, "all black")
    assert credits(database, user) == (10_000 - 2 * PRICE, PRICE, PRICE)

    outcomes.finish_generation(database, lease)
    assert credits(database, user) == (10_000 - PRICE, 0, PRICE)
    assert hold_of(database, lease.id) == ledger.Hold(3 * PRICE, PRICE, 2 * PRICE)


def test_a_pose_is_captured_once(database):
    user = a_user(database)
    generation, (pose, _) = two_poses(database, user)
    capture(database, generation, pose)

    with pytest.raises(errors.UniqueViolation, match="one_capture_or_release_per_pose"):
        capture(database, generation, pose)

    assert credits(database, user) == (10_000 - 2 * PRICE, PRICE, PRICE)


def test_a_pose_is_released_once(database):
    user = a_user(database)
    generation, (pose, _) = two_poses(database, user)
    release(database, generation, pose)

    with pytest.raises(errors.UniqueViolation, match="one_capture_or_release_per_pose"):
        release(database, generation, pose)

    assert credits(database, user) == (10_000 - PRICE, PRICE, 0)


@pytest.mark.parametrize(("first", "second"), [(capture, release), (release, capture)])
def test_a_pose_is_never_both_captured_and_released(database, first, second):
    generation, (pose, _) = two_poses(database, a_user(database))
    first(database, generation, pose)

    with pytest.raises(errors.UniqueViolation, match="one_capture_or_release_per_pose"):
        second(database, generation, pose)


def test_captures_and_releases_at_once_move_a_pose_once(database, connections_open):
    user = a_user(database)
    generation, (pose, _) = two_poses(database, user)

    answers = at_once([lambda n=n: (capture, release)[n % 2](database, generation, pose) for n in range(8)])

    assert [type(answer) for answer in answers if answer is not None] == [errors.UniqueViolation] * 7
    assert value(database, "select count(*) from ledger_entries where kind in ('capture', 'release')") == 1


def test_no_more_is_captured_and_released_than_was_held(database):
    user = a_user(database)
    generation, (pose, other) = two_poses(database, user)
    execute(database, "update holds set amount = %s", PRICE)  # as if less had been held than the poses cost
    queued(database, user)  # another hold of the same user, which must stay untouched
    capture(database, generation, pose)

    with pytest.raises(errors.CheckViolation, match="no_more_than_was_held"):
        capture(database, generation, other)

    assert credits(database, user) == (10_000 - 3 * PRICE, 2 * PRICE, PRICE)


def test_a_pose_is_captured_and_released_at_its_price_and_at_no_other(database):
    user = a_user(database)
    generation, (pose, _) = two_poses(database, user)

    for kind, target, amount in (("capture", "spent", PRICE - 1), ("release", "available", PRICE + 1)):
        with pytest.raises(errors.CheckViolation, match=f"has the price {PRICE}, not {amount}"):
            add_entry(database, kind, user, "held", target, generation, pose, amount=amount)

    assert credits(database, user) == (10_000 - 2 * PRICE, 2 * PRICE, 0)


def test_the_price_of_a_pose_stays_what_was_agreed_on(database):
    two_poses(database, a_user(database))

    with pytest.raises(errors.RestrictViolation, match="agreed on at intake"):
        execute(database, "update generated_poses set price = price + 1")


def test_a_generation_holds_once(database):
    user = a_user(database)
    generation = queued(database, user)

    with pytest.raises(errors.UniqueViolation), database.transaction() as connection:
        ledger.hold(connection, user, generation, 1)


def test_the_credits_of_one_user_do_not_pay_for_another(database):
    owner, other = a_user(database), a_user(database)
    generation = queued(database, owner)
    (pose,) = open_poses(database, generation)

    with pytest.raises(psycopg.IntegrityError):
        add_entry(database, "capture", other, "held", "spent", generation, pose.id)


def test_a_pose_of_another_generation_cannot_be_charged_to_this_one(database):
    user = a_user(database)
    mine, others = queued(database, user), queued(database, user)
    (pose,) = open_poses(database, others)

    with pytest.raises(psycopg.IntegrityError):
        add_entry(database, "capture", user, "held", "spent", mine, pose.id)


# --- refund -------------------------------------------------------------------------------------------------------


def refund(database, *poses):
    with database.transaction() as connection:
        return ledger.refund(connection, poses, reason="wrong colours", actor="Budi")


def test_a_captured_pose_is_refunded_once(database):
    user = a_user(database)
    generation, (pose, other) = two_poses(database, user)
    capture(database, generation, pose)

    assert [refund(database, pose, other), refund(database, pose)] == [PRICE, 0]

    assert credits(database, user) == (10_000 - PRICE, PRICE, 0)
    assert hold_of(database, generation) == ledger.Hold(2 * PRICE, PRICE, 0, PRICE)
    assert row(database, "select reason, actor, source, target from ledger_entries where kind = 'refund'") == {
        "reason": "wrong colours",
        "actor": "Budi",
        "source": "spent",
        "target": "available",
    }


def test_refunds_at_once_give_back_once(database, connections_open):
    user = a_user(database)
    generation, (pose, _) = two_poses(database, user)
    capture(database, generation, pose)

    answers = at_once([lambda: refund(database, pose)] * 6)

    assert sorted(answer for answer in answers if isinstance(answer, int))[-1] == PRICE
    assert value(database, "select sum(amount) from ledger_entries where kind = 'refund'") == PRICE
    assert credits(database, user) == (10_000 - PRICE, PRICE, 0)


def test_no_more_is_refunded_than_was_captured_whoever_writes_the_entry(database):
    user = a_user(database)
    generation, (pose, other) = two_poses(database, user)
    capture(database, generation, pose)
    release(database, generation, other)

    for of_pose, amount, captured in ((pose, PRICE + 1, PRICE), (other, 1, 0)):
        with pytest.raises(errors.CheckViolation, match=f"charged {captured} credits: {amount} cannot be refunded"):
            add_entry(database, "refund", user, "spent", "available", generation, of_pose, amount=amount)
    add_entry(database, "refund", user, "spent", "available", generation, pose, amount=PRICE - 1)
    with pytest.raises(errors.UniqueViolation, match="one_refund_per_pose"):
        add_entry(database, "refund", user, "spent", "available", generation, pose, amount=1)

    assert credits(database, user) == (10_000 - 1, 0, 1)


def test_a_refund_is_an_event_of_its_generation(database):
    generation, (pose, _) = two_poses(database, a_user(database))
    capture(database, generation, pose)

    refund(database, pose)

    assert row(database, "select detail from events where kind = 'refunded'")["detail"] == {
        "poses": 1,
        "credits": PRICE,
        "reason": "wrong colours",
        "actor": "Budi",
    }


def test_a_balance_that_runs_short_goes_on_in_the_same_transaction(database):
    user = a_user(database, credits=10)
    generation = a_request(database, user)

    with database.transaction() as connection:
        with pytest.raises(ledger.RequestRefused, match="costs 11 credits and 10 are available"):
            ledger.hold(connection, user, generation, 11)
        balance = ledger.balance_of(connection, user)

    assert balance is not None
    assert (balance.credits_available, balance.credits_held) == (10, 0)


def test_terminal_means_that_nothing_is_held_and_what_was_captured_is_what_was_made(database):
    user = a_user(database)
    lease = running(database, user, poses=SLUGS[:3])
    first, *_ = open_poses(database, lease.id)
    checkpoint.complete_pose(database, lease, first, made_pose(lease.id, first), store="local")
    retry_after_error(database, GENERATIONS, lease, RetryRule(most_attempts=1), reason="boom")

    ended = result(database, lease.id)
    made = value(database, "select sum(price) from generated_poses where status = 'completed'")
    assert (ended["credits_held"], ended["credits_spent"]) == (0, made)
    assert row(database, "select amount = captured + released as settled from holds") == {"settled": True}
    assert account(database, user)["credits_held"] == 0
