"""`posegen status` and `posegen show`: how generations come along, and what came out."""

from __future__ import annotations

from uuid import uuid4

import pytest

from posegen.images.validation import open_image
from tests.builders import SLUGS, a_request, a_user, execute, finished, queued, row, rows, running, take_in


@pytest.fixture
def generation(studio):
    """Two poses with two exports each."""
    return finished(studio, poses=SLUGS[:2], formats=["shopee", "tiktok"])


# --- status -------------------------------------------------------------------------------------------------------


def test_without_any_generation_it_says_how_to_ask_for_one(posegen):
    answer = posegen("status")

    assert answer.code == 0
    assert "`posegen submit star-jump`" in answer.out


def test_the_latest_come_first_and_whole_ids_can_be_copied_from_a_narrow_terminal(database, posegen, generation):
    waiting = queued(database)

    answer = posegen("status", width=80)

    assert answer.code == 0
    assert answer.out.index(str(waiting)) < answer.out.index(str(generation))
    assert max(map(len, answer.out.splitlines())) <= 80
    line = next(line for line in answer.out.splitlines() if str(generation) in line)
    assert "completed" in line
    assert "2/2" in line
    assert "60" in line


def test_only_so_many_are_shown(database, posegen):
    for _ in range(3):
        running(database)

    assert len(posegen("status", "--limit", 2, "--json").json) == 2


def test_a_refused_request_says_why_in_full(database, posegen):
    a_request(database, a_user(database), poses=["flying-carpet"])
    take_in(database)

    answer = posegen("status", width=80)

    assert "invalid_request: There is no pose 'flying-carpet': the table library_poses lists them." in answer.out


@pytest.mark.parametrize(
    "text", ["[/]", "[/bold]", "[red]x", "[link=file:///etc]x[/link]", "\\[", "{0}", "%s", ":smile:"]
)
def test_what_customers_write_is_shown_as_it_is(database, posegen, text):
    a_request(database, a_user(database), poses=[text])
    take_in(database)

    answer = posegen("status")

    assert answer.code == 0
    assert repr(text) in answer.out


def test_terminals_are_not_told_what_to_do_by_customers(database, posegen):
    a_request(database, a_user(database), poses=["\x1b]0;owned\x07\x1b[2J"])
    take_in(database)

    answer = posegen("status")

    assert "\x1b" not in answer.out


def test_generations_can_be_named(database, posegen, generation):
    queued(database)

    answer = posegen("status", generation, "--json")

    assert [each["generation_id"] for each in answer.json] == [str(generation)]
    assert answer.json[0]["poses_completed"] == 2


def test_one_that_does_not_exist_is_a_mistake(posegen, generation):
    unknown = uuid4()

    answer = posegen("status", generation, unknown)

    assert answer.code == 1
    assert answer.err == f"error: There is no generation {unknown}; `posegen status` lists the latest ones.\n"


def test_one_that_is_no_id_is_a_matter_of_usage(posegen):
    answer = posegen("status", "garbage")

    assert answer.code == 2
    assert "valid UUID" in answer.err


# --- show ---------------------------------------------------------------------------------------------------------


def test_a_contact_sheet_is_written_where_it_says(posegen, home, generation):
    answer = posegen("show", generation)

    assert answer.code == 0
    sheet = home / "sheets" / f"{generation}.png"
    assert f"Contact sheet: {sheet}" in answer.out.splitlines()
    assert open_image(sheet.read_bytes()).shape[1] == 1280


def test_every_pose_is_listed_with_a_url_in_one_piece(database, posegen, generation):
    answer = posegen("show", generation, width=80)

    for pose in rows(database, "select library_pose, image_url from pose_results"):
        (line,) = [line for line in answer.out.splitlines() if pose["image_url"] in line]
        assert pose["library_pose"] in line


def test_the_sheet_goes_where_it_is_wanted(posegen, generation, tmp_path):
    out = tmp_path / "deep" / "down" / "sheet.png"

    assert posegen("show", generation, "--out", out).code == 0

    assert out.exists()


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.jpg", b"\xff\xd8"), ("a.JPEG", b"\xff\xd8")])
def test_the_name_says_which_format_the_sheet_has(posegen, generation, tmp_path, name, begins):
    assert posegen("show", generation, "--out", tmp_path / name).code == 0

    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_format_that_no_sheet_has_is_a_matter_of_usage(posegen, generation, tmp_path):
    answer = posegen("show", generation, "--out", tmp_path / "sheet.gif")

    assert answer.code == 2
    assert "'sheet.gif'" in answer.err
    assert ".png, .jpg, .jpeg" in " ".join(answer.err.replace("│", " ").split())
    assert not (tmp_path / "sheet.gif").exists()


def test_files_are_copied_under_names_that_can_be_read(posegen, generation, tmp_path):
    answer = posegen("show", generation, "--files", tmp_path / "files")

    assert answer.code == 0
    assert sorted(str(file.relative_to(tmp_path / "files")) for file in (tmp_path / "files").rglob("*.*")) == [
        f"{number:02}-{slug}/{name}"
        for number, slug in enumerate(SLUGS[:2], 1)
        for name in ("image.png", "shopee.jpg", "thumbnail.webp", "tiktok.jpg")
    ]
    assert f"8 files in {tmp_path / 'files'}" in answer.out


def test_as_json_it_names_sheet_and_urls(posegen, generation):
    document = posegen("show", generation, "--json").json

    assert document["generation_id"] == str(generation)
    assert document["contact_sheet"].endswith(f"{generation}.png")
    assert [pose["exports"].keys() for pose in document["poses"]] == [{"shopee", "tiktok"}] * 2


def test_a_generation_without_a_picture_has_no_sheet(database, posegen, home):
    generation = queued(database)

    answer = posegen("show", generation)

    assert answer.code == 1
    assert "No pose is completed" in answer.err
    assert not (home / "sheets").exists()
    as_json = posegen("show", generation, "--json")
    assert as_json.code == 1
    assert as_json.json["contact_sheet"] is None


def test_a_generation_that_does_not_exist_is_a_mistake(posegen):
    unknown = uuid4()

    answer = posegen("show", unknown)

    assert answer.code == 1
    assert f"There is no generation {unknown}" in answer.err


@pytest.mark.parametrize(("option", "place"), [("--out", "here.png"), ("--files", "here")])
def test_a_place_that_cannot_be_written_is_named(posegen, generation, tmp_path, option, place):
    (tmp_path / "file").write_text("in the way")

    answer = posegen("show", generation, option, tmp_path / "file" / place)

    assert answer.code == 1
    assert str(tmp_path / "file") in answer.err
    assert "Traceback" not in answer.err


def test_a_picture_that_is_damaged_is_named_and_not_copied(posegen, store, generation, tmp_path):
    key = next(entry.key for entry in store.list("exports/"))
    store.put(key, b"damaged", content_type="image/jpeg", create_only=False)

    answer = posegen("show", generation, "--files", tmp_path / "files")

    assert answer.code == 1
    assert key in answer.err


def test_an_export_in_a_wrong_size_is_named(database, posegen, generation, tmp_path):
    execute(
        database,
        "update exports wrong set object_id = other.object_id from exports other "
        "where wrong.pose_id = other.pose_id and wrong.format = 'tiktok' and other.format = 'shopee'",
    )

    answer = posegen("show", generation, "--files", tmp_path / "files")

    assert answer.code == 1
    assert "tiktok asks for 1080x1920" in answer.err


def test_an_export_for_a_platform_that_is_no_longer_known_is_copied_as_it_is(database, posegen, generation, tmp_path):
    execute(database, "update exports set format = 'myspace' where format = 'tiktok'")

    assert posegen("show", generation, "--files", tmp_path / "files").code == 0
    assert len(list((tmp_path / "files").rglob("myspace.jpg"))) == 2


def test_a_generation_with_one_failed_pose_shows_the_others(database, studio, backend, posegen):
    backend.before_each = lambda recipe: 1 / 0 if recipe.pose == SLUGS[1] else None
    generation = finished(studio, poses=SLUGS[:2])

    answer = posegen("show", generation)

    assert answer.code == 0
    assert row(database, "select status from generations")["status"] == "partial"
    assert [line.split()[-1] for line in answer.out.splitlines() if SLUGS[1] in line] == ["failed"]
