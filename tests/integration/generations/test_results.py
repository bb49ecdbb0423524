"""What foreign backends read: the views, and the functions that they call afterwards."""

from __future__ import annotations

from uuid import uuid4

import pytest

from posegen.upkeep.preparing import prepare_database
from tests.builders import (
    PRICE,
    SLUGS,
    a_request,
    a_user,
    execute,
    finished,
    queued,
    result,
    row,
    rows,
    take_in,
    value,
)


def pose_of(database, generation):
    """The first pose."""
    return rows(database, "select * from pose_results where generation_id = %s order by position", generation)[0]


def test_a_finished_generation_says_all_that_a_customer_asks(studio):
    database, user = studio.database, a_user(studio.database)
    generation = finished(studio, user, poses=SLUGS[:2], prompt="at dusk", formats=["shopee"], project_id="summer")

    found = result(database, generation)

    assert {name: found[name] for name in _GENERATION_FACTS} == {
        "user_id": user,
        "project_id": "summer",
        "status": "completed",
        "error_code": None,
        "error_message": None,
        "error_detail": None,
        "prompt": "at dusk",
        "formats": ["shopee"],
        "backend": "mannequin",
        "poses_total": 2,
        "poses_completed": 2,
        "poses_failed": 0,
        "credits_spent": 2 * PRICE,
        "credits_held": 0,
        "credits_released": 0,
    }
    assert found["created_at"] <= found["queued_at"] <= found["started_at"] <= found["finished_at"]
    assert found["seconds_to_finish"] > 0


_GENERATION_FACTS = (
    *("user_id", "project_id", "status", "error_code", "error_message", "error_detail", "prompt", "formats", "backend"),
    *("poses_total", "poses_completed", "poses_failed", "credits_spent", "credits_held", "credits_released"),
)


def test_a_finished_pose_says_all_that_a_customer_asks(studio):
    generation = finished(studio, poses=[SLUGS[1]], prompt="at dusk", seed=77, variations=2, control_weight=0.7)

    found = pose_of(studio.database, generation)

    assert {name: found[name] for name in _POSE_FACTS} == {
        "position": 0,
        "library_pose": SLUGS[1],
        "variation": 0,
        "status": "completed",
        "seed_used": 77,
        "control_weight": 0.7,
        "backend": "mannequin",
        "generation_status": "completed",
        "poses_completed": 2,
        "poses_total": 2,
        "credits": PRICE,
        "is_favourite": False,
        "download_count": 0,
        "exports": {},
    }
    assert "at dusk" in found["prompt_used"]
    assert found["generation_seconds"] > 0
    assert found["created_at"] <= found["completed_at"]
    assert found["pose_name"] == value(studio.database, "select name from library_poses where slug = %s", SLUGS[1])


_POSE_FACTS = (
    *("position", "library_pose", "variation", "status", "seed_used", "control_weight", "backend"),
    *("generation_status", "poses_completed", "poses_total", "credits", "is_favourite", "download_count", "exports"),
)


def test_urls_are_composed_of_the_stores_base_url_and_the_key(studio):
    generation = finished(studio, formats=["shopee", "tokopedia"])

    found = pose_of(studio.database, generation)

    keys = {entry.key for entry in studio.store.list()}
    base = "https://pictures.example/media/"
    assert found["image_url"].removeprefix(base) in keys
    assert found["original_url"] == found["image_url"]
    assert found["thumbnail_url"].removeprefix(base) in keys
    assert set(found["exports"]) == {"shopee", "tokopedia"}
    assert {url.removeprefix(base) for url in found["exports"].values()} <= keys
    assert found["image_url"] == studio.store.public_url(found["image_url"].removeprefix(base))


def test_urls_follow_when_the_store_gets_another_base_url(studio):
    generation = finished(studio, formats=["shopee"])
    before = pose_of(studio.database, generation)

    prepare_database(studio.database, base_urls={"local": "https://cdn.example/"})

    after = pose_of(studio.database, generation)
    for url in ("image_url", "thumbnail_url", "original_url"):
        assert after[url] == before[url].replace("https://pictures.example/media/", "https://cdn.example/")
    assert after["exports"]["shopee"].startswith("https://cdn.example/exports/")


def test_a_pose_that_is_not_made_yet_has_no_urls(database):
    generation = queued(database)

    found = pose_of(database, generation)

    assert found["status"] == "pending"
    assert (found["image_url"], found["thumbnail_url"], found["original_url"]) == (None, None, None)
    assert found["exports"] == {}


def test_an_export_that_failed_has_no_url(studio):
    generation = finished(studio, formats=["shopee"])
    pose = pose_of(studio.database, generation)
    execute(
        studio.database,
        "insert into exports (pose_id, format, status, error_code) values (%s, 'tiktok', 'failed', 'image_invalid')",
        pose["pose_id"],
    )

    assert set(pose_of(studio.database, generation)["exports"]) == {"shopee"}


def test_a_refused_request_says_why_in_words_for_the_customer(database):
    generation = a_request(database, a_user(database), poses=["flying"])
    take_in(database)

    found = result(database, generation)

    assert found["error_message"] == "The request has a value that cannot be used; the detail names it."
    assert "'flying'" in found["error_detail"]


# --- afterwards ---------------------------------------------------------------------------------------------------


def test_a_finished_pose_can_be_made_a_favourite_and_none_again(studio):
    pose = pose_of(studio.database, finished(studio))["pose_id"]

    assert value(studio.database, "select set_favourite(%s, true)", pose) is True
    assert value(studio.database, "select is_favourite from pose_results") is True
    assert value(studio.database, "select set_favourite(%s, false)", pose) is True
    assert value(studio.database, "select is_favourite from pose_results") is False


def test_what_is_not_finished_cannot_be_a_favourite(database):
    pose = pose_of(database, queued(database))["pose_id"]

    assert value(database, "select set_favourite(%s, true)", pose) is None
    assert value(database, "select set_favourite(%s, true)", uuid4()) is None
    assert value(database, "select is_favourite from generated_poses") is False


def test_downloads_are_counted(studio):
    pose = pose_of(studio.database, finished(studio, formats=["shopee"]))["pose_id"]

    assert value(studio.database, "select record_download(%s)", pose) == 1
    assert value(studio.database, "select record_download(%s, 'shopee')", pose) == 2
    assert value(studio.database, "select download_count from pose_results") == 2
    assert value(studio.database, "select last_downloaded_at is not null from generated_poses") is True


@pytest.mark.parametrize("format_name", ["tiktok", "no-such-format", ""])
def test_a_download_of_a_format_that_is_not_there_is_not_counted(studio, format_name):
    pose = pose_of(studio.database, finished(studio, formats=["shopee"]))["pose_id"]

    assert value(studio.database, "select record_download(%s, %s)", pose, format_name) is None
    assert value(studio.database, "select download_count from pose_results") == 0


def test_a_download_of_a_pose_that_is_not_there_is_not_counted(database):
    pose = pose_of(database, queued(database))["pose_id"]

    assert value(database, "select record_download(%s)", pose) is None
    assert value(database, "select record_download(%s)", uuid4()) is None
    assert row(database, "select download_count from generated_poses") == {"download_count": 0}
