"""`posegen doctor` while the platform is up: what its page says, and what browsers and clients meet over HTTP.

Dagster's side of the wire is played by a page that answers the one question; the object route is the real one.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from posegen.running_platform import hold_home
from posegen.settings import load_settings
from posegen.storage.configuration import LocalConfig
from posegen.storage.stores import open_local
from posegen.upkeep.examination import examine
from posegen.upkeep.finding import Part
from posegen.upkeep.http_checks import NEEDED_SENSORS
from posegen.web.objects import object_routes
from tests.builders import execute, finished, queued
from tests.s3_server import CREDENTIALS
from tests.web_server import served


def healthy() -> dict:
    """What Dagster's page says while everything is well."""
    tick = {"status": "SKIPPED", "timestamp": time.time(), "error": None}
    daemons = [{"daemonType": "SENSOR", "required": True, "lastHeartbeatTime": time.time()}]
    sensors = [{"name": name, "sensorState": {"status": "RUNNING", "ticks": [dict(tick)]}} for name in NEEDED_SENSORS]
    return {
        "instance": {"daemonHealth": {"allDaemonStatuses": daemons}},
        "repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": [{"sensors": sensors}]},
    }


@contextmanager
def platform(home, said: dict, pictures=None, *, api_is_ready=True, api_url=None) -> Iterator[str]:
    """A platform that is up. `pictures`: what is mounted under /media, the store of the settings without it."""

    async def graphql(request):
        assert "daemonHealth" in (await request.json())["query"]
        return JSONResponse({"data": said})

    async def ready(request):
        return JSONResponse({"status": "ok"}, 200 if api_is_ready else 503)

    async def page(request):
        return PlainTextResponse("<html>", media_type="text/html")

    place = LocalConfig.of(load_settings())
    routes = pictures or object_routes(open_local(place), cors_origins=place.cors_origins)
    application = Starlette(
        routes=[
            Route("/graphql", graphql, methods=["POST"]),
            Route("/v1/ready", ready),
            Mount("/media", routes=routes),
            Route("/{path:path}", page),
        ]
    )
    with served(application) as port:
        url = f"http://127.0.0.1:{port}"
        with hold_home(home, url, api_url or url):
            yield url


@pytest.fixture(autouse=True)
def _as_it_should_be(monkeypatch, database):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    execute(database, "update stores set base_url = '/media'")


def by_part(answer):
    return {finding["part"]: finding for finding in answer.json}


def the_bad_one(answer):
    assert answer.code == 1
    (bad,) = [finding for finding in answer.json if not finding["good"]]
    assert bad["fix"]
    return bad


# --- the platform ---------------------------------------------------------------------------------------------------


def test_work_that_waits_while_all_is_up_is_as_it_should_be(database, posegen, home):
    queued(database)

    with platform(home, healthy()) as url:
        answer = posegen("doctor", "--json")

    assert answer.code == 0, answer.out
    found = by_part(answer)
    assert found["platform"]["detail"] == f"up at {url}, 1 waiting, 0 under way"
    assert {part.split()[0] for part in found} == set(Part)
    assert "none yet" in found["pictures"]["detail"]


def test_a_platform_that_does_not_answer(posegen, home, monkeypatch):
    with hold_home(home, "http://127.0.0.1:9"):
        found = by_part(posegen("doctor", "--json"))

    assert not found["platform"]["good"]
    assert "http://127.0.0.1:9 does not respond" in found["platform"]["detail"]


def test_an_api_that_is_not_ready(posegen, home):
    with platform(home, healthy(), api_is_ready=False) as url:
        bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["detail"]) == ("api", f"{url}/v1/ready returns 503")


def test_an_api_that_does_not_respond(posegen, home):
    with platform(home, healthy(), api_url="http://127.0.0.1:9"):
        bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "api"
    assert "http://127.0.0.1:9" in bad["detail"]


@pytest.mark.parametrize(
    ("beats", "detail"),
    [(lambda: time.time() - 600, r"SENSOR silent for 6\d\d s"), (lambda: None, "SENSOR never seen")],
)
def test_a_daemon_that_is_silent(posegen, home, beats, detail):
    said = healthy()
    said["instance"]["daemonHealth"]["allDaemonStatuses"][0]["lastHeartbeatTime"] = beats()

    with platform(home, said):
        bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "daemon"
    assert re.fullmatch(detail, bad["detail"])


def stopped(said):
    sensors_of(said)[0]["sensorState"]["status"] = "STOPPED"


def failing(said):
    failure = {"status": "FAILURE", "timestamp": time.time(), "error": {"message": "relation missing\n"}}
    sensors_of(said)[0]["sensorState"]["ticks"] = [failure]


def silent(said):
    sensors_of(said)[0]["sensorState"]["ticks"][0]["timestamp"] -= 3600


def missing(said):
    sensors_of(said).pop(0)


def not_loaded(said):
    said["repositoriesOrError"] = {"__typename": "PythonError", "message": "ImportError: no module\n"}


def sensors_of(said):
    return said["repositoriesOrError"]["nodes"][0]["sensors"]


@pytest.mark.parametrize(
    ("breaks", "detail"),
    [
        (stopped, "generation_requests: stopped"),
        (failing, "generation_requests: its last tick failed: relation missing"),
        (silent, "generation_requests: no tick for 360"),
        (missing, "generation_requests is not there"),
        (not_loaded, "the definitions cannot be loaded: ImportError: no module"),
    ],
)
def test_sensors_that_start_no_work(posegen, home, breaks, detail):
    said = healthy()
    breaks(said)

    with platform(home, said):
        bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "sensors"
    assert bad["detail"].startswith(detail)


def test_a_sensor_that_is_not_needed_may_be_stopped(posegen, home):
    said = healthy()
    other = deepcopy(sensors_of(said)[0]) | {"name": "alerts"}
    other["sensorState"]["status"] = "STOPPED"
    sensors_of(said).append(other)

    with platform(home, said):
        assert posegen("doctor", "--json").code == 0


# --- what browsers and clients meet -----------------------------------------------------------------------------------


def test_the_newest_picture_shows(posegen, studio, home):
    finished(studio)

    with platform(home, healthy()) as url:
        found = by_part(posegen("doctor", "--json"))

    assert found["pictures"]["good"]
    assert found["pictures"]["detail"].startswith(f"{url}/media/")


def test_pictures_that_are_not_served_under_their_urls(posegen, database, studio, home, monkeypatch):
    finished(studio)
    execute(database, "update stores set base_url = '/elsewhere'")
    monkeypatch.setenv("STORAGE_BASE_URL", "/elsewhere")  # after `posegen up` was started

    with platform(home, healthy()) as url:
        found = by_part(posegen("doctor", "--json"))

    assert not found["pictures"]["good"]
    assert found["pictures"]["detail"].startswith(f"{url}/elsewhere/")
    assert "returns 200 text/html" in found["pictures"]["detail"]
    assert "STORAGE_BASE_URL" in found["pictures"]["fix"]


def test_pictures_behind_a_server_that_is_not_there(posegen, database, studio, home, monkeypatch):
    finished(studio)
    execute(database, "update stores set base_url = 'http://127.0.0.1:9/media'")
    monkeypatch.setenv("STORAGE_BASE_URL", "http://127.0.0.1:9/media")

    with platform(home, healthy()):
        found = by_part(posegen("doctor", "--json"))

    assert not found["pictures"]["good"]
    assert "http://127.0.0.1:9/media/" in found["pictures"]["detail"]


def test_uploads_that_are_signed_with_another_secret(posegen, home, monkeypatch):
    monkeypatch.setenv("STORAGE_SIGNING_SECRET", "that of the platform")
    secret = LocalConfig.of(load_settings())
    monkeypatch.setenv("STORAGE_SIGNING_SECRET", "that of this shell")

    with platform(home, healthy(), object_routes(open_local(secret))):
        answer = posegen("doctor", "--json")

    bad = the_bad_one(answer)
    assert (bad["part"], bad["detail"]) == ("uploads", "what is signed here gets the response 403")
    assert "STORAGE_SIGNING_SECRET" in bad["fix"]
    assert "signature" not in answer.out


def test_uploads_while_the_clocks_are_apart(database, posegen, home):
    with platform(home, healthy()):
        found = {finding.part: finding for finding in examine(lambda: datetime.now(UTC) + timedelta(hours=1))}

    assert not found["uploads"].good
    assert "clock is 3" in found["uploads"].detail


def test_pages_that_may_not_upload(posegen, home, monkeypatch):
    place = LocalConfig.of(load_settings())  # as `posegen up` was started: without an origin
    monkeypatch.setenv("CORS_ORIGINS", "https://app.example.com")

    with platform(home, healthy(), object_routes(open_local(place))):
        bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["detail"]) == ("cors", "pages of https://app.example.com may not upload")


@pytest.mark.parametrize("origins", ["https://app.example.com", "*"])
def test_pages_that_may_upload(posegen, home, monkeypatch, origins):
    monkeypatch.setenv("CORS_ORIGINS", origins)

    with platform(home, healthy()):
        found = by_part(posegen("doctor", "--json"))

    assert (found["cors"]["good"], found["cors"]["detail"]) == (True, f"{origins} may upload")


# --- a bucket ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """A bucket that takes new objects."""
    place = s3_server.new_bucket()
    for name, setting in {
        "STORAGE_MODE": "s3",
        "S3_ENDPOINT": place.endpoint,
        "S3_BUCKET": place.bucket,
        "S3_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
        "S3_SECRET_ACCESS_KEY": CREDENTIALS.secret_access_key,
        "CORS_ORIGINS": "https://app.example.com",
    }.items():
        monkeypatch.setenv(name, setting)
    return place


def test_a_bucket_is_looked_at_whether_or_not_the_platform_is_up(posegen, bucket):
    assert posegen("storage", "init", "--json").code == 0

    answer = posegen("doctor", "--json")

    assert answer.code == 0, answer.out
    found = by_part(answer)
    assert found["store s3"]["good"]
    assert found["uploads"]["detail"] == "signed URLs are taken"
    assert found["cors"]["detail"] == "https://app.example.com may upload"


def test_a_bucket_whose_credentials_are_wrong(posegen, bucket, monkeypatch):
    posegen("storage", "init", "--json")
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "a wrong secret")

    answer = posegen("doctor", "--json")

    bad = {finding["part"] for finding in answer.json if not finding["good"]}
    assert bad == {"store", "store s3"}
    assert "S3_" in by_part(answer)["store"]["fix"]


def test_a_bucket_that_lets_no_page_upload(posegen, bucket, monkeypatch):
    posegen("storage", "init", "--json")
    monkeypatch.setenv("CORS_ORIGINS", "https://other.example.com")

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "cors"
    assert "`posegen storage init`" in bad["fix"]
