"""`posegen calls` and `posegen backends`: who makes pictures, what was asked of them, and what it has cost."""

from __future__ import annotations

import pytest

from posegen.upkeep.examination import examine
from posegen.upkeep.finding import Part
from tests import hosted
from tests.builders import SLUGS, execute, finished, rows


@pytest.fixture
def photographed(studio):
    """A generation of two poses by a hosted backend."""
    photographing = hosted.photographing(studio, hosted.FarEndInProcess())
    return finished(photographing, poses=SLUGS[:2], backend=hosted.NAME)


def test_calls_are_listed_with_their_state_and_cost(photographed, posegen):
    listed = posegen("calls", "--json").json

    assert [(call["state"], call["backend"], call["billed_usd"]) for call in listed] == [
        ("used", hosted.NAME, "0.075000")
    ] * 2
    assert {call["generation_id"] for call in listed} == {str(photographed)}
    table = posegen("calls", width=250).out
    assert table.count(str(photographed)) == 2
    assert "0.075" in table


@pytest.mark.parametrize(
    ("option", "change"),
    [
        ("--open", "state = 'sent', ended_at = null, settled_at = null"),
        ("--uncertain", "state = 'uncertain', billed_usd = null, bill_source = null"),
        ("--unused", "state = 'rejected'"),
    ],
)
def test_an_option_shows_one_kind_of_calls(database, photographed, posegen, option, change):
    assert posegen("calls", option, "--json").json == []
    assert posegen("calls", option).out == "No such calls.\n"
    chosen = rows(database, "select id from backend_calls order by id limit 1")[0]["id"]
    execute(database, f"update backend_calls set {change} where id = %s", chosen)

    assert [call["id"] for call in posegen("calls", option, "--json").json] == [str(chosen)]


def test_calls_of_one_generation(photographed, studio, posegen):
    other = finished(studio)

    assert len(posegen("calls", "--generation", photographed, "--json").json) == 2
    assert posegen("calls", "--generation", other, "--json").json == []


def test_two_kinds_at_once_are_refused(posegen):
    refused = posegen("calls", "--open", "--unused")

    assert refused.code == 2
    assert "--open and --unused cannot be combined" in refused.err


def test_backends_exist_once_their_key_is_set_and_are_offered_by_a_setting_of_their_own(database, posegen, monkeypatch):
    assert [each["name"] for each in posegen("backends", "--json").json] == ["mannequin"]

    monkeypatch.setenv("FAL_KEY", "a-key")
    assert [(each["name"], each["offered"]) for each in posegen("backends", "--json").json] == [
        ("mannequin", True),
        ("fal", False),
    ]

    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "fal")
    shown = posegen("backends", width=200).out
    assert "0.075" in shown
    assert "a-key" not in shown


def test_an_offered_backend_without_a_key_is_named(database, posegen, monkeypatch):
    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "fal")

    refused = posegen("backends")

    assert refused.code == 1
    assert "no backend 'fal'" in refused.err


def test_doctor_warns_of_pictures_that_are_billed_and_cost_no_more_credits(database, posegen, monkeypatch):
    monkeypatch.setenv("FAL_KEY", "a-key")
    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "fal")

    def finding():
        return next(each for each in examine() if each.part == Part.BACKEND)

    assert not finding().good
    assert "POSEGEN_CREDITS_HOSTED_BACKEND" in finding().fix
    monkeypatch.setenv("POSEGEN_CREDITS_HOSTED_BACKEND", "60")
    assert finding().good
