"""Calls of a hosted backend: one row for each, none paid for twice, whatever is lost on the way."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace
from decimal import Decimal

import psycopg
import pytest

from posegen.backends.breaker import BackendRule
from posegen.backends.hosted import Accepted, Delivered, Failed, Refused
from posegen.backends.registry import Backends
from posegen.backends.wires.files import seed_in
from posegen.error_codes import ErrorCode
from posegen.errors import (
    AccountRefused,
    BackendHeldBack,
    BackendNotConfigured,
    BackendRejected,
    CallNotAccepted,
    CallNotSent,
    CallUnknown,
    LeaseLost,
    StoreFull,
)
from posegen.generations.asking import claims
from posegen.generations.calling import caller, collecting, sending
from posegen.generations.calling import rows as calling
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses
from posegen.generations.making.work import at_work
from posegen.images.png import encode_png
from posegen.settings import Settings
from posegen.upkeep.invariants import CALLED_ONCE
from posegen.work.keeper import LeaseKeeper
from tests.backends import painted
from tests.builders import (
    PRICE,
    SLUGS,
    a_user,
    account,
    credits,
    execute,
    expire_lease,
    finished,
    pose_statuses,
    row,
    rows,
    running,
    started,
    taken_over,
    value,
    work,
)
from tests.concurrency import until
from tests.hosted import DESCRIPTION, NAME, FarEndInProcess, drawn, short_pauses


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
    """With a hosted backend, which it waits a second for."""
    return replace(
        studio,
        open_hosted=lambda _: far_end,
        describe=lambda name: far_end.description if name == NAME else None,
        backend_rule=BackendRule(attempts=3, call_seconds=1.0, first_pause=0.02, longest_pause=0.05, failures=1000),
    )


def asked(studio, poses=1, user=None, **columns):
    return running(studio.database, user, backend=NAME, poses=SLUGS[:poses], **columns)


def make(studio, lease):
    with LeaseKeeper(studio.database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper:
        return make_poses(studio, lease, keeper)


def calls(studio):
    return rows(studio.database, "select * from backend_calls order by pose_id, attempt")


def states(studio):
    return [call["state"] for call in calls(studio)]


def error_codes(studio):
    return [each["error_code"] for each in rows(studio.database, "select error_code from generated_poses order by id")]


# --- seeds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seed",
    ["7", 7.0, 7.5, 2**53 + 1, -(2**60), True, [7], {"seed": 7}, "x" * 500, 10**4000],
    ids=lambda seed: repr(seed)[:20],
)
def test_a_seed_that_is_no_whole_number_or_too_large_is_an_error_of_the_picture(studio, far_end, seed):
    read, facts = seed_in({"seed": seed})
    far_end.facts = {"seed": read, "facts": facts}

    assert work(studio, asked(studio)) == "failed"

    assert states(studio) == ["rejected", "rejected"]
    (pose,) = rows(studio.database, "select error_code, error_detail from generated_poses")
    assert pose["error_code"] == "image_invalid"
    assert ("no whole number" in pose["error_detail"]) is (type(seed) is not int or seed > 2**64)
    assert "was asked for" in pose["error_detail"]
    assert repr(seed)[:20] in pose["error_detail"]
    assert len(pose["error_detail"]) < 300


def test_a_seed_that_never_comes_back_is_named_in_the_row(studio, far_end):
    far_end.facts = {"seed": None}

    assert work(studio, asked(studio)) == "completed"

    assert value(studio.database, "select degraded from pose_results") == [
        f"seed: {NAME} does not say which seed the picture was made with"
    ]


def test_a_seed_that_comes_back_as_asked_is_not_worth_a_word(studio):
    assert work(studio, asked(studio)) == "completed"

    assert value(studio.database, "select degraded from pose_results") == []


# --- the way of a call --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [600.0, None])
def test_the_row_says_when_the_file_may_expire_at_the_earliest(studio, far_end, monkeypatch, kept):
    submit = far_end.submit
    monkeypatch.setattr(far_end, "submit", lambda order: replace(submit(order), kept_seconds=kept))

    assert work(studio, asked(studio)) == "completed"

    (call,) = calls(studio)
    expires = call["expires_at"]
    assert (expires and round((expires - call["accepted_at"]).total_seconds())) == kept


def test_a_far_end_that_delivers_at_once_is_paid_once(studio, far_end, monkeypatch):
    submit = far_end.submit
    monkeypatch.setattr(far_end, "submit", lambda order: (submit(order), Delivered(drawn(order)))[1])

    assert work(studio, asked(studio, poses=2)) == "completed"

    assert states(studio) == ["used", "used"]
    assert set(far_end.paid().values()) == {1}
    assert [call["far_id"] for call in calls(studio)] == [None, None]


def test_a_pose_is_made_by_one_call_whose_file_is_its_original(studio, far_end):
    user = a_user(studio.database)
    lease = asked(studio, user=user)

    assert work(studio, lease) == "completed"

    (call,) = calls(studio)
    assert (call["state"], call["purpose"], call["attempt"], call["far_id"]) == ("used", "pose", 1, "far-1")
    assert (call["billed_usd"], call["bill_source"]) == (Decimal("0.075"), "response")
    pose = row(studio.database, "select * from generated_poses")
    assert pose["original_object"] == call["object_id"] != pose["image_object"]
    original = row(studio.database, "select * from objects where id = %s", call["object_id"])
    assert original["key"].startswith(f"originals/{lease.id}/{call['id']}/")
    assert studio.store.get(original["key"]) == far_end.picture(far_end.orders[0])
    assert pose["recipe"]["model"] == "test/photographs"
    assert pose["recipe"]["control_kind"] == "openpose"
    assert credits(studio.database, user)[2] == PRICE
    stored = value(studio.database, "select sum(size) from owned_objects where owner = %s", user)
    assert account(studio.database, user)["storage_used"] == stored


def test_the_order_shows_the_pose_as_a_control_map(studio, far_end):
    make(studio, asked(studio))

    (order,) = far_end.orders
    assert order.control is not None
    assert order.control.data.startswith(b"\x89PNG")
    assert order.control.sha256 == order.recipe.control_sha256
    assert order.call == calls(studio)[0]["id"]


def test_as_many_calls_are_out_as_the_backend_takes_over_all_workers(studio, far_end):
    far_end.description = replace(DESCRIPTION, concurrency=3)
    out, most = set(), [0]

    def note(step, call):
        if step == "submit":
            out.add(call)
            open_calls = "select count(*) from backend_calls where state in ('planned', 'sent', 'accepted')"
            most[0] = max(most[0], value(studio.database, open_calls))

    far_end.before, far_end.looks = note, 3
    leases = [asked(studio, poses=4), asked(studio, poses=4)]
    threads = [threading.Thread(target=make, args=(studio, lease)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert states(studio) == ["used"] * 8
    assert most[0] == 3


def test_a_wait_takes_no_render_thread(studio, far_end):
    far_end.looks = 1_000_000
    patient = replace(studio.backend_rule, call_seconds=60)

    def finish_when_all_are_out(*_):
        if len(far_end.orders) == 4:
            far_end.finish()

    far_end.before = finish_when_all_are_out

    assert make(replace(studio, render_threads=1, backend_rule=patient), asked(studio, poses=4)).rendered == 4


# --- nothing is paid for twice ------------------------------------------------------------------------------------


def kill_at(monkeypatch, point):
    """The worker ends when it reaches this commit point; returns a function that lets it live again."""

    def reached(here):
        if here == point:
            raise Killed

    def put(replacement):
        for module in (caller, sending, collecting):
            monkeypatch.setattr(module, "reached", replacement)

    put(reached)
    return lambda: put(lambda _: None)


@pytest.mark.parametrize(
    "point",
    ["after plan", "after mark", "after submit", "after accept", "while waiting", "before store", "after delivery"],
)
def test_a_successor_goes_on_with_the_call_of_a_killed_worker(studio, far_end, monkeypatch, point):
    live = kill_at(monkeypatch, point)
    lease = asked(studio)
    with pytest.raises(Killed):
        make(studio, lease)
    live()
    if point == "after mark":  # only a file lock proves that its sender is dead, and here there is none
        far_end.finds = False

    ended = work(studio, taken_over(studio.database, lease.id))

    assert max(far_end.paid().values(), default=0) <= 1
    assert len(calls(studio)) == 1
    if point == "after mark":
        assert (ended, states(studio), error_codes(studio)) == ("failed", ["uncertain"], ["backend_uncertain"])
    else:
        assert (ended, states(studio)) == ("completed", ["used"])


def test_a_response_that_is_lost_is_found_at_the_far_end(studio, far_end):
    lost = []

    def lose(order):
        if not lost:
            lost.append(order)
            raise CallUnknown("the connection was reset")

    far_end.after_submit = lose

    assert work(studio, asked(studio)) == "completed"

    assert states(studio) == ["used"]
    assert list(far_end.paid().values()) == [1]


def test_a_call_that_the_far_end_knows_nothing_of_is_sent_again_under_the_same_row(studio, far_end):
    lost = []

    def lose(step, call):
        if step == "submit" and not lost:
            lost.append(call)
            raise CallUnknown("the request was lost on its way")

    far_end.before = lose

    assert work(studio, asked(studio)) == "completed"

    assert len(calls(studio)) == 1
    assert list(far_end.paid().values()) == [1]


def test_a_lost_response_that_cannot_be_told_fails_the_pose_and_opens_an_incident(studio, far_end):
    far_end.finds = False

    def lose(order):
        raise CallUnknown("the connection was reset")

    far_end.after_submit = lose
    user = a_user(studio.database)

    assert work(studio, asked(studio, user=user)) == "failed"

    assert states(studio) == ["uncertain"]
    assert error_codes(studio) == ["backend_uncertain"]
    assert list(far_end.paid().values()) == [1]
    assert credits(studio.database, user)[1:] == (0, 0), "nothing is held, nothing was charged"
    assert value(studio.database, "select count(*) from incidents where kind = 'uncertain_call'") == 1


def test_an_uncertain_call_may_be_made_again_where_the_operator_says_so(studio, far_end):
    far_end.description = replace(DESCRIPTION, on_uncertain="call_again")
    far_end.finds = False
    lost = []

    def lose(order):
        if not lost:
            lost.append(order)
            raise CallUnknown("the connection was reset")

    far_end.after_submit = lose

    assert work(studio, asked(studio)) == "completed"
    assert states(studio) == ["uncertain", "used"]


@pytest.fixture
def an_endpoint(studio, far_end):
    """A backend that is paid by the hour, and loses every submit but those after so many."""

    def loses(first: int):
        can = replace(DESCRIPTION.capabilities, costs_money=False)
        far_end.description = replace(DESCRIPTION, capabilities=can, price=None, on_uncertain="call_again")
        far_end.finds = False
        far_end.facts = {"bill": None}

        def lose(_):
            if len(far_end.orders) <= first:
                raise CallUnknown("reset")

        far_end.after_submit = lose
        return replace(studio, backend_rule=replace(studio.backend_rule, call_seconds=0.05))

    return loses


def test_uncertain_calls_that_nobody_bills_leave_the_budget_for_paid_pictures_alone(an_endpoint):
    studio = an_endpoint(2)

    assert work(replace(studio, paid_retries=0), asked(studio)) == "completed"

    assert states(studio) == ["uncertain", "uncertain", "used"]
    with studio.database.transaction() as connection:
        assert connection.execute(CALLED_ONCE.broken).fetchall() == []


def test_an_unbilled_endpoint_that_loses_every_call_is_called_as_often_as_any_backend(an_endpoint):
    studio = an_endpoint(1000)

    assert work(studio, asked(studio)) == "failed"

    assert states(studio) == ["uncertain"] * studio.backend_rule.attempts
    assert error_codes(studio) == ["backend_retries_exceeded"]


def test_uncertain_calls_at_the_operators_own_price_count_against_the_budget(studio, far_end, an_endpoint):
    studio = an_endpoint(1000)
    far_end.description = replace(far_end.description, price=Decimal("0.004"))

    assert work(studio, asked(studio)) == "failed"

    assert states(studio) == ["uncertain"] * 2
    assert error_codes(studio) == ["backend_uncertain"]


def test_the_operators_price_is_that_of_a_call_whose_response_says_none(studio, far_end):
    settings = Settings(fal_key="a key", posegen_backend_costs='{"fal": 0.031}')
    far_end.description = Backends.of(settings).describe("fal")
    far_end.facts = {"bill": None}
    studio = replace(studio, describe={"fal": far_end.description}.get)

    assert work(studio, running(studio.database, backend="fal")) == "completed"

    (call,) = calls(studio)
    assert (call["billed_usd"], call["bill_source"]) == (Decimal("0.031000"), "price_list")


@pytest.mark.parametrize("refusal", [CallNotSent("connection refused"), CallNotAccepted("429", retry_after=0.01)])
def test_a_submit_without_effect_is_repeated_a_few_times_under_the_same_row(studio, far_end, refusal):
    submits = []

    def refuse(step, call):
        if step == "submit":
            submits.append(call)
            if len(submits) < 3:
                raise refusal

    far_end.before = refuse

    assert work(studio, asked(studio)) == "completed"
    assert len(set(submits)) == 1
    assert (states(studio), calls(studio)[0]["failures"]) == (["used"], 2)


def test_a_backend_that_never_takes_a_call_fails_the_pose_alone(studio, far_end):
    def refuse(step, call):
        if step == "submit":
            raise CallNotAccepted("429")

    far_end.before = refuse

    assert work(studio, asked(studio)) == "failed"
    assert (states(studio), error_codes(studio)) == (["failed"], ["backend_retries_exceeded"])
    assert not far_end.orders


def test_looks_that_fail_never_lead_to_a_new_call(studio, far_end):
    looks = []

    def fail(step, call):
        if step == "look":
            looks.append(call)
            if len(looks) < 5:
                raise CallUnknown("503")

    far_end.before = fail

    assert work(studio, asked(studio)) == "completed"
    assert list(far_end.paid().values()) == [1]


def test_while_the_far_end_is_silent_the_generation_waits_and_its_call_stays(studio, far_end):
    def silent(step, call):
        if step in ("look", "cancel"):
            raise CallUnknown("no response")

    far_end.before = silent
    lease = asked(studio)

    with (
        pytest.raises(BackendHeldBack),
        at_work(studio.database, lease, lease_seconds=60, rule=studio.retry_rule) as keeper,
    ):
        make_poses(studio, lease, keeper)

    assert states(studio) == ["accepted"]
    assert value(studio.database, "select status from generations") == "queued"
    far_end.before = lambda *_: None
    execute(studio.database, "update generations set not_before = now()")
    (claim,) = claims.claim_next(studio.database, most_running=10)
    assert work(studio, started(studio.database, claim, run="run-2")) == "completed"
    assert list(far_end.paid().values()) == [1]


def test_a_far_end_that_has_lost_sight_of_its_call_for_a_moment_is_asked_again(studio, far_end, monkeypatch):
    look, gone = far_end.look, [True, True]
    monkeypatch.setattr(far_end, "look", lambda call: Failed("404", billed=True) if gone and gone.pop() else look(call))

    assert work(studio, asked(studio)) == "completed"
    assert states(studio) == ["used"]


def test_a_call_that_is_gone_for_good_is_uncertain(studio, far_end, monkeypatch):
    monkeypatch.setattr(far_end, "look", lambda _: Failed("404", billed=True))

    assert work(studio, asked(studio)) == "failed"
    assert (states(studio), error_codes(studio)) == (["uncertain"], ["backend_uncertain"])
    assert value(studio.database, "select count(*) from incidents where kind = 'uncertain_call'") == 1


@pytest.mark.parametrize("said", ["\0", "\ud800", float("nan"), "x" * 1_000_000, {"deep": object()}])
def test_what_no_column_can_keep_costs_no_picture(studio, far_end, said):
    far_end.facts = {"facts": {"timings": said}}

    assert work(studio, asked(studio)) == "completed"
    assert calls(studio)[0]["facts"].keys() == {"left_out", "seed", "flagged"}


@pytest.mark.parametrize("far_id", ["", "a\0b", "\ud800", "x" * 3_000])
def test_an_id_that_no_row_can_keep_is_no_acceptance(far_id):
    with pytest.raises(CallUnknown, match="cannot be kept"):
        Accepted(far_id)


def test_a_call_that_the_far_end_has_given_up_without_a_bill_is_made_again(studio, far_end, monkeypatch):
    look, failed = far_end.look, [True]
    monkeypatch.setattr(far_end, "look", lambda call: Failed("500") if failed and failed.pop() else look(call))

    assert work(studio, asked(studio)) == "completed"
    assert states(studio) == ["failed", "used"]


def test_the_far_ends_id_waits_for_a_database_that_is_away(studio, far_end, monkeypatch):
    accept, away = calling.accept, [True, True, True]

    def accept_later(*arguments):
        if away and away.pop():
            raise psycopg.OperationalError("the server closed the connection unexpectedly")
        return accept(*arguments)

    monkeypatch.setattr(calling, "accept", accept_later)
    far_end.finds = False

    assert work(studio, asked(studio)) == "completed"
    assert list(far_end.paid().values()) == [1]


def test_a_call_that_takes_too_long_is_cancelled_there_and_another_is_made(studio, far_end):
    far_end.looks = 10_000

    def be_quick_next_time(step, call):
        if step == "cancel":
            far_end.looks = 0

    far_end.before = be_quick_next_time

    assert work(studio, asked(studio)) == "completed"
    assert states(studio) == ["cancelled", "used"]
    assert far_end.cancelled == ["far-1"]


def test_a_store_that_fails_costs_no_second_call(studio, far_end, monkeypatch):
    put, failures = studio.store.put, []

    def full(key, *arguments, **options):
        if key.startswith("originals/") and len(failures) < 3:
            failures.append(key)
            raise StoreFull("no space left", store="local", key=key)
        return put(key, *arguments, **options)

    monkeypatch.setattr(studio.store, "put", full)

    assert work(studio, asked(studio)) == "completed"
    assert len(failures) == 3
    assert list(far_end.paid().values()) == [1]


def test_a_worker_that_lost_its_lease_notes_facts_and_decides_nothing(studio, far_end):
    lease = asked(studio)
    taken = []

    def take_over(order):
        expire_lease(studio.database, lease.id)
        taken.append(taken_over(studio.database, lease.id))

    far_end.after_submit = take_over

    with pytest.raises(LeaseLost):
        make(studio, lease)

    (call,) = calls(studio)
    assert call["far_id"] == "far-1", "the successor need not search"
    assert call["state"] in ("accepted", "delivered")
    far_end.after_submit = lambda _: None
    assert work(studio, taken[0]) == "completed"
    assert list(far_end.paid().values()) == [1]


# --- what may be paid for -----------------------------------------------------------------------------------------


def test_a_picture_that_does_not_pass_is_paid_for_once_more_and_not_again(studio, far_end):
    far_end.picture = lambda _: encode_png(painted(1) * 0).data

    assert work(studio, asked(studio)) == "failed"

    assert states(studio) == ["rejected", "rejected"]
    assert len({call["seed"] for call in calls(studio)}) == 2
    assert error_codes(studio) == ["image_invalid"]
    assert all(call["object_id"] for call in calls(studio)), "what was paid for is kept"


def test_a_budget_of_nothing_allows_one_picture(studio, far_end):
    far_end.picture = lambda _: b"<html>no picture</html>"

    assert work(replace(studio, paid_retries=0), asked(studio)) == "failed"
    assert states(studio) == ["rejected"]
    assert value(studio.database, "select key from objects where key like 'originals/%%'").endswith(".bin")


def test_a_picture_of_another_seed_is_an_error_of_the_picture(studio, far_end):
    far_end.facts = {"seed": 1}

    assert work(studio, asked(studio)) == "failed"
    assert states(studio) == ["rejected", "rejected"]
    assert "seed 1" in calls(studio)[0]["error"]


def test_a_flagged_picture_is_refused_before_any_gate_and_nothing_more_is_paid_for(studio, far_end):
    far_end.facts = {"flagged": True}
    far_end.picture = lambda _: encode_png(painted(1) * 0).data

    assert work(studio, asked(studio)) == "failed"
    assert (states(studio), error_codes(studio)) == (["refused"], ["inappropriate_prompt"])


@pytest.mark.parametrize("code", [ErrorCode.BACKEND_REJECTED, ErrorCode.INAPPROPRIATE_PROMPT])
def test_an_order_that_the_far_end_refuses_fails_its_pose_with_the_code(studio, far_end, code, monkeypatch):
    monkeypatch.setattr(far_end, "look", lambda _: Refused(code, "not this one"))

    assert work(studio, asked(studio)) == "failed"
    assert (states(studio), error_codes(studio)) == (["refused"], [code])


def test_a_submit_that_is_rejected_is_a_refusal(studio, far_end):
    def reject(step, call):
        if step == "submit":
            raise BackendRejected("400: unknown field")

    far_end.before = reject

    assert work(studio, asked(studio)) == "failed"
    assert (states(studio), error_codes(studio)) == (["refused"], ["backend_rejected"])


def test_a_refused_key_opens_the_breaker_at_once_and_the_call_is_not_counted(studio, far_end):
    def refuse(step, call):
        if step == "submit":
            raise AccountRefused("401", variable="FAL_KEY")

    far_end.before = refuse
    lease = asked(studio, poses=3)

    with pytest.raises(BackendHeldBack):
        make(studio, lease)

    assert set(states(studio)) == {"planned"}
    assert {call["failures"] for call in calls(studio)} == {0}
    assert value(studio.database, "select opened_at is not null from backend_breakers")


# --- stopping -----------------------------------------------------------------------------------------------------


def test_a_worker_that_is_asked_to_stop_only_stops_waiting(studio, far_end):
    far_end.looks = 10_000
    lease = asked(studio, poses=3)
    main = threading.get_ident()

    def stop_it():
        until(lambda: states(studio) == ["accepted"] * 3)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=stop_it).start()
    with pytest.raises(KeyboardInterrupt):
        make(replace(studio, backend_rule=replace(studio.backend_rule, call_seconds=60)), lease)

    assert states(studio) == ["accepted"] * 3
    assert far_end.aborted
    assert pose_statuses(studio.database, lease.id) == ["running"] * 3
    assert len(far_end.orders) == 3


def test_an_order_that_is_on_its_way_when_a_worker_is_asked_to_stop_is_known_to_have_arrived(studio, far_end):
    far_end.looks = 10_000
    lease = asked(studio, poses=2)
    main, on_its_way = threading.get_ident(), threading.Barrier(2)

    def slow(_):
        if on_its_way.wait(60) == 0:
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.3)

    far_end.after_submit = slow
    with pytest.raises(KeyboardInterrupt):
        make(replace(studio, backend_rule=replace(studio.backend_rule, call_seconds=60)), lease)

    assert states(studio) == ["accepted"] * 2
    assert len(far_end.orders) == 2


# --- a key that is taken away -----------------------------------------------------------------------------------------


def without_its_key(studio):
    def missing(name):
        raise BackendNotConfigured(name, " here: STUDIO_KEY is not set")

    return replace(studio, describe=missing, open_hosted=missing)


def test_a_generation_waits_for_the_key_of_its_backend_and_names_its_variable(studio):
    lease = asked(studio)

    with pytest.raises(BackendHeldBack, match="STUDIO_KEY is not set"):
        make(without_its_key(studio), lease)

    assert pose_statuses(studio.database, lease.id) == ["pending"]
    (breaker,) = rows(studio.database, "select * from backend_breakers")
    assert breaker["opened_at"] is not None
    assert "STUDIO_KEY is not set" in breaker["last_error"]


def test_a_call_that_is_out_while_the_key_is_away_brings_its_picture_when_it_is_back(studio, far_end):
    def killed(step, _):
        if step == "look":
            raise Killed

    far_end.before = killed
    lease = asked(studio)
    with pytest.raises(Killed):
        make(studio, lease)
    far_end.before = lambda *_: None

    lease = taken_over(studio.database, lease.id)
    for _ in range(3):
        with pytest.raises(BackendHeldBack):
            make(without_its_key(studio), lease)
    assert states(studio) == ["accepted"]

    execute(studio.database, "update backend_calls set sent_at = now() - interval '1 hour'")
    execute(studio.database, "update backend_breakers set retry_at = now()")
    make(studio, lease)
    assert states(studio) == ["used"]
    assert set(far_end.paid().values()) == {1}


# --- when a call is looked at -----------------------------------------------------------------------------------------


def test_a_call_is_not_looked_at_before_pictures_of_its_backend_are_usually_made(studio, far_end, monkeypatch):
    looked: list[float] = []
    monkeypatch.setattr(far_end, "before", lambda step, _: step == "look" and looked.append(time.monotonic()))
    finished(studio, poses=SLUGS[:1], backend=NAME)
    execute(studio.database, "update backend_calls set delivered_at = sent_at + interval '1 second'")
    looked.clear()

    began = time.monotonic()
    finished(studio, poses=SLUGS[1:2], backend=NAME)

    assert len(looked) == 1
    assert looked[0] - began >= 0.9
