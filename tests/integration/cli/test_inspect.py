"""`posegen inspect`: any file can be looked at, with a database or without."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from posegen.generations.rows import recipes
from tests.backends import painted
from tests.builders import SLUGS, finished, row


@pytest.fixture
def exported(studio, tmp_path):
    """An export of a pose, as somebody has downloaded it."""
    finished(studio, poses=[SLUGS[1]], formats=["tiktok"], seed=8, prompt="waving [/bold] in the park")
    found = row(studio.database, "select o.key from exports e join objects o on o.id = e.object_id")
    path = tmp_path / "download.jpg"
    path.write_bytes(studio.store.get(found["key"]))
    return path


def pose_of(studio):
    return row(studio.database, "select id, generation_id, recipe_hash from generated_poses")


def test_it_says_what_the_file_says_and_what_is_known(posegen, studio, exported):
    pose = pose_of(studio)

    answer = posegen("inspect", exported, width=300)

    assert answer.code == 0
    assert f"{exported}: JPEG, 1080x1920, {exported.stat().st_size:,} bytes" in answer.out
    assert "digitalCreation (drawn by a program, without a trained model)" in answer.out
    assert f"recipe          {pose['recipe_hash']}" in answer.out
    assert f"the tiktok of pose {pose['id']}" in answer.out
    assert f"number 1 of generation {pose['generation_id']}" in answer.out
    assert "seed            8" in answer.out
    assert "waving [/bold] in the park" in answer.out
    assert f"posegen replay {pose['id']}" in answer.out


def test_scripts_read_the_whole_recipe(posegen, studio, exported):
    said = posegen("inspect", exported, "--json").json

    assert said["picture"] == {"format": "JPEG", "width": 1080, "height": 1920}
    assert said["says"]["recipe_hash"] == pose_of(studio)["recipe_hash"]
    assert said["database"] == "asked"
    assert said["stored"][0]["role"] == "tiktok"
    assert said["recipe"]["specification"]
    assert said["poses"][0]["library_pose"] == SLUGS[1]


def test_a_file_that_was_changed_is_said_to_be_none_of_ours_any_more(posegen, studio, exported):
    data = exported.read_bytes()
    exported.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])

    answer = posegen("inspect", exported, width=200)

    assert "Its bytes are none that are stored" in answer.out
    assert f"The recipe of pose {pose_of(studio)['id']}" in answer.out


def test_without_a_database_the_file_speaks_alone(posegen, studio, exported, monkeypatch, tmp_path):
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("DATABASE_URL")

    answer = posegen("inspect", exported, width=300)

    assert answer.code == 0
    assert "digitalCreation" in answer.out
    assert "The database was not asked: there is none in" in answer.out
    assert not (tmp_path / "elsewhere").exists(), "looking at a file makes no database"


def test_a_database_that_does_not_answer_is_no_error(posegen, studio, exported, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:secret-word@127.0.0.1:9/nowhere")

    answer = posegen("inspect", exported, "--json")

    assert answer.code == 0
    assert answer.json["says"]["generator"] == "Posegen, mannequin painted-1"
    assert answer.json["database"] != "asked"
    assert "secret-word" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.jpg", b""),
        ("text.txt", b"hello\n"),
        ("half.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("zeros.webp", b"RIFF\0\0\0\0WEBP" + bytes(1000)),
        ("noise.bin", painted(3, 64, 64).tobytes()),
        ("many.jpg", b"\xff\xd8\xff" + b"\xff\xe1\xff\xff" * 100_000),
    ],
)
def test_foreign_files_say_nothing_and_break_nothing(posegen, studio, tmp_path, name, data):
    (tmp_path / name).write_bytes(data)

    answer = posegen("inspect", tmp_path / name, width=200)

    assert answer.code == 0
    assert "no picture" in answer.out
    assert "It says nothing of where it comes from." in answer.out


def test_what_is_no_regular_file_is_a_matter_of_usage(posegen, tmp_path):
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "missing.png", tmp_path, tmp_path / "pipe"):
        assert posegen("inspect", path).code == 2


def test_the_licence_of_the_model_is_shown(posegen, studio, exported, monkeypatch):
    recipe = dict(posegen("inspect", exported, "--json").json["recipe"], licence="FLUX.1-dev")
    known = recipes.poses_of_recipe
    monkeypatch.setattr(
        recipes, "poses_of_recipe", lambda *asked: [replace(each, recipe=recipe) for each in known(*asked)]
    )

    shown = posegen("inspect", exported, width=200).out

    assert "licence         FLUX.1-dev: FLUX non-commercial licence (non-commercial)" in shown
