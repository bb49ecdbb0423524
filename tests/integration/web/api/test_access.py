"""Keys, sessions and links over HTTP, and what is refused at the door."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from posegen.access import service as access
from posegen.access.callers import Scope
from posegen.web.callers import COOKIE
from tests.api_client import OPERATOR, Api
from tests.builders import a_request, execute, value

ORIGIN = "http://api.example.test"


def signed_in(api: Api, user: UUID, *, is_admin: bool = False) -> dict[str, str]:
    """The headers of a browser that has opened its login link."""
    link = access.make_link(api.database, OPERATOR, user, is_admin=is_admin, now=datetime.now(UTC))
    response = api.as_nobody().get(f"/login/{link.secret}")
    assert response.status_code == 303
    return {"cookie": f"{COOKIE}={response.cookies[COOKIE]}"}


def test_a_key_says_who_calls(api: Api, owner: UUID) -> None:
    me = api.as_user(owner).get("/v1/me")

    assert me.status_code == 200
    assert (me.json()["kind"], me.json()["user_id"], me.json()["is_session"]) == ("user", str(owner), False)
    assert "generations:write" in me.json()["scopes"]
    assert "admin:read" not in me.json()["scopes"]


def wrong_secret(key: str) -> str:
    begun, secret = key[:17], key[17:]
    return begun + ("A" if secret[0] != "A" else "B") + secret[1:]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic dXNlcjpwYXNz", "psg_x", "Bearer psg_x", "Bearer " + "x" * 5000],
)
def test_what_is_no_key_is_refused(api: Api, header: str) -> None:
    refused = api.get("/v1/me", headers={"authorization": header})

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_a_mistyped_key_is_named_so(api: Api, owner: UUID) -> None:
    known = api.as_user(owner)
    assert known.key is not None

    refused = api.get("/v1/me", headers={"authorization": f"Bearer {wrong_secret(known.key)}"})

    assert refused.status_code == 401
    assert "typing error" in refused.json()["detail"]


def test_a_revoked_key_is_refused_from_the_next_request_on(api: Api, owner: UUID) -> None:
    of_user, admin = api.as_user(owner), api.as_admin()
    key_id = of_user.get("/v1/me").json()["credential"].removeprefix("key:")

    assert admin.delete(f"/v1/keys/{key_id}").status_code == 204
    assert admin.delete(f"/v1/keys/{key_id}").status_code == 204

    assert of_user.get("/v1/me").status_code == 401


def test_an_expired_key_is_refused(api: Api, owner: UUID) -> None:
    of_user = api.as_user(owner, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert of_user.get("/v1/me").status_code == 200
    execute(api.database, "update api_keys set expires_at = now() - interval '1 second'")

    assert "expired" in of_user.get("/v1/me").json()["detail"]


def test_a_key_without_the_scope_is_refused_by_its_name(api: Api, owner: UUID) -> None:
    refused = api.as_user(owner, scopes=[Scope.FILES_READ]).get("/v1/keys")

    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert "keys:write" in refused.json()["detail"]


def test_a_service_makes_a_key_of_a_user_and_no_admin(api: Api, owner: UUID) -> None:
    service = api.as_service()

    made = service.post("/v1/keys", {"name": "the shop", "user_id": str(owner), "scopes": ["files:read"]})
    refused = service.post("/v1/keys", {"name": "mine", "kind": "admin"})

    assert made.status_code == 201
    assert made.json()["secret"].startswith("psg_")
    assert api.get("/v1/me", headers={"authorization": f"Bearer {made.json()['secret']}"}).json()["scopes"] == [
        "files:read"
    ]
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")


def test_keys_come_in_pages_and_only_those_that_the_caller_manages(api: Api, owner: UUID, stranger: UUID) -> None:
    for _ in range(3):
        api.as_user(owner)
    api.as_user(stranger)
    of_owner = api.as_user(owner, scopes=[Scope.KEYS_WRITE])

    first = of_owner.get("/v1/keys?limit=3").json()
    last = of_owner.get(f"/v1/keys?limit=3&cursor={first['next_cursor']}").json()

    assert (len(first["data"]), len(last["data"]), last["next_cursor"]) == (3, 1, None)
    assert {key["user_id"] for key in [*first["data"], *last["data"]]} == {str(owner)}
    assert len({key["key_id"] for key in [*first["data"], *last["data"]]}) == 4
    assert of_owner.get(f"/v1/keys?user={stranger}").json()["data"] == []


def test_an_idempotency_key_makes_one_key_and_shows_its_secret_once(api: Api, owner: UUID) -> None:
    service, body = api.as_service(), {"name": "the shop", "user_id": str(owner)}

    first = service.post("/v1/keys", body, headers={"idempotency-key": "order-1"})
    again = service.post("/v1/keys", body, headers={"idempotency-key": "order-1"})
    other = service.post("/v1/keys", {**body, "name": "another"}, headers={"idempotency-key": "order-1"})

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json()["key_id"] == again.json()["key_id"]
    assert again.json()["secret"] is None
    assert other.json()["code"] == "idempotency_conflict"
    assert value(api.database, "select count(*) from api_keys where name = 'the shop'") == 1


def test_two_idempotency_keys_are_none(api: Api) -> None:
    refused = api.as_service().client.post(
        f"{api.url}/v1/keys",
        json={"name": "x"},
        headers=[
            ("authorization", f"Bearer {api.as_service().key}"),
            ("idempotency-key", "one"),
            ("idempotency-key", "two"),
        ],
    )

    assert refused.status_code == 400


def test_a_login_link_signs_in_once(api: Api, owner: UUID) -> None:
    made = api.as_service().post("/v1/login-links", {"user_id": str(owner)}).json()
    path = made["url"].removeprefix(ORIGIN)
    assert path == f"/login/{made['secret']}"

    first = api.get(path)
    second = api.get(path)

    assert (first.status_code, first.headers["location"]) == (303, "/v1/me")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "max-age=2592000" in cookie
    assert second.status_code == 401
    assert "used already" in second.json()["detail"]
    session = {"cookie": f"{COOKIE}={first.cookies[COOKIE]}"}
    assert api.get("/v1/me", headers=session).json()["user_id"] == str(owner)


def test_a_link_is_not_used_up_by_a_prefetch(api: Api, owner: UUID) -> None:
    link = access.make_link(api.database, OPERATOR, owner, now=datetime.now(UTC))

    assert api.get(f"/login/{link.secret}", headers={"sec-purpose": "prefetch;prerender"}).status_code == 409
    assert api.get(f"/login/{link.secret}").status_code == 303


def test_signing_out_ends_the_session(api: Api, owner: UUID) -> None:
    session = signed_in(api, owner)

    assert api.delete("/v1/session", headers={**session, "origin": ORIGIN}).status_code == 204
    assert api.get("/v1/me", headers=session).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example", "sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": "same-origin"}, 201),
        ({"origin": ORIGIN}, 201),
    ],
)
def test_a_write_with_a_cookie_comes_from_a_page_of_this_server(
    api: Api, owner: UUID, headers: dict[str, str], status: int
) -> None:
    generation = a_request(api.database, owner)
    session = signed_in(api, owner)

    response = api.post("/v1/share-links", {"generation_id": str(generation)}, headers={**session, **headers})

    assert response.status_code == status
    if status == 403:
        assert response.json()["code"] == "wrong_origin"
        assert value(api.database, "select count(*) from share_links") == 0


def test_a_share_link_of_a_strangers_generation_does_not_exist(api: Api, owner: UUID, stranger: UUID) -> None:
    generation = a_request(api.database, stranger)

    refused = api.as_user(owner).post("/v1/share-links", {"generation_id": str(generation)})
    unknown = api.as_user(owner).post("/v1/share-links", {"generation_id": str(uuid4())})

    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert refused.json()["code"] == "not_found"


def test_share_links_are_listed_and_revoked_by_their_user_only(api: Api, owner: UUID, stranger: UUID) -> None:
    of_owner = api.as_user(owner)
    generation = a_request(api.database, owner)
    link = of_owner.post("/v1/share-links", {"generation_id": str(generation), "lasts_seconds": 60}).json()

    assert api.as_user(stranger).delete(f"/v1/share-links/{link['link_id']}").status_code == 404
    assert of_owner.delete(f"/v1/share-links/{link['link_id']}").status_code == 204
    (listed,) = of_owner.get("/v1/share-links").json()["data"]
    assert listed["revoked_at"] is not None
    assert "secret" not in listed


def test_a_user_makes_no_login_link(api: Api, owner: UUID) -> None:
    assert api.as_user(owner).post("/v1/login-links", {}).json()["code"] == "scope_missing"


def test_more_requests_than_a_user_may_make_are_refused_until_later(api: Api, owner: UUID) -> None:
    slow = api.as_user(owner, rate=3)

    codes = [slow.get("/v1/me").status_code for _ in range(3)]
    refused = slow.get("/v1/me")

    assert codes[0] == 200
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["ratelimit-policy"] == '"requests";q=3;w=60'
    assert api.as_user(owner).get("/v1/me").headers["ratelimit"].startswith('"requests";r=')
