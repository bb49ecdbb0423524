"""Every route of the API against every kind of caller: what each gets, as a table.

`python -m tests.api_roles` prints the table that is expected; `test_roles.py` asks the API and compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute, APIWebSocketRoute

from posegen.access.callers import ALLOWED_SCOPES, Kind, Scope
from posegen.web.rooms import Needs, scope_of
from tests.openapi_file import routes

WEBSOCKET = "WEBSOCKET"
PREFIX = "/v1"
ROLES = ("nobody", "expired", "revoked", "scopeless", "stranger", "owner", "service", "admin")
"""Refused ones first: what the others change must not be why."""
KINDS = {
    "scopeless": Kind.USER,
    "stranger": Kind.USER,
    "owner": Kind.USER,
    "service": Kind.SERVICE,
    "admin": Kind.ADMIN,
}


@dataclass(frozen=True)
class Row:
    """How a route is asked, and what those get whom it lets in.

    Attributes:
        done: status for those who reach the resource.
        stranger: status for another user; None for the same as the owner, who then gets the stranger's own resources.
        body: JSON, in which the ids of the scene are filled in; None for none.
        query: the same for the query.
    """

    done: int = 200
    stranger: int | None = 404
    body: Mapping[str, Any] | None = None
    query: str = ""


_OWN = Row(stranger=None)
_FOR_USER = {"user_id": "{owner}"}
_REQUEST = {**_FOR_USER, "poses": ["star-jump"]}
_GROUP = Row(query="?user={owner}", stranger=404)

ROWS: dict[str, Row] = {
    "GET /health": _OWN,
    "GET /ready": _OWN,
    "GET /openapi.json": _OWN,
    "GET /me": _OWN,
    "POST /login-links": Row(201, body=_FOR_USER),
    # A key has no session that it could end.
    "DELETE /session": Row(404),
    "POST /generations/price": Row(stranger=403, body=_REQUEST),
    "POST /generations": Row(202, stranger=403, body=_REQUEST),
    "GET /generations": _OWN,
    "GET /generations/{generation_id}": Row(),
    "POST /generations/{generation_id}/cancel": Row(),
    "POST /generations/{generation_id}/retry": Row(202, body={}),
    "DELETE /generations/{generation_id}/images": Row(),
    "POST /generations/{generation_id}/restore": Row(body={}),
    "GET /poses": _OWN,
    # What becomes of each pose is said in the body: of another's, that it is unknown.
    "PATCH /poses": Row(stranger=None, body={"poses": ["{pose_id}"], "is_favourite": True}),
    "GET /poses/{pose_id}": Row(),
    "PATCH /poses/{pose_id}": Row(body={"is_favourite": True}),
    "DELETE /poses/{pose_id}": Row(),
    "POST /poses/{pose_id}/restore": Row(),
    "POST /poses/{pose_id}/exports": Row(201, body={"format": "tiktok"}),
    "GET /poses/{pose_id}/download": Row(307),
    "GET /poses/{pose_id}/recipe": Row(),
    "GET /generations/{generation_id}/archive": Row(),
    "GET /projects/{project_id}/groups/{group_name}": _GROUP,
    "POST /projects/{project_id}/groups/{group_name}/cancel": _GROUP,
    "GET /projects/{project_id}/groups/{group_name}/archive": _GROUP,
    "POST /stream-tickets": Row(201, body={"generation_id": "{generation_id}"}),
    "GET /generations/{generation_id}/events": Row(),
    "GET /events": Row(query="?user={owner}"),
    "WEBSOCKET /ws": Row(101, stranger=None),
    "GET /library/categories": _OWN,
    "GET /library/poses": _OWN,
    "GET /library/poses/{slug}": _OWN,
    "GET /lists/{name}": _OWN,
    "POST /uploads": Row(201, stranger=403, body={**_FOR_USER, "content_type": "image/png", "size": 100}),
    "GET /uploads": _OWN,
    # Nothing was put, so that nothing can be completed.
    "POST /uploads/{upload_id}/complete": Row(422),
    "DELETE /uploads/{upload_id}": Row(204),
    "POST /designs": Row(202, stranger=403, body={**_FOR_USER, "text": "Be kind"}),
    "GET /designs": _OWN,
    "GET /designs/{design_id}": Row(),
    "DELETE /designs/{design_id}": Row(204),
    "POST /variants": Row(202, stranger=403, body={**_FOR_USER, "source": "{pose_id}"}),
    "GET /variants": _OWN,
    "GET /variants/{request_id}": Row(),
    # Nothing is made yet that could be deleted.
    "DELETE /variants/{request_id}": Row(409),
    "GET /account": Row(query="?user={owner}", stranger=404),
    "GET /account/entries": Row(query="?user={owner}", stranger=404),
    "GET /projects": Row(query="?user={owner}", stranger=404),
    "POST /users": Row(201, body={"name": "Ada"}),
    "GET /users": Row(),
    "GET /users/{user_id}": Row(),
    "PATCH /users/{user_id}": Row(body={"name": "Ada"}),
    "POST /keys": Row(201, stranger=403, body={**_FOR_USER, "name": "a key", "scopes": ["files:read"]}),
    "GET /keys": _OWN,
    "DELETE /keys/{key_id}": Row(204),
    "POST /share-links": Row(201, body={"generation_id": "{generation_id}"}),
    "GET /share-links": Row(query="?user={owner}", stranger=404),
    "DELETE /share-links/{link_id}": Row(204),
    "GET /shared/{secret}": _OWN,
    "GET /admin/queue": Row(),
    "GET /admin/workers": Row(),
    "GET /admin/incidents": Row(),
    "GET /admin/audit": Row(),
    "GET /admin/storage": Row(),
    "GET /admin/settings": Row(),
    "GET /admin/metrics": Row(),
    "GET /admin/top-users": Row(),
    "GET /admin/popular-poses": Row(),
    "GET /admin/errors": Row(),
    "GET /admin/generations/{generation_id}/explain": Row(),
    "POST /admin/grants": Row(201, body={"user_id": "{owner}", "amount": 1, "reason": "sorry"}),
    "POST /admin/refunds": Row(201, body={"generation_id": "{generation_id}", "reason": "blurred"}),
}


def declared() -> dict[str, Scope | Needs]:
    """Every route below `/v1`, by method and path, with what it declares."""
    found: dict[str, Scope | Needs] = {}
    for route in routes():
        path = getattr(route, "path", "")
        if not path.startswith(f"{PREFIX}/"):
            continue
        methods = [WEBSOCKET] if isinstance(route, APIWebSocketRoute) else sorted(route.methods)
        assert isinstance(route, APIRoute | APIWebSocketRoute)
        for method in methods:
            scope = scope_of(route)
            assert scope is not None
            found[f"{method} {path.removeprefix(PREFIX)}"] = scope
    return found


def expected(scope: Scope | Needs, row: Row) -> dict[str, int]:
    """The status of each role: its credentials first, then its scopes, and then whose the resource is."""
    return {role: _expected(role, scope, row) for role in ROLES}


def _expected(role: str, scope: Scope | Needs, row: Row) -> int:
    if scope is not Needs.NOTHING and role in {"nobody", "expired", "revoked"}:
        return 401
    if isinstance(scope, Scope) and (role == "scopeless" or scope not in ALLOWED_SCOPES[KINDS[role]]):
        return 403
    return row.stranger if role == "stranger" and row.stranger is not None else row.done


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """The value with the ids of the scene in its texts."""
    if isinstance(value, str):
        return value.format(**ids)
    if isinstance(value, list):
        return [filled(each, ids) for each in value]
    return {name: filled(each, ids) for name, each in value.items()} if isinstance(value, Mapping) else value


def table(statuses: Callable[[str], Mapping[str, int]]) -> str:
    """Route by role. `statuses`: from the name of a route to the status of each role."""
    widest = max(map(len, ROWS))
    lines = [f"{'':{widest}}  {'scope':17}  {'  '.join(f'{role:>9}' for role in ROLES)}"]
    for name, scope in declared().items():
        found = statuses(name)
        cells = "  ".join(f"{found.get(role, 0):>9}" for role in ROLES)
        lines.append(f"{name:{widest}}  {scope.value:17}  {cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    scopes = declared()
    print(table(lambda name: expected(scopes[name], ROWS[name])))
