"""What `posegen explain` says of open calls and poses, with the rows that workers have left in each state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from posegen.backends.breaker import BackendRule, Breaker
from posegen.errors import BackendHeldBack, BackendUnavailable, CallNotAccepted
from posegen.generations.calling import caller, collecting, sending
from posegen.generations.making.outcomes import GENERATIONS, hold_back
from posegen.generations.making.poses import make_poses
from posegen.generations.reading.history import explain
from posegen.generations.reading.waiting import Waits
from posegen.work.commit_points import CommitPoint
from posegen.work.keeper import LeaseKeeper
from tests.builders import SLUGS, execute, expire_lease, running, taken_over, value
from tests.hosted import NAME, FarEndInProcess, photographing, short_pauses

CALL_SECONDS = 60.0


class Killed(BaseException):
    """As if by kill -9: nothing of the worker runs any more."""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    short_pauses(monkeypatch)


@pytest.fixture
def far_end():
    return FarEndInProcess(looks=1)


@pytest.fixture
def studio(studio, far_end):
    return photographing(studio, far_end, call_seconds=CALL_SECONDS)


@pytest.fixture
def lease(studio):
    return running(studio.database, backend=NAME, poses=SLUGS[:2])


def killed_at(studio, lease, monkeypatch, point):
    """Let the worker of one thread be killed at a commit point."""

    def reached(at):
        if at is point:
            raise Killed

    for module in (caller, sending, collecting):
        monkeypatch.setattr(module, "reached", reached)
    with (
        pytest.raises(Killed),
        LeaseKeeper(studio.database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper,
    ):
        make_poses(replace(studio, render_threads=1), lease, keeper)


def waits(studio, lease, *, most=1):
    return Waits(explain(studio.database, str(lease.id)), most, CALL_SECONDS)


def of_the_call(studio, lease):
    told = waits(studio, lease)
    (call,) = (call for call in told.history.calls if call.is_open)
    return told.of_call(call)


@pytest.fixture
def far_end_of_one(far_end, monkeypatch):
    """A backend that takes one call at once, so that one pose has a call and the other one waits for its place."""
    monkeypatch.setattr(far_end, "description", replace(far_end.description, concurrency=1))
    return far_end


@pytest.mark.usefixtures("far_end_of_one")
@pytest.mark.parametrize(
    ("point", "words"),
    [
        (CommitPoint.AFTER_PLAN, "is about to be sent"),
        (CommitPoint.AFTER_MARK, "waits for the response to its submit"),
        (CommitPoint.AFTER_ACCEPT, "waits for the far end"),
        (CommitPoint.AFTER_DELIVERY, "waits for the check of its file"),
    ],
)
def test_each_state_says_what_comes_next(studio, lease, monkeypatch, point, words):
    killed_at(studio, lease, monkeypatch, point)

    assert of_the_call(studio, lease) == words


@pytest.mark.usefixtures("far_end_of_one")
def test_a_pose_waits_for_a_place_while_others_have_it(studio, lease, monkeypatch):
    killed_at(studio, lease, monkeypatch, CommitPoint.AFTER_ACCEPT)

    told = waits(studio, lease)
    (out,) = (call.pose_id for call in told.history.calls)
    assert {pose.pose_id == out: told.of_pose(pose) for pose in told.history.poses} == {
        True: None,
        False: f"waits for a place: 1 of 1 calls of {NAME} are out",
    }
    assert [waits(studio, lease, most=2).of_pose(pose) for pose in told.history.poses] == [None, None]


@pytest.mark.usefixtures("far_end_of_one")
def test_a_call_whose_sender_was_lost_is_searched_until_a_time(studio, lease, monkeypatch):
    killed_at(studio, lease, monkeypatch, CommitPoint.AFTER_MARK)
    expire_lease(studio.database, lease.id)
    assert of_the_call(studio, lease).startswith("its sender was lost; waits for a worker, not before ")

    taken_over(studio.database, lease.id)
    until = value(
        studio.database, "select to_char((sent_at + '60 s') at time zone 'utc', 'HH24:MI:SS') from backend_calls"
    )
    assert of_the_call(studio, lease) == (
        f"its sender was lost; searched at the far end until {until}, and uncertain if it is not found"
    )


@pytest.mark.usefixtures("far_end_of_one")
def test_a_lost_response_is_named(studio, lease, far_end, monkeypatch):
    def lost(what, _):
        if what == "submit":
            raise BackendUnavailable("the connection was reset")
        raise Killed

    far_end.before = lost
    killed_at(studio, lease, monkeypatch, None)

    assert of_the_call(studio, lease).startswith(
        "the response to its submit was lost: the connection was reset; search"
    )


@pytest.mark.usefixtures("far_end_of_one")
def test_a_far_end_that_is_silent_is_named_until_it_speaks_again(studio, lease, far_end, monkeypatch):
    silent = [True, True]

    def look(what, _):
        if what == "look":
            if not silent:
                raise Killed
            silent.pop()
            raise BackendUnavailable("503")

    far_end.before = look
    killed_at(studio, lease, monkeypatch, None)
    assert of_the_call(studio, lease) == "the far end does not respond: 503"

    expire_lease(studio.database, lease.id)
    assert of_the_call(studio, lease) == (
        "the far end does not respond: 503; no worker holds it, and the settling pass looks every minute"
    )
    far_end.before = lambda *_: None
    killed_at(studio, taken_over(studio.database, lease.id), monkeypatch, CommitPoint.BEFORE_STORE)
    assert of_the_call(studio, lease) == "waits for the far end"


@pytest.mark.usefixtures("far_end_of_one")
def test_a_submit_without_an_effect_is_counted(studio, lease, far_end, monkeypatch):
    refusals = [True]

    def refused(what, _):
        if not refusals:
            raise Killed
        refusals.pop()
        raise CallNotAccepted("429 Too Many Requests")

    monkeypatch.setattr(sending.random, "uniform", lambda *_: 0.0)
    far_end.before = refused
    killed_at(studio, lease, monkeypatch, None)
    execute(studio.database, "update backend_calls set state = 'planned', sent_at = null")

    assert of_the_call(studio, lease) == (
        "is sent again; submits without an effect: 1, the last: 429 Too Many Requests"
    )


@pytest.mark.usefixtures("far_end_of_one")
def test_an_open_breaker_and_a_generation_that_was_put_back_are_named(studio, lease, monkeypatch):
    killed_at(studio, lease, monkeypatch, CommitPoint.AFTER_PLAN)
    with pytest.raises(BackendHeldBack) as held:
        Breaker(studio.database, NAME, BackendRule(failures=1)).failed(BackendUnavailable("401: no such key"))

    assert of_the_call(studio, lease).startswith(f"waits for the breaker of {NAME}, open for another ")
    assert of_the_call(studio, lease).endswith(" s: 401: no such key")
    told = waits(studio, lease, most=2)
    assert sum("waits for the breaker" in (told.of_pose(pose) or "") for pose in told.history.poses) == 1

    hold_back(studio.database, lease, held.value)
    assert of_the_call(studio, lease).startswith("waits for a worker, not before ")
    assert of_the_call(studio, lease).endswith(": 401: no such key")
