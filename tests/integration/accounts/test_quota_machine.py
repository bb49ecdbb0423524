"""The quota against a model of it: never above the limit, and every byte that is given back was taken."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg import errors

from posegen.accounts import quota
from posegen.database.connection import Database
from posegen.errors import RequestRefused
from posegen.objects import rows as objects
from tests.builders import a_request, a_user, account, execute, rows, stored_object
from tests.machines import run_machine
from tests.resets import reset

SIZES = st.integers(0, 60)


class Quota(RuleBasedStateMachine):
    """One user with a small limit; the model knows what each generation has reserved and stored."""

    database: Database

    @initialize(limit=st.integers(50, 150))
    def begin(self, limit: int) -> None:
        reset(self.database.url)
        self.user = a_user(self.database, storage_limit=limit)
        self.limit = limit
        self.reserved: dict[UUID, int] = {}
        self.stored: dict[int, int] = {}

    @property
    def free(self) -> int:
        return self.limit - sum(self.stored.values()) - sum(self.reserved.values())

    @rule(size=SIZES)
    def reserve(self, size: int) -> None:
        generation = a_request(self.database, self.user)
        try:
            with self.database.transaction() as connection:
                quota.reserve(connection, self.user, size)
                connection.execute("update generations set storage_reserved = %s where id = %s", [size, generation])
        except RequestRefused:
            assert size > self.free
        else:
            assert size <= self.free
            self.reserved[generation] = size

    @precondition(lambda self: self.reserved)
    @rule(data=st.data(), size=SIZES)
    def store(self, data: Any, size: int) -> None:
        generation = data.draw(st.sampled_from(sorted(self.reserved)))
        beyond = max(0, size - self.reserved[generation])
        try:
            with self.database.transaction() as connection:
                made = stored_object(f"poses/{generation}/{uuid4().hex[:12]}.png", size=size)
                object_id, is_new = objects.register(connection, "local", made, generation_id=generation)
                assert is_new
                quota.settle(connection, generation, size)
        except RequestRefused:
            assert beyond > self.free
        else:
            assert beyond <= self.free
            self.reserved[generation] -= size - beyond
            self.stored[object_id] = size

    @precondition(lambda self: self.reserved)
    @rule(data=st.data())
    def give_back(self, data: Any) -> None:
        generation = data.draw(st.sampled_from(sorted(self.reserved)))
        with self.database.transaction() as connection:
            quota.give_back(connection, generation)
            quota.give_back(connection, generation)
        self.reserved[generation] = 0

    @precondition(lambda self: self.stored)
    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        gone = data.draw(st.lists(st.sampled_from(sorted(self.stored)), min_size=1, unique=True))
        execute(self.database, "delete from objects where id = any(%s)", gone)
        for object_id in gone:
            del self.stored[object_id]

    @rule(limit=st.integers(0, 200))
    def change_the_limit(self, limit: int) -> None:
        try:
            execute(self.database, "update accounts set storage_limit = %s where user_id = %s", limit, self.user)
        except errors.CheckViolation:
            assert limit < self.limit - self.free
        else:
            assert limit >= self.limit - self.free
            self.limit = limit

    @invariant()
    def the_account_is_that_of_the_model(self) -> None:
        found = account(self.database, self.user)
        assert (found["storage_used"], found["storage_reserved"], found["storage_limit"]) == (
            sum(self.stored.values()),
            sum(self.reserved.values()),
            self.limit,
        )
        kept = {row["id"]: row["storage_reserved"] for row in rows(self.database, "select * from generations")}
        assert {generation: kept[generation] for generation in self.reserved} == self.reserved


def test_the_quota_does_what_plain_arithmetic_says(database):
    run_machine(Quota, database, examples=6, steps=25)
