"""`posegen report`: a page that stands by itself and says what the database says."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tests.builders import execute, value
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


def test_the_page_needs_nothing_else_and_its_figures_are_those_of_the_database(database, posegen, home, history):
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


def test_the_same_month_gives_the_same_page(posegen, home, history, tmp_path):
    pages = []
    for name in ("one.html", "two.html"):
        posegen("report", "--month", "2026-04", "--html", tmp_path / name)
        pages.append(re.sub(r"made [\d :-]+ UTC", "", (tmp_path / name).read_text()))

    assert pages[0] == pages[1]


def test_what_customers_call_themselves_is_shown_as_it_is(database, posegen, home, history):
    execute(database, "update users set name = '<script>alert(1)</script>'")

    posegen("report", "--month", "2026-04")

    text = (home / "reports" / "2026-04.html").read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_a_full_local_store_is_told_of_and_the_margin_shown_when_it_is_known(posegen, home, history, monkeypatch):
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
