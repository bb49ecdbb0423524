"""Who is served next: the higher priority, then the users in turn, then the older request. Nobody starves another."""

from __future__ import annotations

from uuid import UUID

from posegen.generations.asking import claims
from posegen.generations.making.outcomes import finish_generation
from tests.builders import A_POSE, a_user, execute, rows, started, take_in


def ask(database, user: UUID, count: int = 1, *, priority: int = 0) -> list[UUID]:
    """Several requests of one user, a microsecond apart, and taken in."""
    asked = rows(
        database,
        """
        insert into generation_requests (user_id, poses, priority, created_at)
        select %s, array[%s], %s, clock_timestamp() + n * interval '1 microsecond' from generate_series(1, %s) n
        returning id
        """,
        *(user, A_POSE, priority, count),
    )
    take_in(database)
    return [generation["id"] for generation in asked]


def serve(database, count: int) -> list[UUID]:
    """The next ones, one after the other; each has ended before the next is claimed."""
    served = []
    for _ in range(count):
        for claim in claims.claim_next(database, most_running=1):
            finish_generation(database, started(database, claim))
            served.append(claim.id)
    return served


def test_the_requests_of_one_user_are_served_oldest_first(database):
    asked = ask(database, a_user(database), 4)

    assert serve(database, 4) == asked


def test_users_are_served_in_turn(database):
    one, other = ask(database, a_user(database), 3), ask(database, a_user(database), 3)

    assert serve(database, 6) == [one[0], other[0], one[1], other[1], one[2], other[2]]


def test_a_higher_priority_goes_first(database):
    user = a_user(database)
    low, middle, high = (ask(database, user, priority=priority)[0] for priority in (-1, 0, 1))

    assert serve(database, 3) == [high, middle, low]


def test_a_flood_of_one_user_does_not_starve_another(database):
    flood = ask(database, a_user(database), 100)
    (single,) = ask(database, a_user(database))

    assert serve(database, 2) == [flood[0], single]


def test_who_comes_later_is_served_next_and_not_after_the_flood(database):
    flood = ask(database, a_user(database), 100)
    served = serve(database, 40)
    (single,) = ask(database, a_user(database))

    assert served == flood[:40]
    assert single in serve(database, 2)


def test_who_was_away_for_long_has_not_saved_up_turns(database):
    early = a_user(database)
    ask(database, early)
    busy = a_user(database)
    steady = ask(database, busy, 30)
    serve(database, 20)

    back = ask(database, early, 10)

    following = serve(database, 8)
    assert sum(generation in back for generation in following) in (4, 5)
    assert sum(generation in steady for generation in following) in (3, 4)


def test_a_flood_of_high_priority_does_not_push_newcomers_behind_a_backlog_of_low_priority(database):
    backlog = ask(database, a_user(database), 50)
    ask(database, a_user(database), 50, priority=5)
    serve(database, 50)

    (single,) = ask(database, a_user(database))

    assert single in serve(database, 2)
    assert serve(database, 1)[0] in backlog


def test_urgent_work_of_a_user_does_not_cost_the_turns_of_their_ordinary_work(database):
    user, other = a_user(database), a_user(database)
    ask(database, user, 20, priority=5)
    ordinary = ask(database, user)
    backlog = ask(database, other, 20)
    serve(database, 20)

    assert set(serve(database, 2)) == {ordinary[0], backlog[0]}


def test_a_generation_that_waits_for_its_next_attempt_lets_others_pass(database):
    user = a_user(database)
    waiting, ready = ask(database, user, 2)
    execute(database, "update generations set not_before = now() + interval '1 hour' where id = %s", waiting)

    assert serve(database, 2) == [ready]


def test_a_flood_that_nobody_has_judged_yet_does_not_keep_another_from_intake(database):
    flooder, other = a_user(database), a_user(database)
    execute(
        database,
        "insert into generation_requests (user_id, poses) select %s, array[%s] from generate_series(1, 5)",
        *(flooder, A_POSE),
    )
    execute(database, "insert into generation_requests (user_id, poses) values (%s, array[%s])", *(other, A_POSE))

    assert take_in(database, limit=2) == 2

    judged = rows(database, "select user_id from generations where status = 'queued'")
    assert {generation["user_id"] for generation in judged} == {flooder, other}
