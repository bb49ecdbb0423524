"""The library and the lists over HTTP."""

from __future__ import annotations

from uuid import UUID

import pytest

from posegen.library.control_maps import control_maps
from posegen.library.previews import store_preview
from posegen.library.rows import stored_poses
from posegen.poses.library import LIBRARY
from tests.api_client import Api
from tests.builders import execute
from tests.conftest import BASE_URL


@pytest.fixture
def drawn(api: Api) -> str:
    """The library pose whose pictures are stored."""
    studio = api.installation.studio
    with api.database.transaction() as connection:
        pose = next(pose for pose in stored_poses(connection) if pose.slug == "star-jump")
    control_maps(studio, pose)
    store_preview(studio, pose)
    return pose.slug


def test_library_poses_come_with_their_pictures(api: Api, owner: UUID, drawn: str) -> None:
    poses = {pose["slug"]: pose for pose in api.as_user(owner).get("/v1/library/poses").json()["data"]}

    assert list(poses) == [pose.slug for pose in LIBRARY]
    for name in ("preview_url", "openpose_url", "depth_url"):
        assert poses[drawn][name].startswith(f"{BASE_URL}/controlnet/")
        picture = api.as_nobody().get(f"/media{poses[drawn][name].removeprefix(BASE_URL)}")
        assert picture.status_code == 200
        assert picture.headers["content-type"].startswith("image/")


def test_poses_are_found_by_category_and_by_words(api: Api, owner: UUID) -> None:
    user = api.as_user(owner)

    yoga = user.get("/v1/library/poses", params={"category": "yoga"}).json()["data"]
    jumps = user.get("/v1/library/poses", params={"q": "a star jump"}).json()["data"]
    unknown = user.get("/v1/library/poses", params={"category": "no-such"})

    assert {pose["category"] for pose in yoga} == {"yoga"}
    assert jumps[0]["slug"] == "star-jump"
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid_request")


def test_one_library_pose(api: Api, owner: UUID) -> None:
    user = api.as_user(owner)

    assert user.get("/v1/library/poses/star-jump").json()["name"]
    assert user.get("/v1/library/poses/flying-carpet").status_code == 404
    assert user.get("/v1/library/poses/%00").status_code in {404, 422}


def test_categories_count_their_poses(api: Api, owner: UUID) -> None:
    categories = api.as_user(owner).get("/v1/library/categories").json()["data"]

    assert len(categories) == 28
    assert sum(category["poses"] for category in categories) == 64


@pytest.mark.parametrize(
    ("name", "key", "known"),
    [
        ("formats", "name", "tiktok"),
        ("avatar-attributes", "name", "clothing"),
        ("product-types", "name", "t-shirt"),
        ("fonts", "name", "noto-sans-bold"),
        ("error-codes", "code", "insufficient_credits"),
    ],
)
def test_a_list_has_what_requests_may_name_and_a_tag(api: Api, owner: UUID, name: str, key: str, known: str) -> None:
    user = api.as_user(owner)
    first = user.get(f"/v1/lists/{name}")
    again = user.get(f"/v1/lists/{name}", headers={"if-none-match": first.headers["etag"]})

    assert known in {each[key] for each in first.json()["data"]}
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


def test_there_is_no_other_list(api: Api, owner: UUID) -> None:
    refused = api.as_user(owner).get("/v1/lists/users")

    assert refused.status_code == 404
    assert "formats" in refused.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/library/poses", "/v1/library/categories", "/v1/lists/formats"])
def test_lists_need_some_credentials(api: Api, path: str) -> None:
    assert api.get(path).status_code == 401


def test_a_private_store_shows_the_library_by_signature(api: Api, owner: UUID, drawn: str) -> None:
    execute(api.database, "update stores set base_url = null")

    pose = api.as_user(owner).get(f"/v1/library/poses/{drawn}").json()

    for name in ("preview_url", "openpose_url", "depth_url"):
        assert "signature=" in pose[name]
        assert api.as_nobody().get(pose[name].removeprefix("http://api.example.test")).status_code == 200
