"""Requests that schemathesis generates: none is a defect, and no response is outside the document."""

from __future__ import annotations

from uuid import UUID

from tests.api_cases import keys_of_roles, run_cases
from tests.api_client import Api
from tests.api_scene import known_ids

CASES = 500


def test_no_generated_request_meets_a_defect(api: Api, owner: UUID) -> None:
    known = known_ids(api, owner)
    keys = keys_of_roles(api, owner)

    outcome = run_cases(api.url, keys, known, cases=CASES)

    assert not outcome.defects, "\n".join(outcome.defects)
    assert outcome.sent >= CASES * len(keys) * 0.9
    assert len({status for _, status in outcome.statuses}) > 8
