"""What a signature of the local store allows, and what it does not."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.storage.signing import Grant, granted

SECRET = b"a secret of sixteen"
NOW = 1_000_000.0
READ = Grant("GET", "manifests/a.json", int(NOW) + 60)
UPLOAD = Grant("PUT", "uploads/a.png", int(NOW) + 60, "image/png", 1000)


@pytest.mark.parametrize("grant", [READ, UPLOAD])
def test_what_was_signed_is_granted(grant: Grant) -> None:
    assert granted(grant.method, grant.key, grant.query(SECRET), secret=SECRET, now=NOW) == grant


@pytest.mark.parametrize(
    ("method", "key", "secret", "now"),
    [
        ("PUT", READ.key, SECRET, NOW),
        ("GET", "manifests/b.json", SECRET, NOW),
        ("GET", READ.key, b"another secret", NOW),
        ("GET", READ.key, SECRET, NOW + 60),
        ("GET", READ.key, SECRET, NOW + 1e9),
    ],
    ids=["another method", "another key", "another secret", "at its end", "long after"],
)
def test_anything_else_is_not(method: str, key: str, secret: bytes, now: float) -> None:
    assert granted(method, key, READ.query(SECRET), secret=secret, now=now) is None


@pytest.mark.parametrize(("field", "value"), [("size", "1001"), ("type", "text/html"), ("expires", "2000000")])
def test_no_number_or_type_can_be_changed(field: str, value: str) -> None:
    query = dict(part.split("=") for part in UPLOAD.query(SECRET).split("&"))

    assert granted("PUT", UPLOAD.key, urlencode({**query, field: value}), secret=SECRET, now=NOW) is None


@given(query=st.text(max_size=300))
def test_no_query_is_too_strange(query: str) -> None:
    assert granted("GET", READ.key, query, secret=SECRET, now=NOW) is None


@pytest.mark.parametrize("query", ["", "signature=0", "expires=1e99&signature=0", "&" * 9999, "expires=" + "9" * 5000])
def test_what_is_missing_or_too_much_grants_nothing(query: str) -> None:
    assert granted("PUT", UPLOAD.key, query, secret=SECRET, now=NOW) is None


def test_the_secret_is_in_no_url() -> None:
    assert SECRET.decode() not in READ.query(SECRET)
