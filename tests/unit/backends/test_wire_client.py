"""Which hosts get a wire's key, and how long a far end may take."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from posegen.backends.wires import http
from posegen.backends.wires.http import WireClient
from posegen.errors import CallUnknown


@pytest.fixture
def client():
    client = WireClient(
        auth={"x-key": "a key"},
        variable="BFL_API_KEY",
        base_url="https://gateway.example.com:8443/bfl",
        domain="bfl.ai",
        seconds=1,
    )
    yield client
    client.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example.com:8443/v1/get_result?id=1",
        "https://api.bfl.ai/v1/get_result?id=1",
        "https://api.eu2.bfl.ai/v1/get_result?id=1",
        "https://API.EU.BFL.AI:443/v1/get_result",
        "https://bfl.ai/",
    ],
)
def test_the_base_url_and_the_providers_hosts_are_the_wires_own(client, url):
    assert client.is_own(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.bfl.ai/",
        "https://api.bfl.ai:8443/",
        "https://notbfl.ai/",
        "https://bfl.ai.example.com/",
        "https://example.com/.bfl.ai",
        "https://example.com\\.bfl.ai/",
        "https://example.com#.bfl.ai",
        "https://key@api.bfl.ai/",
        "https://api_x.bfl.ai/",
        "https://gateway.example.com/",
        "https://[::1].bfl.ai/",
        "ftp://api.bfl.ai/",
        "",
    ],
)
def test_other_hosts_are_not(client, url):
    assert not client.is_own(url)


# --- how long a far end may take ----------------------------------------------------------------------------------


@contextmanager
def trickling(pause):
    """A server that sends its response one byte at a time, with pauses in seconds."""

    def serve(listening):
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=trickle, args=[connection], daemon=True).start()

    def trickle(connection):
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(1000):
                time.sleep(pause)
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=[listening], daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def patient(url):
    return WireClient(auth={}, variable="FAL_KEY", base_url=url, seconds=60)


def test_a_look_at_a_far_end_that_hangs_ends_long_before_a_submit_would(monkeypatch):
    monkeypatch.setattr(http, "LOOK_SECONDS", 0.2)
    with trickling(30) as url:
        client = patient(url)
        began = time.monotonic()
        with pytest.raises(CallUnknown, match="No response"):
            client.send("GET", url)
        assert time.monotonic() - began < 20
        client.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_response_that_comes_byte_by_byte_holds_up_no_deadline(monkeypatch, method):
    monkeypatch.setattr(http, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(http, "_BODY_SECONDS", 0.2)
    with trickling(0.05) as url:
        client = WireClient(auth={}, variable="FAL_KEY", base_url=url, seconds=0.5)
        with pytest.raises(CallUnknown, match="has not ended"):
            client.send(method, url)
        client.close()
