"""The object route over real HTTP: what it shows, how it lets itself be cached, and what it never shows."""

from __future__ import annotations

import http.client
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from posegen.errors import StoreFull
from posegen.storage.local import LocalStore
from posegen.web.objects import object_routes
from tests.web_server import served

KEY = "poses/g1/p1-0123456789ab.png"
BODY = bytes(range(256)) * 4  # 1024 bytes
TAG = '"0123456789ab"'


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Site:
    """A running web server that has the route at `/media`."""

    port: int
    store: LocalStore
    root: Path

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """One request; the path goes out as it is, underscores in header names become dashes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def put(self, key: str, data: bytes, content_type: str = "image/png") -> None:
        self.store.put(key, data, content_type=content_type)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("site") / "store"
    store = LocalStore(root, base_url="/media")
    application = Starlette(
        routes=[
            Mount("/media", routes=object_routes(store)),
            Route("/{path:path}", lambda _: PlainTextResponse("the user interface")),
        ]
    )
    with served(application) as port:
        site = Site(port, store, root)
        site.put(KEY, BODY)
        yield site


def test_a_private_store_shows_pictures_by_signature_only(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, base_url="/media", signing_secret=lambda: b"a secret of the tests", is_private=True)
    with served(Starlette(routes=[Mount("/media", routes=object_routes(store))])) as port:
        site = Site(port, store, tmp_path)
        site.put(KEY, BODY)

        assert store.public_url(KEY) is None
        assert site.ask(f"/media/{KEY}").status == 404
        shown = site.ask(store.signed_get_url(KEY))

    assert (shown.status, shown.body) == (200, BODY)
    assert shown.headers["cache-control"].startswith("private")


def test_a_picture_is_served_with_everything_a_browser_needs(site: Site) -> None:
    answer = site.ask(site.store.public_url(KEY))

    assert (answer.status, answer.body) == (200, BODY)
    wanted = {
        "content-type": "image/png",
        "content-length": "1024",
        "etag": TAG,
        "cache-control": "public, max-age=31536000, immutable",
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
    }
    assert {name: answer.headers.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("thumbnails/g1/p1-0123456789ab.webp", "image/webp"),
        ("exports/g1/p1-0123456789ab.jpg", "image/jpeg"),
        ("controlnet/standing/openpose-1024x1024-0123456789ab.png", "image/png"),
        ("designs/d1/front-0123456789ab.png", "image/png"),
    ],
)
def test_every_kind_of_picture_has_its_own_type(site: Site, key: str, content_type: str) -> None:
    site.put(key, b"<html>", content_type)

    answer = site.ask(f"/media/{key}")

    assert (answer.status, answer.headers["content-type"]) == (200, content_type)


def test_a_large_object_arrives_whole(site: Site) -> None:
    body = os.urandom(3_000_001)
    site.put("exports/g1/large-0123456789ab.png", body)

    assert site.ask("/media/exports/g1/large-0123456789ab.png").body == body


def test_an_empty_object_is_an_empty_answer(site: Site) -> None:
    site.put("poses/g1/empty-e3b0c44298fc.png", b"")

    answer = site.ask("/media/poses/g1/empty-e3b0c44298fc.png")

    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "0", b"")


def test_head_tells_the_same_without_the_bytes(site: Site) -> None:
    whole, head = site.ask(f"/media/{KEY}"), site.ask(f"/media/{KEY}", "HEAD", Range="bytes=0-9")

    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(site: Site, method: str) -> None:
    answer = site.ask(f"/media/{KEY}", method)

    assert answer.status == 405
    assert site.store.get(KEY) == BODY


# --- caching -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [TAG, f"W/{TAG}", f'"other", {TAG}', "*", f'"a,b",{TAG}'])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_browser_has_is_not_sent_again(site: Site, known: str, method: str) -> None:
    answer = site.ask(f"/media/{KEY}", method, If_None_Match=known, Range="bytes=0-9")

    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == TAG
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("known", ['"other"', "0123456789ab", "", '"0123456789ab', "W/"])
def test_what_the_browser_does_not_have_is_sent(site: Site, known: str) -> None:
    assert site.ask(f"/media/{KEY}", If_None_Match=known).status == 200


def test_an_object_that_does_not_name_its_content_is_asked_for_again(site: Site) -> None:
    key = "poses/g1/8c1f2d5e-90ab-5cde-8f01-23456789abcd.png"
    site.put(key, b"old")
    first = site.ask(f"/media/{key}")
    site.store.put(key, b"new!", content_type="image/png", create_only=False)

    second = site.ask(f"/media/{key}", If_None_Match=first.headers["etag"])

    assert first.headers["cache-control"] == "public, no-cache"
    assert (second.status, second.body) == (200, b"new!")
    assert site.ask(f"/media/{key}", If_None_Match=second.headers["etag"]).status == 304


# --- ranges ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=1000-", 1000, 1024),
        ("bytes=1000-999999", 1000, 1024),
        ("bytes=-5", 1019, 1024),
        ("bytes=-99999", 0, 1024),
        ("BYTES=0-1023", 0, 1024),
    ],
)
def test_a_range_is_answered_with_just_that(site: Site, asked: str, start: int, stop: int) -> None:
    answer = site.ask(f"/media/{KEY}", Range=asked)

    assert (answer.status, answer.body) == (206, BODY[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/1024"
    assert answer.headers["content-length"] == str(stop - start)
    assert answer.headers["etag"] == TAG


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_behind_the_end_is_refused_with_the_size(site: Site, asked: str) -> None:
    answer = site.ask(f"/media/{KEY}", Range=asked)

    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */1024")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,5-6", "bytes=5-1", "bytes=-", "bytes=a-b", "lines=0-1", "", f"bytes=0-{'9' * 5000}", "bytes=-1-2"],
)
def test_what_is_no_single_range_gets_the_whole(site: Site, asked: str) -> None:
    answer = site.ask(f"/media/{KEY}", Range=asked)

    assert (answer.status, answer.body) == (200, BODY)


@pytest.mark.parametrize(("condition", "status"), [(TAG, 206), ('"other"', 200), (f"W/{TAG}", 200)])
def test_a_download_goes_on_only_with_the_same_object(site: Site, condition: str, status: int) -> None:
    assert site.ask(f"/media/{KEY}", Range="bytes=10-", If_Range=condition).status == status


# --- what is never shown -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secrets(site: Site) -> Site:
    """Things near the pictures that nobody may see."""
    site.put("manifests/exports/g1.json", b"secret", "application/json")
    site.put("uploads/u1/photo-0123456789ab.png", b"secret")
    site.put("poses/g1/notes-0123456789ab.json", b"secret", "application/json")
    site.put("exports/g1/all-0123456789ab.zip", b"secret", "application/zip")
    (site.root / "poses" / "g1" / ".0011223344556677.pending").write_bytes(b"secret")
    (site.root / "poses" / "g1" / "page.html").write_bytes(b"secret")
    (site.root / "poses" / "g1" / "Upper.png").write_bytes(b"secret")
    outside = site.root.parent / "outside"
    outside.mkdir()
    (outside / "x-0123456789ab.png").write_bytes(b"secret")
    (site.root / "poses" / "linked").symlink_to(outside)
    (site.root / "poses" / "g1" / "link-0123456789ab.png").symlink_to(outside / "x-0123456789ab.png")
    os.mkfifo(site.root / "poses" / "g1" / "fifo-0123456789ab.png")
    return site


@pytest.mark.parametrize(
    "path",
    [
        "manifests/exports/g1.json",
        "uploads/u1/photo-0123456789ab.png",
        "poses/g1/notes-0123456789ab.json",
        "exports/g1/all-0123456789ab.zip",
        "poses/g1/.0011223344556677.pending",
        "poses/g1/page.html",
        "poses/g1/Upper.png",
        "poses/linked/x-0123456789ab.png",
        "poses/g1/link-0123456789ab.png",
        "poses/g1/fifo-0123456789ab.png",
        "poses/g1/missing-0123456789ab.png",
        "",
        "poses",
        "poses/",
        "poses/g1",
        "poses/g1/",
        "poses/g1/../../../outside/x-0123456789ab.png",
        "poses/%2e%2e/%2e%2e/outside/x-0123456789ab.png",
        "poses/..%2f..%2foutside/x-0123456789ab.png",
        "poses/%252e%252e/%252e%252e/outside/x-0123456789ab.png",
        "poses/..%5c..%5coutside%5cx-0123456789ab.png",
        "poses/g1/p1-0123456789ab.png%00.jpg",
        "poses/g1/p1-0123456789ab.png%0a",
        "poses//g1/p1-0123456789ab.png",
        "/poses/g1/p1-0123456789ab.png",
        "poses/g1/p1-0123456789ab.png/",
        "poses/g1/%ff%fe.png",
        "%2fetc%2fpasswd",
        "POSES/g1/p1-0123456789ab.png",
        f"poses/{'x' * 300}.png",
        f"poses/{'x/' * 600}x.png",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_anything_else_is_not_there(secrets: Site, path: str, method: str) -> None:
    answer = secrets.ask(f"/media/{path}", method)

    assert answer.status == 404
    assert b"secret" not in answer.body
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_an_object_shows_up_after_a_404(site: Site) -> None:
    assert site.ask("/media/poses/g1/late-0123456789ab.png").status == 404

    site.put("poses/g1/late-0123456789ab.png", b"here")

    assert site.ask("/media/poses/g1/late-0123456789ab.png").body == b"here"


def test_a_store_that_cannot_be_read_is_no_missing_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path, base_url="/media")
    store.put(KEY, BODY, content_type="image/png")
    real_open = os.open

    def failing_open(path: object, *rest: object, **more: object) -> int:
        if path == tmp_path:
            raise OSError(5, "Input/output error")
        return real_open(path, *rest, **more)  # type: ignore[arg-type]

    with served(Starlette(routes=[Mount("/media", routes=object_routes(store))])) as port:
        monkeypatch.setattr(os, "open", failing_open)
        answer = Site(port, store, tmp_path).ask(f"/media/{KEY}")
        monkeypatch.undo()

    assert answer.status == 503
    assert str(tmp_path).encode() not in answer.body


def open_objects(site: Site) -> list[Path]:
    """The files below the site's root that this process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed by another thread meanwhile
            found.append(descriptor.readlink())
    return [path for path in found if path.is_relative_to(site.root)]


def wait_until_closed(site: Site) -> None:
    deadline = time.monotonic() + 180
    while left := open_objects(site):
        assert time.monotonic() < deadline, f"still open: {left}"
        time.sleep(0.005)


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells which files are open")


@needs_proc
def test_no_file_stays_open(site: Site) -> None:
    site.put("exports/g1/long-0123456789ab.png", bytes(5_000_000))

    for headers in ({}, {"Range": "bytes=5-6"}, {"Range": "bytes=9999999-"}, {"If_None_Match": "*"}):
        for method in ("GET", "HEAD"):
            site.ask("/media/exports/g1/long-0123456789ab.png", method, **headers)

    wait_until_closed(site)


@needs_proc
def test_a_reader_who_leaves_half_way_holds_no_file_open(site: Site) -> None:
    site.put("exports/g1/longer-0123456789ab.png", bytes(30_000_000))
    with socket.create_connection(("127.0.0.1", site.port), timeout=180) as connection:
        connection.sendall(b"GET /media/exports/g1/longer-0123456789ab.png HTTP/1.1\r\nHost: here\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert open_objects(site) != []

    wait_until_closed(site)


# --- uploads and other origins -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose store signs, and that one origin may use from a browser."""
    root = tmp_path_factory.mktemp("uploads") / "store"
    store = LocalStore(root, base_url="/media", signing_secret=lambda: b"a secret of this test")
    routes = object_routes(store, cors_origins=["https://app.example.com"])
    with served(Starlette(routes=[Mount("/media", routes=routes)])) as port:
        yield Site(port, store, root)


def preflight(site: Site, origin: str) -> Answer:
    return site.ask(
        "/media/uploads/u.png",
        "OPTIONS",
        Origin=origin,
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="content-type,if-none-match",
    )


def test_a_page_of_an_origin_that_is_named_may_upload(uploads: Site) -> None:
    answer = preflight(uploads, "https://app.example.com")

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "PUT" in answer.headers["access-control-allow-methods"]


def test_a_page_of_any_other_origin_may_not(uploads: Site, site: Site) -> None:
    assert preflight(uploads, "https://elsewhere.example").status == 400
    assert "access-control-allow-origin" not in preflight(site, "https://app.example.com").headers


def test_a_signed_object_is_served_in_ranges_and_never_kept(uploads: Site) -> None:
    uploads.store.put("manifests/a.json", b"0123456789", content_type="application/json")

    answer = uploads.ask(uploads.store.signed_get_url("manifests/a.json"), Range="bytes=2-4")

    assert (answer.status, answer.body) == (206, b"234")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_an_expired_link_shows_nothing(tmp_path: Path) -> None:
    now = [1_000_000.0]
    store = LocalStore(tmp_path, base_url="/media", signing_secret=lambda: b"a secret", clock=lambda: now[0])
    store.put("manifests/a.json", b"{}", content_type="application/json")
    url = store.signed_get_url("manifests/a.json", seconds=60)
    with served(Starlette(routes=[Mount("/media", routes=object_routes(store))])) as port:
        here = Site(port, store, tmp_path)
        assert here.ask(url).status == 200
        now[0] += 61
        late = here.ask(url)

    assert (late.status, late.headers["cache-control"]) == (403, "no-store")


def test_an_upload_that_breaks_off_leaves_nothing(uploads: Site) -> None:
    signed = uploads.store.signed_put_url("uploads/cut.png", content_type="image/png", size=1000)
    head = f"PUT {signed.url} HTTP/1.1\r\nHost: here\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in signed.headers.items()
    )
    with socket.create_connection(("127.0.0.1", uploads.port), timeout=180) as connection:
        connection.sendall(head.encode() + b"\r\n" + bytes(500))

    wait_until_closed(uploads)
    assert not uploads.store.exists("uploads/cut.png")
    assert list(uploads.store.list_unfinished()) == []


def test_a_full_store_says_so_to_whoever_uploads(uploads: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = uploads.store.signed_put_url("uploads/full.png", content_type="image/png", size=4)

    def full(key: str, *_: object, **__: object) -> None:
        raise StoreFull("no space left", store="local", key=key)

    monkeypatch.setattr(uploads.store, "put", full)
    connection = http.client.HTTPConnection("127.0.0.1", uploads.port, timeout=180)
    connection.request("PUT", signed.url, b"1234", dict(signed.headers))

    assert connection.getresponse().status == 507
    connection.close()


def test_whoever_signs_nothing_changes_nothing(uploads: Site) -> None:
    assert uploads.ask("/media/uploads/u.png", "PUT").status == 405
    assert uploads.ask("/media/uploads/u.png?signature=0", "PUT").status == 403
