"""Which hosts get a wire's key."""

from __future__ import annotations

import pytest

from posegen.backends.wires.http import WireClient


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
