"""Generations against a model of them: workers that come late, die, stumble, stop and are cancelled, in any order.

Who may write is decided by the token alone, and at the end all invariants hold, as `posegen verify` asks for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from posegen.database.connection import Database
from posegen.error_codes import ErrorCode
from posegen.errors import BackendHeldBack, ClaimSuperseded, GenerationCancelled, LeaseLost
from posegen.generations.asking import claims
from posegen.generations.making import checkpoint, outcomes
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.recovery import TimeLimits, recover
from posegen.upkeep.invariants import Bounds
from posegen.upkeep.verification import verify
from posegen.work.outcomes import cancel, recover_run, release, release_run, retry_after_error, retry_after_lost_contact
from posegen.work.queue import Claim, Lease
from posegen.work.rules import RetryRule
from tests.builders import (
    SLUGS,
    a_request,
    a_user,
    cancel_generation,
    execute,
    made_pose,
    open_poses,
    row,
    rows,
    take_in,
)
from tests.machines import run_machine
from tests.resets import reset

RULE = RetryRule(most_attempts=3, most_lost_leases=4, first_wait=0)
BOUNDS = Bounds(most_attempts=3, most_lost_leases=4, sweep_slack=600)
ENDED = ("completed", "partial", "failed", "cancelled")


class Workers(RuleBasedStateMachine):
    """The model knows every claim and lease that was ever given out, and which of them count."""

    database: Database

    @initialize()
    def begin(self) -> None:
        reset(self.database.url)
        self.users = [a_user(self.database, credits=300), a_user(self.database)]
        self.claims: list[Claim] = []
        self.leases: list[Lease] = []
        self.current: dict[UUID, Lease] = {}
        self.ended: dict[UUID, dict[str, Any]] = {}

    # --- what customers do --------------------------------------------------------------------------------------

    @rule(user=st.integers(0, 1), poses=st.sampled_from([3, 2, 1]), judged=st.sampled_from([True, True, False]))
    def ask(self, user: int, poses: int, judged: bool) -> None:
        a_request(self.database, self.users[user], poses=SLUGS[:poses])
        if judged:
            take_in(self.database)

    # --- what workers do ----------------------------------------------------------------------------------------

    @precondition(lambda self: self.known)
    @rule(slots=st.sampled_from([3, 2, 1]), started=st.sampled_from([3, 2, 0]))
    def claim(self, slots: int, started: int) -> None:
        """As many as there are slots; the runs of some begin at once."""
        execute(self.database, "update generations set not_before = now() where status = 'queued'")
        before = len(rows(self.database, "select from generations where status in ('dispatched', 'running')"))
        claimed = claims.claim_next(self.database, most_running=slots)
        assert before + len(claimed) <= max(slots, before)
        self.claims += claimed
        for claim in claimed[:started]:
            self._start(claim)

    def _start(self, claim: Claim) -> None:
        now = self._state(claim.id)
        try:
            lease = claims.start_work(
                self.database,
                claim.id,
                dispatch=claim.dispatch,
                run_id=f"{claim.id}:{claim.dispatch}",
                lease_seconds=600,
            )
        except ClaimSuperseded:
            assert (now["status"], now["dispatch"]) != ("dispatched", claim.dispatch)
        except GenerationCancelled:
            assert now["status"] == "cancelled"
        else:
            if lease is None:
                assert now["status"] in ENDED
                return
            assert (now["status"], now["dispatch"]) == ("dispatched", claim.dispatch)
            assert lease.token == now["token"] + 1
            self.leases.append(lease)
            self.current[claim.id] = lease

    @precondition(lambda self: self.current)
    @rule(data=st.data(), how=st.sampled_from(["complete", "fail", "finish"]))
    def work(self, data: Any, how: str) -> None:
        self._write(self.current[data.draw(st.sampled_from(sorted(self.current)))], how)

    @precondition(lambda self: self.current)
    @rule()
    def work_on_all(self) -> None:
        for lease in list(self.current.values()):
            self._write(lease, "complete")

    @precondition(lambda self: self.late)
    @rule(data=st.data(), how=st.sampled_from(["complete", "fail", "finish"]))
    def work_with_a_lease_of_before(self, data: Any, how: str) -> None:
        self._write(data.draw(st.sampled_from(self.late)), how)

    @property
    def late(self) -> list[Lease]:
        """Leases that do not count any more, those first whose generation somebody else has now."""
        stale = [lease for lease in self.leases if self.current.get(lease.id) != lease]
        return sorted(stale, key=lambda lease: lease.id not in self.current)

    def _write(self, lease: Lease, how: str) -> None:
        """It must succeed for the holder of the lease, and for nobody else."""
        ours = self.current.get(lease.id) == lease
        with self.database.transaction() as connection:
            held = GENERATIONS.queue.renew(connection, [lease], lease_seconds=600)
            assert (lease.id in held) == ours
        poses = open_poses(self.database, lease.id)
        if how != "finish" and not poses:
            return
        try:
            if how == "finish":
                outcomes.finish_generation(self.database, lease)
            elif how == "complete":
                made = made_pose(lease.id, poses[0])
                checkpoint.complete_pose(self.database, lease, poses[0], made, store="local")
            else:
                checkpoint.fail_pose(self.database, lease, poses[0], ErrorCode.IMAGE_INVALID, "all black")
        except LeaseLost:
            assert not ours
        else:
            assert ours
            if how == "finish":
                del self.current[lease.id]

    # --- what befalls them --------------------------------------------------------------------------------------

    @precondition(lambda self: self.current)
    @rule(data=st.data(), how=st.sampled_from(["stopped", "error", "lost contact", "held back"]))
    def let_go(self, data: Any, how: str) -> None:
        lease = self.current[data.draw(st.sampled_from(sorted(self.current)))]
        assert self._let_go(lease, how)
        del self.current[lease.id]

    @precondition(lambda self: self.claims)
    @rule(
        data=st.data(),
        what=st.sampled_from(["late start", "late news", "old lease let go", "old lease cancels", "cancel"]),
    )
    def disturb(self, data: Any, what: str) -> None:
        """What comes late, or from somebody else."""
        newest = {claim.id: claim for claim in self.claims}
        old = [claim for claim in self.claims if newest[claim.id] != claim]
        claim = data.draw(st.sampled_from(old or self.claims))
        generation = claim.id
        if what == "late start":
            self._start(claim)
        elif what == "late news":
            self._hear_of_its_end(claim, interrupted=data.draw(st.booleans()))
        elif what == "cancel":
            assert cancel_generation(self.database, generation, actor="customer") == (generation not in self.ended)
            self.current.pop(generation, None)
        elif self.late:
            lease = data.draw(st.sampled_from(self.late))
            how = "cancelled" if what == "old lease cancels" else data.draw(st.sampled_from(["stopped", "error"]))
            assert not self._let_go(lease, how)

    def _let_go(self, lease: Lease, how: str) -> bool:
        let_go: dict[str, Callable[[], bool]] = {
            "stopped": lambda: release(self.database, GENERATIONS, lease, reason="test"),
            "error": lambda: retry_after_error(self.database, GENERATIONS, lease, RULE, reason="test"),
            "lost contact": lambda: retry_after_lost_contact(self.database, GENERATIONS, lease, RULE, reason="test"),
            "held back": lambda: outcomes.hold_back(self.database, lease, BackendHeldBack("mannequin", 0, "503")),
            "cancelled": lambda: cancel(self.database, GENERATIONS, lease, actor="operator"),
        }
        return let_go[how]()

    @precondition(lambda self: self.current)
    @rule(data=st.data(), how=st.sampled_from(["silent", "stalled", "overdue"]))
    def recover(self, data: Any, how: str) -> None:
        generation = data.draw(st.sampled_from(sorted(self.current)))
        long_ago = {
            "silent": "lease_expires_at = now() - interval '1 s'",
            "stalled": "progressed_at = now() - interval '1 h'",
            "overdue": "started_at = now() - interval '3 h'",
        }
        execute(self.database, f"update generations set {long_ago[how]} where id = %s", generation)
        decided = recover(self.database, RULE, TimeLimits())
        assert [decision.id for decision in decided] == [generation]
        assert recover(self.database, RULE, TimeLimits()) == []
        del self.current[generation]

    def _hear_of_its_end(self, claim: Claim, *, interrupted: bool) -> None:
        """A run has ended, perhaps long ago."""
        now = self._state(claim.id)
        run = f"{claim.id}:{claim.dispatch}"
        concerned = now["dispatch"] == claim.dispatch and now["status"] in ("dispatched", "running")
        if interrupted:
            put_back = release_run(self.database, GENERATIONS, claim, run_id=run)
        else:
            put_back = recover_run(self.database, GENERATIONS, claim, RULE, reason="test", run_id=run)
        assert put_back == concerned
        if concerned:
            self.current.pop(claim.id, None)

    # --- what is always true ------------------------------------------------------------------------------------

    def teardown(self) -> None:
        broken = [
            (finding.name, finding.examples) for finding in verify(self.database, bounds=BOUNDS) if finding.violations
        ]
        assert broken == []

    @invariant()
    def the_end_is_final_and_the_leases_are_those_of_the_model(self) -> None:
        found = {
            each["id"]: each for each in rows(self.database, "select * from generations order by submitted_at, id")
        }
        self.known = list(found)
        for generation, before in self.ended.items():
            assert found[generation] == before
        self.ended = {generation: each for generation, each in found.items() if each["status"] in ENDED}
        running = {
            generation: Lease(generation, each["token"])
            for generation, each in found.items()
            if each["status"] == "running"
        }
        assert running == self.current

    def _state(self, generation: UUID) -> dict[str, Any]:
        return row(self.database, "select status, dispatch, token from generations where id = %s", generation)


def test_whatever_befalls_the_workers_every_invariant_holds(database):
    run_machine(Workers, database, examples=10, steps=40)
