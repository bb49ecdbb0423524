"""Platforms of an operator's own, and what a request may say about its formats, on the command line."""

from __future__ import annotations

import pytest

from tests.builders import finished, rows, value

OWN = """
[instagram_portrait]
width = 1080
height = 1350
source = "https://example.org/sizes"
read_on = "2026-11"
"""


def test_the_platforms_of_the_file_are_in_the_table_after_an_upgrade(posegen, database, tmp_path, monkeypatch):
    file = tmp_path / "platforms.toml"
    file.write_text(OWN)
    monkeypatch.setenv("POSEGEN_PLATFORMS_FILE", str(file))

    assert posegen("db", "upgrade").code == 0

    (found,) = rows(database, "select name, width, height from platforms where not built_in")
    assert found == {"name": "instagram_portrait", "width": 1080, "height": 1350}


def test_a_file_that_cannot_be_used_stops_every_command_with_a_sentence(posegen, database, tmp_path, monkeypatch):
    file = tmp_path / "platforms.toml"
    file.write_text(OWN.replace("1350", "0"))
    monkeypatch.setenv("POSEGEN_PLATFORMS_FILE", str(file))

    answer = posegen("db", "upgrade", width=200)

    assert answer.code == 1
    assert f"{file}, platform instagram_portrait: height = 0: " in answer.err
    assert "Traceback" not in answer.err
    assert rows(database, "select from platforms where not built_in") == []


def test_a_fit_is_asked_for_and_one_that_does_not_exist_is_refused(posegen, database):
    posegen("submit", "star-jump", "--format", "tiktok", "--fit", "contain")
    refused = posegen("submit", "star-jump", "--fit", "stretch")

    assert value(database, "select fit from generation_requests") == "contain"
    assert refused.code == 1
    assert "the fit must be cover or contain" in refused.err


@pytest.mark.full_size
def test_show_says_how_fine_a_print_is(posegen, studio):
    generation = finished(studio, formats=["print_letter"])
    told, document = posegen("show", generation), posegen("show", generation, "--json").json

    assert "print_letter: 93 pixels of the picture to an inch of paper" in told.out
    assert document["poses"][0]["effective_ppi"] == {"print_letter": 93.1}
