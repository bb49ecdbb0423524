"""JSON out of rows: what cannot be read is a value that says why, and what can be is as Python has it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.database.json_documents import DEEPEST, MOST_BYTES, MOST_DIGITS, UnreadableJson, read_json

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**200), 10**200) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_what_python_can_read_is_read(document: object) -> None:
    assert read_json(json.dumps(document)) == document
    assert read_json(json.dumps(document, ensure_ascii=False).encode()) == document


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise_anything(data: bytes) -> None:
    read_json(data)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("9" * (MOST_DIGITS + 1), "a number of 301 digits; 300 are read"),
        (f"[-{'9' * 4301}]", "a number of 4,302 digits"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested too deep"),
        ('{"a":' * 3000 + "1" + "}" * 3000, "nested too deep"),
        ("[" * 200_000, "nested too deep"),
        ('"' + "x" * MOST_BYTES + '"', "4,000,002 bytes; 4,000,000 are read"),
        ('{"a": ', "Expecting value"),
        (b"\xff\xfe\x00", "decode"),
    ],
)
def test_what_cannot_be_read_says_why_in_few_words(text: str | bytes, reason: str) -> None:
    found = read_json(text)

    assert isinstance(found, UnreadableJson)
    assert reason in str(found)
    assert len(str(found)) < 300


def test_what_is_as_deep_and_as_long_as_may_be_is_read() -> None:
    assert read_json("[" * DEEPEST + "]" * DEEPEST) != UnreadableJson("")
    assert read_json("9" * MOST_DIGITS) == int("9" * MOST_DIGITS)
    assert float(read_json("9" * MOST_DIGITS)) > 1e299, "a float holds it"
