"""Generated requests of every operation of the document, sent by callers of every kind, and what each response must be.

schemathesis derives the requests: half of them fit the document, half of them do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import requests
import schemathesis.core.failures
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from posegen.access.callers import ALLOWED_SCOPES, Kind
from tests.api_client import Api
from tests.openapi_file import document

ENDLESS = {"/v1/events"}
LONGEST_URL = 32 * 1024
PROBLEM = "application/problem+json"
_CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@dataclass
class Outcome:
    """What was sent and received. `defects`: what no response may be, each with the request."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    defects: list[str] = field(default_factory=list)
    sent: int = 0


def keys_of_roles(api: Api, owner: UUID) -> Mapping[str, str | None]:
    """The key of each role; None for nobody. Users have every scope that users can have."""
    most = {"rate": 1_000_000, "scopes": sorted(ALLOWED_SCOPES[Kind.USER])}
    return {
        "nobody": None,
        "owner": api.as_user(owner, **most).key,
        "service": api.as_service().key,
        "admin": api.as_admin().key,
    }


def run_cases(
    url: str, keys: Mapping[str, str | None], known: Mapping[str, Sequence[str]], *, cases: int, number: int = 0
) -> Outcome:
    """Send so many requests, each once for each role.

    Args:
        url: of the API.
        keys: the key of each role; None for nobody.
        known: ids that exist by the name of their parameter, which half of the requests use.
        cases: how many requests are generated, spread over the operations.
        number: of the sequence of requests; the same one generates the same.
    """
    outcome = Outcome()
    schema = schemathesis.openapi.from_dict(document())
    operations = [each.ok() for each in schema.get_all_operations() if each.ok().path not in ENDLESS]
    with requests.Session() as session:
        session.trust_env = False
        for place, (operation, mode) in enumerate((each, mode) for each in operations for mode in GenerationMode):
            share = cases * (place + 1) // (2 * len(operations)) - cases * place // (2 * len(operations))
            if share == 0:
                continue
            _run(operation, mode, known, url, keys, session, outcome, share, number)
    return outcome


def _run(
    operation: Any,
    mode: GenerationMode,
    known: Mapping[str, Sequence[str]],
    url: str,
    keys: Mapping[str, str | None],
    session: requests.Session,
    outcome: Outcome,
    share: int,
    number: int,
) -> None:
    @seed(number)
    @settings(
        max_examples=share,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.booleans(), st.integers(0, 2**16))
    def send(case: Any, uses_known: bool, choice: int) -> None:
        if uses_known:
            _use_known(case, known, choice)
        for role, key in keys.items():
            _send(case, role, key, url, session, outcome)

    try:
        send()
    except Unsatisfiable:
        return  # no request of this operation is invalid


def _use_known(case: Any, known: Mapping[str, Sequence[str]], choice: int) -> None:
    """Put ids that exist into the path, the query and the body."""
    for place in (case.path_parameters, case.query, case.body):
        if not isinstance(place, dict):
            continue
        for name in place.keys() & known.keys():
            place[name] = known[name][choice % len(known[name])]


def _send(case: Any, role: str, key: str | None, url: str, session: requests.Session, outcome: Outcome) -> None:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    response = case.call(base_url=url, session=session, headers=headers, allow_redirects=False, timeout=30)
    if len(response.request.url) > LONGEST_URL:
        return  # uvicorn itself refuses it, with plain text
    outcome.sent += 1
    outcome.statuses[case.operation.label, response.status_code] += 1
    outcome.defects += [
        f"{role}: {case.as_curl_command()}: {response.status_code}: {defect}" for defect in _defects(case, response)
    ]


def _defects(case: Any, response: Any) -> Iterable[str]:
    if response.status_code == 500:
        yield response.text
    if response.status_code >= 400 and response.headers["content-type"] != [PROBLEM]:
        yield f"a problem of the type {response.headers['content-type']}"
    if any(each.startswith("text/event-stream") for each in response.headers.get("content-type", [])):
        return  # schemathesis reads the schema of a stream as that of one event
    try:
        case.validate_response(response, checks=_CHECKS)
    except schemathesis.core.failures.FailureGroup as invalid:
        for failure in invalid.exceptions:
            yield f"{failure.title}: {failure.message}"
