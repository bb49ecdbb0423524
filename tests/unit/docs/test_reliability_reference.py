"""The page about reliability: its scorecard is the one that was measured, its rules and points those of the code."""

from __future__ import annotations

import re

from posegen.upkeep.invariants import INVARIANTS
from posegen.work.commit_points import CommitPoint
from tests.documents import page
from tests.faults.breakages import BREAKAGES
from tests.faults.hosted_breakages import OUTSIDE_THE_FENCE
from tests.faults.injections import KINDS
from tests.faults.whole_platform import PLATFORM_KINDS

PAGE = page("docs/reference/reliability.md")
MEASURED = page("benchmarks/faults.md")
HOSTED = "fault, with hosted calls"
OUTCOMES = (
    *("requests lost", "double or missing charges and releases", "stale commits", "orphans after reconcile"),
    *("corrupt reads", "backend calls for finished poses", "violations found by `posegen verify`"),
)


def test_the_scorecard_is_the_one_that_was_measured_and_nothing_was_broken():
    measured = [line for line in MEASURED.text.partition("| fault |")[0].splitlines() if line.startswith("| ")]

    assert [line for line in measured if line not in PAGE.text] == []
    for outcome in OUTCOMES:
        assert f"| {outcome} | 0 | 0 |" in PAGE.text


def test_every_kind_of_fault_was_injected_and_survived_each_time():
    rows = MEASURED.rows("fault")
    kinds = {row["fault"] for row in rows} | {row[HOSTED] for row in MEASURED.rows(HOSTED)}

    assert kinds == {kind.replace("`", "") for kind in (*KINDS, *PLATFORM_KINDS)}
    assert f"Each of {len(kinds)} kinds of fault" in PAGE.text
    for store in ("local", "s3"):
        injected, survived = ([int(row[f"{store}: {what}"] or 0) for row in rows] for what in ("injected", "survived"))
        assert injected == survived
        assert sum(injected) >= 250


def test_no_picture_of_a_hosted_backend_was_paid_for_twice():
    assert "| pictures of hosted backends paid for twice | 0 | 0 |" in MEASURED.text


def test_the_rules_of_the_page_are_those_that_are_asked():
    documented = [row["rule"] for row in PAGE.rows("rule")]

    asked = {invariant.name for invariant in INVARIANTS} - {"guards"}
    assert documented == [f"I{number}" for number in range(1, 17)]
    # The stores beside their rows are looked at by `verification`.
    assert asked | {"I4", "I14"} == set(documented)


def test_the_commit_points_of_the_page_are_those_of_the_code():
    documented = [name for row in PAGE.rows("point") for name in re.split(", ", row["point"])]

    assert documented == [str(point) for point in CommitPoint]


def test_as_many_broken_variants_are_caught_as_the_page_says():
    # Outside the fence nothing is broken as long as the index is there.
    assert "and thirteen more" in " ".join(PAGE.text.split())
    assert len(BREAKAGES.keys() - {OUTSIDE_THE_FENCE}) == 6 + 13
