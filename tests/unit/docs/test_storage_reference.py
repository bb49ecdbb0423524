"""`docs/reference/storage.md` says what the stores do."""

from __future__ import annotations

import re

import pytest

from posegen import errors
from posegen.storage.configuration import RequestLimits
from posegen.storage.keys import UNREGISTERED_FOLDERS, cache_control_of, is_public
from posegen.storage.protocol import LONGEST_SIGNED_SECONDS, SIGNED_SECONDS
from posegen.storage.s3 import ONE_PUT_BYTES
from posegen.storage.s3_requests import PIECE_BYTES
from tests.documents import page

PAGE = page("docs/reference/storage.md")
KEYS = {row["keys"]: row for row in PAGE.rows("keys")}


@pytest.mark.parametrize("pattern", KEYS)
def test_who_sees_what_and_for_how_long_is_as_the_page_says(pattern: str) -> None:
    key = re.sub(r"{[^}]*}", "0", pattern.replace("{hash}", "0123456789ab"))
    row = KEYS[pattern]

    assert is_public(key) == (row["URL for the public"] == "yes")
    assert ("immutable" in cache_control_of(key)) == (row["kept by browsers"] == "for good")


def test_every_error_of_a_store_is_on_the_page() -> None:
    leaves = {each.__name__ for each in errors.StorageError.__subclasses__()}

    assert {row["error"] for row in PAGE.rows("error")} == leaves


def test_the_limits_are_those_of_the_code() -> None:
    limits, text = RequestLimits(), " ".join(PAGE.text.split())

    assert f"A request may take {limits.request:.0f} seconds" in text
    assert f"with all its attempts {limits.total:.0f}" in text
    assert f"at most {limits.at_once} requests are under way at once" in text
    assert f"up to {ONE_PUT_BYTES // 2**20} MB are put by one request" in text
    assert f"equal parts of {PIECE_BYTES // 2**20} MB or more" in text
    assert (SIGNED_SECONDS, LONGEST_SIGNED_SECONDS) == (3600, 7 * 24 * 3600)
    assert "for an hour unless" in text
    assert "compute-logs" in UNREGISTERED_FOLDERS
