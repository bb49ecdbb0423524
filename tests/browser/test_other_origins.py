"""A page of another origin follows a generation: CORS, tickets in place of keys, and reconnecting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from posegen.database.connection import Database
from posegen.settings import Settings
from tests.api_client import Api, running_api
from tests.builders import a_user, queued
from tests.tcp_fault_proxy import TcpFaultProxy
from tests.web_server import served

# What a page has to do: it asks for a ticket with its key, follows, and after a cut asks for another one and resumes.
SCRIPT = """
const {api, key, generation} = JSON.parse(document.getElementById("facts").textContent);
let seen = "0";
async function follow() {
  const asked = await fetch(`${api}/v1/stream-tickets`, {
    method: "POST",
    headers: {authorization: `Bearer ${key}`, "content-type": "application/json"},
    body: JSON.stringify({generation_id: generation}),
  });
  const {secret} = await asked.json();
  const stream = new EventSource(`${api}/v1/generations/${generation}/events?ticket=${secret}&after=${seen}`);
  for (const kind of ["submitted", "queued", "cancelled", "noted"]) {
    stream.addEventListener(kind, (event) => {
      seen = event.lastEventId;
      document.getElementById("events").append(`${seen}:${kind} `);
    });
  }
  stream.addEventListener("cancelled", () => stream.close());
  stream.onerror = () => { stream.close(); again(); };
}
const again = () => setTimeout(() => follow().catch(again), 200);
again();
"""


@pytest.fixture
def origin() -> Iterator[str]:
    """Another origin than the API's, with a page that follows what its query names."""

    async def shown(request: Request) -> HTMLResponse:
        facts = json.dumps(dict(request.query_params)).replace("<", "\\u003c")
        script = f'<script type="application/json" id="facts">{facts}</script><script>{SCRIPT}</script>'
        return HTMLResponse(f'<!doctype html><title>shop</title><p id="events"></p>{script}')

    with served(Starlette(routes=[Route("/", shown)])) as port:
        yield f"http://localhost:{port}"


@pytest.fixture
def network(api: Api) -> Iterator[TcpFaultProxy]:
    """What lies between the browser and the API."""
    host, port = api.url.removeprefix("http://").split(":")
    with TcpFaultProxy(lambda: (host, int(port))) as proxy:
        yield proxy


@pytest.fixture
def api(database: Database, tmp_path: Path, origin: str) -> Iterator[Api]:
    with running_api(database, Settings(posegen_home=tmp_path, cors_origins=origin)) as running:
        yield running


def followed(page: Page, origin: str, api: Api, network: TcpFaultProxy, generation: object) -> None:
    page.goto(f"{origin}/?api=http://127.0.0.1:{network.port}&key={api.key}&generation={generation}")


def test_a_page_elsewhere_follows_to_the_end_and_resumes_after_a_cut(
    page: Page, origin: str, api: Api, network: TcpFaultProxy, database: Database
) -> None:
    user = a_user(database)
    generation = queued(database, user, poses=["star-jump"])
    followed(page, origin, api.as_user(user), network, generation)
    events = page.locator("#events")
    expect(events).to_have_text("1:submitted 2:queued")

    network.refuse()
    network.reset()
    with database.transaction() as connection:
        connection.execute("select record_event(%s, 'noted')", [generation])
    network.heal()
    expect(events).to_have_text("1:submitted 2:queued 3:noted")
    assert api.as_user(user).post(f"/v1/generations/{generation}/cancel").status_code == 200

    expect(events).to_have_text("1:submitted 2:queued 3:noted 4:cancelled")


def test_a_page_that_is_not_allowed_reads_nothing(
    page: Page, origin: str, api: Api, network: TcpFaultProxy, database: Database
) -> None:
    user = a_user(database)
    generation = queued(database, user, poses=["star-jump"])
    elsewhere = origin.replace("localhost", "127.0.0.1")  # the same page, and another origin
    refusals: list[str] = []
    page.on("console", lambda message: refusals.append(message.text))

    followed(page, elsewhere, api.as_user(user), network, generation)
    page.wait_for_timeout(1_000)

    assert any("CORS" in text for text in refusals)
    assert page.locator("#events").text_content() == ""
