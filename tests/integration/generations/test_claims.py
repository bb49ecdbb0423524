"""Claims: never more than there are slots, never the same one twice, and none is forgotten when its run never came."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

import pytest

from posegen.backends import breaker_rows as breakers
from posegen.errors import ClaimSuperseded, GenerationUnknown
from posegen.generations.asking import claims
from posegen.generations.asking.claims import claim_next, resume_work, start_work
from posegen.generations.making import outcomes
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.rows.events import REQUESTS_CHANNEL
from posegen.work import slots
from posegen.work.outcomes import release
from tests.builders import (
    a_request,
    a_user,
    claimed,
    event_kinds,
    execute,
    expire_lease,
    queued,
    row,
    running,
    started,
    status,
    sweep,
    take_in,
    taken_over,
    value,
)
from tests.concurrency import at_once


def several_queued(database, count):
    user = a_user(database)
    asked = [a_request(database, user) for _ in range(count)]
    take_in(database)
    return asked


def start(database, generation: UUID, dispatch: int | None, run: str = "run-9"):
    return start_work(database, generation, dispatch=dispatch, run_id=run, lease_seconds=60)


# --- how many -----------------------------------------------------------------------------------------------------


def test_as_many_are_claimed_as_there_are_free_slots(database):
    asked = several_queued(database, 5)

    assert [claim.id for claim in claim_next(database, most_running=3)] == asked[:3]
    assert [status(database, generation) for generation in asked] == ["dispatched"] * 3 + ["queued"] * 2


def test_claimed_and_running_generations_take_up_slots(database):
    several_queued(database, 5)
    first, _ = claim_next(database, most_running=2)
    started(database, first)

    assert claim_next(database, most_running=2) == []
    assert len(claim_next(database, most_running=3)) == 1


def test_a_generation_that_ended_frees_its_slot(database):
    asked = several_queued(database, 2)
    (claim,) = claim_next(database, most_running=1)
    outcomes.finish_generation(database, started(database, claim))

    assert [claim.id for claim in claim_next(database, most_running=1)] == asked[1:]


def test_one_user_has_so_many_under_way_and_others_go_first(database):
    eager, other = a_user(database), a_user(database)
    of_eager = [queued(database, eager) for _ in range(5)]
    of_other = [queued(database, other) for _ in range(2)]

    first = claim_next(database, most_running=10, most_running_per_user=2)

    assert {claim.id for claim in first} == {*of_eager[:2], *of_other}
    assert claim_next(database, most_running=10, most_running_per_user=2) == []
    outcomes.finish_generation(database, started(database, first[0]))
    (next_one,) = claim_next(database, most_running=10, most_running_per_user=2)
    assert next_one.user_id == first[0].user_id


def test_the_limit_of_a_user_does_not_lift_that_of_all(database):
    for _ in range(3):
        several_queued(database, 2)

    assert len(claim_next(database, most_running=4, most_running_per_user=2)) == 4


def with_backend(database, backend: str, count: int) -> list[UUID]:
    asked = several_queued(database, count)
    execute(database, "update generations set backend = %s where id = any(%s)", backend, asked)
    return asked


def test_generations_of_hosted_backends_have_slots_of_their_own(database):
    drawn, photographed = with_backend(database, "mannequin", 4), with_backend(database, "fal", 4)

    found = claim_next(database, most_running=2, most_waiting=3, hosted={"fal", "bfl"})

    assert {claim.id for claim in found} == {*drawn[:2], *photographed[:3]}
    assert claim_next(database, most_running=2, most_waiting=3, hosted={"fal", "bfl"}) == []
    outcomes.finish_generation(database, started(database, next(c for c in found if c.id in photographed)))
    (freed,) = claim_next(database, most_running=2, most_waiting=3, hosted={"fal", "bfl"})
    assert freed.id == photographed[3]


def test_a_hosted_backend_that_is_no_longer_configured_has_the_slots_of_the_others(database):
    with_backend(database, "fal", 3)

    assert len(claim_next(database, most_running=2, most_waiting=3, hosted={"bfl"})) == 2


def test_the_limit_of_a_user_counts_over_both_kinds_of_slots(database):
    user = a_user(database)
    asked = [queued(database, user) for _ in range(4)]
    execute(database, "update generations set backend = 'fal' where id = any(%s)", asked[2:])

    found = claim_next(database, most_running=9, most_running_per_user=3, most_waiting=9, hosted={"fal"})

    assert len(found) == 3


def test_the_breaker_of_a_hosted_backend_is_probed_in_its_own_slots(database):
    with_backend(database, "fal", 2)
    with database.transaction() as connection:
        breakers.count_failure(connection, "fal", "no route to host")
        breakers.open_breaker(connection, "fal", seconds=0)

    assert claim_next(database, most_running=5, most_waiting=0, hosted={"fal"}) == []
    assert len(claim_next(database, most_running=5, most_waiting=5, hosted={"fal"})) == 1


def test_whoever_listens_hears_of_a_free_slot(database):
    several_queued(database, 2)
    (claim,) = claim_next(database, most_running=1)
    lease = started(database, claim)

    with database.listening(REQUESTS_CHANNEL) as listener:
        renew(database, lease)
        assert listener.wait(0.2) == [], "to go on working frees nothing"
        outcomes.finish_generation(database, lease)
        assert listener.wait(180) == [""]


def renew(database, lease):
    with database.transaction() as connection:
        GENERATIONS.queue.renew(connection, [lease], lease_seconds=60)


def test_an_empty_queue_gives_nothing(database):
    assert claim_next(database, most_running=10) == []


def test_claimers_at_once_never_claim_the_same_nor_more_than_there_are_slots(database, connections_open):
    several_queued(database, 30)

    answers = at_once([lambda: claim_next(database, most_running=7)] * 6)

    taken = [claim.id for answer in answers for claim in answer]
    assert len(taken) == len(set(taken)) == 7


def test_a_claimer_waits_for_another_one_that_is_still_counting(database):
    several_queued(database, 4)
    answers: list[object] = []
    second = threading.Thread(target=lambda: answers.append(claim_next(database, most_running=2)))

    with database.transaction() as connection:
        slots.lock_claiming(connection)
        assert len(claims.claim_queued(connection, 2)) == 2
        second.start()
        second.join(0.3)
        assert answers == []
    second.join(180)

    assert answers == [[]]


def test_claimers_at_once_empty_the_queue_without_taking_anything_twice(database, connections_open):
    asked = several_queued(database, 30)

    answers = at_once([lambda: claim_next(database, most_running=1000)] * 6)

    assert sorted(claim.id for answer in answers for claim in answer) == sorted(asked)


# --- from the claim to the lease ----------------------------------------------------------------------------------


def test_every_claim_of_a_generation_has_a_number_of_its_own(database):
    first = claimed(database)
    release(database, GENERATIONS, started(database, first), reason="test")

    (second,) = claim_next(database, most_running=1)

    assert (first.dispatch, second.dispatch) == (1, 2)
    assert event_kinds(database, first.id) == [
        *("submitted", "queued", "dispatched", "started", "released", "dispatched"),
    ]


def test_a_run_turns_its_claim_into_a_lease(database):
    claim = claimed(database)

    lease = start(database, claim.id, claim.dispatch)

    assert lease is not None
    assert row(
        database,
        "select status, run_id, token, "
        "lease_expires_at between now() + interval '50 s' and now() + interval '60 s' as fresh from generations",
    ) == {"status": "running", "run_id": "run-9", "token": lease.token, "fresh": True}


def test_the_token_rises_with_every_lease(database):
    first = running(database)

    second = taken_over(database, first.id)

    assert second.token > first.token


def test_a_run_with_an_old_claim_is_superseded(database):
    claim = claimed(database)
    release(database, GENERATIONS, started(database, claim), reason="test")
    claim_next(database, most_running=1)

    with pytest.raises(ClaimSuperseded, match="dispatch 1"):
        start(database, claim.id, claim.dispatch)
    assert status(database, claim.id) == "dispatched"


def test_a_second_run_of_the_same_claim_is_superseded(database):
    claim = claimed(database)
    started(database, claim)

    with pytest.raises(ClaimSuperseded, match="wait for the other run"):
        start(database, claim.id, claim.dispatch)


def test_two_runs_of_one_claim_at_once_get_one_lease(database, connections_open):
    claim = claimed(database)

    answers = at_once([lambda n=n: start(database, claim.id, claim.dispatch, f"run-{n}") for n in range(4)])

    assert sorted(type(answer).__name__ for answer in answers) == ["ClaimSuperseded"] * 3 + ["Lease"]


def test_a_run_that_an_operator_started_by_hand_claims_for_itself(database):
    generation = queued(database)

    assert start(database, generation, None) is not None
    assert row(database, "select status, dispatch from generations") == {"status": "running", "dispatch": 1}


def test_a_run_that_an_operator_started_by_hand_does_not_take_a_claim_away(database):
    claim = claimed(database)

    with pytest.raises(ClaimSuperseded):
        start(database, claim.id, None)


def test_a_generation_that_was_not_judged_yet_cannot_be_started(database):
    generation = a_request(database, a_user(database))

    with pytest.raises(ClaimSuperseded, match="submitted"):
        start(database, generation, None)


def test_nothing_is_left_to_start_when_a_generation_has_ended(database):
    lease = running(database)
    outcomes.finish_generation(database, lease)

    assert start(database, lease.id, 1) is None
    assert resume_work(database, lease.id, run_id="run-1") is None


def test_a_generation_that_does_not_exist_cannot_be_started(database):
    with pytest.raises(GenerationUnknown, match="posegen status"):
        start(database, uuid4(), 1)
    with pytest.raises(GenerationUnknown):
        resume_work(database, uuid4(), run_id="run-1")


# --- the same run, next step --------------------------------------------------------------------------------------


def test_the_next_step_of_a_run_has_the_same_lease(database):
    lease = running(database, run="run-1")

    assert resume_work(database, lease.id, run_id="run-1") == lease


def test_the_next_step_of_a_run_stops_when_another_run_has_taken_over(database):
    lease = running(database, run="run-1")
    taken_over(database, lease.id, run="run-2")

    with pytest.raises(ClaimSuperseded, match="under run run-2, not under run run-1"):
        resume_work(database, lease.id, run_id="run-1")


def test_the_next_step_of_a_run_stops_when_its_generation_waits_again(database):
    lease = running(database)
    expire_lease(database, lease.id)
    sweep(database)

    with pytest.raises(ClaimSuperseded, match="queued"):
        resume_work(database, lease.id, run_id="run-1")


# --- claims of generations -----------------------------------------------------------------------------------------


def test_a_dispatched_generation_is_no_prey_of_the_sweep(database):
    claim = claimed(database)
    with database.transaction() as connection:
        connection.execute("update generations set dispatched_at = now() - interval '1 hour'")

    assert sweep(database) == []
    assert value(database, "select dispatch from generations") == claim.dispatch
