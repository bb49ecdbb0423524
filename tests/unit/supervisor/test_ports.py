from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from posegen.errors import PlatformUnusable
from posegen.supervisor.ports import choose_port, url_of


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_wanted_port_is_taken_or_refused_but_never_replaced(taken: int):
    with pytest.raises(PlatformUnusable, match=f"port {taken} of 127.0.0.1"):
        choose_port("127.0.0.1", taken)


def test_without_a_wish_another_port_is_found_when_the_usual_one_is_taken(taken: int):
    assert choose_port("127.0.0.1", None, preferred=taken) not in (taken, 0)


def test_a_host_that_is_not_ours_is_refused():
    with pytest.raises(PlatformUnusable, match=r"192\.0\.2\.1"):
        choose_port("192.0.2.1", None)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:3000"),
        ("0.0.0.0", "http://127.0.0.1:3000"),
        ("::", "http://[::1]:3000"),
        ("ui.example", "http://ui.example:3000"),
    ],
)
def test_the_url_is_one_that_this_machine_can_open(host: str, url: str):
    assert url_of(host, 3000) == url
