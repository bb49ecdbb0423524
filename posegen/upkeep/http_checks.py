"""The part of an examination that asks over HTTP: the platform's own page, and what browsers will meet.

Every question is one that a reader, a client or Dagster's UI asks, too; nothing is changed by it.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from posegen.errors import StorageError
from posegen.graphemes import shorten
from posegen.proxies import open_url
from posegen.running_platform import RunningPlatform
from posegen.storage.configuration import LOCAL, R2, S3, StoresConfig
from posegen.storage.keys import STORE_MARKER_KEY, content_type_of, is_public
from posegen.storage.protocol import ObjectStore
from posegen.upkeep.finding import Finding, Part

ANSWER_SECONDS = 8
SILENT_SECONDS = 120
# S3 refuses what was signed by a clock that is 15 minutes off.
MOST_SKEW_SECONDS = 300
# Without these work stands still; others an operator may have stopped on purpose.
NEEDED_SENSORS = ("generation_requests", "image_requests", "design_requests", "failed_runs", "cancelled_runs")
UI_QUESTION = """
query {
  instance { daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } } }
  repositoriesOrError {
    __typename
    ... on PythonError { message }
    ... on RepositoryConnection {
      nodes { sensors { name sensorState { status ticks(limit: 1) { status timestamp error { message } } } } }
    }
  }
}
"""
_LOGS = "Its log is in the folder logs of POSEGEN_HOME; stop `posegen up` and start it again."
_NOWHERE = "poses/doctor.png"
_SHOWN_UNDER = {LOCAL: "STORAGE_BASE_URL", R2: "R2_PUBLIC_URL", S3: "CDN_DOMAIN and S3_PUBLIC_BUCKET"}


@dataclass(frozen=True)
class Reply:
    """What a server answered. `headers`: by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _NoAnswerError(Exception):
    """A URL cannot be reached; the message says why."""


def look_at_platform(platform: RunningPlatform | None, work: str, *, is_needed: bool, now: datetime) -> list[Finding]:
    """Whether `posegen up` runs here, with a daemon that lives and sensors that tick. `work`: what there is to do."""
    if platform is None:
        if is_needed:
            return [Finding(Part.PLATFORM, False, f"not up, {work}", "posegen up")]
        return [Finding(Part.PLATFORM, True, "not up, and nothing waits for it")]
    try:
        said = json.loads(_ask(f"{platform.url}/graphql", body=json.dumps({"query": UI_QUESTION}).encode()).body)
        daemons = said["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
        repositories = said["data"]["repositoriesOrError"]
    except (_NoAnswerError, ValueError, KeyError, TypeError) as failure:
        detail = f"process {platform.pid} runs, but {platform.url} does not respond: {failure}"
        return [Finding(Part.PLATFORM, False, detail, _LOGS)]
    up = Finding(Part.PLATFORM, True, f"up at {platform.url}, {work}")
    return [up, _daemon(daemons, now.timestamp()), _sensors(repositories, now.timestamp())]


def look_at_api(platform: RunningPlatform | None) -> list[Finding]:
    """Whether the HTTP API of a running platform can serve; nothing where none runs."""
    if platform is None or platform.api_url is None:
        return []
    try:
        status = _ask(f"{platform.api_url}/v1/ready").status
    except _NoAnswerError as failure:
        return [Finding(Part.API, False, f"does not respond: {failure}", _LOGS)]
    if status != http.client.OK:
        return [Finding(Part.API, False, f"{platform.api_url}/v1/ready returns {status}", _LOGS)]
    return [Finding(Part.API, True, f"ready at {platform.api_url}")]


def _daemon(statuses: Sequence[Mapping[str, Any]], now: float) -> Finding:
    silent = [
        f"{status['daemonType']} silent for {now - status['lastHeartbeatTime']:.0f} s"
        if status["lastHeartbeatTime"]
        else f"{status['daemonType']} never seen"
        for status in statuses
        if status["required"] and now - (status["lastHeartbeatTime"] or 0) > SILENT_SECONDS
    ]
    if silent or not statuses:
        return Finding(Part.DAEMON, False, ", ".join(silent) or "there is none", _LOGS)
    return Finding(Part.DAEMON, True, f"all {len(statuses)} parts have been heard of")


def _sensors(repositories: Mapping[str, Any], now: float) -> Finding:
    if repositories["__typename"] != "RepositoryConnection":
        said = str(repositories.get("message", repositories["__typename"])).strip()
        return Finding(Part.SENSORS, False, f"the definitions cannot be loaded: {said.splitlines()[0]}", _LOGS)
    found = {sensor["name"]: sensor["sensorState"] for node in repositories["nodes"] for sensor in node["sensors"]}
    wrong = [f"{name} is not there" for name in NEEDED_SENSORS if name not in found]
    wrong += [f"{name}: {why}" for name, state in found.items() if (why := _trouble(name, state, now))]
    if wrong:
        fix = "Switch stopped ones on in the Dagster UI (Automation); the page of a sensor shows a failed tick."
        return Finding(Part.SENSORS, False, "; ".join(wrong), fix)
    return Finding(Part.SENSORS, True, f"{len(found)} sensors, no failed tick")


def _trouble(name: str, state: Mapping[str, Any], now: float) -> str:
    needed = name in NEEDED_SENSORS
    if state["status"] != "RUNNING":
        return "stopped" if needed else ""
    for tick in state["ticks"]:
        if tick["status"] == "FAILURE":
            return f"its last tick failed: {shorten(str((tick['error'] or {}).get('message', '')).strip(), 200)}"
        if needed and now - tick["timestamp"] > SILENT_SECONDS:
            return f"no tick for {now - tick['timestamp']:.0f} s"
    return ""


def look(
    config: StoresConfig,
    store: ObjectStore,
    platform: RunningPlatform | None,
    keys: Sequence[str],
    *,
    base_url: str | None,
    now: datetime,
) -> list[Finding]:
    """What browsers and clients meet: pictures, signed URLs, CORS. What is not served right now is left out.

    `keys`: of the newest objects in the store; `base_url`: what its URLs begin with, as the database has it.
    """
    expected = config.base_urls()[store.name]
    if (base_url or "").rstrip("/") != (expected or "").rstrip("/"):
        detail = f"the database lets URLs begin with {base_url}, the settings with {expected}"
        return [Finding(Part.PICTURES, False, detail, "posegen db upgrade")]
    if store.name == LOCAL and platform is None:
        return []
    server = "" if platform is None else platform.url
    findings = [_pictures(store, server, keys), _uploads(store, server, now)]
    bucket = next((bucket for bucket in config.buckets if bucket.name == store.name), None)
    origins = config.local.cors_origins if bucket is None else bucket.cors_origins
    target = (
        _absolute(server, f"{config.local.base_url}/{_NOWHERE}")
        if bucket is None
        else f"{bucket.endpoint}/{bucket.bucket}/{_NOWHERE}"
    )
    return [*findings, _cors(target, origins, store.name)]


def _pictures(store: ObjectStore, server: str, keys: Sequence[str]) -> Finding:
    key = next((key for key in keys if is_public(key) and content_type_of(key).startswith("image/")), None)
    fix = f"Look at {_SHOWN_UNDER.get(store.name, 'the store')}, and at what stands before the server."
    try:
        url = _absolute(server, store.public_url(key or _NOWHERE) or store.signed_get_url(key or _NOWHERE))
        reply = _ask(url)
    except (_NoAnswerError, StorageError) as failure:
        return Finding(Part.PICTURES, False, str(failure), fix)
    kind = reply.headers.get("content-type", "")
    if key is None and reply.status in {403, 404}:
        return Finding(Part.PICTURES, True, f"none yet; {_without_query(url)} responds")
    if key is not None and reply.status == http.client.OK and kind.startswith("image/"):
        return Finding(Part.PICTURES, True, f"{_without_query(url)} shows the newest")
    return Finding(Part.PICTURES, False, f"{_without_query(url)} returns {reply.status} {kind}", fix)


def _uploads(store: ObjectStore, server: str, now: datetime) -> Finding:
    """Whether the server takes what is signed here: asked by reading an object that is never public."""
    try:
        reply = _ask(_absolute(server, store.signed_get_url(STORE_MARKER_KEY)))
    except (_NoAnswerError, StorageError) as failure:
        return Finding(Part.UPLOADS, False, str(failure), _signing_fix(store))
    skew = _skew(reply, now)
    if skew > MOST_SKEW_SECONDS:
        detail = f"the server's clock is {skew:.0f} s away: signed URLs are refused"
        return Finding(Part.UPLOADS, False, detail, "Let this machine set its clock by NTP.")
    if reply.status not in {200, 404}:
        detail = f"what is signed here gets the response {reply.status}"
        return Finding(Part.UPLOADS, False, detail, _signing_fix(store))
    return Finding(Part.UPLOADS, True, "signed URLs are taken")


def _signing_fix(store: ObjectStore) -> str:
    if store.name == LOCAL:
        return "Give all processes one STORAGE_SIGNING_SECRET, and start `posegen up` again."
    return "Look at the credentials; `posegen storage init` prints what they need."


def _cors(url: str, origins: Sequence[str], store: str) -> Finding:
    if not origins:
        return Finding(Part.CORS, True, "CORS_ORIGINS is not set: pages of other origins cannot upload")
    refused = [origin for origin in origins if not _is_allowed(url, origin)]
    if refused:
        detail = f"pages of {', '.join(refused)} may not upload"
        fix = "Start `posegen up` again." if store == LOCAL else "`posegen storage init` sets those of the bucket."
        return Finding(Part.CORS, False, detail, fix)
    return Finding(Part.CORS, True, f"{', '.join(origins)} may upload")


def _is_allowed(url: str, origin: str) -> bool:
    asking = "https://any.example" if origin == "*" else origin
    wanted = {"Origin": asking, "Access-Control-Request-Method": "PUT"}
    try:
        reply = _ask(url, method="OPTIONS", headers={**wanted, "Access-Control-Request-Headers": "content-type"})
    except _NoAnswerError:
        return False
    return reply.headers.get("access-control-allow-origin") in {asking, "*"}


def _skew(reply: Reply, now: datetime) -> float:
    try:
        return abs((parsedate_to_datetime(reply.headers["date"]) - now).total_seconds())
    except (KeyError, ValueError, TypeError):
        return 0.0


def _absolute(server: str, url: str) -> str:
    return f"{server}{url}" if url.startswith("/") else url


def _without_query(url: str) -> str:
    """Without its signature, which is a secret for as long as it holds."""
    return url.partition("?")[0]


def _ask(
    url: str, *, method: str | None = None, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Reply:
    sent = {**(headers or {}), **({"Content-Type": "application/json"} if body else {})}
    question = urllib.request.Request(url, body, sent, method=method)
    try:
        with open_url(question, seconds=ANSWER_SECONDS) as answer:
            return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            found = {name.lower(): value for name, value in refused.headers.items()}
            return Reply(refused.code, found, b"")
    except (OSError, http.client.HTTPException, ValueError) as failure:
        raise _NoAnswerError(f"{_without_query(url)}: {getattr(failure, 'reason', failure)}") from None
