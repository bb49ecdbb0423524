"""Incidents and the webhook: each beginning and each end is accepted once, whatever the receiver does in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import pytest

from posegen.database.connection import Database
from posegen.incidents import Incident
from posegen.upkeep.health import HealthFinding, HealthRule
from posegen.upkeep.incidents import follow, message
from sensors.alerts import alerts
from tests.builders import execute, row, rows, value
from tests.deployments import resources_of
from tests.documents import page

AT_ONCE = timedelta(0)
QUEUE = HealthFinding(HealthRule.QUEUE_AGE, "The oldest of 3 generations has waited for 0:20:00.")
DISK = HealthFinding(HealthRule.DISK_SPACE, "1 of 100 GB is free.")


@dataclass
class Receiver:
    """A web server that hears messages. `answers`: what it answers to the next ones; then 204."""

    port: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/secret-token"

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(each["kind"], each["state"]) for each in self.heard]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The receiver, listening."""
    hears = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hears.heard.append(json.loads(body))
            hears.headers.append(dict(self.headers))
            status = hears.answers.pop(0) if hears.answers else 204
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """A test is silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hears.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield hears
        server.shutdown()
        thread.join(timeout=180)


@pytest.fixture
def tick(database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One evaluation of the sensor; what it says of it."""
    monkeypatch.setenv("POSEGEN_ALERT_WEBHOOK", receiver.url)

    def evaluate(url: str = database.url) -> str:
        with dg.build_sensor_context(resources=resources_of(alerts, url=url)) as context:
            answer = alerts(context)
        assert isinstance(answer, dg.SkipReason), "it never starts a run"
        return str(answer.skip_message)

    return evaluate


def look(database: Database, *findings: HealthFinding, quiet: timedelta = AT_ONCE) -> tuple[int, int]:
    """A look that finds this and nothing else; how many incidents begin, and end."""
    with database.transaction() as connection:
        return follow(connection, findings, quiet=quiet)


# --- from findings to incidents -------------------------------------------------------------------------------------


def test_what_is_found_again_is_one_incident_until_it_is_not_found_any_more(database: Database) -> None:
    assert look(database, QUEUE, DISK, quiet=timedelta(minutes=10)) == (2, 0)
    assert look(database, QUEUE, quiet=timedelta(minutes=10)) == (0, 0)
    execute(
        database, "update incidents set seen_at = now() - interval '11 minutes', opened_at = now() - interval '1 hour'"
    )

    assert look(database, QUEUE, quiet=timedelta(minutes=10)) == (0, 1)

    found = rows(database, "select kind, severity, closed_at is null as open from incidents order by kind")
    assert [(each["kind"], each["severity"], each["open"]) for each in found] == [
        ("disk_space", "critical", False),
        ("queue_age", "critical", True),
    ]


def test_what_comes_back_is_a_new_incident_and_another_subject_is_another_one(database: Database) -> None:
    away = HealthFinding(HealthRule.BREAKER_OPEN, "a does not respond", "a")
    assert look(database, away) == (1, 0)
    assert look(database) == (0, 1)
    assert look(database, away, HealthFinding(HealthRule.BREAKER_OPEN, "b does not respond", "b")) == (2, 0)
    assert value(database, "select count(*) from incidents") == 3


# --- from incidents to the webhook ----------------------------------------------------------------------------------


def test_an_incident_is_told_once_when_it_begins_and_once_when_it_is_over(database, receiver, tick) -> None:
    look(database, QUEUE)
    for _ in range(3):
        tick()
    look(database)
    for _ in range(3):
        tick()

    assert receiver.states == [("queue_age", "open"), ("queue_age", "over")]
    begun, over = receiver.heard
    assert begun["incident"] == over["incident"] == str(value(database, "select id from incidents"))
    assert (begun["severity"], begun["summary"], begun["closed_at"]) == ("critical", QUEUE.summary, None)
    assert over["closed_at"] > begun["opened_at"] == over["opened_at"]
    assert QUEUE.summary in begun["text"]
    assert receiver.headers[0]["Content-Type"] == "application/json"


@pytest.mark.parametrize("answer", [500, 503, 404, 302])
def test_what_was_not_accepted_is_told_again_and_what_was_never_again(database, receiver, tick, answer) -> None:
    receiver.answers = [answer, answer]
    look(database, QUEUE)

    said = [tick() for _ in range(4)]

    assert receiver.states == [("queue_age", "open")] * 3
    assert len({each["incident"] for each in receiver.heard}) == 1
    assert f"the response was {answer}" in said[0]
    assert "secret-token" not in "".join(said)


def test_what_is_over_before_anybody_heard_of_it_is_told_from_its_beginning(database, receiver, tick) -> None:
    receiver.answers = [500]
    look(database, QUEUE)
    tick()
    look(database)
    tick()

    assert receiver.states == [("queue_age", "open"), ("queue_age", "open"), ("queue_age", "over")]
    assert [each["closed_at"] is None for each in receiver.heard] == [True, True, False]


def test_a_receiver_that_is_not_there_is_asked_again_by_the_next_tick(database, receiver, tick, monkeypatch) -> None:
    look(database, QUEUE)
    monkeypatch.setenv("POSEGEN_ALERT_WEBHOOK", "http://127.0.0.1:9/hooks/secret-token")
    assert "it cannot be reached" in tick()
    monkeypatch.setenv("POSEGEN_ALERT_WEBHOOK", receiver.url)

    tick()

    assert receiver.states == [("queue_age", "open")]


def test_without_a_webhook_incidents_are_only_written_down(database, receiver, tick, monkeypatch) -> None:
    monkeypatch.delenv("POSEGEN_ALERT_WEBHOOK")
    look(database, QUEUE)

    assert "POSEGEN_ALERT_WEBHOOK is not set" in tick()
    assert value(database, "select opening_accepted_at from incidents") is None


def test_nobody_is_told_of_what_was_over_for_a_day(database, receiver, tick) -> None:
    look(database, QUEUE)
    look(database)
    execute(
        database,
        "update incidents set opened_at = opened_at - interval '2 days', closed_at = now() - interval '25 hours'",
    )

    tick()

    assert receiver.heard == []


def test_a_tick_without_its_database_waits_for_the_next_one(tick, monkeypatch) -> None:
    monkeypatch.setattr("posegen.database.connection.CONNECT_SECONDS", 1)
    assert "next tick tries again" in tick("postgresql://nobody:secret-word@127.0.0.1:9/nowhere")


def test_two_ticks_at_once_tell_of_an_incident_once(database, receiver, tick) -> None:
    look(database, QUEUE)
    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert receiver.states == [("queue_age", "open")]


def test_the_page_shows_a_message_as_it_is(database) -> None:
    look(database, HealthFinding(HealthRule.BREAKER_OPEN, "The backend mannequin has not answered", "mannequin"))
    found = row(
        database,
        "select id, kind, subject, severity, summary, opened_at, closed_at, opening_accepted_at from incidents",
    )
    (shown,) = [json.loads(block.text) for block in page("docs/how-to/monitor.md").blocks() if block.language == "json"]

    told = message(Incident(**found))

    assert list(told) == list(shown)
    assert (told["state"], told["kind"], told["subject"], told["severity"]) == (
        shown["state"], shown["kind"], shown["subject"], shown["severity"],
    )  # fmt: skip
    assert shown["text"] == told["text"].replace(told["summary"], shown["summary"])
