"""Events of calls: a client that follows a generation sees each step of its calls, once and in order."""

from __future__ import annotations

import pytest

from posegen.backends.hosted import Delivered, Failed, Refused
from posegen.error_codes import ErrorCode
from posegen.errors import CallNotAccepted, LeaseLost
from posegen.generations.calling.settling import settle_calls
from posegen.generations.service import cancel
from posegen.upkeep.verification import verify
from tests.builders import SLUGS, event_kinds, expire_lease, finished, rows, running, taken_over, work
from tests.hosted import NAME, FarEndInProcess, photographing, short_pauses


class Killed(BaseException):
    """As if by kill -9: nothing of the worker runs any more."""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    short_pauses(monkeypatch)


@pytest.fixture
def far_end() -> FarEndInProcess:
    return FarEndInProcess()


@pytest.fixture
def studio(studio, far_end):
    return photographing(studio, far_end)


def asked(studio, poses=1):
    return running(studio.database, backend=NAME, poses=SLUGS[:poses])


def of_calls(database):
    """The kinds of the events of calls, and their facts."""
    told = rows(database, "select kind, detail from events where starts_with(kind, 'call') order by sequence")
    return [(each["kind"], each["detail"]) for each in told]


def kinds(database):
    return [kind for kind, _ in of_calls(database)]


def assert_all_rules_hold(database):
    assert [(each.name, each.examples) for each in verify(database) if each.violations] == []


def test_each_step_of_a_call_is_an_event_until_its_pose_is_completed(studio):
    generation = finished(studio, poses=SLUGS[:1], backend=NAME)

    assert event_kinds(studio.database, generation)[3:-1] == [
        *("started", "call_sent", "call_accepted", "call_delivered", "pose_completed")
    ]
    (call,) = rows(studio.database, "select id, pose_id from backend_calls")
    told = of_calls(studio.database)
    for _, detail in told:
        assert (detail["call"], detail["pose"]) == (str(call["id"]), str(call["pose_id"]))
        assert (detail["position"], detail["attempt"], detail["backend"]) == (0, 1, NAME)
    assert [detail.get("token") for _, detail in told] == [1, None, None]
    assert told[-1][1]["seconds"] >= 0
    assert_all_rules_hold(studio.database)


def test_a_picture_that_does_not_pass_says_why_before_the_next_call(studio, far_end):
    far_end.facts = {"seed": 5}

    generation = finished(studio, poses=SLUGS[:1], backend=NAME)

    assert kinds(studio.database) == ["call_sent", "call_accepted", "call_delivered", "call_rejected"] * 2
    rejected = of_calls(studio.database)[3][1]
    assert rejected["error_code"] == ErrorCode.IMAGE_INVALID
    assert "was made with the seed 5" in rejected["error_detail"]
    assert [detail["attempt"] for _, detail in of_calls(studio.database)] == [1] * 4 + [2] * 4
    assert event_kinds(studio.database, generation)[-2:] == ["pose_failed", "failed"]


@pytest.mark.parametrize(
    ("seen", "kind", "code"),
    [
        (Refused(ErrorCode.INAPPROPRIATE_PROMPT, "the checker"), "call_refused", ErrorCode.INAPPROPRIATE_PROMPT),
        (Failed("no worker"), "call_failed", ErrorCode.BACKEND_RETRIES_EXCEEDED),
        (Failed("no such request", billed=True), "call_uncertain", ErrorCode.BACKEND_UNCERTAIN),
    ],
)
def test_a_call_without_a_picture_says_how_it_ended(studio, far_end, monkeypatch, seen, kind, code):
    monkeypatch.setattr(far_end, "look", lambda _: seen)

    finished(studio, poses=SLUGS[:1], backend=NAME)

    ended = [detail for each, detail in of_calls(studio.database) if each == kind]
    assert ended[0]["error_code"] == code
    assert ended[0]["error_detail"]
    assert_all_rules_hold(studio.database)


def test_a_submit_without_an_effect_is_sent_again_under_the_same_call(studio, far_end, monkeypatch):
    submit, refused = far_end.submit, [True]

    def once_refused(order):
        if refused and refused.pop():
            raise CallNotAccepted("429")
        return submit(order)

    monkeypatch.setattr(far_end, "submit", once_refused)

    finished(studio, poses=SLUGS[:1], backend=NAME)

    assert kinds(studio.database) == ["call_sent", "call_sent", "call_accepted", "call_delivered"]
    assert len({detail["call"] for _, detail in of_calls(studio.database)}) == 1


def test_a_fact_of_a_worker_that_lost_its_lease_has_its_place_among_the_events_of_the_next_one(studio, far_end):
    lease, taken = asked(studio), []
    far_end.after_submit = lambda _: taken.append(taken_over(studio.database, lease.id))

    with pytest.raises(LeaseLost):
        work(studio, lease)
    work(studio, *taken)

    told = event_kinds(studio.database, lease.id)
    assert told[told.index("call_sent") :] == [
        *("call_sent", "requeued", "dispatched", "started"),
        *("call_accepted", "call_delivered", "pose_completed", "completed"),
    ]
    assert_all_rules_hold(studio.database)


def test_what_is_learned_after_the_end_is_in_the_row_and_no_event(studio, far_end):
    lease = asked(studio)
    far_end.after_submit = lambda _: cancel(studio.database, lease.id, actor="Wayan")

    with pytest.raises(LeaseLost):
        work(studio, lease)
    settle_calls(studio)

    call = rows(studio.database, "select state, far_id, object_id from backend_calls")[0]
    assert (call["state"], call["far_id"]) == ("cancelled", "far-1")
    assert call["object_id"] is not None
    assert kinds(studio.database) == ["call_sent"]
    assert event_kinds(studio.database, lease.id)[-1] == "cancelled"
    assert_all_rules_hold(studio.database)


def test_a_call_that_no_worker_holds_is_followed_as_well(studio, far_end):
    lease = asked(studio)

    def killed(what, _):
        if what == "look":
            raise Killed

    far_end.before = killed
    with pytest.raises(Killed):
        work(studio, lease)
    expire_lease(studio.database, lease.id)
    far_end.before = lambda *_: None

    assert settle_calls(studio).collected == 1

    assert kinds(studio.database) == ["call_sent", "call_accepted", "call_delivered"]


def test_a_file_that_comes_at_once_was_never_accepted(studio, far_end, monkeypatch):
    submit = far_end.submit
    monkeypatch.setattr(far_end, "submit", lambda order: (submit(order), Delivered(far_end.picture(order)))[1])

    finished(studio, poses=SLUGS[:1], backend=NAME)

    assert kinds(studio.database) == ["call_sent", "call_delivered"]
