"""What HTTP and the command list of the pose library: poses by category and words, one pose, categories."""

from __future__ import annotations

import pytest

from posegen.database.connection import Database
from posegen.errors import UnknownName
from posegen.library import service
from posegen.poses.library import CATEGORIES, LIBRARY
from posegen.poses.prompts import choose_pose
from tests.builders import execute


def slugs(database: Database, **wanted: str) -> list[str]:
    return [pose.slug for pose in service.listing(database, **wanted).poses]


def test_words_find_the_pose_first_that_intake_would_choose(database: Database) -> None:
    for words in ("talking on the phone", "walking, with an umbrella", "jump"):
        assert slugs(database, words=words)[0] == choose_pose(words, LIBRARY).slug
    assert slugs(database, words="xylophone") == []
    assert slugs(database, words="the") == []


def test_words_and_category_restrict_together(database: Database) -> None:
    found = slugs(database, category="yoga", words="tree balance")

    assert found[0] == "yoga-tree"
    assert {pose.category for pose in service.listing(database, "yoga", "tree balance").poses} == {"yoga"}


def test_words_find_no_pose_that_cannot_be_drawn_or_is_disabled(database: Database) -> None:
    execute(
        database,
        """
        insert into library_poses (slug, name, category, description, difficulty, specification, enabled) values
        ('broken', 'Quokka', 'standing', 'quokka', 'easy', '{"angles": {"neck": [170, 0, 0]}}', true),
        ('hidden', 'Quokka', 'standing', 'quokka', 'easy', '{}', false),
        ('ours', 'Quokka', 'standing', 'q', 'easy', '{}', true)
        """,
    )

    assert slugs(database, words="quokka") == ["ours"]
    assert service.listing(database, words="quokka").unusable.keys() == {"broken"}


def test_one_pose_is_found_by_its_slug_with_nothing_stored_yet(database: Database) -> None:
    pose = service.pose_named(database, "yoga-tree")

    assert (pose.slug, pose.category, pose.built_in, pose.enabled) == ("yoga-tree", "yoga", True, True)
    assert pose.description
    assert (pose.preview_url, pose.openpose_url, pose.depth_url) == (None, None, None)
    with pytest.raises(UnknownName):
        service.pose_named(database, "no-such-pose")


def test_categories_are_counted_by_what_can_be_asked_for(database: Database) -> None:
    before = service.categories(database)
    execute(database, "update library_poses set enabled = false where slug = 'yoga-tree'")
    execute(database, "insert into pose_categories (slug, name) values ('empty', 'Empty')")

    after = {each.slug: each for each in service.categories(database)}

    assert [each.slug for each in before] == [each.slug for each in CATEGORIES]
    assert sum(each.poses for each in before) == len(LIBRARY)
    assert after["yoga"].poses == next(each.poses for each in before if each.slug == "yoga") - 1
    assert (after["empty"].poses, after["empty"].description) == (0, "")
