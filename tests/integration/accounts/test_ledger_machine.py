"""The ledger against a model of it: whatever is tried in whatever order, the balances are those of plain arithmetic."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg import errors

from posegen.accounts import credits
from posegen.accounts import replay as audit
from posegen.database.connection import Database
from posegen.errors import RequestRefused
from tests.builders import SLUGS, a_request, a_user, execute, rows, take_in, value
from tests.machines import run_machine
from tests.resets import reset


class Ledger(RuleBasedStateMachine):
    """Two users; the model knows what each has, and what became of each pose."""

    database: Database

    @initialize(first=st.integers(0, 200), second=st.integers(0, 200))
    def begin(self, first: int, second: int) -> None:
        reset(self.database.url)
        self.users = [a_user(self.database, credits=first), a_user(self.database, credits=second)]
        self.available = dict(zip(self.users, (first, second), strict=True))
        self.held = dict.fromkeys(self.users, 0)
        self.spent = dict.fromkeys(self.users, 0)
        # Of each pose: whose it is, of which generation, its price, and open, captured, released or refunded.
        self.poses: dict[UUID, tuple[UUID, UUID, int, str]] = {}

    @rule(user=st.integers(0, 1), amount=st.integers(-5, 150))
    def grant(self, user: int, amount: int) -> None:
        owner = self.users[user]
        try:
            available = value(self.database, "select grant_credits(%s, %s, 'test')", owner, amount)
        except errors.CheckViolation:
            assert amount <= 0
            return
        self.available[owner] += amount
        assert (available, amount > 0) == (self.available[owner], True)

    @rule(user=st.integers(0, 1), poses=st.integers(1, 4), price=st.integers(0, 60))
    def ask(self, user: int, poses: int, price: int) -> None:
        owner = self.users[user]
        generation = a_request(self.database, owner, poses=SLUGS[:poses])
        take_in(self.database, credits_per_pose=price)
        found = value(self.database, "select status from generations where id = %s", generation)
        fits = poses * price <= self.available[owner]
        assert found == ("queued" if fits else "failed")
        if fits:
            self.available[owner] -= poses * price
            self.held[owner] += poses * price
            for made in rows(self.database, "select id from generated_poses where generation_id = %s", generation):
                self.poses[made["id"]] = (owner, generation, price, "open")

    @precondition(lambda self: self.poses)
    @rule(data=st.data())
    def capture(self, data: Any) -> None:
        self._move(data, "captured", lambda connection, g, pose: credits.capture(connection, g, pose))

    @precondition(lambda self: self.poses)
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        self._move(data, "released", lambda connection, g, pose: credits.release(connection, g, pose, "test"))

    def _move(self, data: Any, becomes: str, move: Any) -> None:
        pose = data.draw(st.sampled_from(sorted(self.poses)))
        owner, generation, price, state = self.poses[pose]
        try:
            with self.database.transaction() as connection:
                move(connection, generation, pose)
        except errors.UniqueViolation:
            assert state != "open"
            return
        assert state == "open", "a pose is captured or released once"
        self.held[owner] -= price
        (self.spent if becomes == "captured" else self.available)[owner] += price
        self.poses[pose] = (owner, generation, price, becomes)

    @precondition(lambda self: self.poses)
    @rule(data=st.data())
    def refund(self, data: Any) -> None:
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.poses)), min_size=1, max_size=3))
        with self.database.transaction() as connection:
            refunded = credits.refund(connection, chosen, reason="test", actor="test")
        expected = 0
        for pose in set(chosen):
            owner, generation, price, state = self.poses[pose]
            if state == "captured":
                expected += price
                self.spent[owner] -= price
                self.available[owner] += price
                self.poses[pose] = (owner, generation, price, "refunded")
        assert refunded == expected

    @rule(user=st.integers(0, 1), amount=st.integers(1, 400))
    def overdraw(self, user: int, amount: int) -> None:
        """A hold that nobody judged: the constraint is the last word."""
        owner = self.users[user]
        generation = a_request(self.database, owner)
        try:
            with self.database.transaction() as connection:
                credits.hold(connection, owner, generation, amount)
        except RequestRefused:
            assert amount > self.available[owner]
        else:
            assert amount <= self.available[owner]
            self.available[owner] -= amount
            self.held[owner] += amount
        # It was never judged, so that no later rule meets it.
        execute(
            self.database, "update generations set status = 'cancelled', finished_at = now() where id = %s", generation
        )

    @invariant()
    def the_balances_are_those_of_the_model(self) -> None:
        for found in rows(self.database, "select * from accounts where user_id = any(%s)", self.users):
            owner = found["user_id"]
            assert (found["credits_available"], found["credits_held"], found["credits_spent"]) == (
                self.available[owner],
                self.held[owner],
                self.spent[owner],
            )

    @invariant()
    def a_replay_finds_no_balance_or_hold_that_differs(self) -> None:
        with self.database.transaction() as connection:
            found = audit.audit(connection)
        assert [each for each in found.differences if each.what != "pose"] == []
        assert found.granted == found.in_circulation


def test_the_ledger_does_what_plain_arithmetic_says(database):
    run_machine(Ledger, database, examples=8, steps=25)
