"""`posegen metrics`: the figures of a period as people and scripts read them."""

from __future__ import annotations

import pytest

from tests.builders import finished, rows, value
from tests.histories import a_history, write

MARCH = ("--from", "2026-03-28", "--to", "2026-04-04")


@pytest.fixture
def history(database, prepared_url):
    write(prepared_url, a_history(5, generations=30))


def test_without_dates_it_sums_up_the_last_days_up_to_now(database, studio, posegen):
    finished(studio, poses=["star-jump"], formats=["tiktok"])

    answer = posegen("metrics", width=120)

    assert answer.code == 0
    assert "generations" in answer.out
    assert "100.0 %" in answer.out
    assert "tiktok" in answer.out
    assert "mannequin" in answer.out


def test_as_json_it_has_the_headline_and_every_table(database, posegen, history):
    document = posegen("metrics", *MARCH, "--json").json

    ended = "finished_at >= '2026-03-28Z' and finished_at < '2026-04-05Z'"
    assert document["from"] == "2026-03-28"
    assert document["headline"]["generations"] == value(database, f"select count(*) from generations where {ended}") > 0
    assert {"totals", "credits", "errors", "poses", "categories", "days", "storage"} <= document["tables"].keys()
    assert len(document["tables"]["days"]) == 8
    assert document["tables"]["days"][0]["day"].startswith("2026-03-28")


@pytest.mark.parametrize(
    ("command", "limit", "first"),
    [("top-users", 2, "user_id"), ("popular-poses", 3, "library_pose"), ("errors", 1, "error_code")],
)
def test_lists_are_as_long_as_asked_for(posegen, history, command, limit, first):
    found = posegen("metrics", command, *MARCH, "--limit", limit, "--json").json

    assert len(found) == limit
    assert next(iter(found[0])) == first
    assert posegen("metrics", command, *MARCH, "--limit", limit, width=150).code == 0


def test_the_user_who_used_most_comes_first(database, posegen, history):
    found = posegen("metrics", "top-users", *MARCH, "--json").json

    used = rows(
        database, "select user_id, sum(amount) as used from ledger_entries where kind = 'capture' and created_at >= "
        "'2026-03-28Z' and created_at < '2026-04-05Z' group by 1 order by used desc",
    )  # fmt: skip
    assert [each["credits_used"] for each in found[: len(used)]] == [each["used"] for each in used]
    assert found[0]["user_id"] == str(used[0]["user_id"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "yesterday"], "'yesterday' is no day: write it as 2026-11-21"),
        (["--from", "2026-02-30"], "'2026-02-30' is no day"),
        (["--from", "2026-03-02", "--to", "2026-03-01"], "2026-03-01 lies before 2026-03-02"),
    ],
)
def test_dates_that_make_no_sense_are_named(posegen, arguments, says):
    answer = posegen("metrics", *arguments)

    assert answer.code == 1
    assert says in answer.err


def test_a_period_in_which_nothing_happened_is_no_mistake(posegen):
    assert posegen("metrics", "--from", "2020-01-01", "--to", "2020-01-31").code == 0
    assert "nothing to show" in posegen("metrics", "errors", "--from", "2020-01-01", "--to", "2020-01-31").out
