"""Poses, archives, groups and share links over HTTP."""

from __future__ import annotations

import io
import zipfile
from uuid import UUID, uuid4

import pytest

from tests.api_client import Api
from tests.builders import finished, rows, value


@pytest.fixture
def generation(api: Api, owner: UUID) -> UUID:
    """Two finished poses with an export."""
    poses = ["star-jump", "standing-straight"]
    group = {"project_id": "summer", "group_name": "hats"}
    return finished(api.installation.studio, owner, poses=poses, formats=["tiktok"], **group)


def pose_ids(api: Api) -> list[str]:
    return [str(row["id"]) for row in rows(api.database, "select id from generated_poses order by position")]


def test_pictures_are_listed_by_their_filters(api: Api, owner: UUID, stranger: UUID, generation: UUID) -> None:
    user = api.as_user(owner)
    (first, second) = pose_ids(api)

    listed = user.get("/v1/poses").json()["data"]

    assert {pose["pose_id"] for pose in listed} == {first, second}
    assert all(pose["image_url"] and pose["exports"]["tiktok"] for pose in listed)
    for query, found in [
        ("pose=star-jump", 1),
        ("format=tiktok", 2),
        ("format=instagram_post", 0),
        ("favourite=true", 0),
        ("favourite=false", 2),
        ("project=summer", 2),
        ("project=summer&group=hats", 2),
        ("group=socks", 0),
        ("status=failed", 0),
        ("from=2100-01-01T00:00:00Z", 0),
        ("to=2100-01-01T00:00:00Z", 2),
        ("category=jumping", 1),
    ]:
        assert len(user.get(f"/v1/poses?{query}").json()["data"]) == found, query
    assert api.as_user(stranger).get("/v1/poses").json()["data"] == []
    assert api.as_user(stranger).get(f"/v1/poses/{first}").status_code == 404


def test_poses_come_in_pages_in_both_orders(api: Api, owner: UUID, generation: UUID) -> None:
    user = api.as_user(owner)

    for order in ("newest", "oldest"):
        first = user.get(f"/v1/poses?limit=1&order={order}").json()
        last = user.get(f"/v1/poses?limit=1&order={order}&cursor={first['next_cursor']}").json()
        assert last["next_cursor"] is None
        assert first["data"][0]["pose_id"] != last["data"][0]["pose_id"]


def test_one_pose_is_marked_hidden_and_restored(api: Api, owner: UUID, generation: UUID) -> None:
    user, (pose, _) = api.as_user(owner), pose_ids(api)
    path = f"/v1/poses/{pose}"

    assert user.patch(path, {"is_favourite": True}).json()["is_favourite"] is True
    assert len(user.get("/v1/poses?favourite=true").json()["data"]) == 1
    assert user.delete(path).json()["image_url"] is None
    assert len(user.get("/v1/poses").json()["data"]) == 1
    assert user.post(f"{path}/restore").json()["image_url"]
    assert user.patch(path, {"hidden": "yes"}).status_code == 422


def test_many_poses_are_changed_at_once_and_each_says_what_became_of_it(
    api: Api, owner: UUID, stranger: UUID, generation: UUID
) -> None:
    first, second = pose_ids(api)
    unknown = str(uuid4())

    changed = api.as_user(owner).patch("/v1/poses", {"poses": [first, unknown, second], "is_favourite": True})
    foreign = api.as_user(stranger).patch("/v1/poses", {"poses": [first], "hidden": True})

    assert changed.json()["data"] == [
        {"pose_id": first, "outcome": "done"},
        {"pose_id": unknown, "outcome": "unknown"},
        {"pose_id": second, "outcome": "done"},
    ]
    assert foreign.json()["data"] == [{"pose_id": first, "outcome": "unknown"}]
    assert api.as_user(owner).patch("/v1/poses", {"poses": [first] * 501}).status_code == 422
    assert api.as_user(owner).patch("/v1/poses", {"poses": []}).status_code == 422


def test_a_download_counts_and_leads_to_the_file(api: Api, owner: UUID, stranger: UUID, generation: UUID) -> None:
    user, (pose, _) = api.as_user(owner), pose_ids(api)

    for query in ("", "?format=tiktok"):
        led = user.get(f"/v1/poses/{pose}/download{query}")
        assert led.status_code == 307
        file = api.as_nobody().get(led.headers["location"].removeprefix("http://api.example.test"))
        assert file.status_code == 200
        assert file.headers["content-type"].startswith("image/")

    assert value(api.database, "select download_count from generated_poses where id = %s", pose) == 2
    assert user.get(f"/v1/poses/{pose}/download?format=instagram_post").status_code == 404
    assert api.as_user(stranger).get(f"/v1/poses/{pose}/download").status_code == 404


def test_an_export_that_was_not_asked_for_is_made_later(api: Api, owner: UUID, generation: UUID) -> None:
    user, (pose, _) = api.as_user(owner), pose_ids(api)

    made = user.post(f"/v1/poses/{pose}/exports", {"format": "instagram_post"})

    assert made.status_code == 201, made.text
    assert set(made.json()["exports"]) == {"tiktok", "instagram_post"}
    assert user.post(f"/v1/poses/{pose}/exports", {"format": "no-such"}).status_code == 422
    assert user.post(f"/v1/poses/{pose}/exports", {"format": "tiktok", "fit": "stretch"}).status_code == 422


def test_a_recipe_tells_what_made_the_picture(api: Api, owner: UUID, generation: UUID) -> None:
    recipe = api.as_user(owner).get(f"/v1/poses/{pose_ids(api)[0]}/recipe").json()

    assert len(recipe["recipe_hash"]) == 64
    assert recipe["recipe"]["pose"]


def test_an_archive_is_whole_in_parts_and_counts_once_for_each_picture(api: Api, owner: UUID, generation: UUID) -> None:
    user, path = api.as_user(owner), f"/v1/generations/{generation}/archive?formats=tiktok,image"

    whole = user.get(path)
    tag = whole.headers["etag"]
    part = user.get(path, headers={"range": "bytes=100-199"})
    rest = user.get(path, headers={"range": f"bytes={len(whole.content) - 5}-"})
    stale = user.get(path, headers={"range": "bytes=100-199", "if-range": '"another"'})
    nothing = user.get(path, headers={"range": f"bytes={len(whole.content)}-"})
    known = user.get(path, headers={"if-none-match": tag})

    assert whole.headers["content-length"] == str(len(whole.content))
    assert len(zipfile.ZipFile(io.BytesIO(whole.content)).namelist()) == 4
    assert zipfile.ZipFile(io.BytesIO(whole.content)).testzip() is None
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert rest.content == whole.content[-5:]
    assert (stale.status_code, len(stale.content)) == (200, len(whole.content))
    assert nothing.status_code == 416
    assert (known.status_code, known.content) == (304, b"")
    assert value(api.database, "select array_agg(download_count) from generated_poses") == [2, 2]


def test_a_group_has_one_progress_and_one_archive(api: Api, owner: UUID, stranger: UUID, generation: UUID) -> None:
    user, path = api.as_user(owner), "/v1/projects/summer/groups/hats"
    user.post("/v1/generations", {"poses": ["star-jump"], "project_id": "summer", "group_name": "hats"})

    progress = user.get(path).json()
    cancelled = user.post(f"{path}/cancel").json()
    archive = user.get(f"{path}/archive?formats=image")

    assert (progress["generations"], progress["generations_ended"], progress["poses_completed"]) == (2, 1, 2)
    assert cancelled["generations_ended"] == 2
    assert len(zipfile.ZipFile(io.BytesIO(archive.content)).namelist()) == 2
    assert api.as_user(stranger).get(path).status_code == 404
    assert api.as_service().get(path).status_code == 422
    assert api.as_service().get(f"{path}?user={owner}").json()["generations"] == 2


def test_private_pictures_are_shown_by_signature_only(api: Api, owner: UUID) -> None:
    finished(api.installation.studio, owner, poses=["star-jump"], formats=["tiktok"], private=True)
    (pose,) = api.as_user(owner).get("/v1/poses").json()["data"]

    assert pose["urls_expire_at"]
    for url in (pose["image_url"], pose["thumbnail_url"], pose["exports"]["tiktok"]):
        path = url.removeprefix("http://api.example.test").removeprefix("https://pictures.example")
        assert api.as_nobody().get(path).status_code == 200
        assert api.as_nobody().get(path.partition("?")[0]).status_code == 404
    assert api.as_user(owner).get("/v1/poses").json()["data"][0]["image_url"] == pose["image_url"]


def test_a_share_link_shows_pictures_to_nobody_in_particular_until_it_is_revoked(
    api: Api, owner: UUID, generation: UUID
) -> None:
    user = api.as_user(owner)
    link = user.post("/v1/share-links", {"generation_id": str(generation)}).json()
    path = f"/v1/shared/{link['secret']}"

    seen = api.as_nobody().get(path).json()
    user.delete(f"/v1/poses/{pose_ids(api)[0]}")
    fewer = api.as_nobody().get(path).json()
    user.delete(f"/v1/share-links/{link['link_id']}")

    assert len(seen["poses"]) == 2
    assert "credits" not in seen["poses"][0]
    assert len(fewer["poses"]) == 1
    assert api.as_nobody().get(path).status_code == 401
    assert api.as_nobody().get("/v1/shared/nonsense").status_code == 401
