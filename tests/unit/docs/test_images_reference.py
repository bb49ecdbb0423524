"""The page about images: its tables are those that were measured, its figures those of the code."""

from __future__ import annotations

import re

import pytest

from posegen.images.body import _HEAD_REACH, _REACH
from posegen.images.framing import KEPT, MARGIN
from tests.documents import page

PAGE = page("docs/reference/images.md")


@pytest.mark.parametrize("measured", ["benchmarks/export_quality.md", "benchmarks/images.md"])
def test_a_table_of_the_page_is_the_one_that_was_measured(measured):
    rows = [line for line in page(measured).text.splitlines() if line.startswith("|")]

    assert rows
    assert [line for line in rows if line not in PAGE.text] == []


def test_the_sweep_has_found_what_the_page_says():
    found = page("benchmarks/framing.md").rows("format")
    exports = sum(int(row["covered"]) + int(row["contained"]) for row in found)

    assert f"of {exports:,} exports" in " ".join(PAGE.text.split())
    assert {row["of bodies cut off"] for row in found} == {row["of belongings cut off"] for row in found} == {"0"}
    assert min(float(row["nearest"]) for row in found if row["nearest"] != "-") >= 4


def test_the_rules_of_framing_are_those_of_the_code():
    text = " ".join(PAGE.section("Framing").split())

    assert f"at least {KEPT:.0%} of the box with a margin of {MARGIN:.0%}" in text
    assert f"{_HEAD_REACH:.2f} m around the middle of the face" in text
    for reach, joint in re.findall(r"([\d.]+) m around the (ankle|wrist|hip)", text):
        assert _REACH[joint] == float(reach)
