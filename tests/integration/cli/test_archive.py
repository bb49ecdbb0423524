"""`posegen archive`: one ZIP file, written whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from uuid import uuid4

import pytest

from tests.builders import SLUGS, finished, value


@pytest.fixture
def generation(studio):
    """Two poses in three formats."""
    return finished(studio, poses=SLUGS[:2], formats=["instagram_post", "tiktok", "shopee"])


def lose_an_export(studio):
    studio.store.delete(
        value(
            studio.database,
            "select o.key from exports e join objects o on o.id = e.object_id where e.format = 'tiktok' limit 1",
        )
    )


def test_both_usual_formats_go_into_a_file_that_python_and_unzip_can_read(posegen, generation, tmp_path):
    out = tmp_path / "poses.zip"

    answer = posegen("archive", generation, "-o", out)

    assert answer.code == 0
    assert f"4 files, {out.stat().st_size:,} bytes: {out}" in answer.out
    with zipfile.ZipFile(out) as opened:
        assert opened.testzip() is None
        assert len(opened.namelist()) == 4
    if shutil.which("unzip") is None:
        pytest.skip("unzip is not installed here")
    tested = subprocess.run(["unzip", "-t", out], capture_output=True, text=True, timeout=180, check=False)
    assert tested.returncode == 0, tested.stdout
    assert "No errors detected" in tested.stdout


def test_formats_and_poses_can_be_chosen_and_scripts_are_told(posegen, generation, tmp_path):
    out = tmp_path / "poses.zip"

    answer = posegen("archive", generation, "--formats", "shopee, image,facebook", "--poses", 2, "-o", out, "--json")

    assert answer.code == 0
    assert answer.err == ""
    assert answer.json["size"] == out.stat().st_size
    assert [name.rpartition("/")[2] for name in answer.json["files"]] == ["shopee.jpg", "image.png"]
    assert answer.json["missing"] == [{"number": 2, "library_pose": SLUGS[1], "format": "facebook"}]


def test_what_is_missing_is_named_with_the_command_that_makes_it(posegen, generation, tmp_path):
    answer = posegen("archive", generation, "--formats", "tiktok,facebook", "-o", tmp_path / "poses.zip")

    assert answer.code == 0
    assert f"Not there: pose 1 ({SLUGS[0]}) as facebook" in answer.err
    assert f"posegen regenerate {generation} --format facebook --missing" in answer.err


def test_without_a_name_it_is_named_after_the_generation(posegen, generation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()

    posegen("archive", generation)
    posegen("archive", generation, "-o", "folder")

    name = f"poses-{str(generation)[:8]}.zip"
    assert (tmp_path / name).exists()
    assert (tmp_path / "folder" / name).exists()


def test_a_failure_leaves_what_was_there_and_nothing_else(posegen, studio, generation, tmp_path):
    lose_an_export(studio)
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "poses.zip").write_bytes(b"of yesterday")

    answer = posegen("archive", generation, "-o", folder / "poses.zip")

    assert answer.code == 1
    assert "There is no object under this key" in answer.err
    assert "Traceback" not in answer.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"poses.zip": b"of yesterday"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--formats", "myspace"], 1, "There is no export format 'myspace'"),
        (["--formats", "facebook"], 1, "none of them as facebook"),
        (["--poses", "7"], 1, "no completed pose 7"),
        (["--poses", "one"], 2, "write 1,3,4"),
        (["-o", "/dev/null"], 2, "no file that could be replaced"),
        (["-o", "/no/such/folder/poses.zip"], 1, "No such file or directory"),
    ],
)
def test_a_mistake_ends_with_a_sentence(posegen, generation, arguments, code, said):
    answer = posegen("archive", generation, *arguments, width=200)

    assert answer.code == code
    assert said in answer.err


def test_a_generation_that_does_not_exist_is_a_mistake(posegen, studio):
    answer = posegen("archive", uuid4())

    assert answer.code == 1
    assert "There is no generation" in answer.err
