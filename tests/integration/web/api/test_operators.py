"""Accounts, users and what operators look at, over HTTP."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.api_client import Api
from tests.builders import credits, finished, queued, value


def test_an_account_shows_credits_space_and_limits(api: Api, owner: UUID, stranger: UUID) -> None:
    account = api.as_user(owner).get("/v1/account").json()

    assert account["user"]["id"] == str(owner)
    assert account["user"]["credits_available"] == 10_000
    assert set(account["limits"]) == {"queued", "running", "poses_per_hour"}
    assert api.as_user(owner).get(f"/v1/account?user={stranger}").status_code == 404
    assert api.as_service().get(f"/v1/account?user={stranger}").json()["user"]["id"] == str(stranger)
    assert api.as_service().get(f"/v1/account?user={uuid4()}").status_code == 404


def test_entries_come_in_pages(api: Api, owner: UUID) -> None:
    queued(api.database, owner, poses=["star-jump"])
    user = api.as_user(owner)

    first = user.get("/v1/account/entries?limit=1").json()
    last = user.get(f"/v1/account/entries?limit=1&cursor={first['next_cursor']}").json()

    assert [first["data"][0]["kind"], last["data"][0]["kind"]] == ["hold", "grant"]
    assert last["next_cursor"] is None


def test_projects_count_their_work(api: Api, owner: UUID) -> None:
    finished(api.installation.studio, owner, poses=["star-jump"], project_id="summer")

    (project,) = api.as_user(owner).get("/v1/projects").json()["data"]

    assert (project["project_id"], project["generations"], project["poses_completed"]) == ("summer", 1, 1)


def test_a_service_creates_and_changes_users(api: Api) -> None:
    service, chosen = api.as_service(), str(uuid4())

    made = service.post("/v1/users", {"name": "Ada", "user_id": chosen}, headers={"idempotency-key": "ada"})
    again = service.post("/v1/users", {"name": "Ada", "user_id": chosen}, headers={"idempotency-key": "ada"})
    taken = service.post("/v1/users", {"name": "Eve", "user_id": chosen})
    renamed = service.patch(f"/v1/users/{chosen}", {"name": "Ada Lovelace", "storage_limit": 1_000_000})

    assert (made.status_code, made.json()["id"]) == (201, chosen)
    assert again.json() == made.json()
    assert (taken.status_code, taken.json()["code"]) == (409, "user_exists")
    assert (renamed.json()["name"], renamed.json()["storage_limit"]) == ("Ada Lovelace", 1_000_000)
    assert service.get(f"/v1/users/{uuid4()}").status_code == 404
    assert service.patch(f"/v1/users/{chosen}", {"storage_limit": -1}).status_code == 422
    assert chosen in {user["id"] for user in service.get("/v1/users").json()["data"]}


@pytest.mark.parametrize(
    "path",
    [
        "queue",
        "workers",
        "incidents",
        "audit",
        "storage",
        "settings",
        "metrics",
        "top-users",
        "popular-poses",
        "errors",
    ],
)
def test_operators_pages_are_for_admins(api: Api, owner: UUID, path: str) -> None:
    assert api.as_admin().get(f"/v1/admin/{path}").status_code == 200
    assert api.as_service().get(f"/v1/admin/{path}").json()["code"] == "scope_missing"
    assert api.as_user(owner).get(f"/v1/admin/{path}").json()["code"] == "scope_missing"
    assert api.get(f"/v1/admin/{path}").status_code == 401


def test_settings_show_their_source_and_no_secret(api: Api) -> None:
    settings = {each["name"]: each for each in api.as_admin().get("/v1/admin/settings").json()["data"]}

    assert settings["STORAGE_SIGNING_SECRET"]["value"] in {"set", "not set"}
    assert settings["POSEGEN_API_THREADS"]["value"] == 16


def test_a_grant_is_made_once_and_audited(api: Api, owner: UUID) -> None:
    admin, body = api.as_admin(), {"user_id": str(owner), "amount": 50, "reason": "sorry"}

    first = admin.post("/v1/admin/grants", body, headers={"idempotency-key": "g1"})
    again = admin.post("/v1/admin/grants", body, headers={"idempotency-key": "g1"})

    assert (first.status_code, first.json()["available"]) == (201, 10_050)
    assert again.headers["idempotent-replayed"] == "true"
    assert credits(api.database, owner)[0] == 10_050
    lines = admin.get("/v1/admin/audit?action=credits_granted").json()["data"]
    assert lines[0]["actor"].startswith("key:")
    for amount in (0, -1, 10**10, "50", 1.5):
        assert admin.post("/v1/admin/grants", {**body, "amount": amount}).status_code == 422
    assert admin.post("/v1/admin/grants", {**body, "user_id": str(uuid4())}).status_code == 404


def test_a_refund_gives_back_what_was_paid_once(api: Api, owner: UUID) -> None:
    generation = finished(api.installation.studio, owner, poses=["star-jump"])
    admin, body = api.as_admin(), {"generation_id": str(generation), "reason": "blurred"}

    refunded = admin.post("/v1/admin/refunds", body)
    again = admin.post("/v1/admin/refunds", body)

    assert (refunded.status_code, refunded.json()["credits"]) == (201, 30)
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_refund")
    assert value(api.database, "select credits_spent from accounts where user_id = %s", owner) == 0


def test_one_generation_is_explained(api: Api, owner: UUID) -> None:
    generation = finished(api.installation.studio, owner, poses=["star-jump"])

    explained = api.as_admin().get(f"/v1/admin/generations/{generation}/explain").json()

    assert explained["generation"]["generation_id"] == str(generation)
    assert explained["missing_objects"] == []
    assert api.as_admin().get(f"/v1/admin/generations/{uuid4()}/explain").status_code == 404


def test_metrics_are_for_this_machine_or_an_admin(api: Api, owner: UUID) -> None:
    api.get("/v1/health")

    text = api.as_nobody().get("/metrics").text

    assert 'posegen_api_requests_total{method="GET",route="/v1/health",status="200"} 1.0' in text
    assert "posegen_up 1.0" in text
    assert "posegen_api_followers 0.0" in text


def test_the_api_is_alive_and_ready(api: Api) -> None:
    assert api.get("/v1/health").json() == {"status": "ok"}
    assert api.get("/v1/ready").json() == {"status": "ok"}
    assert api.get("/v1/no-such-route").json()["code"] == "not_found"
    assert api.post("/v1/health").json()["code"] == "method_not_allowed"
