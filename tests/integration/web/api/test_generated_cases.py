"""Requests that schemathesis generates: none is a defect, and no response is outside the document."""

from __future__ import annotations

from uuid import UUID

from posegen.access.callers import ALLOWED_SCOPES, Kind
from tests.api_cases import run_cases
from tests.api_client import Api
from tests.api_scene import known_ids

CASES = 500


def test_no_generated_request_meets_a_defect(api: Api, owner: UUID, stranger: UUID) -> None:
    known = known_ids(api, owner)
    most = {"rate": 1_000_000, "scopes": sorted(ALLOWED_SCOPES[Kind.USER])}
    keys = {
        "nobody": None,
        "stranger": api.as_user(stranger, **most).key,
        "owner": api.as_user(owner, **most).key,
        "service": api.as_service().key,
        "admin": api.as_admin().key,
    }

    outcome = run_cases(api.url, keys, known, cases=CASES)

    assert not outcome.defects, "\n".join(outcome.defects)
    assert outcome.sent >= CASES * len(keys) * 0.9
    assert len({status for _, status in outcome.statuses}) > 8
