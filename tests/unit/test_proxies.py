"""Which requests go through a proxy: real servers on loopback, and a proxy that nothing gets through."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import obstore
import pytest

from posegen.proxies import is_this_machine, open_url, proxy_for
from posegen.storage.bucket import BucketAdministration
from posegen.storage.configuration import BucketConfig, Credentials
from posegen.storage.s3_requests import requests_to
from posegen.supervisor.local_platform import _daemon_beats
from posegen.supervisor.readiness import answers_http
from posegen.upkeep.webhook import post

KEYS = Credentials("id", "secret", None)
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Answering(BaseHTTPRequestHandler):
    """Says yes to everything, and notes what it was asked for."""

    def _answer(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_HEAD = _answer  # noqa: N815  # the library looks these up

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    """A server on loopback. `asked`: the paths; a proxy is asked for whole URLs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.asked = []  # type: ignore[attr-defined]
        server.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.fixture
def nowhere(environment: pytest.MonkeyPatch) -> None:
    """Every proxy variable names a port where nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{unused.getsockname()[1]}"
    for name in VARIABLES[:3]:
        environment.setenv(name, proxy)
        environment.setenv(name.upper(), proxy)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "localhost.", "posegen.localhost", "0.0.0.0"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::]"),
    ],
)
def test_loopback_in_every_spelling_is_this_machine(host: str) -> None:
    assert is_this_machine(f"http://{host}:3000/server_info")
    assert is_this_machine(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        *("http://192.0.2.1/", "https://s3.example.com", "http://localhost.example.com/", "http://127.0.0.1.example/"),
        *("http://notlocalhost/", "http://[2001:db8::1]:80/", "http:///path", "nonsense", "http://[::1/", ""),
    ],
)
def test_other_hosts_are_not(url: str) -> None:
    assert not is_this_machine(url)


def test_this_machine_knows_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Box")

    assert is_this_machine("http://box:3000/")
    assert is_this_machine("http://box.lan:3000/")
    assert not is_this_machine("http://boxes:3000/")


def test_an_address_of_an_interface_is_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        address = probe.getsockname()[0]

    assert is_this_machine(f"http://{address}:3000/")


@pytest.mark.usefixtures("nowhere")
def test_what_this_machine_serves_is_asked_directly(server: Any) -> None:
    assert answers_http(f"{server.url}/server_info")
    assert not _daemon_beats(server.url, 0)
    post(f"{server.url}/alerts", {"text": "hello"})

    assert server.asked == ["/server_info", "/graphql", "/alerts"]


def test_other_hosts_follow_the_proxy(server: Any, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", server.url)

    post("http://alerts.example/hook", {"text": "hello"})
    with open_url(urllib.request.Request("http://pictures.example/a.png"), seconds=10) as answer:
        assert answer.read() == b"{}"

    assert server.asked == ["http://alerts.example/hook", "http://pictures.example/a.png"]


def test_no_proxy_is_heard(server: Any, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", server.url)
    environment.setenv("no_proxy", "pictures.invalid")

    with pytest.raises(urllib.error.URLError), open_url(urllib.request.Request("http://pictures.invalid/"), seconds=10):
        pass

    assert server.asked == []


def test_a_url_has_the_proxy_of_its_scheme(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", "http://proxy.example:3128")
    environment.setenv("all_proxy", "proxy.example:1080")
    environment.setenv("no_proxy", "inside.example")

    assert proxy_for("http://fal.example/a") == "http://proxy.example:3128"
    assert proxy_for("https://fal.example/a") == "http://proxy.example:1080"
    assert proxy_for("https://inside.example:9000/a") is None
    assert proxy_for("http://127.0.0.1:9000/a") is None


@pytest.mark.usefixtures("environment")
def test_without_proxy_variables_a_url_has_none() -> None:
    assert proxy_for("https://fal.example/") is None


def place_at(endpoint: str) -> BucketConfig:
    return BucketConfig("s3", endpoint, "shop-pictures", "us-east-1", Credentials("id", "secret"))


@pytest.mark.usefixtures("nowhere")
def test_a_bucket_on_this_machine_is_asked_directly(server: Any) -> None:
    for host in ("127.0.0.1", "localhost"):
        requests = requests_to(place_at(f"http://{host}:{server.server_port}"))
        obstore.get(requests._client, "poses/a.png")
    assert server.asked == ["/shop-pictures/poses/a.png"] * 2

    BucketAdministration(place_at(server.url), lambda: KEYS).make_bucket()
    assert server.asked[2:] == ["/shop-pictures"]


def test_a_bucket_elsewhere_follows_the_proxy(server: Any, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", server.url)
    elsewhere = place_at("http://s3.example:9000")

    obstore.get(requests_to(elsewhere)._client, "poses/a.png")
    BucketAdministration(elsewhere, lambda: KEYS).make_bucket()

    assert server.asked == [
        "http://s3.example:9000/shop-pictures/poses/a.png",
        "http://s3.example:9000/shop-pictures",
    ]
