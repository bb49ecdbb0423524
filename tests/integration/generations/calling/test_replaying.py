"""Replays of hosted poses: a call of their own, paid for once, whatever is lost on the way."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from posegen.backends.hosted import CannotTell, Failed, Refused
from posegen.error_codes import ErrorCode
from posegen.errors import (
    BackendRejected,
    BackendRetriesExceeded,
    CallNotAccepted,
    CallUncertain,
    CallUnknown,
    ImageInvalid,
    ReplayHeldBack,
    ReplayRefused,
)
from posegen.generations.calling import collecting, replaying, sending
from posegen.generations.calling import rows as calling
from posegen.generations.calling.settling import Settled, settle_calls
from posegen.generations.reading.replay import Likeness, replay
from posegen.generations.rows.poses import pose_id
from posegen.images.png import encode_png
from posegen.upkeep.invariants import CALLED_ONCE
from posegen.upkeep.retention_rows import delete_unused_files
from posegen.work.worker_home import WorkerHome
from tests.backends import painted
from tests.builders import execute, rows, value, work
from tests.concurrency import until
from tests.hosted import DESCRIPTION, PRICE, drawn
from tests.integration.generations.calling.test_calls import Killed, _short_pauses, asked, far_end, studio

__all__ = ["_short_pauses", "far_end", "studio"]


@pytest.fixture
def pose(studio):
    """A completed pose, whose call was paid for."""
    lease = asked(studio)
    assert work(studio, lease) == "completed"
    return pose_id(lease.id, 0)


def replays(studio):
    return rows(studio.database, "select * from backend_calls where purpose = 'replay' order by attempt")


def states(studio):
    return [call["state"] for call in replays(studio)]


def customers(studio):
    """Whatever belongs to customers."""
    tables = ["events", "ledger_entries", "generated_poses", "exports", "accounts"]
    tables.append("owned_objects where owner is not null")
    return [rows(studio.database, f"select * from {table} order by 1, 2") for table in tables]


def submits(far_end):
    """Orders after that of the pose itself."""
    return len(far_end.orders) - 1


def violations(studio):
    return rows(studio.database, CALLED_ONCE.broken.replace("%", "%%"))


def delete_unused(studio):
    with studio.database.transaction() as connection:
        delete_unused_files(connection, age=timedelta(days=7), limit=100)


def kill_at(monkeypatch, point):
    def put(replacement):
        for module in (replaying, sending, collecting):
            monkeypatch.setattr(module, "reached", replacement)

    def reached(here):
        if here == point:
            raise Killed

    put(reached)
    return lambda: put(lambda _: None)


# --- one paid call ------------------------------------------------------------------------------------------------


def test_a_replay_sends_the_same_recipe_in_a_call_of_its_own(studio, far_end, pose):
    before = customers(studio)

    again = replay(studio, pose, billed=True)

    assert again.likeness is Likeness.IDENTICAL
    (call,) = replays(studio)
    assert (call["state"], call["budget"], call["attempt"]) == ("used", 1, 1)
    assert (again.call, again.billed_usd) == (call["id"], PRICE)
    made, replayed = far_end.orders
    assert replayed.recipe == made.recipe
    assert replayed.control == made.control
    assert replayed.call == call["id"]
    assert call["recipe_hash"] == again.recipe_hash
    assert customers(studio) == before
    assert not violations(studio)


def test_without_being_told_so_nothing_is_paid_and_the_refusal_names_the_price(studio, far_end, pose):
    with pytest.raises(ReplayRefused, match=r"0\.075 USD by the price list.*--billed"):
        replay(studio, pose)

    assert submits(far_end) == 0
    assert not replays(studio)


def test_each_replay_that_was_compared_is_followed_by_a_call_of_its_own(studio, far_end, pose):
    for _ in range(2):
        replay(studio, pose, billed=True)

    assert [(call["state"], call["attempt"], call["budget"]) for call in replays(studio)] == [
        ("used", 1, 1),
        ("used", 2, 2),
    ]


def test_another_picture_is_said_to_be_one(studio, far_end, pose):
    far_end.picture = lambda order: encode_png(painted(order.recipe.seed + 1, pose=order.recipe.pose)).data

    again = replay(studio, pose, billed=True)

    assert again.likeness is Likeness.DIFFERENT
    assert again.psnr is not None
    assert states(studio) == ["used"]


def test_what_costs_nothing_needs_no_leave(studio, far_end, pose):
    free = replace(DESCRIPTION.capabilities, costs_money=False)
    far_end.description = replace(DESCRIPTION, capabilities=free)

    assert replay(studio, pose).likeness is Likeness.IDENTICAL


# --- interrupted, and at once -------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["after plan", "after submit", "after accept", "while waiting", "after delivery"])
def test_the_next_replay_goes_on_with_the_call_of_a_killed_one(studio, far_end, pose, monkeypatch, point):
    live = kill_at(monkeypatch, point)
    with pytest.raises(Killed):
        replay(studio, pose, billed=True)
    live()

    assert replay(studio, pose, billed=True).likeness is Likeness.IDENTICAL

    assert submits(far_end) == 1
    assert states(studio) == ["used"]


def test_a_replay_that_was_killed_before_its_submit_is_sent_once_its_death_is_proved(
    studio, far_end, pose, monkeypatch, tmp_path
):
    home = WorkerHome(tmp_path / "workers")
    monkeypatch.setattr(home, "is_dead", lambda run: run.startswith("posegen replay "))
    studio = replace(studio, worker_home=home)
    live = kill_at(monkeypatch, "after mark")
    with pytest.raises(Killed):
        replay(studio, pose, billed=True)
    live()

    replay(studio, pose, billed=True)

    assert submits(far_end) == 1
    assert states(studio) == ["used"]


def test_a_replay_that_was_only_stopped_before_its_submit_is_not_sent_by_another(studio, far_end, pose, monkeypatch):
    live = kill_at(monkeypatch, "after mark")
    with pytest.raises(Killed):
        replay(studio, pose, billed=True)
    live()

    with pytest.raises(CallUncertain, match="Another replay pays"):
        replay(studio, pose, billed=True)

    assert submits(far_end) == 0
    assert states(studio) == ["uncertain"]
    assert value(studio.database, "select count(*) from incidents where kind = 'uncertain_call'") == 1


def test_two_replays_at_once_share_one_call(studio, far_end, pose):
    far_end.looks, outcomes = 1_000_000, []
    patient = replace(studio, backend_rule=replace(studio.backend_rule, call_seconds=60))

    def again():
        outcomes.append(replay(patient, pose, billed=True))

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: states(studio) == ["accepted"])
    far_end.finish()
    for thread in threads:
        thread.join()

    assert [each.likeness for each in outcomes] == [Likeness.IDENTICAL] * 4
    assert len({each.call for each in outcomes}) == 1
    assert submits(far_end) == 1
    assert states(studio) == ["used"]


def test_while_the_far_end_is_silent_the_call_stays_on_record(studio, far_end, pose):
    def silent(step, call):
        if step in ("look", "cancel"):
            raise CallUnknown("no response")

    far_end.before = silent
    with pytest.raises(ReplayHeldBack, match="repeat the command"):
        replay(studio, pose, billed=True)
    assert states(studio) == ["accepted"]
    far_end.before = lambda *_: None

    replay(studio, pose, billed=True)

    assert submits(far_end) == 1


# --- ends without a picture ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "error", "state"),
    [
        (Refused(ErrorCode.INAPPROPRIATE_PROMPT, "not this one"), BackendRejected, "refused"),
        (Failed("500"), BackendRetriesExceeded, "failed"),
        (Failed("404", billed=True), CallUncertain, "uncertain"),
    ],
)
def test_a_call_without_a_picture_is_no_replay_and_leads_to_no_other(
    studio, far_end, pose, monkeypatch, seen, error, state
):
    monkeypatch.setattr(far_end, "look", lambda _: seen)

    with pytest.raises(error, match="Call "):
        replay(studio, pose, billed=True)

    assert submits(far_end) == 1
    assert states(studio) == [state]


@pytest.mark.parametrize(
    ("facts", "picture", "state"),
    [
        ({"seed": 1}, drawn, "rejected"),
        ({}, lambda _: b"<html>", "rejected"),
        ({}, lambda _: encode_png(painted(1)[1:]).data, "rejected"),
        ({"flagged": True}, drawn, "refused"),
    ],
)
def test_what_is_no_picture_of_the_recipe_is_paid_for_and_kept(studio, far_end, pose, facts, picture, state):
    far_end.facts, far_end.picture = facts, picture

    with pytest.raises((ImageInvalid, BackendRejected)):
        replay(studio, pose, billed=True)

    (call,) = replays(studio)
    assert (call["state"], call["billed_usd"]) == (state, PRICE)
    assert call["object_id"] is not None


def test_a_backend_that_takes_no_call_fails_the_replay_without_a_bill(studio, far_end, pose):
    def refuse(step, call):
        if step == "submit":
            raise CallNotAccepted("429")

    far_end.before = refuse

    with pytest.raises(BackendRetriesExceeded):
        replay(studio, pose, billed=True)

    assert submits(far_end) == 0
    assert [(call["state"], call["billed_usd"]) for call in replays(studio)] == [("failed", None)]


# --- what cannot be replayed --------------------------------------------------------------------------------------


def test_another_model_is_not_paid_for(studio, far_end, pose):
    far_end.description = replace(DESCRIPTION, model="test/drawings")

    with pytest.raises(ReplayRefused, match="with the model test/photographs; backend studio has test/drawings"):
        replay(studio, pose, billed=True)
    assert submits(far_end) == 0


def test_a_map_that_is_another_one_by_now_is_not_paid_for(studio, far_end, pose):
    execute(studio.database, "update generated_poses set recipe = recipe || %s", f'{{"control_sha256": "{"0" * 64}"}}')

    with pytest.raises(BackendRejected, match="is not stored any more"):
        replay(studio, pose, billed=True)
    assert submits(far_end) == 0


def test_a_pose_of_a_generation_at_work_is_not_replayed(studio, far_end):
    far_end.before = lambda step, _: _stop(step, far_end)
    lease = asked(studio, poses=2)
    studio = replace(studio, backend_rule=replace(studio.backend_rule, call_seconds=60), render_threads=1)
    far_end.description = replace(DESCRIPTION, concurrency=1)
    with pytest.raises(Killed):
        work(studio, lease)
    far_end.before = lambda *_: None
    done = value(studio.database, "select id from generated_poses where status = 'completed'")

    with pytest.raises(ReplayRefused, match="is at work"):
        replay(studio, done, billed=True)


def _stop(step, far_end):
    if step == "submit" and far_end.orders:
        raise Killed


# --- upkeep -------------------------------------------------------------------------------------------------------


@pytest.fixture
def left(studio, far_end, pose, monkeypatch):
    """A replay that was killed while it waited."""
    live = kill_at(monkeypatch, "while waiting")
    with pytest.raises(Killed):
        replay(studio, pose, billed=True)
    live()


def test_what_a_killed_replay_has_paid_for_is_collected_and_used_by_the_next(studio, far_end, pose, left):
    assert not violations(studio), "an open replay outlives its generation"
    assert settle_calls(studio) == Settled(collected=1)
    assert states(studio) == ["delivered"]

    assert replay(studio, pose, billed=True).likeness is Likeness.IDENTICAL
    assert submits(far_end) == 1


def test_a_replay_that_is_not_gone_on_with_keeps_no_place_for_ever(studio, far_end, left):
    far_end._left["far-2"] = 5
    execute(studio.database, "update backend_calls set planned_at = now() - interval '3 hours'")
    with studio.database.transaction() as connection:
        assert calling.any_unattended(connection)

    assert settle_calls(studio) == Settled(cancelled=1)

    assert states(studio) == ["cancelled"]
    assert far_end.cancelled == ["far-2"]
    with studio.database.transaction() as connection:
        assert not calling.any_unattended(connection)


def test_the_file_of_a_replay_is_deleted_with_other_traces(studio, far_end, pose):
    replay(studio, pose, billed=True)
    delete_unused(studio)
    assert replays(studio)[0]["object_id"] is not None
    execute(studio.database, "update backend_calls set ended_at = now() - interval '8 days'")

    delete_unused(studio)

    (call,) = replays(studio)
    assert (call["object_id"], call["recipe"], call["billed_usd"]) == (None, None, Decimal("0.075"))
    assert value(studio.database, "select original_object from generated_poses") is not None


def test_a_lost_submit_that_cannot_be_told_is_uncertain_and_on_record(studio, far_end, pose, monkeypatch):
    def lose(order):
        raise CallUnknown("reset")

    far_end.after_submit = lose
    monkeypatch.setattr(far_end, "find", lambda *_: CannotTell())

    with pytest.raises(CallUncertain):
        replay(studio, pose, billed=True)
    assert states(studio) == ["uncertain"]
