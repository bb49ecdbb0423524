"""Uploads, designs and variants over HTTP."""

from __future__ import annotations

from uuid import UUID, uuid4

import numpy as np
import pytest

from posegen.images.png import encode_png
from posegen.variants import service as variants
from tests.api_client import Api
from tests.builders import a_design, execute, finished, rows, value

PICTURE = encode_png(np.full((64, 48, 3), 200, np.uint8)).data


def put(api: Api, user: Api, data: bytes = PICTURE) -> str:
    """An upload that was put, and is to be completed."""
    begun = user.post("/v1/uploads", {"content_type": "image/png", "size": len(data)})
    assert begun.status_code == 201, begun.text
    path = begun.json()["url"].removeprefix("http://api.example.test")
    stored = api.client.put(f"{api.url}{path}", content=data, headers=begun.json()["headers"])
    assert stored.status_code == 200
    return str(begun.json()["upload_id"])


def test_a_picture_is_uploaded_completed_listed_and_deleted(api: Api, owner: UUID) -> None:
    user = api.as_user(owner)
    upload = put(api, user)

    completed = user.post(f"/v1/uploads/{upload}/complete")
    again = user.post(f"/v1/uploads/{upload}/complete")
    (listed,) = user.get("/v1/uploads").json()["data"]

    assert (completed.status_code, completed.json()["status"]) == (200, "completed")
    assert again.json() == completed.json() == listed
    assert "key" not in listed
    assert user.delete(f"/v1/uploads/{upload}").status_code == 204
    assert user.get("/v1/uploads").json()["data"][0]["status"] == "deleted"


def test_what_is_no_picture_is_refused_with_the_reason(api: Api, owner: UUID) -> None:
    user = api.as_user(owner)
    upload = put(api, user, b"GIF89a" + bytes(100))

    refused = user.post(f"/v1/uploads/{upload}/complete")

    assert (refused.status_code, refused.json()["code"]) == (422, "upload_refused")
    assert upload in refused.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"content_type": "image/gif", "size": 100},
        {"content_type": "image/png", "size": 0},
        {"content_type": "image/png", "size": 10_485_761},
        {"content_type": "image/png", "size": "100"},
        {"content_type": "image/png", "size": 1.5},
        {"content_type": "image/png"},
        {"content_type": "image/png", "size": 10**30},
        {"content_type": "image/png\x00", "size": 100},
        {"content_type": "image/png", "size": 100, "key": "poses/x.png"},
    ],
)
def test_an_upload_that_cannot_be_made_is_refused(api: Api, owner: UUID, body: dict[str, object]) -> None:
    refused = api.as_user(owner).post("/v1/uploads", body)

    assert refused.status_code == 422
    assert value(api.database, "select count(*) from uploads") == 0


def test_an_upload_of_another_user_does_not_exist(api: Api, owner: UUID, stranger: UUID) -> None:
    upload = put(api, api.as_user(owner))
    other = api.as_user(stranger)

    assert other.post(f"/v1/uploads/{upload}/complete").status_code == 404
    assert other.delete(f"/v1/uploads/{upload}").status_code == 404
    assert other.get("/v1/uploads").json()["data"] == []
    assert api.as_service().get("/v1/uploads", params={"user": str(owner)}).json()["data"][0]["upload_id"] == upload


def test_a_user_begins_no_upload_for_another(api: Api, owner: UUID, stranger: UUID) -> None:
    body = {"content_type": "image/png", "size": 100, "user_id": str(stranger)}

    refused = api.as_user(owner).post("/v1/uploads", body)
    named = api.as_service().post("/v1/uploads", body)
    unnamed = api.as_service().post("/v1/uploads", {"content_type": "image/png", "size": 100})

    assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
    assert named.status_code == 201
    assert (unnamed.status_code, unnamed.json()["errors"][0]["pointer"]) == (422, "/user_id")


def test_a_design_is_asked_for_once_shown_and_deleted(api: Api, owner: UUID, stranger: UUID) -> None:
    user, body = api.as_user(owner), {"text": "Hello", "product_type": "t-shirt"}

    first = user.post("/v1/designs", body, headers={"idempotency-key": "design-1"})
    again = user.post("/v1/designs", body, headers={"idempotency-key": "design-1"})
    design = first.json()["design_id"]

    assert (first.status_code, again.json()["design_id"]) == (202, design)
    assert [each["design_id"] for each in user.get("/v1/designs").json()["data"]] == [design]
    assert user.get(f"/v1/designs/{design}").json()["design"]["text"] == "Hello"
    assert api.as_user(stranger).get(f"/v1/designs/{design}").status_code == 404
    assert api.as_user(stranger).delete(f"/v1/designs/{design}").status_code == 404
    assert user.delete(f"/v1/designs/{design}").status_code == 204
    assert user.get(f"/v1/designs/{design}").status_code == 404


def test_designs_come_in_pages(api: Api, owner: UUID) -> None:
    made = {str(a_design(api.database, owner, text=f"design {number}")) for number in range(5)}
    user, seen, cursor = api.as_user(owner), [], None
    while True:
        page = user.get("/v1/designs", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [design["design_id"] for design in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert len(seen) == 5
    assert set(seen) == made


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x", "size": -1}, {"text": "x\x00"}, {"text": 1}])
def test_a_design_that_cannot_be_stored_is_refused(api: Api, owner: UUID, body: dict[str, object]) -> None:
    assert api.as_user(owner).post("/v1/designs", body).status_code in {202, 422}
    assert value(api.database, "select count(*) from design_requests where text = 'x'") == 0


def test_variants_of_a_pose_are_asked_for_and_seen_by_its_user_only(api: Api, owner: UUID, stranger: UUID) -> None:
    finished(api.installation.studio, owner, poses=["star-jump"])
    (pose,) = rows(api.database, "select id from generated_poses")
    user = api.as_user(owner)

    asked = user.post("/v1/variants", {"source": str(pose["id"])})

    assert asked.status_code == 202, asked.text
    request = asked.json()["request_id"]
    assert user.get(f"/v1/variants/{request}").json()["status"] == "submitted"
    assert [each["request_id"] for each in user.get("/v1/variants").json()["data"]] == [request]
    assert api.as_user(stranger).get(f"/v1/variants/{request}").status_code == 404
    assert user.delete(f"/v1/variants/{request}").json()["code"] == "nothing_to_delete"
    assert api.as_user(stranger).delete(f"/v1/variants/{request}").status_code == 404
    assert user.delete(f"/v1/variants/{uuid4()}").status_code == 404


def test_variants_in_a_private_store_are_shown_by_signature(api: Api, owner: UUID) -> None:
    finished(api.installation.studio, owner, poses=["star-jump"])
    (pose,) = rows(api.database, "select id from generated_poses")
    user = api.as_user(owner)
    request = user.post("/v1/variants", {"source": str(pose["id"])}).json()["request_id"]
    variants.make_here(api.installation.studio, UUID(request))
    execute(api.database, "update stores set base_url = null")

    (listed,) = user.get("/v1/variants").json()["data"]

    assert listed["status"] == "completed"
    for name in ("normal_url", "high_quality_url"):
        assert "signature=" in listed[name]
        assert api.as_nobody().get(listed[name].removeprefix("http://api.example.test")).status_code == 200
