"""Live progress through the API: keys, tickets and sockets, and how streams end."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from posegen.access import service as access
from posegen.web.callers import COOKIE
from posegen.web.events import live
from tests.api_client import OPERATOR, PROBLEM, Api
from tests.builders import claimed, finished, queued, started, work
from tests.concurrency import until
from tests.integration.web.api.test_access import ORIGIN, signed_in
from tests.live_server import PATIENCE, EventSource, never_reading


def follow(caller: Api, path: str, *, last_id: str = "") -> EventSource:
    """A stream, as an `EventSource` opens it, with the key of the caller."""
    return EventSource(port_of(caller), f"/v1{path}", last_id=last_id, headers=credentials(caller))


def port_of(caller: Api) -> int:
    return int(caller.url.rpartition(":")[2])


def credentials(caller: Api) -> dict[str, str]:
    return {} if caller.key is None else {"authorization": f"Bearer {caller.key}"}


@contextmanager
def websocket(caller: Api, query: str = "", **headers: str) -> Iterator[ClientConnection]:
    with connect_websocket(
        f"ws://127.0.0.1:{port_of(caller)}/v1/ws{query}",
        additional_headers={**credentials(caller), **headers},
        open_timeout=PATIENCE,
        proxy=None,
    ) as connection:
        yield connection


def ticket(caller: Api, **body: str) -> str:
    made = caller.post("/v1/stream-tickets", body)
    assert made.status_code == 201, made.text
    return str(made.json()["secret"])


def test_a_generation_is_followed_with_a_key_up_to_its_end(api: Api, owner: UUID) -> None:
    lease = started(api.database, claimed(api.database, owner, poses=["star-jump"]))
    user = api.as_user(owner)

    with follow(user, f"/generations/{lease.id}/events") as source:
        state = source.next()
        work(api.installation.studio, lease)
        told = source.rest()
    with follow(user, f"/generations/{lease.id}/events", last_id=source.last_id) as again:
        assert (again.status, again.body()) == (204, b"")

    assert state is not None
    assert state.data["generation"]["status"] == "running"
    assert [each.event for each in told] == ["pose_completed", "completed"]
    assert told[0].data["image_url"] == user.get("/v1/poses").json()["data"][0]["image_url"]


def test_a_ticket_opens_one_stream_of_its_generation(api: Api, owner: UUID) -> None:
    generation, other = finished(api.installation.studio, owner), queued(api.database, owner)
    user, nobody = api.as_user(owner), api.as_nobody()
    secret = ticket(user, generation_id=str(generation))

    with follow(nobody, f"/generations/{generation}/events?ticket={secret}") as source:
        assert [each.event for each in source.rest()] == ["state"]
    again = nobody.get(f"/v1/generations/{generation}/events?ticket={secret}")
    elsewhere = ticket(user, generation_id=str(generation))
    of_another = nobody.get(f"/v1/generations/{other}/events?ticket={elsewhere}")
    of_all = nobody.get(f"/v1/events?ticket={ticket(user, generation_id=str(generation))}")

    assert (again.status_code, "used already" in again.json()["detail"]) == (401, True)
    assert (of_another.status_code, of_all.status_code) == (404, 404)


@pytest.mark.parametrize("secret", ["", "x", "%00", "%ED%A0%80", "x" * 201, "%E2%80%AE"])
def test_what_is_no_ticket_is_refused(api: Api, owner: UUID, secret: str) -> None:
    refused = api.as_nobody().get(f"/v1/generations/{uuid4()}/events?ticket={secret}")

    assert refused.status_code in {401, 422}


def test_a_ticket_shows_its_user_only(api: Api, owner: UUID, stranger: UUID) -> None:
    nobody, secret = api.as_nobody(), ticket(api.as_service(), user_id=str(owner))
    foreign = queued(api.database, stranger)

    of_stranger = nobody.get(f"/v1/events?user={stranger}&ticket={ticket(api.as_user(owner))}")
    of_foreign = nobody.get(f"/v1/generations/{foreign}/events?ticket={ticket(api.as_user(owner))}")
    with follow(nobody, f"/events?ticket={secret}") as source:
        state = source.next()
        queued(api.database, stranger)
        mine = queued(api.database, owner)
        told = source.take(2)

    assert state is not None
    assert state.data["data"] == []
    assert {each.data["generation_id"] for each in told} == {str(mine)}
    assert (of_stranger.status_code, of_foreign.status_code) == (404, 404)


def test_a_stranger_gets_no_ticket(api: Api, owner: UUID, stranger: UUID) -> None:
    generation, other = queued(api.database, owner), api.as_user(stranger)

    assert other.post("/v1/stream-tickets", {"generation_id": str(generation)}).status_code == 404
    assert other.post("/v1/stream-tickets", {"user_id": str(owner)}).status_code == 404
    assert api.as_service().post("/v1/stream-tickets", {}).json()["code"] == "not_allowed"


def test_a_service_follows_the_user_that_it_names(api: Api, owner: UUID, stranger: UUID) -> None:
    with follow(api.as_service(), f"/events?user={owner}") as source:
        source.next()
        queued(api.database, stranger)
        mine = queued(api.database, owner)
        assert {each.data["generation_id"] for each in source.take(2)} == {str(mine)}


def test_waiting_for_the_end_returns_200_with_the_ended_generation(api: Api, owner: UUID) -> None:
    user, answered = api.as_user(owner), []

    def ask() -> None:
        body = {"poses": ["star-jump"], "formats": []}
        answered.append(user.post("/v1/generations", body, headers={"prefer": "respond-async, wait=60"}))

    asking = threading.Thread(target=ask)
    asking.start()
    (listed,) = until(lambda: user.get("/v1/generations").json()["data"])
    assert user.post(f"/v1/generations/{listed['generation_id']}/cancel").json()["status"] == "cancelled"
    asking.join(PATIENCE)

    (response,) = answered
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert response.headers["preference-applied"] == "wait=60"


def test_waiting_in_vain_returns_202_after_the_seconds(api: Api, owner: UUID) -> None:
    response = api.as_user(owner).post("/v1/generations", {"poses": ["star-jump"]}, headers={"prefer": "wait=1"})

    assert (response.status_code, response.headers["preference-applied"]) == (202, "wait=1")


@pytest.fixture
def frequent_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for before `api`, whose first check would else be due after 15 s."""
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.1)


def test_streams_end_after_their_key_is_revoked(frequent_checks: None, api: Api, owner: UUID) -> None:
    user, generation = api.as_user(owner), queued(api.database, owner)
    key = user.get("/v1/me").json()["credential"].removeprefix("key:")

    with follow(user, f"/generations/{generation}/events") as source, websocket(user) as socket:
        assert source.next() is not None
        access.revoke_key(api.database, OPERATOR, key, datetime.now(UTC))
        assert source.rest() == []
        with pytest.raises(Exception, match="1008"):
            socket.recv(timeout=PATIENCE)
    until(lambda: api.application.live.streams == 0)


def test_a_socket_follows_several_generations_of_its_user(api: Api, owner: UUID, stranger: UUID) -> None:
    mine, foreign = queued(api.database, owner), queued(api.database, stranger)

    with websocket(api.as_user(owner)) as socket:
        follow_both = {"type": "follow", "generations": [{"id": str(mine)}, {"id": str(foreign)}]}
        socket.send(json.dumps(follow_both))
        told = [json.loads(socket.recv(timeout=PATIENCE)) for _ in range(2)]

    assert {(each["event"], each["generation_id"]) for each in told} == {
        ("state", str(mine)),
        ("error", str(foreign)),
    }


def test_a_socket_is_refused_with_a_problem(api: Api, owner: UUID) -> None:
    session = signed_in(api, owner)
    lacking = api.as_user(owner, scopes=["files:read"])
    attempts: list[tuple[Api, dict[str, str], int]] = [
        (api.as_nobody(), {}, 401),
        (api.as_nobody(), {"authorization": "Bearer psg_x"}, 401),
        (lacking, {}, 403),
        (api.as_nobody(), session, 403),
        (api.as_nobody(), {**session, "origin": "https://evil.example"}, 403),
    ]
    for caller, headers, status in attempts:
        refused = refusal(caller, **headers)
        assert (refused.status_code, refused.headers["content-type"]) == (status, PROBLEM), headers
        assert json.loads(refused.body)["status"] == status
    with websocket(api.as_nobody(), **session, origin=ORIGIN):
        assert session["cookie"].startswith(COOKIE)


def refusal(caller: Api, query: str = "", **headers: str) -> Any:
    with pytest.raises(InvalidStatus) as refused, websocket(caller, query, **headers):
        pass
    return refused.value.response


def test_the_21st_stream_of_a_key_is_refused(api: Api, owner: UUID) -> None:
    user, generation = api.as_user(owner), queued(api.database, owner)
    sources = [follow(user, f"/generations/{generation}/events") for _ in range(live.MOST_STREAMS)]
    try:
        assert {source.status for source in sources} == {200}
        assert all(source.next() for source in sources)
        refused = user.get(f"/v1/generations/{generation}/events")
        socket = refusal(user)
        assert (refused.status_code, refused.json()["code"], socket.status_code) == (429, "too_many_streams", 429)
        with follow(api.as_user(owner), f"/generations/{generation}/events") as of_another_key:
            assert of_another_key.status == 200
    finally:
        for source in sources:
            source.close()
    until(lambda: api.application.live.streams == 0)


def test_a_client_that_never_reads_holds_up_nobody(api: Api, owner: UUID) -> None:
    user, generation = api.as_user(owner), queued(api.database, owner)
    sleeper = never_reading(port_of(api), f"/v1/generations/{generation}/events", credentials(user))
    try:
        until(lambda: api.application.live.streams == 1)
        with follow(user, f"/generations/{generation}/events") as source:
            assert source.next() is not None
            user.post(f"/v1/generations/{generation}/cancel")
            assert [each.event for each in source.rest()] == ["cancelled"]
    finally:
        sleeper.close()


@pytest.mark.parametrize("seen", ["nonsense", "999999", "-1", "\xff", "1" * 400, "7-1-1-1", "'; drop table events; --"])
def test_an_id_that_is_none_of_this_installation_resets(api: Api, owner: UUID, seen: str) -> None:
    user, generation = api.as_user(owner), finished(api.installation.studio, owner)

    with follow(user, f"/generations/{generation}/events", last_id=seen) as source:
        assert [each.event for each in source.rest()] == ["reset", "state"]
    with follow(user, "/events", last_id=seen) as source:
        assert [each.event for each in source.take(2)] == ["reset", "state"]


def test_a_token_of_the_future_or_of_another_cluster_resets(api: Api, owner: UUID) -> None:
    user = api.as_user(owner)
    with follow(user, "/events") as source:
        source.next()
    system, timeline, start, horizon = source.last_id.split("-")

    for token in (
        f"{system}-{timeline}-{start}-{int(horizon, 16) + 10**6:x}",
        f"{int(system, 16) ^ 1:x}-{timeline}-{start}-{horizon}",
        f"{system}-{int(timeline, 16) + 1:x}-{start}-{horizon}",
    ):
        with follow(user, "/events", last_id=token) as source:
            assert [each.event for each in source.take(2)] == ["reset", "state"], token
    with follow(user, f"/events?after={source.last_id}") as source:
        assert [each.event for each in source.take(1)] == ["state"]


def test_a_stream_of_a_generation_that_is_none_is_a_problem(api: Api, owner: UUID, stranger: UUID) -> None:
    foreign = queued(api.database, stranger)
    user = api.as_user(owner)

    for generation in (foreign, uuid4()):
        assert user.get(f"/v1/generations/{generation}/events").json()["code"] == "not_found"
    connection = http.client.HTTPConnection("127.0.0.1", port_of(api), timeout=PATIENCE)
    connection.request("GET", f"/v1/generations/{foreign}/events")
    assert connection.getresponse().status == 401
    connection.close()


def test_events_come_as_pages_where_a_client_asks_for_json(api: Api, owner: UUID, stranger: UUID) -> None:
    user, json = api.as_user(owner), {"accept": "application/json"}
    begin = user.get("/v1/events", headers=json).json()
    generation = queued(api.database, owner, poses=["star-jump"])
    path = f"/v1/generations/{generation}/events"

    first = user.get(path, headers=json).json()
    user.post(f"/v1/generations/{generation}/cancel")
    rest = user.get(f"{path}?after={first['after']}", headers=json).json()
    of_all = user.get(f"/v1/events?after={begin['after']}", headers=json).json()

    assert [event["kind"] for event in first["data"]] == ["submitted", "queued"]
    assert (first["is_over"], first["is_reset"]) == (False, False)
    assert ([event["kind"] for event in rest["data"]], rest["is_over"]) == (["cancelled"], True)
    assert [event["kind"] for event in of_all["data"]] == ["submitted", "queued", "cancelled"]
    assert begin["data"] == []
    for nonsense in ("x", "-1", "99", "ffff-1-1-1"):
        assert user.get(f"{path}?after={nonsense}", headers=json).json()["is_reset"] is True
        assert user.get(f"/v1/events?after={nonsense}", headers=json).json()["is_reset"] is True
    assert api.as_user(stranger).get(path, headers=json).status_code == 404
    assert api.as_user(stranger).get(f"/v1/events?after={begin['after']}", headers=json).json()["data"] == []
