"""Calls whose pose is not wanted any more, or whose time is over, on every wire: what is finished is not lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from posegen.backends.breaker import BackendRule
from posegen.backends.hosted import Delivered, Failed, Refused
from posegen.backends.registry import Backends
from posegen.error_codes import ErrorCode
from posegen.errors import BackendRejected, CallNotAccepted, CallUnknown, LeaseLost
from posegen.generations.calling import collecting
from posegen.generations.calling.settling import Settled, settle_calls
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses
from posegen.generations.making.recovery import TimeLimits, recover
from posegen.settings import Settings
from posegen.work.keeper import LeaseKeeper
from posegen.work.worker_home import WorkerHome
from tests.builders import SLUGS, cancel_generation, execute, rows, running, value, work
from tests.concurrency import until
from tests.contracts.test_wires import RUNNING, WIRES, Clock
from tests.hosted import NAME, FarEndInProcess, drawn
from tests.integration.generations.calling.test_calls import Killed, _short_pauses, asked, make
from tests.wires.far_end import FarEnd

__all__ = ["_short_pauses"]

QUEUES = ("fal", "huggingface", "bfl")
AT_ONCE = ("openai", "huggingface-endpoint")
SECONDS = 20.0


@dataclass(frozen=True)
class Hosted:
    """A generation of one pose at the far end of a wire."""

    name: str
    studio: Any
    far_end: FarEnd
    clock: Clock

    @property
    def database(self):
        return self.studio.database

    def asked(self, poses: int = 1):
        return running(self.database, backend=self.name, poses=SLUGS[:poses])

    def call(self):
        (found,) = rows(self.database, "select * from backend_calls")
        return found

    def paid(self):
        return [each for each in self.far_end.ledger.submissions() if each.paid]

    def finish(self):
        self.clock.ahead += RUNNING + 1

    def out(self):
        """A call is out, and its worker waits for it in a thread of its own."""
        self.far_end.wire.runners.seconds = RUNNING if self.name in QUEUES else 0.0
        lease = self.asked()

        def worker():
            with (
                suppress(LeaseLost),
                LeaseKeeper(self.database, GENERATIONS.queue, [lease], lease_seconds=8) as keeper,
            ):
                make_poses(self.studio, lease, keeper)

        thread = threading.Thread(target=worker)
        thread.start()
        until(lambda: rows(self.database, "select 1 from backend_calls where state in ('accepted', 'sent')"))
        if self.name in QUEUES:
            until(lambda: self.call()["far_id"] is not None)
        else:
            until(lambda: self.far_end.ledger.submissions())
        return lease, thread


@pytest.fixture
def hosted(request: pytest.FixtureRequest, studio: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    has, clock = WIRES[request.param], Clock()
    with has.far_end(seconds=0.0, clock=clock) as far_end:
        for name, setting in {**far_end.environment(), **has.further(far_end)}.items():
            monkeypatch.setenv(name, setting)
        backends = Backends.of(Settings(posegen_backend_seconds=SECONDS))
        photographing = replace(
            studio,
            open_hosted=backends.open_hosted,
            describe=backends.descriptions.get,
            backend_rule=BackendRule(attempts=3, call_seconds=SECONDS, failures=1000),
        )
        yield Hosted(request.param, photographing, far_end, clock)
        backends.close()


def on(*wires: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("hosted", wires, indirect=True)


def cancelled(hosted, lease):
    cancel_generation(hosted.database, lease.id, actor="customer")


def timed_out(hosted, lease):
    execute(hosted.database, "update generations set started_at = now() - interval '3 hours'")
    recover(hosted.database, hosted.studio.retry_rule, TimeLimits())
    assert value(hosted.database, "select error_code from generations") == "timed_out"


def soon(hosted):
    """Passes of upkeep until the call is settled."""
    for _ in range(10):
        if hosted.call()["settled_at"] is not None:
            return
        execute(hosted.database, "update backend_calls set looked_at = null")
        settle_calls(hosted.studio)
    raise AssertionError(hosted.call())


# --- the generation ends while a call is out ----------------------------------------------------------------------


@on(*QUEUES)
@pytest.mark.parametrize("end", [cancelled, timed_out])
def test_what_is_finished_after_the_end_of_its_generation_is_on_record(hosted, end):
    lease, worker = hosted.out()
    end(hosted, lease)
    hosted.finish()
    worker.join()

    soon(hosted)

    call = hosted.call()
    assert call["state"] == "cancelled"
    assert call["object_id"] is not None
    assert call["billed_usd"] > 0
    assert len(hosted.paid()) == 1
    assert value(hosted.database, "select sum(amount) from ledger_entries where kind = 'capture'") is None


@on("fal", "huggingface")
@pytest.mark.parametrize("end", [cancelled, timed_out])
def test_what_waits_for_a_runner_is_removed_there_and_never_billed(hosted, end):
    hosted.far_end.faults.add("no_runner", "run")
    lease, worker = hosted.out()
    end(hosted, lease)
    soon(hosted)
    worker.join()

    call = hosted.call()
    assert (call["state"], call["billed_usd"], call["object_id"]) == ("cancelled", None, None)
    assert [each.cancelled for each in hosted.far_end.wire.kept()] == [True]


@on(*AT_ONCE)
@pytest.mark.parametrize("end", [cancelled, timed_out])
def test_a_response_that_comes_after_the_end_of_its_generation_is_on_record(hosted, end):
    hosted.far_end.faults.add("slow", "submit", seconds=2.0)
    lease, worker = hosted.out()
    end(hosted, lease)
    worker.join()

    call = hosted.call()
    assert (call["state"], call["settled_at"] is None) == ("cancelled", False)
    assert call["object_id"] is not None
    assert len(hosted.paid()) == 1


@on("bfl", *AT_ONCE)
def test_a_lost_response_that_no_far_end_can_tell_is_uncertain_and_not_forgotten(hosted):
    hosted.far_end.faults.add("lost", "submit")
    hosted.far_end.wire.runners.seconds = 0.0
    lease = hosted.asked()

    def worker():
        with pytest.raises(LeaseLost):
            make(hosted.studio, lease)

    thread = threading.Thread(target=worker)
    thread.start()
    until(lambda: rows(hosted.database, "select 1 from backend_calls where error is not null"))
    cancelled(hosted, lease)
    execute(hosted.database, "update generations set token = token + 1")
    thread.join()
    execute(hosted.database, "update backend_calls set sent_at = now() - interval '1 hour'")

    soon(hosted)

    assert hosted.call()["state"] == "uncertain"
    assert value(hosted.database, "select count(*) from incidents where kind = 'uncertain_call'") == 1
    assert len(hosted.paid()) == 1


# --- the time of a call is over -----------------------------------------------------------------------------------


@on(*QUEUES)
def test_what_is_finished_when_its_time_is_over_is_used(hosted, monkeypatch):
    monkeypatch.setattr(collecting, "_CANCELLED_AFTER", 1000.0)
    backend = hosted.studio.open_hosted(hosted.name)
    cancel, asked_to_cancel = type(backend).cancel, []

    def cancel_too_late(wire, call):
        hosted.finish()
        asked_to_cancel.append(cancel(wire, call))
        return asked_to_cancel[-1]

    monkeypatch.setattr(type(backend), "cancel", cancel_too_late)
    hosted.far_end.wire.runners.seconds = RUNNING
    studio = replace(hosted.studio, backend_rule=replace(hosted.studio.backend_rule, call_seconds=0.5))

    assert work(studio, hosted.asked()) == "completed"

    assert asked_to_cancel == [False]
    assert hosted.call()["state"] == "used"
    assert len(hosted.paid()) == 1


@on("fal", "huggingface")
def test_what_has_not_begun_when_its_time_is_over_is_removed_and_called_again(hosted):
    hosted.far_end.faults.add("no_runner", "run")
    hosted.far_end.wire.runners.seconds = 0.0
    studio = replace(hosted.studio, backend_rule=replace(hosted.studio.backend_rule, call_seconds=3.0))

    assert work(studio, hosted.asked()) == "completed"

    states = rows(hosted.database, "select state, billed_usd from backend_calls order by attempt")
    assert [each["state"] for each in states] == ["cancelled", "used"]
    assert states[0]["billed_usd"] is None


@on(*QUEUES)
def test_a_far_end_that_refuses_to_cancel_is_looked_at_all_the_same(hosted, monkeypatch):
    backend = hosted.studio.open_hosted(hosted.name)

    def refuse(wire, call):
        hosted.finish()
        raise BackendRejected("405: cancelling is not possible")

    monkeypatch.setattr(type(backend), "cancel", refuse)
    lease, worker = hosted.out()
    cancelled(hosted, lease)
    worker.join()

    soon(hosted)

    assert hosted.call()["object_id"] is not None


# --- what the far end says against it -----------------------------------------------------------------------------


@pytest.fixture
def far_end() -> FarEndInProcess:
    return FarEndInProcess()


@pytest.mark.parametrize("failure", [BackendRejected("405"), CallUnknown("500")])
def test_a_cancel_that_fails_costs_no_picture(studio, far_end, failure):
    studio, lease = waiting(studio, far_end)

    def refuse(step, _):
        if step == "cancel":
            raise failure

    far_end.before = refuse
    cancel_generation(studio.database, lease.id, actor="customer")
    far_end.finish()

    assert settle_calls(studio) == Settled(collected=1)


@pytest.mark.parametrize("failure", [BackendRejected("405"), CallUnknown("500")])
def test_a_deadline_at_which_the_cancel_fails_costs_no_picture(studio, far_end, failure):
    far_end.looks = 1_000_000

    def refuse(step, _):
        if step == "cancel":
            far_end.finish()
            raise failure

    far_end.before = refuse

    assert work(in_process(studio, far_end), asked(studio)) == "completed"
    assert list(far_end.paid().values()) == [1]


def test_a_call_that_is_lost_from_sight_for_a_moment_is_collected_later(studio, far_end, monkeypatch):
    studio, lease = waiting(studio, far_end)
    cancel_generation(studio.database, lease.id, actor="customer")
    look = far_end.look
    monkeypatch.setattr(far_end, "look", lambda _: Failed("404", billed=True))
    monkeypatch.setattr(far_end, "cancel", lambda _: False)
    assert settle_calls(studio) == Settled(left=1)
    monkeypatch.setattr(far_end, "look", look)
    far_end.finish()
    execute(studio.database, "update backend_calls set looked_at = null")

    assert settle_calls(studio) == Settled(collected=1)


def test_a_call_that_is_gone_for_good_is_uncertain_in_the_end(studio, far_end, monkeypatch):
    studio, lease = waiting(studio, far_end)
    cancel_generation(studio.database, lease.id, actor="customer")
    monkeypatch.setattr(far_end, "look", lambda _: Failed("404", billed=True))
    monkeypatch.setattr(far_end, "cancel", lambda _: False)
    execute(studio.database, "update backend_calls set sent_at = now() - interval '2 hours'")

    settle_calls(studio)

    assert value(studio.database, "select state from backend_calls") == "uncertain"
    assert value(studio.database, "select settled_at is not null from backend_calls")


def test_a_submit_that_had_no_effect_settles_a_call_that_was_cancelled_meanwhile(studio, far_end):
    refused_while_cancelled(in_process(studio, far_end), far_end, CallNotAccepted("429"))


def test_an_order_that_is_refused_settles_a_call_that_was_cancelled_meanwhile(studio, far_end):
    refused_while_cancelled(in_process(studio, far_end), far_end, BackendRejected("400"))


def refused_while_cancelled(studio, far_end, refusal):
    lease = asked(studio)

    def cancel_and_refuse(step, _):
        if step == "submit":
            cancel_generation(studio.database, lease.id, actor="customer")
            raise refusal

    far_end.before = cancel_and_refuse
    with pytest.raises(LeaseLost):
        make(studio, lease)

    (call,) = rows(studio.database, "select * from backend_calls")
    assert (call["state"], call["settled_at"] is None) == ("cancelled", False)


def test_an_order_that_never_arrived_and_whose_sender_is_dead_is_settled(studio, far_end, monkeypatch, tmp_path):
    studio, lease = waiting(studio, far_end)
    execute(
        studio.database,
        "update backend_calls set state = 'sent', far_id = null, accepted_at = null, sender_run = 'run-1'",
    )
    cancel_generation(studio.database, lease.id, actor="customer")
    far_end.orders.clear()
    assert settle_calls(studio) == Settled(left=1)
    assert value(studio.database, "select settled_at from backend_calls") is None
    home = WorkerHome(tmp_path / "workers")
    home_id = home.hold("another")
    monkeypatch.setattr(home, "is_dead", lambda run: run == "run-1")
    execute(studio.database, "update backend_calls set looked_at = null, sender_home = %s", home_id)

    settle_calls(replace(studio, worker_home=home))

    assert value(studio.database, "select state from backend_calls") == "cancelled"
    assert value(studio.database, "select settled_at is not null from backend_calls")


def test_an_error_of_one_pose_breaks_off_no_submit_of_another(studio, far_end, monkeypatch):
    studio = in_process(studio, far_end)
    lease = asked(studio, poses=2)

    def submit(order):
        far_end.orders.append(order)
        if len(far_end.orders) == 1:
            until(lambda: len(far_end.orders) == 2)
            cancel_generation(studio.database, lease.id, actor="customer")
            return Refused(ErrorCode.BACKEND_REJECTED, "not this one")
        time.sleep(1.0)  # in which the error of the other pose has come up
        return Delivered(drawn(order), seed=order.recipe.seed)

    monkeypatch.setattr(far_end, "submit", submit)
    monkeypatch.setattr(far_end, "abort", lambda: far_end.cancelled.append("aborted"))
    with pytest.raises(LeaseLost):
        make(studio, lease)

    assert far_end.cancelled == []
    found = rows(studio.database, "select object_id, settled_at from backend_calls order by object_id nulls first")
    assert [each["object_id"] is None for each in found] == [True, False]
    assert all(each["settled_at"] for each in found)


def in_process(studio, far_end):
    """With the hosted backend of tests, which it waits a second for."""
    return replace(
        studio,
        open_hosted=lambda _: far_end,
        describe=lambda name: far_end.description if name == NAME else None,
        backend_rule=BackendRule(attempts=3, call_seconds=1.0, first_pause=0.02, longest_pause=0.05, failures=1000),
    )


def waiting(studio, far_end):
    """A call that is out, and whose worker was killed."""

    def killed(step, _):
        if step == "look":
            raise Killed

    studio = in_process(studio, far_end)
    far_end.looks, far_end.before = 1_000_000, killed
    lease = asked(studio)
    with pytest.raises(Killed):
        make(studio, lease)
    far_end.before = lambda *_: None
    return studio, lease
