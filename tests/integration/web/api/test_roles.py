"""Who gets what: every route against every kind of caller, and what the matrix catches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from posegen.access import service as access
from posegen.access.callers import ALLOWED_SCOPES, Kind, Scope
from posegen.generations import service as generations
from posegen.generations import single_poses
from posegen.web import app as web_app
from posegen.web.callers import Doorkeeper
from posegen.web.rooms import Needs, Room
from tests.api_client import OPERATOR, Api, opened_stream
from tests.api_roles import PREFIX, ROLES, ROWS, WEBSOCKET, declared, expected, filled, table
from tests.builders import a_design, an_image_request, execute, finished, queued, value
from tests.integration.web.api.test_access import signed_in
from tests.openapi_file import application

UNLIMITED = 1_000_000
STREAMS = {"GET /generations/{generation_id}/events", "GET /events"}


@pytest.fixture
def roles(api: Api, owner: UUID, stranger: UUID) -> dict[str, Api]:
    """The API as each role sees it. Users have every scope that users can have."""
    ends = {"expires_at": datetime.now(UTC) + timedelta(hours=1)}
    most = {"scopes": sorted(ALLOWED_SCOPES[Kind.USER]), "rate": UNLIMITED}
    found = {
        "nobody": api.as_nobody(),
        "expired": api.as_user(owner, **most, **ends),
        "revoked": api.as_user(owner, **most),
        "stranger": api.as_user(stranger, **most),
        "owner": api.as_user(owner, **most),
        "service": api.as_service(),
        "admin": api.as_admin(),
    }
    execute(api.database, "update api_keys set expires_at = now() - interval '1 second' where expires_at is not null")
    now = datetime.now(UTC)
    access.revoke_key(api.database, OPERATOR, found["revoked"].get("/v1/me").json()["credential"][4:], now)
    return found


class Scene:
    """The owner's resources, of which each request gets one that is as new."""

    def __init__(self, api: Api, owner: UUID) -> None:
        self._api, self._database, self._owner = api, api.database, owner
        group = {"project_id": "summer", "group_name": "hats"}
        generation = finished(api.installation.studio, owner, poses=["star-jump"], formats=["tiktok"], **group)
        self._fixed = {
            "owner": str(owner),
            "user_id": str(owner),
            "generation_id": str(generation),
            "pose_id": str(value(api.database, "select id from generated_poses")),
            **group,
            "slug": "star-jump",
            "name": "formats",
        }
        self._made: dict[str, Callable[[], str]] = {
            "design_id": lambda: str(a_design(self._database, owner)),
            "request_id": lambda: str(an_image_request(self._database, owner)),
            "upload_id": self._upload,
            "key_id": self._key,
            "link_id": lambda: str(self._share().link.id),
            "secret": lambda: self._share().secret,
        }

    def ids_for(self, name: str) -> dict[str, str]:
        """The ids that a route needs, after what earlier requests have changed is undone."""
        ids = dict(self._fixed)
        ids |= {each: make() for each, make in self._made.items() if f"{{{each}}}" in name}
        if name.endswith(("/cancel", "/retry")) and "{generation_id}" in name:
            generation = queued(self._database, self._owner)
            ids["generation_id"] = str(generation)
            if name.endswith("/retry"):
                generations.cancel(self._database, generation, actor="a test")
        if name in {"POST /generations/{generation_id}/restore", "POST /poses/{pose_id}/restore"}:
            self._show(hidden=True)
        elif "pose" in name or "generation" in name:
            self._show(hidden=False)
        return ids

    def _show(self, *, hidden: bool) -> None:
        change = single_poses.PoseChange(UUID(self._fixed["pose_id"]), hidden=hidden)
        single_poses.update_poses(self._database, [change], actor="a test", grace=timedelta(days=1), user_id=None)

    def _upload(self) -> str:
        body = {"content_type": "image/png", "size": 100, "user_id": str(self._owner)}
        return str(self._api.as_service().post("/v1/uploads", body).json()["upload_id"])

    def _key(self) -> str:
        now = datetime.now(UTC)
        made = access.create_key(self._database, OPERATOR, kind=Kind.USER, name="k", now=now, user_id=self._owner)
        return made.key.id

    def _share(self) -> access.NewShareLink:
        lasts, now = timedelta(days=1), datetime.now(UTC)
        generation = UUID(self._fixed["generation_id"])
        return access.share(self._database, OPERATOR, generation, lasts=lasts, now=now)


@pytest.fixture
def scene(api: Api, owner: UUID) -> Scene:
    return Scene(api, owner)


def status_of(caller: Api, name: str, ids: dict[str, str]) -> tuple[int, str]:
    """Status and body of one request of a route."""
    method, path = name.split(" ")
    row = ROWS[name]
    path = PREFIX + filled(path + row.query, ids)
    if method == WEBSOCKET:
        return websocket_status(caller, path), ""
    if name in STREAMS:
        with opened_stream(caller, path) as stream:
            return stream.status_code, ""
    response = caller.ask(method, path, json=filled(row.body, ids))
    return response.status_code, response.text


def websocket_status(caller: Api, path: str) -> int:
    """101, or the status of the denial."""
    headers = {} if caller.key is None else {"authorization": f"Bearer {caller.key}"}
    try:
        with connect(f"ws{caller.url.removeprefix('http')}{path}", additional_headers=headers, proxy=None):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_every_route_has_a_row() -> None:
    assert declared().keys() == ROWS.keys()


def asked(
    scene: Scene, roles: dict[str, Api], name: str, scope: Scope | Needs, api: Api, owner: UUID
) -> dict[str, int]:
    """The status that each role gets. A stranger's lists show nothing of the owner."""
    others = [each for each in (Scope.FILES_READ, Scope.ACCOUNT_READ) if each is not scope]
    callers = {**roles, "scopeless": api.as_user(owner, scopes=others[:1], rate=UNLIMITED)}
    found: dict[str, int] = {}
    for role in ROLES:
        ids = scene.ids_for(name)
        found[role], text = status_of(callers[role], name, ids)
        if role == "stranger" and name not in {"PATCH /poses", "GET /shared/{secret}"}:
            shown = [each for each in ("owner", "generation_id", "pose_id") if ids[each] in text and found[role] < 400]
            assert not shown, f"{name} shows a stranger {shown} of the owner"
    return found


def test_every_route_lets_in_whom_its_scope_lets_in_and_shows_them_their_own(
    api: Api, owner: UUID, scene: Scene, roles: dict[str, Api]
) -> None:
    found = {name: asked(scene, roles, name, scope, api, owner) for name, scope in declared().items()}

    print()
    print(table(lambda name: found[name]))
    assert {
        f"{name}: {role}": (found[name][role], wanted)
        for name, scope in declared().items()
        for role, wanted in expected(scope, ROWS[name]).items()
        if found[name][role] != wanted
    } == {}


LISTS = ["/generations", "/poses", "/uploads", "/designs", "/variants", "/account/entries", "/projects", "/share-links"]


@pytest.mark.parametrize("path", [*LISTS, "/keys", "/events", "/account"])
def test_another_user_is_not_named_in_a_list(roles: dict[str, Api], owner: UUID, path: str) -> None:
    refused = roles["stranger"].get(f"/v1{path}?user={owner}")

    assert refused.status_code in {403, 404} or (path, refused.json()["data"]) == ("/keys", [])


# --- negative controls ------------------------------------------------------------------------------------------------


def test_an_application_with_a_route_that_declares_no_scope_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(Room):
        def add_to(self, app: FastAPI, prefix: str) -> None:
            app.get(f"{prefix}/everything")(lambda: {})

    monkeypatch.setattr(web_app, "ROOMS", (*web_app.ROOMS, Careless("careless")))

    with pytest.raises(RuntimeError, match="/v1/everything"):
        application()


@pytest.mark.parametrize("module", ["generations", "poses", "uploads", "designs"])
def test_a_listing_without_its_user_is_caught(
    api: Api, owner: UUID, scene: Scene, roles: dict[str, Api], monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    scene.ids_for("GET /designs/{design_id}")
    if module == "uploads":
        scene.ids_for("GET /uploads/{upload_id}")
    monkeypatch.setattr(f"posegen.web.api.{module}.users_shown", lambda *_: None)

    with pytest.raises(AssertionError, match="shows a stranger"):
        asked(scene, roles, f"GET /{module}", Scope.GENERATIONS_READ, api, owner)


def test_a_cookie_write_without_the_origin_check_is_caught(
    api: Api, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation, session = queued(api.database, owner), signed_in(api, owner)
    body, headers = {"generation_id": str(generation)}, {**session, "origin": "https://evil.example"}
    with_check = api.post("/v1/share-links", body, headers=headers)

    monkeypatch.setattr(Doorkeeper, "_check_origin", lambda *_: None)
    without = api.post("/v1/share-links", body, headers=headers)

    assert (with_check.status_code, without.status_code) == (403, 201)
