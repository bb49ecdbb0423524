"""Calls that no worker holds: finished ones are collected, cancelled ones are cancelled at the far end."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest

from posegen.errors import CallUnknown
from posegen.generations.asking import claims
from posegen.generations.calling import rows as calling
from posegen.generations.calling import settling
from posegen.generations.calling.settling import Settled, settle_calls
from tests.builders import (
    SLUGS,
    cancel_generation,
    credits,
    execute,
    expire_lease,
    queued,
    rows,
    sweep,
    taken_over,
    value,
    work,
)
from tests.hosted import NAME, FarEndInProcess
from tests.integration.generations.calling.test_calls import Killed, _short_pauses, asked, far_end, make, studio

__all__ = ["_short_pauses", "far_end", "studio"]


@pytest.fixture
def waiting(studio, far_end):
    """A generation whose call is out when its worker is killed."""

    def killed(step, _):
        if step == "look":
            raise Killed

    far_end.looks, far_end.before = 1, killed
    lease = asked(studio)
    with pytest.raises(Killed):
        make(studio, lease)
    far_end.before = lambda *_: None
    return lease


def call(studio):
    (found,) = rows(studio.database, "select * from backend_calls")
    return found


def look_again(studio):
    execute(studio.database, "update backend_calls set looked_at = null")


def test_a_worker_that_holds_its_generation_is_not_interfered_with(studio, waiting):
    assert settle_calls(studio) == Settled()


def test_a_finished_call_without_a_worker_is_collected_and_used_later(studio, far_end, waiting):
    expire_lease(studio.database, waiting.id)

    assert settle_calls(studio) == Settled(left=1)
    assert settle_calls(studio) == Settled(), "no other pass looks at it at once"
    look_again(studio)
    assert settle_calls(studio) == Settled(collected=1)

    assert call(studio)["state"] == "delivered"
    assert work(studio, taken_over(studio.database, waiting.id)) == "completed"
    assert list(far_end.paid().values()) == [1]


def test_a_cancelled_generation_has_no_open_call_and_its_call_is_cancelled_there(studio, far_end, waiting):
    far_end._left["far-1"] = 5
    cancel_generation(studio.database, waiting.id, actor="customer")

    assert (call(studio)["state"], call(studio)["settled_at"]) == ("cancelled", None)
    assert settle_calls(studio) == Settled(cancelled=1)
    assert far_end.cancelled == ["far-1"]
    assert call(studio)["settled_at"] is not None
    assert settle_calls(studio) == Settled()


def test_what_was_finished_all_the_same_is_paid_for_and_recorded(studio, far_end, waiting):
    user = value(studio.database, "select user_id from generations")
    cancel_generation(studio.database, waiting.id, actor="customer")
    far_end._left["far-1"] = 0

    assert settle_calls(studio) == Settled(collected=1)

    found = call(studio)
    assert (found["state"], found["billed_usd"]) == ("cancelled", Decimal("0.075"))
    assert found["object_id"] is not None
    assert credits(studio.database, user)[1:] == (0, 0)
    assert value(studio.database, "select count(*) from owned_objects where owner is not null") == 0


def test_a_lost_response_of_an_ended_generation_is_looked_up(studio, far_end):
    def lose(order):
        raise CallUnknown("reset")

    def killed(step, _):
        if step == "find":
            raise Killed

    far_end.after_submit, far_end.before = lose, killed
    lease = asked(studio)
    with pytest.raises(Killed):
        make(studio, lease)
    cancel_generation(studio.database, lease.id, actor="customer")
    far_end.before = lambda *_: None

    assert settle_calls(studio) == Settled(left=1)
    assert call(studio)["far_id"] == "far-1"
    look_again(studio)
    assert settle_calls(studio) == Settled(collected=1)


def test_a_planned_call_needs_nothing_from_the_far_end(studio, far_end):
    def killed(step, _):
        raise Killed

    lease = asked(studio)
    far_end.before = killed
    with pytest.raises(Killed):
        make(studio, lease)
    execute(studio.database, "update backend_calls set state = 'planned', sent_at = null")
    cancel_generation(studio.database, lease.id, actor="customer")

    assert call(studio)["settled_at"] is not None
    with studio.database.transaction() as connection:
        assert not calling.any_unattended(connection)


def test_one_that_the_far_end_says_nothing_of_is_let_be_after_a_day(studio, far_end, waiting):
    cancel_generation(studio.database, waiting.id, actor="customer")

    def silent(*_):
        raise CallUnknown("503")

    far_end.before = silent
    assert settle_calls(studio) == Settled(left=1)
    execute(studio.database, "update backend_calls set sent_at = now() - interval '2 days', looked_at = null")
    assert settle_calls(studio) == Settled(left=1)
    assert call(studio)["settled_at"] is not None


def test_a_generation_with_an_accepted_call_is_claimed_first_and_although_the_breaker_is_open(studio, waiting):
    others = [queued(studio.database, backend=NAME), queued(studio.database)]
    expire_lease(studio.database, waiting.id)
    sweep(studio.database)
    execute(studio.database, "update generations set not_before = now()")
    execute(
        studio.database,
        "insert into backend_breakers (backend, failures, openings, opened_at, retry_at) "
        "values (%s, 3, 1, now(), now() + interval '1 hour')",
        NAME,
    )

    assert [claim.id for claim in claims.claim_next(studio.database, most_running=1)] == [waiting.id]
    assert [claim.id for claim in claims.claim_next(studio.database, most_running=9)] == [others[1]]


def test_calls_of_a_backend_that_cannot_be_used_wait_for_it(studio, waiting):
    cancel_generation(studio.database, waiting.id, actor="customer")
    execute(studio.database, "update backend_calls set sent_at = now() - interval '2 days'")

    assert settle_calls(replace(studio, hosted=["another"])) == Settled()
    assert call(studio)["settled_at"] is None
    with studio.database.transaction() as connection:
        assert not calling.any_unattended(connection, backends=["another"])
        assert calling.any_unattended(connection, backends=[NAME])
    assert settle_calls(replace(studio, hosted=[NAME])) == Settled(cancelled=1)


# --- a far end that hangs ---------------------------------------------------------------------------------------------


@pytest.fixture
def two_far_ends(studio, far_end):
    """Cancelled calls of two backends, four of `studio` before two of `other`: both far ends by their names."""
    generation = queued(studio.database, backend=NAME, poses=SLUGS[:6])
    cancel_generation(studio.database, generation, actor="customer")
    execute(
        studio.database,
        """
        insert into backend_calls (id, generation_id, pose_id, purpose, budget, attempt, backend, model, recipe,
            recipe_hash, seed, state, token, far_id, planned_at, sent_at, ended_at)
        select gen_random_uuid(), generation_id, id, 'pose', 1, 1, case when position < 4 then %s else 'other' end, 'm',
            '{}', repeat('0', 64), 1, 'cancelled', 1, 'far-' || position + 1, now() + position * interval '1 ms', now(),
            now()
        from generated_poses where generation_id = %s
        """,
        NAME,
        generation,
    )
    order = SimpleNamespace(recipe=SimpleNamespace(seed=1, pose="any", width=256, height=256))
    other = FarEndInProcess(orders=[order] * 6)
    far_end.orders = other.orders
    return {NAME: far_end, "other": other}


def test_a_far_end_that_hangs_costs_a_pass_so_many_seconds_and_no_call_of_another_one(
    studio, two_far_ends, monkeypatch
):
    looked: list[object] = []
    clock = threading.local()  # a look that hangs passes the time of its own thread

    def hangs(step, call_id):
        if step == "look":
            looked.append(call_id)
            clock.now = settling._FAR_END_SECONDS
            raise CallUnknown("No response within 30 s.")

    two_far_ends[NAME].before = hangs
    monkeypatch.setattr(settling, "time", SimpleNamespace(monotonic=lambda: getattr(clock, "now", 0.0)))
    studio = replace(studio, open_hosted=two_far_ends.__getitem__)

    assert settle_calls(studio) == Settled(collected=2, left=4)
    assert len(looked) == 1
    assert settle_calls(studio) == Settled(left=3), "that one was looked at just now"
    assert len(set(looked)) == 2, "the others come first"


def test_the_backends_take_turns_when_there_are_more_calls_than_a_pass_takes(studio, two_far_ends):
    studio = replace(studio, open_hosted=two_far_ends.__getitem__)

    assert settle_calls(studio, limit=2) == Settled(collected=2)
    collected = rows(studio.database, "select backend from backend_calls where object_id is not null")
    assert {each["backend"] for each in collected} == {NAME, "other"}
