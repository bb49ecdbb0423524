"""Whatever happens in whatever order: the balances are those that a replay of the entries gives."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from posegen.database.connection import Database
from posegen.database.generations import Lease
from posegen.error_codes import ErrorCode
from posegen.lifecycle import checkpoint, claims, outcomes
from tests.builders import SLUGS, a_request, a_user, expire_lease, made_pose, open_poses, rows, take_in, value
from tests.resets import reset

# A row for every account that is not what its entries, objects and generations say.
DRIFTED_ACCOUNTS = """
select a.* from accounts a
left join lateral (
    select coalesce(sum(amount) filter (where source = 'issued'), 0) as granted,
           coalesce(sum(case 'available' when target then amount when source then -amount end), 0) as available,
           coalesce(sum(case 'held' when target then amount when source then -amount end), 0) as held,
           coalesce(sum(case 'spent' when target then amount when source then -amount end), 0) as spent
    from ledger_entries l where l.user_id = a.user_id
) entries on true
left join lateral (
    select coalesce(sum(storage_reserved), 0) as reserved,
           (select coalesce(sum(o.size), 0) from objects o join generations g on g.id = o.generation_id
            where g.user_id = a.user_id) as used
    from generations g where g.user_id = a.user_id
) space on true
where (a.credits_granted, a.credits_available, a.credits_held, a.credits_spent, a.storage_used, a.storage_reserved)
    is distinct from (entries.granted, entries.available, entries.held, entries.spent, space.used, space.reserved)
"""
# A row for every hold that is not what its poses and the state of its generation say.
DRIFTED_HOLDS = """
select h.* from holds h join generations g on g.id = h.generation_id
left join lateral (
    select coalesce(sum(price) filter (where status = 'completed'), 0) as paid,
           coalesce(sum(price) filter (where status in ('pending', 'running')), 0) as open
    from generated_poses p where p.generation_id = h.generation_id
) poses on true
where h.captured <> poses.paid or h.amount - h.captured - h.released <> poses.open
    or (g.finished_at is not null and poses.open <> 0)
"""
LIVE = "select id, token, status from generations where finished_at is null order by submitted_at"


class Customers(RuleBasedStateMachine):
    """Two users, of whom one has few credits; their requests are taken in, worked on, cancelled, lost and given up."""

    database: Database
    leases: list[Lease]
    unfinished: list[UUID]

    @initialize()
    def begin(self) -> None:
        reset(self.database.url)
        self.users = [a_user(self.database, credits=100), a_user(self.database, credits=2000)]

    @rule(user=st.integers(0, 1), amount=st.integers(1, 100))
    def grant(self, user: int, amount: int) -> None:
        value(self.database, "select grant_credits(%s, %s, 'test')", self.users[user], amount)

    @rule(user=st.integers(0, 1), poses=st.integers(1, 4), price=st.integers(0, 40))
    def ask(self, user: int, poses: int, price: int) -> None:
        a_request(self.database, self.users[user], poses=SLUGS[:poses])
        take_in(self.database, credits_per_pose=price)

    @rule(slots=st.integers(1, 3))
    def start(self, slots: int) -> None:
        for claim in claims.claim_next(self.database, most_running=slots):
            claims.start_work(
                self.database, claim.generation_id, dispatch=claim.dispatch, run_id="run", lease_seconds=600
            )

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), size=st.integers(0, 5_000_000))
    def complete(self, data: Any, size: int) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        for pose in open_poses(self.database, lease.generation_id)[:1]:
            made = made_pose(lease.generation_id, pose, size=size)
            checkpoint.complete_pose(self.database, lease, pose, made, store="local")

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def fail(self, data: Any) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        for pose in open_poses(self.database, lease.generation_id)[:1]:
            checkpoint.fail_pose(self.database, lease, pose, ErrorCode.BACKEND_REJECTED, "no")

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def finish(self, data: Any) -> None:
        outcomes.finish_generation(self.database, data.draw(st.sampled_from(self.leases)))

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), attempts=st.integers(1, 3))
    def stumble(self, data: Any, attempts: int) -> None:
        rule = outcomes.RetryRule(most_attempts=attempts, first_wait=0)
        outcomes.retry_after_error(self.database, data.draw(st.sampled_from(self.leases)), rule, reason="boom")

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), losses=st.integers(1, 3))
    def lose(self, data: Any, losses: int) -> None:
        expire_lease(self.database, data.draw(st.sampled_from(self.leases)).generation_id)
        outcomes.sweep_expired_leases(self.database, outcomes.RetryRule(most_lost_leases=losses))

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        outcomes.cancel(self.database, data.draw(st.sampled_from(self.unfinished)), actor="customer")

    @invariant()
    def nothing_has_drifted(self) -> None:
        assert rows(self.database, DRIFTED_ACCOUNTS) == []
        assert rows(self.database, DRIFTED_HOLDS) == []
        live = rows(self.database, LIVE)
        self.unfinished = [generation["id"] for generation in live]
        self.leases = [Lease(found["id"], found["token"]) for found in live if found["status"] == "running"]


def test_the_balances_are_those_of_a_replay_whatever_happens(database):
    class Machine(Customers):
        pass

    Machine.database = database
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
