"""`posegen report`: a page that stands by itself and says what the database says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from posegen.reports import plots
from tests import hosted
from tests.builders import SLUGS, execute, finished, rows, value
from tests.histories import a_history, write


@pytest.fixture
def history(database, prepared_url):
    write(prepared_url, a_history(5, generations=40))


class Page(HTMLParser):
    """What a browser would load, and what a reader sees."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.tags, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in {"src", "href"} and not value.startswith("#")]

    def handle_data(self, data):
        self.words.append(data.strip())


@pytest.fixture
def without_plots(monkeypatch):
    """Pages whose plots are left out, which take most of the time, for tests that look at nothing of a plot."""
    monkeypatch.setattr(plots, "as_svg", lambda _: "")


def test_the_page_needs_nothing_else_and_its_figures_are_those_of_the_database(
    database, posegen, home, history, tmp_path
):
    execute(database, "update users set name = '<script>alert(1)</script>'")

    answer = posegen("report", "--month", "2026-04")

    assert answer.code == 0
    file = home / "reports" / "2026-04.html"
    assert f"Report: {file}" in answer.out
    text = file.read_text()
    page = Page(text)
    assert page.loads == []
    assert "@import" not in text
    assert "url(http" not in text
    assert "script" not in page.tags
    assert "<script>" not in text
    assert "&lt;script&gt;" in text, "what customers call themselves is shown as it is"
    assert page.tags.count("svg") >= 4
    ended = "finished_at >= '2026-04-01Z' and finished_at < '2026-05-01Z'"
    generations = value(database, f"select count(*) from generations where {ended}")
    assert page.words[page.words.index("April 2026") :].count(f"{generations:,}") >= 1
    refunded = value(
        database, "select sum(amount) from ledger_entries where kind = 'refund' and created_at >= '2026-04-01Z' "
        "and created_at < '2026-05-01Z'",
    )  # fmt: skip
    assert refunded
    assert {"Cloudflare R2", "AWS S3 Standard", "Supabase Storage", "Local disk (in use)"} <= set(page.words)

    posegen("report", "--month", "2026-04", "--html", tmp_path / "again.html")

    again, first = (re.sub(r"made [\d :-]+ UTC", "", each) for each in ((tmp_path / "again.html").read_text(), text))
    assert again == first, "the same month gives the same page"


def test_a_full_local_store_is_told_of_and_the_margin_shown_when_it_is_known(
    posegen, home, history, without_plots, monkeypatch
):
    monkeypatch.setenv("POSEGEN_MOVE_POSES", "1")
    monkeypatch.setenv("POSEGEN_CREDIT_VALUE", "0.01")
    monkeypatch.setenv("POSEGEN_BACKEND_COSTS", '{"another": 0.02}')

    posegen("report", "--month", "2026-04")

    words = Page((home / "reports" / "2026-04.html").read_text()).words
    assert any("on another store pays" in word for word in words)
    assert "margin after backends" in words


def test_a_month_without_anything_is_a_page_too(posegen, home, database):
    assert posegen("report", "--month", "2020-02").code == 0

    words = Page((home / "reports" / "2020-02.html").read_text()).words
    assert "February 2020" in words
    assert "With less than 14 days of history there is none." in words


@pytest.mark.parametrize("month", ["2026-13", "May", "2026"])
def test_a_month_that_is_none_is_named(posegen, month):
    answer = posegen("report", "--month", month)

    assert answer.code == 1
    assert f"{month!r} is no month: write it as 2026-11" in answer.err


# --- what hosted backends cost ------------------------------------------------------------------------------------


@pytest.fixture
def photographed(studio):
    """Three poses of a hosted backend, and one that was drawn."""
    finished(hosted.photographing(studio, hosted.FarEndInProcess()), poses=SLUGS[:3], backend=hosted.NAME)
    return finished(studio)


def test_hosted_backends_cost_what_their_calls_were_billed(
    database, photographed, posegen, without_plots, home, monkeypatch
):
    monkeypatch.setenv("POSEGEN_BACKEND_COSTS", f'{{"{hosted.NAME}": 1000, "mannequin": 0.5}}')
    monkeypatch.setenv("POSEGEN_CREDIT_VALUE", "1")
    first, second, _ = (each["id"] for each in rows(database, "select id from backend_calls order by id"))
    execute(database, "update backend_calls set bill_source = 'invoice', billed_usd = 0.040001 where id = %s", first)
    execute(
        database,
        "update backend_calls set state = 'uncertain', bill_source = null, billed_usd = null where id = %s",
        second,
    )

    told = posegen("report", "--json").json

    (of_backend,) = told["calls"]
    assert {name: of_backend[name] for name in ("backend", "calls", "used", "unused", "uncertain", "open")} == {
        "backend": hosted.NAME, "calls": 3, "used": 2, "unused": 0, "uncertain": 1, "open": 0
    }  # fmt: skip
    assert (of_backend["usd_response"], of_backend["usd_invoice"], of_backend["usd_price_list"]) == (0.075, 0.040001, 0)
    assert (told["billed_usd"], told["estimated_usd"]) == (0.115001, 0.5)
    assert of_backend["usd_a_pose"] == pytest.approx(0.0575005)
    words = Page(Path(told["report"]).read_text()).words
    assert words[words.index("paid to backends") - 1] == "$0.62"
    assert words[words.index("margin after backends") - 1] == f"${4 * 30 - 0.615001:,.2f}"
    assert any("Uncertain calls may be billed and are in no sum." in word for word in words)
    assert any("other pictures cost $0.50" in word for word in words)


def test_a_call_that_was_paid_for_and_not_used_counts(database, photographed, posegen, without_plots):
    execute(
        database,
        "update backend_calls set state = 'rejected' where id = (select min(id::text)::uuid from backend_calls)",
    )

    (of_backend,) = posegen("report", "--json").json["calls"]

    assert (of_backend["used"], of_backend["unused"], of_backend["usd"]) == (2, 1, 0.225)
    assert of_backend["usd_a_pose"] == pytest.approx(0.225 / 2)


def test_a_picture_without_a_bill_costs_what_the_settings_say(
    database, photographed, posegen, without_plots, monkeypatch
):
    monkeypatch.setenv("POSEGEN_BACKEND_COSTS", f'{{"{hosted.NAME}": 0.2}}')
    execute(database, "update backend_calls set billed_usd = null, bill_source = null")

    told = posegen("report", "--json").json

    assert told["billed_usd"] == 0
    assert told["estimated_usd"] == pytest.approx(0.6)


def test_poses_whose_calls_belong_to_the_month_before_are_not_estimated(
    database, photographed, posegen, without_plots, monkeypatch
):
    monkeypatch.setenv("POSEGEN_BACKEND_COSTS", f'{{"{hosted.NAME}": 1000}}')
    execute(database, "update backend_calls set planned_at = planned_at - interval '40 days'")

    told = posegen("report", "--json").json

    assert (told["billed_usd"], told["estimated_usd"]) == (0, 0)
    assert [(each["backend"], each["calls"]) for each in told["calls"]] == [(hosted.NAME, 0)]


def test_metrics_have_the_calls_of_any_dates(photographed, posegen):
    (of_backend,) = posegen("metrics", "--json").json["tables"]["calls"]

    assert (of_backend["backend"], of_backend["calls"], of_backend["usd"]) == (hosted.NAME, 3, 0.225)
    assert "\ncalls\n" in posegen("metrics", width=200).out
