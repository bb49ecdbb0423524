"""The ledger and the script of faults, by themselves."""

from __future__ import annotations

import pytest

from tests.wires.faults import KINDS, Fault, Faults
from tests.wires.ledger import Ledger


def take(ledger, **facts):
    usual = {"at": 0.0, "call": "c", "model": "m", "prompt": "p", "seed": 1, "control": "abc", "our_id": ""}
    return ledger.take(**{**usual, **facts})


def test_two_submissions_of_one_picture_are_paid_twice():
    ledger = Ledger()
    take(ledger, our_id="one")
    take(ledger, our_id="two")
    take(ledger, seed=2)

    assert ledger.paid_twice() == {("m", "p", 1, "abc"): 2}
    assert ledger.paid_twice("our_id") == {}


def test_a_submission_that_is_not_billed_is_not_paid_twice():
    ledger = Ledger()
    take(ledger)
    ledger.change(take(ledger).number, paid=False)

    assert ledger.paid_twice() == {}
    assert ledger.to_json()["paid"] == 1


def test_a_fault_happens_from_its_nth_request_on_and_so_often():
    faults = Faults()
    faults.add("500", "status", nth=2, times=2)

    happened = [faults.take("status", None) is not None for _ in range(5)]

    assert happened == [False, True, True, False, False]
    assert faults.to_json()[0]["happened"] == 2


def test_a_fault_of_another_step_or_seed_does_not_count():
    faults = Faults()
    faults.add("lost", seed=7)

    assert faults.take("status", 7) is None
    assert faults.take("submit", 8) is None
    assert faults.take("submit", 7) is not None


def test_without_an_end_a_fault_goes_on_until_it_is_cleared():
    faults = Faults()
    faults.add("503", times=None)

    assert all(faults.take("submit", None) for _ in range(20))
    faults.clear()
    assert faults.take("submit", None) is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_happen_at_its_own_step(kind):
    assert Fault(kind).at == KINDS[kind][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "teapot"}, "no fault 'teapot'"),
        ({"kind": "flagged", "step": "cancel"}, "cannot happen at 'cancel'"),
        ({"kind": "lost", "nth": 0}, "begin at 1"),
    ],
)
def test_a_fault_that_cannot_happen_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        Fault(**arguments)
