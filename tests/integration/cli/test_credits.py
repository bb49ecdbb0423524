"""`posegen credits`: a user's balance, and what an operator may do about it."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from posegen.cli.requests import LOCAL_USER
from tests.builders import PRICE, SLUGS, a_user, credits, execute, finished, queued, result, row, rows, value


def past_the_guards(database, statement):
    with psycopg.connect(database.url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(statement)


# --- show ---------------------------------------------------------------------------------------------------------


def test_the_balance_and_the_latest_movements_are_shown(studio, posegen):
    user = a_user(studio.database, credits=1000)
    generation = finished(studio, user, poses=SLUGS[:2])

    shown = posegen("credits", "show", user, width=120)

    assert shown.code == 0
    assert "940 available, 0 held, 60 spent; 1,000 granted in all." in shown.out
    assert shown.out.count("capture") == 2
    assert shown.out.count(f"{generation} pose completed") == 2
    assert posegen("credits", "show", user, "--limit", 1, width=120).out.count("capture") == 1


def test_scripts_read_json(studio, posegen):
    user = a_user(studio.database, credits=100)

    shown = posegen("credits", "show", user, "--json").json

    assert (shown["credits_available"], shown["user"]) == (100, str(user))
    assert [(entry["kind"], entry["amount"]) for entry in shown["entries"]] == [("grant", 100)]


def test_without_a_user_it_is_the_local_one(database, posegen):
    assert "insert a row into `users`" in posegen("credits", "show").err

    posegen("submit", SLUGS[0])

    assert "100,000 granted in all" in posegen("credits", "show").out
    assert value(database, "select count(*) from users where id = %s", LOCAL_USER) == 1


# --- grant --------------------------------------------------------------------------------------------------------


def test_a_grant_says_who_and_why(database, posegen):
    user = a_user(database, credits=0)

    assert "50 credits granted; 50 are available now." in posegen("credits", "grant", user, 50, "--reason", "sorry").out
    posegen("credits", "grant", user, 5, "--reason", "again", "--actor", "Budi")

    assert credits(database, user) == (55, 0, 0)
    first, second = rows(database, "select reason, actor from ledger_entries order by id")
    assert first["reason"] == "sorry"
    assert first["actor"].endswith(", by posegen credits")
    assert second == {"reason": "again", "actor": "Budi"}


def test_a_grant_needs_a_reason_a_user_and_something_to_give(database, posegen):
    user = a_user(database, credits=0)

    assert posegen("credits", "grant", user, 5).code == 2
    assert posegen("credits", "grant", user, 0, "--reason", "x").code == 2
    unknown = uuid4()
    assert f"There is no user {unknown}" in posegen("credits", "grant", unknown, 5, "--reason", "x").err
    assert credits(database, user) == (0, 0, 0)


# --- refund -------------------------------------------------------------------------------------------------------


def test_a_refund_gives_back_what_was_paid_and_the_pictures_stay(studio, posegen):
    database, user = studio.database, a_user(studio.database)
    generation = finished(studio, user, poses=SLUGS[:3])

    answer = posegen("credits", "refund", generation, "--reason", "wrong colours", "--actor", "Budi")

    assert f"{3 * PRICE} credits refunded." in answer.out
    assert credits(database, user) == (10_000, 0, 0)
    ended = result(database, generation)
    assert (ended["status"], ended["credits_spent"], ended["credits_refunded"]) == ("completed", 90, 90)
    assert row(database, "select detail from events where kind = 'refunded'")["detail"] == {
        "poses": 3,
        "credits": 90,
        "reason": "wrong colours",
        "actor": "Budi",
    }
    assert posegen("verify").code == 0


def test_some_poses_can_be_refunded_each_once(studio, posegen):
    database, user = studio.database, a_user(studio.database)
    generation = finished(studio, user, poses=SLUGS[:3])

    first = posegen("credits", "refund", generation, "--pose", 1, "--pose", 3, "--reason", "x", "--json").json
    again = posegen("credits", "refund", generation, "--pose", 1, "--reason", "x")
    rest = posegen("credits", "refund", generation, "--reason", "x", "--json").json

    assert (first["credits_refunded"], rest["credits_refunded"]) == (2 * PRICE, PRICE)
    assert again.code == 1
    assert "is not refunded yet" in again.err
    assert credits(database, user) == (10_000, 0, 0)


def test_what_was_not_paid_for_cannot_be_refunded(database, posegen):
    generation = queued(database)

    assert "Nothing of generation" in posegen("credits", "refund", generation, "--reason", "x").err
    assert "There is no completed pose 1; it has none." in (
        posegen("credits", "refund", generation, "--pose", 1, "--reason", "x").err
    )
    assert "There is no generation" in posegen("credits", "refund", uuid4(), "--reason", "x").err


# --- audit --------------------------------------------------------------------------------------------------------


def test_a_ledger_that_agrees_has_no_difference(studio, posegen):
    finished(studio, poses=SLUGS[:2])

    answer = posegen("credits", "audit")

    assert answer.code == 0
    assert (
        "4 entries of 1 accounts replayed: 10,000 credits granted, 10,000 in the accounts. No difference." in answer.out
    )


@pytest.mark.parametrize(
    ("damage", "difference"),
    [
        (
            "update accounts set credits_spent = credits_spent - 7, credits_available = credits_available + 7",
            [("account", "available", 9_947, 9_940), ("account", "spent", 53, 60)],
        ),
        ("update holds set captured = captured - 10", [("hold", "captured", 50, 60)]),
        ("delete from holds", [("hold", "amount", 0, 60), ("hold", "captured", 0, 60)]),
        ("update generated_poses set price = 31 where position = 1", [("pose", "price", 31, 30)]),
        ("update generated_poses set status = 'failed', error_code = 'poisoned' where position = 0",
         [("pose", "price", 0, 30)]),
    ],
    ids=["balance", "hold", "no hold", "price", "not made"],
)  # fmt: skip
def test_every_difference_is_named_with_both_numbers(studio, posegen, damage, difference):
    finished(studio, poses=SLUGS[:2])
    past_the_guards(studio.database, damage)

    found = posegen("credits", "audit", "--json")

    assert found.code == 1
    assert [
        (each["what"], each["number"], each["recorded"], each["replayed"]) for each in found.json["differences"]
    ] == difference
    assert f"{len(difference)} differences" in posegen("credits", "audit", width=120).out


def test_the_audit_changes_nothing(studio, posegen):
    finished(studio)
    before = rows(studio.database, "select * from accounts")

    posegen("credits", "audit")

    assert rows(studio.database, "select * from accounts") == before
    assert execute(studio.database, "select 1") == 1
