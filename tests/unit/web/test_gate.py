"""The gate: forged hosts, headers of every response, and the numbers and log lines of requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from posegen.web.gate import Gate
from posegen.web.request_metrics import RequestMetrics


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(
        "hello", headers=(request.query_params.get("referrer") and {"referrer-policy": "unsafe-url"}) or None
    )


@pytest.fixture
def metrics() -> RequestMetrics:
    return RequestMetrics()


@pytest.fixture
def client(metrics: RequestMetrics) -> TestClient:
    app = Starlette(routes=[Route("/hello", _hello), Route("/v1/health", _hello)])
    return TestClient(Gate(app, hosts=["api.example.com"], metrics=metrics), base_url="http://api.example.com:8080")


def test_every_response_has_its_number_and_headers(client: TestClient) -> None:
    first, second = client.get("/hello"), client.get("/nothing")

    assert first.status_code == 200
    assert second.status_code == 404
    assert len(first.headers["x-request-id"]) == 32
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    for response in (first, second):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert "unsafe-inline" not in response.headers["content-security-policy"]


def test_a_route_may_set_a_header_of_its_own(client: TestClient) -> None:
    assert client.get("/hello?referrer=1").headers["referrer-policy"] == "unsafe-url"


@pytest.mark.parametrize(
    "host",
    ["api.example.com", "API.Example.COM:8080", "127.0.0.1:9", "localhost", "[::1]:8080"],
)
def test_our_own_hosts_are_served(client: TestClient, host: str) -> None:
    assert client.get("/hello", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "api.example.com.evil.com",
        "",
        "127.0.0.1.evil.com",
        "a@api.example.com@b",
        "[::1",
        "0.0.0.0",
    ],
)
def test_another_host_is_refused(client: TestClient, host: str) -> None:
    refused = client.get("/hello", headers={"host": host})

    assert refused.status_code == 421
    assert refused.json()["code"] == "wrong_host"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["request_id"] == refused.headers["x-request-id"]


def test_probes_come_by_address(client: TestClient) -> None:
    assert client.get("/v1/health", headers={"host": "10.1.2.3:8080"}).status_code == 200


def test_two_hosts_are_none(metrics: RequestMetrics) -> None:
    gate = Gate(Starlette(), hosts=["api.example.com"], metrics=metrics)
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/hello",
        "headers": [(b"host", b"api.example.com"), (b"host", b"evil.example.com")],
    }

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(gate(scope, lambda: asyncio.sleep(0), send))  # type: ignore[arg-type, return-value]

    assert sent[0]["status"] == 421


def test_a_request_is_counted_and_logged_without_its_query(client: TestClient, metrics: RequestMetrics) -> None:
    with structlog.testing.capture_logs() as lines:
        client.get("/hello?token=secret", headers={"authorization": "Bearer psg_secret"})

    (line,) = lines
    assert (line["method"], line["path"], line["status"]) == ("GET", "/hello", 200)
    assert "secret" not in str(line)
    assert (
        'posegen_api_requests_total{method="GET",route="/hello",status="200"} 1.0'
        in generate_latest(metrics.registry).decode()
    )
