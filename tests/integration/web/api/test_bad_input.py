"""What clients send by mistake or on purpose, and what breaks below the API: each with the status that it gets."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from posegen.database.connection import Database
from posegen.errors import StorageError
from posegen.settings import Settings
from posegen.storage.local import LocalStore
from tests.api_client import PROBLEM, Api, running_api
from tests.api_scene import known_ids
from tests.builders import a_request, finished, queued
from tests.concurrency import until
from tests.faults.disks import PrivateDisk, private_disks_work
from tests.integration.web.api.test_uploads import PICTURE, put
from tests.openapi_file import document
from tests.tcp_fault_proxy import TcpFaultProxy

NUL, OVERRIDE, SURROGATE = "\x00", "\u202e", "\ud800"


# --- texts --------------------------------------------------------------------------------------------------------


def texts_in(operation: dict[str, Any], place: str) -> list[str]:
    """The names of the parameters of a place that may be any text."""
    return [
        parameter["name"]
        for parameter in operation.get("parameters", [])
        if parameter["in"] == place and _is_text(parameter["schema"])
    ]


def _is_text(schema: dict[str, Any]) -> bool:
    either = [schema, *schema.get("anyOf", ())]
    kinds = [*either, *(kind["items"] for kind in either if "items" in kind)]  # also lists in a query
    return any(kind.get("type") == "string" and not kind.keys() & {"format", "enum"} for kind in kinds)


def properties_of(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    schemas = document()["components"]["schemas"]
    return dict(schemas[reference.rpartition("/")[2]]["properties"]) if reference else {}


OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
    if path not in {"/v1/events", "/v1/generations/{generation_id}/events"}
]


@pytest.mark.parametrize(("character", "statuses"), [(NUL, {401, 404, 409, 422}), (OVERRIDE, None)])
def test_every_text_of_a_path_and_a_query_may_be_nonsense(
    api: Api, owner: UUID, character: str, statuses: set[int] | None
) -> None:
    known, admin, asked = known_ids(api, owner), api.as_admin(), 0
    for method, path, operation in OPERATIONS:
        ids = {name: texts[0] for name, texts in known.items()}
        for name in texts_in(operation, "path"):
            asked += 1
            where = path.format(**{**ids, name: quote(f"a{character}b")})
            response = admin.ask(method, where, json={} if method in {"POST", "PATCH"} else None)
            assert response.status_code < 500, (method, where, response.text)
            assert statuses is None or response.status_code in statuses, (method, where, response.text)
        for name in texts_in(operation, "query"):
            asked += 1
            response = admin.ask(method, f"{path.format(**ids)}?{name}={quote(f'a{character}b')}")
            assert response.status_code < 500, (path, name, response.text)
            assert statuses is None or response.status_code in statuses, (path, name, response.text)
    assert asked > 30


def test_every_text_of_a_body_may_be_nonsense(api: Api, owner: UUID) -> None:
    known, admin, asked = known_ids(api, owner), api.as_admin(), 0
    texts = [f"a{NUL}b", f"a{OVERRIDE}b", f"a{SURROGATE}b", "a" * 200_000]
    for method, path, operation in OPERATIONS:
        for name, text in [
            (name, text) for name, schema in properties_of(operation).items() if _is_text(schema) for text in texts
        ]:
            asked += 1
            body = json.dumps({"user_id": str(owner), name: text}).encode()
            where = path.format(**{each: ids[0] for each, ids in known.items()})
            response = admin.ask(method, where, content=body, headers={"content-type": "application/json"})
            assert response.status_code < 500, (path, name, response.text)
            if OVERRIDE not in text:
                assert response.status_code == 422, (path, name, response.text)
    assert asked > 60


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [
        ("idempotency-key", b"a\x00b", 400),
        ("idempotency-key", b"\xe2\x80\xae", 202),
        ("idempotency-key", b"", 422),
        ("idempotency-key", b"x" * 256, 422),
        ("authorization", b"Bearer \xe2\x80\xae", 401),
        ("authorization", b"Bearer \x00", 400),
        ("cookie", b"posegen_session=\xe2\x80\xae", 202),
        ("prefer", b"wait=\xd9\xa1", 202),
        ("prefer", b"wait=99999999999999999999", 202),
    ],
)
def test_headers_may_be_nonsense(api: Api, owner: UUID, name: str, text: bytes, status: int) -> None:
    key = api.as_user(owner).key
    headers = {"authorization": f"Bearer {key}".encode(), "content-type": b"application/json", name: text}

    assert raw(api, "POST", "/v1/generations", headers, b'{"poses": ["star-jump"]}') == status


def raw(api: Api, method: str, path: str, headers: dict[str, bytes], body: bytes = b"") -> int:
    """The status of a request whose headers are sent as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", int(api.url.rpartition(":")[2]), timeout=60)
    connection.putrequest(method, path, skip_host="host" in headers)
    for name, text in {**headers, "content-length": str(len(body)).encode()}.items():
        connection.putheader(name, text.decode("latin-1"))
    connection.endheaders(body)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


# --- hosts, cursors, ranges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"127.0.0.1", 200),
        (b"localhost:1", 200),
        (b"[::1]:8080", 200),
        (b"api.example.test", 200),
        (b"API.example.TEST:443", 200),
        (b"evil.example", 421),
        (b"api.example.test.evil.example", 421),
        (b"127.0.0.1.evil.example", 421),
        (b"evil.example@127.0.0.1", 200),
        (b"", 421),
        (b"[", 421),
        (b"\xe2\x80\xae", 421),
    ],
)
def test_a_forged_host_is_refused(api: Api, owner: UUID, host: bytes, status: int) -> None:
    key = api.as_user(owner).key

    assert raw(api, "GET", "/v1/me", {"host": host, "authorization": f"Bearer {key}".encode()}) == status


def cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


TIME = "2026-11-30T12:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (cursor(TIME, str(2**63 - 1)), 200),
        (cursor(TIME, str(2**63)), 422),
        (cursor(TIME, "-1"), 422),
        (cursor(TIME, "9" * 100), 422),
        (cursor(TIME, "1e3"), 422),
        (cursor(TIME, 7), 422),
        (cursor("0001-01-01T00:00:00+00:00", "7"), 422),
        (cursor("9999-12-31T23:59:59+00:00", "7"), 422),
        (cursor("2026-11-30T12:00:00", "7"), 422),
        (cursor(TIME), 422),
        (cursor(TIME, "7", "8"), 422),
        (base64.urlsafe_b64encode(b"[" * 100).decode(), 422),
        ("%00", 422),
        ("%E2%80%AE", 422),
        ("x" * 201, 422),
        ("", 422),
    ],
)
def test_a_cursor_that_is_forged_is_read_or_refused(api: Api, owner: UUID, text: str, status: int) -> None:
    assert api.as_user(owner).get(f"/v1/account/entries?cursor={text}").status_code == status


def test_a_cursor_of_another_user_shows_nothing_of_theirs(api: Api, owner: UUID, stranger: UUID) -> None:
    for user in (owner, stranger, owner, stranger):
        a_request(api.database, user)
    of_stranger = api.as_user(stranger).get("/v1/generations?limit=1").json()["next_cursor"]

    found = api.as_user(owner).get(f"/v1/generations?cursor={of_stranger}").json()["data"]

    assert {each["user_id"] for each in found} == {str(owner)}


def test_ranges_of_every_kind(api: Api, owner: UUID) -> None:
    generation = finished(api.installation.studio, owner, poses=["star-jump"])
    user, path = api.as_user(owner), f"/v1/generations/{generation}/archive?formats=image"
    whole = user.get(path)
    size, tag = len(whole.content), whole.headers["etag"]

    for wanted, status, content in [
        ("bytes=0-", 206, whole.content),
        ("bytes=0-0", 206, whole.content[:1]),
        ("bytes=-5", 206, whole.content[-5:]),
        (f"bytes=-{size + 100}", 206, whole.content),
        (f"bytes=5-{10**17}", 206, whole.content[5:]),
        (f"bytes={size}-", 416, None),
        ("bytes=-0", 416, None),
        # What is no single range of bytes is ignored (RFC 9110, 14.2).
        ("bytes=5-2", 200, whole.content),
        ("bytes=0-1,3-4", 200, whole.content),
        ("bytes=-", 200, whole.content),
        ("lines=0-1", 200, whole.content),
        (f"bytes={10**30}-", 200, whole.content),
        ("nonsense", 200, whole.content),
    ]:
        part = user.get(path, headers={"range": wanted})
        assert part.status_code == status, wanted
        assert content is None or part.content == content, wanted
        if status == 416:
            assert part.headers["content-range"] == f"bytes */{size}"
    for guard, status in [(tag, 206), ('"another"', 200), (f"W/{tag}", 200), ("Mon, 30 Nov 2026 12:00:00 GMT", 200)]:
        assert user.get(path, headers={"range": "bytes=0-0", "if-range": guard}).status_code == status, guard


# --- what breaks below --------------------------------------------------------------------------------------------


@contextmanager
def api_through(proxy: TcpFaultProxy, database: Database, home: Path) -> Iterator[Api]:
    through = make_conninfo(database.url, host="127.0.0.1", port=proxy.port)
    with Database(through) as proxied, running_api(proxied, Settings(posegen_home=home)) as api:
        yield api


def test_a_database_that_restarts_is_503_with_retry_after_and_then_all_goes_on(
    database: Database, owner: UUID, tmp_path: Path
) -> None:
    at = conninfo_to_dict(database.url)
    with (
        TcpFaultProxy(lambda: (str(at["host"]), int(at["port"]))) as proxy,
        api_through(proxy, database, tmp_path) as api,
    ):
        user = api.as_user(owner)
        assert user.get("/v1/generations").status_code == 200
        proxy.reset()
        assert user.get("/v1/generations").status_code == 200, "a dead connection of the pool is replaced"
        proxy.refuse()
        for method, path in [("GET", "/v1/generations"), ("GET", "/v1/me"), ("GET", "/v1/ready")]:
            refused = user.ask(method, path)
            assert (refused.status_code, refused.headers["content-type"]) == (503, PROBLEM), path
            assert int(refused.headers["retry-after"]) > 0
        assert user.get("/v1/health").status_code == 200
        proxy.heal()
        until(lambda: user.get("/v1/ready").status_code == 200)
        assert user.post("/v1/generations", {"poses": ["star-jump"]}).status_code == 202


def test_a_store_that_does_not_respond_is_503(api: Api, owner: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    generation, user = finished(api.installation.studio, owner, poses=["star-jump"]), api.as_user(owner)
    upload = put(api, user)
    pose = user.get("/v1/poses").json()["data"][0]

    def fail(*_: object, **__: object) -> None:
        raise StorageError("The store does not respond.", store="local", key="")

    for name in ("open", "read", "read_range", "stat", "exists", "put", "list"):
        monkeypatch.setattr(LocalStore, name, fail, raising=False)

    for method, path in [
        ("POST", f"/v1/uploads/{upload}/complete"),
        ("GET", f"/v1/generations/{generation}/archive?formats=image"),
        ("POST", f"/v1/poses/{pose['pose_id']}/exports"),
    ]:
        refused = user.ask(method, path, json={"format": "tiktok"} if method == "POST" else None)
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable"), path
        assert int(refused.headers["retry-after"]) > 0
    led = user.get(f"/v1/poses/{pose['pose_id']}/download").headers["location"]
    assert api.as_nobody().get("/media/" + led.partition("/media/")[2]).status_code == 503


@pytest.mark.skipif(not private_disks_work(), reason="this system mounts no disk for a test")
def test_a_full_disk_refuses_an_upload_with_507(database: Database, owner: UUID, tmp_path: Path) -> None:
    with (
        PrivateDisk(tmp_path / "disk", megabytes=8) as disk,
        running_api(database, Settings(posegen_home=disk.seen_from_outside)) as api,
    ):
        user = api.as_user(owner)
        assert put(api, user)
        begun = user.post("/v1/uploads", {"content_type": "image/png", "size": len(PICTURE)}).json()
        path = begun["url"].removeprefix("http://api.example.test")
        disk.fill()

        full = api.client.put(f"{api.url}{path}", content=PICTURE, headers=begun["headers"])
        disk.make_room()
        again = api.client.put(f"{api.url}{path}", content=PICTURE, headers=begun["headers"])

    assert (full.status_code, again.status_code) == (507, 200)


def test_an_origin_that_is_not_named_gets_no_permission(api: Api, owner: UUID) -> None:
    queued(api.database, owner)

    response = api.as_user(owner).get("/v1/generations", headers={"origin": "https://evil.example"})

    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers
