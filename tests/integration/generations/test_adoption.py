"""Adopting an upload tree of another system: in place or by copy, once, and right in every invariant."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from posegen.generations.adopting.adoption import Adoption, adopt_tree
from posegen.images.decoding.pool import DecoderPool
from posegen.upkeep.reconciling import reconcile
from posegen.upkeep.verification import verify
from tests.builders import a_user, account, rows, value
from tests.commands import Shell
from tests.hostile_images import encoded
from tests.stores import keys_in

GENERATION = "0b7c4f0e-5d3c-4b8e-9a38-5a7d5a9a1c11"


@pytest.fixture(scope="module")
def decode():
    with DecoderPool() as decoders:
        yield decoders.decode


def fill(root: Path) -> None:
    """Two generations: one by its UUID with three poses, one by a name, and what does not belong there."""
    for folder, poses in ((GENERATION, ("a", "b", "c")), ("order-17", ("x",))):
        for number, pose in enumerate(poses):
            file = root / "poses" / folder / f"{pose}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded("PNG", pixels=None) if number == 0 else encoded("PNG", "L"))
            if pose != "c":
                file.with_name(f"{pose}_thumb.png").write_bytes(encoded("PNG"))


@pytest.fixture(params=["in place", "by copy"])
def tree(request, store, tmp_path):
    """The folder, and whether it is the store's own."""
    in_place = request.param == "in place"
    root = store._root if in_place else tmp_path / "uploads"
    fill(root)
    return root, in_place


def test_every_picture_becomes_a_completed_pose_that_cost_nothing(database, studio, store, tree, decode):
    root, in_place = tree
    user = a_user(database)

    adopted = adopt_tree(studio, Adoption(root, user, in_place), decode)

    assert (adopted.generations, adopted.poses, adopted.problems) == (2, 4, [])
    found = rows(database, "select generation_id::text, status, image_url, thumbnail_url, credits from pose_results")
    assert {each["status"] for each in found} == {"completed"}
    assert sum(each["generation_id"] == GENERATION for each in found) == 3
    assert all(each["image_url"] and each["thumbnail_url"] for each in found)
    assert {each["credits"] for each in found} == {0}
    mine = account(database, user)
    assert mine["credits_spent"] == 0
    assert mine["storage_used"] == adopted.bytes == value(database, "select sum(size) from objects")
    assert not any(each.violations for each in verify(database, [store], read_back=None))
    assert reconcile(database, [store], read_all=True).found == []


def test_in_place_nothing_is_copied_and_by_copy_the_tree_stays_as_it_was(database, studio, store, tree, decode):
    root, in_place = tree
    before = {path: path.read_bytes() for path in root.rglob("*.png")}

    adopt_tree(studio, Adoption(root, a_user(database), in_place), decode)

    assert {path: path.read_bytes() for path in before} == before
    in_poses = keys_in(store, "poses/")
    if in_place:
        assert f"poses/{GENERATION}/a.png" in in_poses
        assert len(keys_in(store, "thumbnails/")) == 1, "only the thumbnail that was missing is made"
    else:
        assert len(in_poses) == 4
        assert not any(key.endswith("/a.png") for key in in_poses)


def test_done_again_it_adopts_only_what_is_new(database, studio, tree, decode):
    root, in_place = tree
    user = a_user(database)
    adopt_tree(studio, Adoption(root, user, in_place), decode)
    late = root / "poses" / str(uuid4()) / "late.png"
    late.parent.mkdir()
    late.write_bytes(encoded("PNG"))

    again = adopt_tree(studio, Adoption(root, user, in_place), decode)

    assert (again.generations, again.known) == (1, 2)
    assert value(database, "select count(*) from generations") == 3


def test_what_is_no_picture_is_named_and_left_out(database, studio, tree, decode):
    root, in_place = tree
    (root / "poses" / GENERATION / "broken.png").write_bytes(b"no picture")

    adopted = adopt_tree(studio, Adoption(root, a_user(database), in_place), decode)

    assert adopted.poses == 4
    assert len(adopted.problems) == 1
    assert "broken.png" in adopted.problems[0]


def test_a_name_that_is_no_key_is_named_in_place_and_no_matter_by_copy(database, studio, tree, decode):
    root, in_place = tree
    (root / "poses" / GENERATION / "With Spaces.png").write_bytes(encoded("PNG"))

    adopted = adopt_tree(studio, Adoption(root, a_user(database), in_place), decode)

    assert adopted.poses == (4 if in_place else 5)
    assert [problem for problem in adopted.problems if "With Spaces" in problem] == adopted.problems
    assert len(adopted.problems) == in_place


def test_a_user_without_room_gets_nothing_and_is_told(database, studio, tree, decode):
    root, in_place = tree
    user = a_user(database, storage_limit=100)

    adopted = adopt_tree(studio, Adoption(root, user, in_place), decode)

    assert (adopted.generations, len(adopted.problems)) == (0, 2)
    assert "quota_exceeded" in adopted.problems[0]
    assert value(database, "select count(*) from generations") == 0
    assert account(database, user)["storage_used"] == 0


def test_the_command_says_what_will_be_true_and_counts_first(database, store, tmp_path, monkeypatch, capsys):
    shell = Shell(monkeypatch, capsys)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path))
    user = a_user(database)
    fill(store._root)
    fill(tmp_path / "elsewhere")
    for file in store._root.rglob("*.png"):
        os.utime(file, (1e9, 1e9))

    dry = shell("storage", "adopt", store._root, "--user", user, "--expire", "--dry-run")
    assert "its files become objects where they are, and stay when a pose is deleted" in dry.err
    assert "Unused pictures are hidden, then deleted, 90 days after their file was written" in dry.err
    assert "Dry run: 2 generations with 4 poses" in dry.out
    assert "7 files are kept when their poses go" in dry.out
    assert "4 poses are older than that already: the next clean-up hides them" in dry.out
    assert value(database, "select count(*) from generations") == 0

    copied = shell("storage", "adopt", tmp_path / "elsewhere", "--user", user, "--dry-run")
    assert "copied into the store; the folder stays as it is. The pictures do not expire." in copied.err
    assert "kept" not in copied.out

    answer = shell("storage", "adopt", store._root, "--user", user, "--delete-files", "--json")
    assert "are deleted with their poses" in answer.err
    assert (answer.code, answer.json["in_place"], answer.json["poses"]) == (0, True, 4)
    assert answer.json["files_kept"] == 0
    assert value(database, "select count(*) from generated_poses where expires") == 0
    assert shell("storage", "adopt", tmp_path / "nowhere", "--user", user).code == 2


def test_names_that_are_no_utf_8_and_what_is_no_file_are_named_and_the_rest_is_taken_in(database, studio, tree, decode):
    root, in_place = tree
    poses = os.fsencode(root / "poses")
    for name in (b"order-17/Gr\xf6\xdfe.png", b"order-18\xf6/x.png", b"order-19/x.png"):
        os.makedirs(os.path.dirname(os.path.join(poses, name)), exist_ok=True)  # noqa: PTH103, PTH118, PTH120
        Path(os.fsdecode(os.path.join(poses, name))).write_bytes(encoded("PNG", "L"))  # noqa: PTH118
    (root / "poses" / "order-17" / "folder.png").mkdir()
    (root / "poses" / "order-17" / "gone.png").symlink_to("nowhere")
    os.mkfifo(root / "poses" / "order-17" / "pipe.png")

    adopted = adopt_tree(studio, Adoption(root, a_user(database), in_place), decode)

    assert (adopted.generations, adopted.poses) == (3, 5)
    assert len(adopted.problems) == 5
    assert sum("not UTF-8" in problem for problem in adopted.problems) == 2
    assert sum("not a regular file" in problem for problem in adopted.problems) == 3
