"""`posegen design`: asking for a design, looking at it, deleting it."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from posegen.images.validation import open_image
from tests.builders import a_user, design, rows
from tests.stores import keys_in

STICKER = ("--product", "sticker")


def submitted(posegen, *options):
    answer = posegen("design", "submit", "Be kind\\n🌊", *STICKER, "--json", *options)
    assert answer.code == 0, answer.err
    return answer.json


def test_a_design_is_asked_for_with_all_that_it_can_have(posegen, database):
    user = a_user(database)
    asked = submitted(
        posegen, "--font", "lobster", "--size", 40, "--colour", "#fff", "--ground", "navy", "--watermark", "sample",
        "--print", "--user", user, "--project", "summer",
    )  # fmt: skip

    (row,) = rows(database, "select * from design_requests")
    assert str(row["id"]) == asked["design_id"]
    assert (row["user_id"], row["project_id"], row["text"]) == (user, "summer", "Be kind\n🌊")
    assert (row["font"], row["size"], row["text_colour"], row["ground_colour"]) == ("lobster", 40, "#fff", "navy")
    assert (row["product_type"], row["watermark"], row["print_file"]) == ("sticker", "sample", True)
    assert asked["status"] == "draft"


def test_what_is_not_said_has_the_defaults_of_the_database(posegen, database):
    posegen("design", "submit", "Be kind")

    (row,) = rows(database, "select font, product_type, size, watermark, print_file from design_requests")
    assert row == {
        "font": "noto-sans-bold",
        "product_type": "t-shirt",
        "size": None,
        "watermark": None,
        "print_file": False,
    }


def test_waiting_without_the_platform_renders_it_here(posegen, database):
    asked = submitted(posegen, "--wait")

    assert asked["status"] == "published"
    assert "/media/designs/" in asked["preview_url"]


def test_waiting_for_what_cannot_be_made_says_why_and_ends_with_3(posegen):
    answer = posegen("design", "submit", "x", "--font", "comic-sans", "--wait")

    assert answer.code == 3
    assert "invalid_request: There is no font 'comic-sans'; known: noto-sans, " in answer.out


def test_what_the_database_refuses_is_a_mistake_in_words(posegen):
    answer = posegen("design", "submit", "x", "--size", "0.2")

    assert answer.code == 1
    assert "the size must be 1 to 2000 points" in answer.err


def test_a_design_is_shown_with_its_urls_and_its_notes(posegen):
    asked = submitted(posegen, "--wait", "--print", "--size", "1900")

    out = posegen("design", "show", asked["design_id"], width=80).out

    assert asked["design_id"] in out
    assert f"preview   {asked['preview_url']}" in out
    assert "print     /media/prints/" in out
    assert "note: The text does not fit at 1900 points" in out


def test_its_files_are_copied_where_one_likes(posegen, tmp_path):
    asked = submitted(posegen, "--wait", "--print")

    answer = posegen("design", "show", asked["design_id"], "--files", tmp_path / "out")

    assert answer.code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["preview.png", "print.pdf", "thumbnail.png"]
    assert open_image((tmp_path / "out" / "preview.png").read_bytes()).shape == (600, 600, 3)


def test_a_draft_has_nothing_to_copy(posegen, tmp_path):
    answer = posegen("design", "show", submitted(posegen)["design_id"], "--files", tmp_path / "out")

    assert answer.code == 1
    assert "The design is draft: it has no files." in answer.err


def test_a_deleted_design_is_gone_with_its_files(posegen, database, store):
    gone, kept = submitted(posegen, "--wait"), submitted(posegen, "--wait")

    answer = posegen("design", "delete", gone["design_id"])

    assert (answer.code, answer.out) == (0, "Deleted: 1\n")
    assert design(database, UUID(kept["design_id"]))["status"] == "published"
    assert len([key for key in keys_in(store) if key.startswith("designs/")]) == 2
    assert posegen("design", "show", gone["design_id"]).code == 1


@pytest.mark.parametrize("command", ["show", "delete"])
def test_a_design_that_there_is_not_is_a_mistake(posegen, command):
    missing = uuid4()
    answer = posegen("design", command, missing)

    assert answer.code == 1
    assert f"There is no design {missing}: it was deleted, or never asked for." in answer.err
