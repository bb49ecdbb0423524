"""Generations over HTTP: price, submit, read, cancel, retry, delete and restore."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api_client import Api
from tests.builders import a_request, a_user, claimed, credits, finished, queued, take_in, value

BODY = {"poses": ["star-jump", "standing-straight"], "variations": 2, "formats": ["tiktok"], "seed": 7}


def test_a_price_is_told_and_nothing_is_stored(api: Api, owner: UUID) -> None:
    price = api.as_user(owner).post("/v1/generations/price", BODY)

    assert price.status_code == 200
    assert (price.json()["pictures"], price.json()["credits"], price.json()["refused"]) == (4, 120, None)
    assert price.json()["bytes"] > 4_000_000
    assert value(api.database, "select count(*) from generation_requests") == 0


def test_a_price_says_why_a_request_would_be_refused(api: Api, database: Any) -> None:
    poor = a_user(database, credits=100)

    price = api.as_user(poor).post("/v1/generations/price", BODY).json()

    assert (price["refused"], price["credits"]) == ("insufficient_credits", 120)
    assert "100" in price["detail"]


def test_several_requests_are_priced_together(api: Api, database: Any) -> None:
    user = a_user(database, credits=200)

    together = api.as_user(user).post("/v1/generations/price", {"requests": [BODY, BODY]}).json()

    assert (together["pictures"], together["credits"]) == (8, 240)
    assert together["refused"] == "insufficient_credits"
    assert [each["refused"] for each in together["each"]] == [None, None]


def test_a_request_becomes_a_generation_that_intake_accepts(api: Api, owner: UUID) -> None:
    user = api.as_user(owner)

    asked = user.post("/v1/generations", {**BODY, "project_id": "summer", "group_name": "hats"})
    generation = asked.json()["generation_id"]
    take_in(api.database)
    read = user.get(f"/v1/generations/{generation}").json()

    assert asked.status_code == 202
    assert asked.headers["location"] == f"http://api.example.test/v1/generations/{generation}"
    assert asked.json()["status"] == "submitted"
    assert (read["status"], read["poses_total"], read["credits_held"]) == ("queued", 4, 120)
    assert (read["project_id"], read["group_name"]) == ("summer", "hats")


def test_an_idempotency_key_asks_once(api: Api, owner: UUID) -> None:
    user, key = api.as_user(owner), {"idempotency-key": "order-1041"}

    first = user.post("/v1/generations", BODY, headers=key)
    again = user.post("/v1/generations", BODY, headers=key)
    other = user.post("/v1/generations", {**BODY, "seed": 8}, headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["generation_id"] == first.json()["generation_id"]
    assert other.json()["code"] == "idempotency_conflict"
    assert value(api.database, "select count(*) from generation_requests") == 1


def test_a_known_key_is_answered_also_when_the_credits_are_gone(api: Api, database: Any) -> None:
    user = a_user(database, credits=120)
    as_user, key = api.as_user(user), {"idempotency-key": "order-1"}
    first = as_user.post("/v1/generations", BODY, headers=key)
    take_in(database)
    assert credits(database, user) == (0, 120, 0)

    again = as_user.post("/v1/generations", BODY, headers=key)

    assert (again.status_code, again.json()["generation_id"]) == (200, first.json()["generation_id"])


def test_a_refused_request_uses_up_no_key(api: Api, database: Any) -> None:
    user = a_user(database, credits=100)
    as_user, key = api.as_user(user), {"idempotency-key": "order-1"}

    refused = as_user.post("/v1/generations", BODY, headers=key)
    cheaper = as_user.post("/v1/generations", {**BODY, "variations": 1}, headers=key)

    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")
    assert cheaper.status_code == 202
    assert value(database, "select count(*) from generations") == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"poses": ["flying-carpet"]}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ({**BODY, "variations": 51}, 422, "invalid_request"),
        ({**BODY, "variations": 0}, 422, "invalid_request"),
        ({**BODY, "variations": "2"}, 422, "invalid_request"),
        ({**BODY, "variations": 2.0}, 422, "invalid_request"),
        ({**BODY, "variations": True}, 422, "invalid_request"),
        ({**BODY, "variations": 10**20}, 422, "invalid_request"),
        ({**BODY, "seed": -1}, 422, "invalid_request"),
        ({**BODY, "seed": 2**53}, 422, "invalid_request"),
        ({**BODY, "prompt": "a\x00b"}, 422, "invalid_request"),
        ({**BODY, "prompt": "a \u202e prompt", "formats": ["no-such"]}, 422, "invalid_request"),
        ({**BODY, "prompt": "x" * 2001}, 422, "invalid_request"),
        ({**BODY, "avatar": {"clothing": "armour"}}, 422, "invalid_request"),
        ({**BODY, "avatar": []}, 422, "invalid_request"),
        ({**BODY, "unknown": 1}, 422, "invalid_request"),
        ({**BODY, "group_name": "without a project"}, 422, "invalid_request"),
        ({**BODY, "priority": 1}, 403, "not_allowed"),
        ({**BODY, "user_id": str(UUID(int=0))}, 403, "not_yours"),
        ([], 422, "invalid_request"),
        (None, 422, "invalid_request"),
    ],
)
def test_a_request_that_cannot_be_accepted_is_refused_at_the_door(
    api: Api, owner: UUID, body: Any, status: int, code: str
) -> None:
    refused = api.as_user(owner).post("/v1/generations", body)

    assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    assert refused.json()["detail"]
    assert value(api.database, "select count(*) from generation_requests") == 0


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 422),
        (b"{}", "text/plain", 422),
        (b"a=b", "application/x-www-form-urlencoded", 422),
        (b"[" * 10_000, "application/json", 400),
        (b'{"prompt": "' + b"x" * (1024 * 1024) + b'"}', "application/json", 413),
        (b"\xff\xfe", "application/json", 400),
        (b'{"poses": ["star-jump"], "control_weight": 1e400}', "application/json", 422),
        (b'{"poses": ["star-jump"], "control_weight": NaN}', "application/json", 422),
        (b'{"poses": ["star-jump"], "prompt": "\\ud800"}', "application/json", 422),
    ],
)
def test_a_body_that_is_no_json_is_refused(
    api: Api, owner: UUID, content: bytes, content_type: str, status: int
) -> None:
    refused = api.as_user(owner).ask("POST", "/v1/generations", content=content, headers={"content-type": content_type})

    assert refused.status_code == status


def test_services_name_the_user_and_users_do_not_see_others(api: Api, owner: UUID, stranger: UUID) -> None:
    service = api.as_service()

    asked = service.post("/v1/generations", {**BODY, "user_id": str(owner)})
    unnamed = service.post("/v1/generations", BODY)
    generation = asked.json()["generation_id"]

    assert asked.status_code == 202
    assert unnamed.json()["errors"][0]["pointer"] == "/user_id"
    other = api.as_user(stranger)
    for method, path in [
        ("GET", ""),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("DELETE", "/images"),
        ("POST", "/restore"),
    ]:
        refused = other.ask(method, f"/v1/generations/{generation}{path}", json={} if method == "POST" else None)
        unknown = other.ask(method, f"/v1/generations/{uuid4()}{path}", json={} if method == "POST" else None)
        assert (refused.status_code, unknown.status_code) == (404, 404), path
        assert refused.json()["code"] == "not_found"
    assert other.get("/v1/generations").json()["data"] == []
    assert other.get("/v1/generations", params={"user": str(owner)}).status_code == 404


def test_lists_are_filtered_and_come_in_pages(api: Api, owner: UUID, stranger: UUID) -> None:
    mine = [str(a_request(api.database, owner, project_id="summer")) for _ in range(5)]
    a_request(api.database, stranger)
    user, seen, cursor = api.as_user(owner), [], None
    while True:
        page = user.get("/v1/generations", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [each["generation_id"] for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert sorted(seen) == sorted(mine)
    assert len(user.get("/v1/generations", params={"project": "summer"}).json()["data"]) == 5
    assert user.get("/v1/generations", params={"project": "winter"}).json()["data"] == []
    assert len(user.get("/v1/generations?status=submitted&status=queued").json()["data"]) == 5
    assert user.get("/v1/generations?status=completed").json()["data"] == []
    assert len(api.as_service().get("/v1/generations").json()["data"]) == 6


@pytest.mark.parametrize(
    "query",
    ["status=done", "limit=0", "limit=101", "limit=x", "cursor=x", "from=yesterday", "from=2026-01-01T00:00:00",
     "order=random", "user=me", "project=", "project=%00"],
)  # fmt: skip
def test_a_query_that_means_nothing_is_refused_by_its_parameter(api: Api, owner: UUID, query: str) -> None:
    refused = api.as_user(owner).get(f"/v1/generations?{query}")

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith(f"?{query.partition('=')[0]}")


def test_a_cancelled_generation_gives_its_credits_back(api: Api, owner: UUID) -> None:
    generation = queued(api.database, owner, poses=["star-jump"])
    user = api.as_user(owner)

    cancelled = user.post(f"/v1/generations/{generation}/cancel").json()
    again = user.post(f"/v1/generations/{generation}/cancel").json()

    assert (cancelled["status"], cancelled["credits_released"]) == ("cancelled", 30)
    assert (again["status"], again["credits_released"]) == ("cancelled", 0)
    assert credits(api.database, owner) == (10_000, 0, 0)


def test_what_was_cancelled_is_made_again_by_a_retry(api: Api, owner: UUID) -> None:
    generation = queued(api.database, owner, poses=["star-jump"], variations=2, seed=5)
    user = api.as_user(owner)
    early = user.post(f"/v1/generations/{generation}/retry", {})
    user.post(f"/v1/generations/{generation}/cancel")

    again = user.post(f"/v1/generations/{generation}/retry", {})
    take_in(api.database)

    assert early.status_code == 422
    assert again.status_code == 202
    read = user.get(f"/v1/generations/{again.json()['generation_id']}?expand=poses").json()
    assert read["generation"]["retry_of"] == str(generation)
    assert [(pose["library_pose"], pose["seed_used"]) for pose in read["poses"]] == [("star-jump", 5), ("star-jump", 6)]


def test_pictures_are_hidden_and_shown_again(api: Api, owner: UUID) -> None:
    generation = finished(api.installation.studio, owner, poses=["star-jump", "standing-straight"])
    user, path = api.as_user(owner), f"/v1/generations/{generation}"

    hidden = user.delete(f"{path}/images?poses=1")
    read = user.get(f"{path}?expand=poses").json()["poses"]
    nothing = user.delete(f"{path}/images?poses=1")
    shown = user.post(f"{path}/restore", {"poses": [1]})

    assert hidden.json()["poses_hidden"] == 1
    assert [pose["image_url"] is None for pose in read] == [True, False]
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_delete")
    assert shown.json()["poses_restored"] == 1
    assert user.delete(f"{path}/images?poses=7").status_code == 404
    assert user.delete(f"{path}/images?poses=one").status_code == 422


def test_a_generation_under_way_is_cancelled_for_its_worker(api: Api, owner: UUID) -> None:
    claim = claimed(api.database, owner, poses=["star-jump"])

    assert api.as_user(owner).post(f"/v1/generations/{claim.id}/cancel").json()["status"] == "cancelled"
