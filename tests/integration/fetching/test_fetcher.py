"""What the fetcher makes of responses, over real connections. The server's origin is configured, as that of a wire.

Which addresses are refused is `test_private_addresses.py`.
"""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from posegen.errors import FetchFailed, FetchRefused
from posegen.fetching.connections import trusted_tls
from posegen.fetching.fetcher import Fetched, Fetcher
from posegen.settings import Settings
from tests.scripted_server import ScriptedServer, response, scripted_server

PLENTY = 1_000_000
LONG = 60.0
NOWHERE = "http://127.0.0.1:9"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def fetch(server: ScriptedServer) -> Callable[..., Fetched]:
    """Fetches a path of the server."""

    def fetch(path: str, *, most_bytes: int = PLENTY, seconds: float = LONG) -> Fetched:
        return Fetcher(hosts=(), origins=(server.url,)).fetch(server.url + path, most_bytes=most_bytes, seconds=seconds)

    return fetch


def loopback(_: str) -> Sequence[str]:
    return ["127.0.0.1"]


def test_a_body_comes_with_its_media_type(server: ScriptedServer, fetch: Callable[..., Fetched]) -> None:
    server.replies["/a.png?b=1"] = response(b"picture", headers={"Content-Type": "Image/PNG; charset=x"})

    assert fetch("/a.png?b=1") == Fetched(b"picture", "image/png", f"{server.url}/a.png?b=1")


def test_a_chunked_body_without_a_media_type_is_read(server: ScriptedServer, fetch: Callable[..., Fetched]) -> None:
    server.replies["/"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    assert fetch("/") == Fetched(b"abcde", "", f"{server.url}/")


def test_a_request_holds_no_credentials_and_no_cookies(
    server: ScriptedServer, fetch: Callable[..., Fetched], tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    environment.setenv("HOME", str(tmp_path))
    environment.setenv("NETRC", str(tmp_path / ".netrc"))
    server.replies["/"] = response(b"", status=302, headers={"Location": "/next", "Set-Cookie": "session=1"})
    server.replies["/next"] = response(b"ok")

    assert fetch("/").data == b"ok"

    names = {line.partition(":")[0].lower() for line in server.asked[1].splitlines()[1:] if line}
    assert names == {"host", "accept", "accept-encoding", "connection", "user-agent"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int, server: ScriptedServer, fetch: Callable[..., Fetched]) -> None:
    server.replies["/"] = response(b"", status=status, headers={"Location": "next"})
    server.replies["/next"] = response(b"ok")

    assert fetch("/") == Fetched(b"ok", "", f"{server.url}/next")


def test_three_redirects_are_followed_and_a_fourth_is_not(
    server: ScriptedServer, fetch: Callable[..., Fetched]
) -> None:
    for number in range(4):
        server.replies[f"/{number}"] = response(b"", status=302, headers={"Location": f"/{number + 1}"})
    server.replies["/4"] = response(b"ok")

    assert fetch("/1").data == b"ok"
    with pytest.raises(FetchRefused, match="more than 3 redirects"):
        fetch("/0")
    assert len(server.asked) == 8


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.1:9/", "port is 9"),
        ("http://127.0.0.1/", "host is not in"),
        ("http://fal.media.example/", "host is not in"),
        ("http://notfal.media/", "host is not in"),
        ("file:///etc/passwd", "scheme"),
        ("https://user:pw@fal.media/", "user name"),
        ("http://2130706433/", "usual spelling"),
        ("http://[", "usual spelling"),
        ("http://[::1", "not valid"),
    ],
)
def test_a_redirect_is_judged_like_the_first_url(location: str, reason: str, server: ScriptedServer) -> None:
    server.replies["/"] = response(b"", status=302, headers={"Location": location})
    fetcher = Fetcher(hosts=("fal.media",), origins=(server.url,), resolve=loopback)

    with pytest.raises(FetchRefused, match=reason):
        fetcher.fetch(server.url, most_bytes=PLENTY, seconds=LONG)


def test_a_redirect_from_a_configured_origin_to_an_address_inside_is_refused(server: ScriptedServer) -> None:
    server.replies["/"] = response(b"", status=302, headers={"Location": "http://v3.fal.media/a.png"})
    fetcher = Fetcher(hosts=("fal.media",), origins=(server.url,), resolve=loopback)

    with pytest.raises(FetchRefused, match="not public"):
        fetcher.fetch(server.url, most_bytes=PLENTY, seconds=LONG)


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504])
def test_another_status_than_200_is_a_failure(
    status: int, server: ScriptedServer, fetch: Callable[..., Fetched]
) -> None:
    server.replies["/a?key=s3cret"] = f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n".encode()

    with pytest.raises(FetchFailed, match=f"response was {status}") as failed:
        fetch("/a?key=s3cret")

    assert failed.value.status == status
    assert failed.value.url == f"{server.url}/a"
    assert "s3cret" not in str(failed.value)


def test_a_redirect_without_a_location_is_a_failure(server: ScriptedServer, fetch: Callable[..., Fetched]) -> None:
    server.replies["/"] = response(b"", status=302)

    with pytest.raises(FetchFailed, match="response was 302"):
        fetch("/")


def test_a_body_of_the_largest_size_is_read_and_a_larger_one_is_refused(
    server: ScriptedServer, fetch: Callable[..., Fetched]
) -> None:
    server.replies["/"] = response(b"x" * 1000)

    assert len(fetch("/", most_bytes=1000).data) == 1000
    with pytest.raises(FetchRefused, match="more than 999 bytes"):
        fetch("/", most_bytes=999)


def test_a_body_without_end_is_cut_at_the_largest_size(server: ScriptedServer, fetch: Callable[..., Fetched]) -> None:
    sent = []

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")
        while True:
            sent.append(connection.send(b"x" * 65_536))

    server.replies["/"] = endless
    with pytest.raises(FetchRefused, match="more than 100000 bytes"):
        fetch("/", most_bytes=100_000)

    assert sum(sent) < 50_000_000  # what fits into the buffers of both sockets


def test_a_compressed_body_is_refused(server: ScriptedServer, fetch: Callable[..., Fetched]) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    server.replies["/"] = response(bomb, headers={"Content-Encoding": "gzip"})

    with pytest.raises(FetchRefused, match="compressed"):
        fetch("/")
    assert "accept-encoding: identity" in server.asked[0].lower()


def test_a_body_that_is_cut_short_is_a_failure(server: ScriptedServer, fetch: Callable[..., Fetched]) -> None:
    server.replies["/"] = response(b"x" * 10, headers={"Content-Length": "1000"})

    with pytest.raises(FetchFailed, match="not complete HTTP"):
        fetch("/")


@pytest.mark.parametrize(
    "reply", [b"", b"SSH-2.0-OpenSSH_9.2 s3cret\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000]
)
def test_what_is_no_response_is_a_failure_without_its_text(
    reply: bytes, server: ScriptedServer, fetch: Callable[..., Fetched]
) -> None:
    server.replies["/"] = reply

    with pytest.raises(FetchFailed) as failed:
        fetch("/")
    assert "s3cret" not in str(failed.value)


def test_a_refused_connection_is_a_failure(fetch: Callable[..., Fetched]) -> None:
    with pytest.raises(FetchFailed, match="connection failed: Connection refused") as failed:
        Fetcher(origins=(NOWHERE,)).fetch(f"{NOWHERE}/", most_bytes=PLENTY, seconds=LONG)
    assert failed.value.status is None


def test_the_next_address_is_tried(server: ScriptedServer) -> None:
    server.replies["/"] = response(b"ok")
    origin = f"http://pictures.example:{server.port}"
    fetcher = Fetcher(origins=(origin,), resolve=lambda _: ["127.0.0.2", "::1", "127.0.0.1"])

    assert fetcher.fetch(origin, most_bytes=PLENTY, seconds=LONG).data == b"ok"


def test_an_address_that_does_not_respond_leaves_time_for_the_next(server: ScriptedServer) -> None:
    server.replies["/"] = response(b"ok")
    origin = f"http://pictures.example:{server.port}"
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.3", server.port), backlog=0))
        for _ in range(4):  # connections that are not accepted fill the queue; further ones get no reply
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())

        fetcher = Fetcher(origins=(origin,), resolve=lambda _: ["127.0.0.3", "127.0.0.1"])
        assert fetcher.fetch(origin, most_bytes=PLENTY, seconds=4).data == b"ok"
        with pytest.raises(FetchFailed, match=r"within 0\.3 s"):
            replace(fetcher, resolve=lambda _: ["127.0.0.3"]).fetch(origin, most_bytes=PLENTY, seconds=0.3)


def test_a_name_without_an_address_is_a_failure() -> None:
    def unknown(_: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for resolve in (unknown, lambda _: []):
        with pytest.raises(FetchFailed, match="POSEGEN_FETCH_PROXY"):
            Fetcher(resolve=resolve).fetch("https://shop.example/", most_bytes=PLENTY, seconds=LONG)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["nothing", "headers", "body", "chunks"],
)
def test_a_slow_drip_ends_at_the_deadline(start: bytes, server: ScriptedServer, fetch: Callable[..., Fetched]) -> None:
    drop = b"1\r\na\r\n" if b"chunked" in start else b"a" if start else b""
    server.replies["/"] = server.drip(start, drop)
    began = time.monotonic()

    with pytest.raises(FetchFailed, match=r"no complete response within 0\.5 s"):
        fetch("/", seconds=0.5)

    assert time.monotonic() - began < 10


def test_redirects_share_one_deadline(server: ScriptedServer, fetch: Callable[..., Fetched]) -> None:
    def late(connection: socket.socket) -> None:
        time.sleep(0.4)
        connection.sendall(response(b"", status=302, headers={"Location": "/"}))

    server.replies["/"] = late

    with pytest.raises(FetchFailed, match=r"within 0\.9 s"):
        fetch("/", seconds=0.9)


def test_a_resolver_that_hangs_ends_at_the_deadline() -> None:
    release = threading.Event()

    def hang(_: str) -> Sequence[str]:
        release.wait(60)
        return []

    began = time.monotonic()
    try:
        with pytest.raises(FetchFailed, match=r"within 0\.3 s"):
            Fetcher(resolve=hang).fetch("https://shop.example/", most_bytes=PLENTY, seconds=0.3)
        assert time.monotonic() - began < 10
    finally:
        release.set()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of pictures.example and 127.0.0.1, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which makes the certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ),
            *("-subj", "/CN=pictures.example", "-addext", "subjectAltName=DNS:pictures.example,IP:127.0.0.1"),
            *("-keyout", path, "-out", f"{path}.crt"),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def secure_server(certificate: Path, environment: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    environment.setenv("SSL_CERT_FILE", str(certificate))
    trusted_tls.cache_clear()
    with scripted_server(context) as server:
        server.replies["/"] = response(b"ok")
        yield server
    trusted_tls.cache_clear()


@pytest.mark.parametrize("host", ["pictures.example", "pictures.example.", "127.0.0.1"])
def test_tls_is_verified_against_the_name(host: str, secure_server: ScriptedServer) -> None:
    origin = f"https://{host}:{secure_server.port}"

    assert Fetcher(origins=(origin,), resolve=loopback).fetch(origin, most_bytes=9, seconds=LONG).data == b"ok"


def test_a_certificate_of_another_name_is_a_failure(secure_server: ScriptedServer) -> None:
    origin = f"https://other.example:{secure_server.port}"

    with pytest.raises(FetchFailed, match="certificate is not valid: Hostname mismatch"):
        Fetcher(origins=(origin,), resolve=loopback).fetch(origin, most_bytes=9, seconds=LONG)
    assert secure_server.asked == []


def test_a_certificate_that_is_not_trusted_is_a_failure(
    secure_server: ScriptedServer, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("SSL_CERT_FILE")
    origin = f"https://pictures.example:{secure_server.port}"

    with pytest.raises(FetchFailed, match=r"certificate is not valid: self.signed"):
        Fetcher(origins=(origin,), resolve=loopback).fetch(origin, most_bytes=9, seconds=LONG)
    assert secure_server.asked == []


def test_a_handshake_that_hangs_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        origin = f"https://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(FetchFailed, match=r"within 0\.3 s"):
            Fetcher(origins=(origin,)).fetch(origin, most_bytes=9, seconds=0.3)
    assert time.monotonic() - began < 10


def test_the_proxy_of_the_settings_gets_every_foreign_url(
    server: ScriptedServer, environment: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES[:3]:
        environment.setenv(name, NOWHERE)
    environment.setenv("POSEGEN_FETCH_PROXY", f"http://me:hunter2@127.0.0.1:{server.port}")
    environment.setenv("no_proxy", "*")
    server.replies["http://shop.example/a"] = response(b"", status=302, headers={"Location": "http://cdn.example/b"})
    server.replies["http://cdn.example/b"] = response(b"ok")
    fetcher = replace(Fetcher.of(Settings()), resolve=lambda host: loopback(host) if host == "127.0.0.1" else [])

    assert fetcher.fetch("http://shop.example/a", most_bytes=9, seconds=LONG).url == "http://cdn.example/b"
    assert all("Proxy-Authorization: Basic bWU6aHVudGVyMg==" in head for head in server.asked)


def test_a_proxy_that_refuses_is_a_failure(server: ScriptedServer) -> None:
    server.replies["inside.example:443"] = response(b"s3cret", status=403)
    fetcher = Fetcher(proxy=server.url)

    with pytest.raises(FetchFailed, match="the proxy returned 403"):
        fetcher.fetch("https://inside.example/", most_bytes=9, seconds=LONG)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "https://[::1]/", "http://169.254.169.254/", "http://shop.example:22/"]
)
def test_a_proxy_is_not_asked_for_what_is_refused_by_its_spelling(url: str, server: ScriptedServer) -> None:
    with pytest.raises(FetchRefused):
        Fetcher(proxy=server.url).fetch(url, most_bytes=9, seconds=LONG)
    assert server.asked == []


def test_a_configured_origin_follows_the_environment_and_not_the_proxy_of_the_settings(
    server: ScriptedServer, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("http_proxy", f"127.0.0.1:{server.port}")
    server.replies["http://wire.example:9000/a"] = response(b"ok")
    server.replies["/b"] = response(b"direct")
    fetcher = Fetcher(origins=("http://wire.example:9000/base", server.url), proxy=NOWHERE)

    assert fetcher.fetch("http://wire.example:9000/a", most_bytes=9, seconds=LONG).data == b"ok"
    assert fetcher.fetch(f"{server.url}/b", most_bytes=9, seconds=LONG).data == b"direct"
    with pytest.raises(FetchFailed):
        fetcher.fetch("http://shop.example/", most_bytes=9, seconds=LONG)


def test_a_proxy_that_speaks_socks_is_a_failure(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("all_proxy", "socks5://127.0.0.1:9")

    with pytest.raises(FetchFailed, match="SOCKS"):
        Fetcher(origins=("http://wire.example",)).fetch("http://wire.example/", most_bytes=9, seconds=LONG)


def test_the_command_loads_no_http_client() -> None:
    code = "import posegen.cli.main, sys; sys.exit(bool({'httpx2', 'httpcore2'} & sys.modules.keys()))"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_importing_the_fetcher_loads_no_http_client() -> None:
    code = "import posegen.fetching.fetcher, sys; sys.exit(bool({'httpx2', 'httpcore2'} & sys.modules.keys()))"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
