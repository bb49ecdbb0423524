"""What every kind of work promises: claimed by one, written by the holder of the lease, tried again, never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from posegen.database.connection import Database
from posegen.designs import kind as designs
from posegen.designs.work import DESIGNS
from posegen.error_codes import ErrorCode
from posegen.errors import DatabaseUnusable, LeaseLost, PartlyDone, RequestRefused, StoreUnavailable
from posegen.generations.kind import kind as generations_kind
from posegen.generations.making.outcomes import GENERATIONS
from posegen.settings import Settings
from posegen.variants import work as variant_requests
from posegen.variants.work import VARIANTS
from posegen.work import outcomes, recovery
from posegen.work.in_process import do_here
from posegen.work.keeper import LeaseKeeper
from posegen.work.lost_runs import lost_runs
from posegen.work.outcomes import Work
from posegen.work.queue import Claim, Lease
from posegen.work.rules import RetryRule
from posegen.work.tick import OPERATOR, Run, WorkKind, tick
from posegen.work.worker_home import WorkerHome
from posegen.work.working import kept, settled
from tests.builders import a_design, a_user, an_image_request, execute, queued, row, rows, value
from tests.concurrency import at_once, until

RULE = RetryRule(most_attempts=3, most_lost_leases=5, first_wait=2)
STALL = 1800


@dataclass(frozen=True)
class Asked:
    """A kind of work, and how a user asks for a row of it."""

    work: Work
    kind: Callable[[Settings], WorkKind]
    ask: Callable[[Database, UUID], UUID]


ALL = {
    "generations": Asked(GENERATIONS, generations_kind, queued),
    "designs": Asked(DESIGNS, designs.kind, a_design),
    "image requests": Asked(VARIANTS, variant_requests.kind, an_image_request),
}


@pytest.fixture(params=ALL, ids=list(ALL))
def asked(request) -> Asked:
    return ALL[request.param]


@pytest.fixture
def user(database) -> UUID:
    return a_user(database)


@pytest.fixture
def kind(asked, tmp_path: Path) -> WorkKind:
    return replace(asked.kind(Settings(posegen_home=tmp_path, posegen_max_running=2)), rule=RULE, stall_seconds=STALL)


@dataclass
class Runs:
    """What an orchestrator remembers."""

    known: dict[str, Run] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def run_with_key(self, run_key: str) -> Run | None:
        return self.known.get(run_key)

    def fail(self, run_id: str, reason: str) -> None:
        self.failed.append(run_id)


def state(database: Database, asked: Asked, work_id: UUID) -> dict[str, object]:
    return row(
        database,
        "select status, dispatch, token, attempts, lost_leases, error_code, error_detail, not_before <= now() as ready,"
        f" extract(epoch from not_before - now())::float8 as wait from {asked.work.queue.table} where id = %s",
        work_id,
    )


def claim(database: Database, kind: WorkKind) -> list[Claim]:
    return list(kind.claim(database))


def start(database: Database, asked: Asked, claims: Sequence[Claim], run: str = "run-1", home: UUID | None = None):
    with database.transaction() as connection:
        return asked.work.queue.start(connection, claims, run_id=run, lease_seconds=60, worker_home=home)


@pytest.fixture
def lease(database, asked, kind, user) -> Lease:
    """A row that a worker holds the lease of."""
    asked.ask(database, user)
    (lease,) = start(database, asked, claim(database, kind))
    return lease


def change(database: Database, asked: Asked, work_id: UUID, what: str) -> None:
    execute(database, f"update {asked.work.queue.table} set {what} where id = %s", work_id)


def expire(database: Database, asked: Asked, work_id: UUID) -> None:
    change(database, asked, work_id, "lease_expires_at = now() - interval '1 second'")


def recover(database: Database, asked: Asked, home: WorkerHome | None = None):
    return recovery.recover(database, asked.work, RULE, stall_seconds=STALL, worker_home=home)


def next_lease(database: Database, asked: Asked, kind: WorkKind, work_id: UUID) -> Lease:
    """The next attempt, without waiting for its time to come."""
    change(database, asked, work_id, "not_before = now()")
    (lease,) = start(database, asked, claim(database, kind))
    return lease


# --- claimed ----------------------------------------------------------------------------------------------------------


def test_of_many_claimers_one_gets_each_row(database, asked, kind, user, connections_open):
    wanted = {asked.ask(database, user) for _ in range(3)}

    found = at_once([lambda: claim(database, kind)] * 4)

    claimed = [each.id for claims in found if isinstance(claims, list) for each in claims]
    assert sorted(claimed) == sorted(wanted)


def test_users_take_turns(database, asked, user):
    for _ in range(8):
        asked.ask(database, user)
    patient = asked.ask(database, a_user(database))

    kind = asked.kind(Settings(posegen_max_running=1))
    launched = tick(database, kind, Runs())

    assert patient in [each.id for launch in launched for each in launch.claims]


def test_a_claim_starts_once(database, asked, kind, user, connections_open):
    asked.ask(database, user)
    claims = claim(database, kind)

    started = at_once([lambda: start(database, asked, claims)] * 4)

    assert sorted(len(each) for each in started if isinstance(each, list)) == [0, 0, 0, 1]


def test_a_kind_has_a_slot_while_others_fill_theirs(database, asked, kind, user):
    for name, other in ALL.items():
        if other.work is not asked.work:
            for _ in range(7):
                other.ask(database, user)
            start(database, other, claim(database, other.kind(Settings(posegen_max_running=2))), run=name)
    asked.ask(database, user)
    asked.ask(database, user)

    under_way = value(database, "select count(distinct coalesce(batch, id)) from work_under_way")
    launched = tick(database, kind, Runs())

    assert under_way >= 6, "every slot is taken"
    assert len(launched) == 1


# --- written by the holder of the lease -------------------------------------------------------------------------------


def test_a_late_worker_writes_nothing_after_its_row_was_taken_away(database, asked, kind, lease):
    expire(database, asked, lease.id)
    assert [each.id for each in recover(database, asked)] == [lease.id]
    current = next_lease(database, asked, kind, lease.id)
    before = state(database, asked, lease.id)

    with database.transaction() as connection:
        assert asked.work.queue.renew(connection, [lease], lease_seconds=60) == set()
        assert asked.work.queue.note_progress(connection, [lease]) == set()
        assert asked.work.queue.hold(connection, lease) is None
    assert outcomes.retry_after_error(database, asked.work, lease, RULE, reason="late") is None
    assert outcomes.retry_after_lost_contact(database, asked.work, lease, RULE, reason="late") is None
    assert not outcomes.refuse(database, asked.work, lease, RequestRefused(ErrorCode.INVALID_REQUEST, "late"))
    assert not outcomes.release(database, asked.work, lease, reason="late")
    assert not outcomes.cancel(database, asked.work, lease, actor="late")

    assert {**state(database, asked, lease.id), "wait": None} == {**before, "wait": None}
    with database.transaction() as connection:
        assert asked.work.queue.hold(connection, current) is not None


def test_a_keeper_holds_a_lease_for_longer_than_its_duration(database, asked, lease):
    with LeaseKeeper(database, asked.work.queue, [lease], lease_seconds=1) as keeper:
        began = value(database, "select now()")
        until(lambda: value(database, "select now() > %s + interval '2 seconds'", began))
        assert recover(database, asked) == []
        keeper.check(lease)


def test_a_keeper_notices_that_another_worker_owns_the_row(database, asked, kind, lease):
    with LeaseKeeper(database, asked.work.queue, [lease], lease_seconds=1) as keeper:

        def taken() -> bool:
            expire(database, asked, lease.id)
            return bool(recover(database, asked))

        until(taken)  # the keeper may renew the lease in between

        def noticed() -> bool:
            try:
                keeper.check(lease)
            except LeaseLost:
                return True
            return False

        until(noticed)


# --- tried again ------------------------------------------------------------------------------------------------------


def test_errors_are_tried_again_after_growing_pauses_and_end_with_their_code(database, asked, kind, lease):
    waits = []
    for _ in range(2):
        assert outcomes.retry_after_error(
            database, asked.work, lease, RULE, reason="disk full", code=ErrorCode.STORAGE_FAILED
        )
        waits.append(round(float(str(state(database, asked, lease.id)["wait"]))))
        assert claim(database, kind) == []
        lease = next_lease(database, asked, kind, lease.id)

    outcomes.retry_after_error(database, asked.work, lease, RULE, reason="disk full", code=ErrorCode.STORAGE_FAILED)

    ended = state(database, asked, lease.id)
    assert waits == [2, 4]
    assert (ended["status"], ended["error_code"], ended["attempts"]) == ("failed", "storage_failed", 3)
    assert ended["error_detail"] == "given up after 3 errors and 0 lost leases; the last: disk full"


def test_lost_workers_are_replaced_at_once_counted_apart_and_end_a_row_in_the_end(database, asked, kind, lease):
    for lost in range(1, 5):
        expire(database, asked, lease.id)
        (recovered,) = recover(database, asked)
        assert (recovered.goes_on, recovered.run_id) == (True, "run-1")
        found = state(database, asked, lease.id)
        assert (found["attempts"], found["lost_leases"], found["ready"]) == (0, lost, True)
        lease = next_lease(database, asked, kind, lease.id)

    expire(database, asked, lease.id)
    recover(database, asked)

    assert state(database, asked, lease.id)["error_code"] == "poisoned"


def test_a_worker_that_renews_its_lease_and_makes_no_progress_counts_as_an_error(database, asked, lease):
    assert recover(database, asked) == []
    change(database, asked, lease.id, f"progressed_at = now() - interval '{STALL + 1} seconds'")

    (recovered,) = recover(database, asked)

    assert recovered.reason == f"no progress for {STALL} s"
    assert state(database, asked, lease.id)["attempts"] == 1


def test_the_row_of_a_dead_worker_is_taken_away_without_waiting_for_its_lease(database, asked, kind, user, tmp_path):
    home = WorkerHome(tmp_path / "workers")
    asked.ask(database, user)
    with_lock = home.hold("run of a dead process")
    (lease,) = start(database, asked, claim(database, kind), run="run of a dead process", home=with_lock)
    assert recover(database, asked, home) == []
    dead = replace_is_dead(home)

    (recovered,) = recover(database, asked, dead)

    assert (recovered.id, recovered.reason) == (lease.id, "its worker has died")


def replace_is_dead(home: WorkerHome) -> WorkerHome:
    """As the kernel says when the process of a run has ended; `test_workers` kills one."""

    class Dead(WorkerHome):
        def is_dead(self, run_id: str) -> bool:
            return True

    return Dead(home._folder)


def test_what_is_taken_away_is_noted_until_the_orchestrator_was_told(database, asked, kind, lease):
    expire(database, asked, lease.id)
    recover(database, asked)
    with database.transaction() as connection:
        assert [(each.run_id, each.work) for each in lost_runs(connection)] == [("run-1", asked.work.queue.table)]

    runs = Runs()
    tick(database, kind, runs)

    assert runs.failed == ["run-1"]
    assert rows(database, "select from lost_runs") == []


def test_a_row_that_another_transaction_holds_is_left_to_the_next_pass(database, asked, kind, user):
    first, second = (asked.ask(database, user) for _ in range(2))
    start(database, asked, claim(database, kind))
    for each in (first, second):
        expire(database, asked, each)

    found: list[UUID] = []
    with database.transaction() as connection:
        connection.execute(f"select from {asked.work.queue.table} where id = %s for update", [first])  # type: ignore[arg-type]
        passing = threading.Thread(target=lambda: found.extend(each.id for each in recover(database, asked)))
        passing.start()
        passing.join(180)
        assert found == [second]

    assert [each.id for each in recover(database, asked)] == [first]


def test_one_row_that_cannot_be_recovered_leaves_the_others_alone(database, asked, kind, user, monkeypatch):
    first, second = (asked.ask(database, user) for _ in range(2))
    for number, each in enumerate(claim(database, kind)):
        start(database, asked, [each], run=f"run-{number}")
    for each in (first, second):
        expire(database, asked, each)
    note = outcomes.note_lost_run

    def note_lost_run(connection, run_id, *rest):
        if run_id == "run-0":
            connection.execute("select 'no number'::integer")
        note(connection, run_id, *rest)

    monkeypatch.setattr(outcomes, "note_lost_run", note_lost_run)

    with pytest.raises(PartlyDone) as partly:
        recover(database, asked)

    assert [each.id for each in partly.value.done] == [second]
    assert state(database, asked, first)["lost_leases"] == 0


def test_a_worker_that_is_asked_to_stop_costs_no_attempt(database, asked, kind, lease):
    assert outcomes.release(database, asked.work, lease, reason="SIGTERM")

    found = state(database, asked, lease.id)
    assert (found["attempts"], found["lost_leases"], found["ready"]) == (0, 0, True)
    assert [each.id for each in claim(database, kind)] == [lease.id]


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (ZeroDivisionError("a defect"), (1, 0)),
        (StoreUnavailable("no answer", store="local", key="k"), (1, 0)),
        (psycopg.errors.ProgramLimitExceeded("too large"), (1, 0)),
        (psycopg.OperationalError("server closed the connection"), (0, 1)),
        (DatabaseUnusable("no connection could be had"), (0, 1)),
        (psycopg.errors.SerializationFailure("another one"), (0, 0)),
        (psycopg.errors.DiskFull("no space"), (0, 0)),
    ],
    ids=lambda what: type(what).__name__,
)
def test_what_ends_an_attempt_decides_what_it_costs(database, asked, lease, error, counted):
    with pytest.raises(type(error)), settled(database, asked.work, lease, RULE):
        raise error

    found = state(database, asked, lease.id)
    assert (found["status"], found["attempts"], found["lost_leases"]) == (asked.work.queue.waiting, *counted)


def test_after_a_lost_lease_nothing_is_written(database, asked, lease):
    before = state(database, asked, lease.id)

    with pytest.raises(LeaseLost), settled(database, asked.work, lease, RULE):
        raise LeaseLost("another worker owns it")

    assert {**state(database, asked, lease.id), "wait": None} == {**before, "wait": None}


# --- runs that never begin --------------------------------------------------------------------------------------------


def let_the_claims_age(database: Database, asked: Asked) -> None:
    execute(database, f"update {asked.work.queue.table} set dispatched_at = now() - interval '11 seconds'")


def test_a_claim_whose_run_never_came_is_sent_again_under_the_same_key(database, asked, kind, user):
    asked.ask(database, user)
    first = tick(database, kind, Runs())
    assert tick(database, kind, Runs()) == [], "it may be on its way"
    let_the_claims_age(database, asked)

    assert tick(database, kind, Runs()) == first


@pytest.mark.parametrize(
    ("ended", "then"),
    [
        (Run("r", "STARTING", is_finished=False, is_cancelled=False), ("dispatched", 0, None)),
        (Run("r", "FAILURE", is_finished=True, is_cancelled=False), (None, 1, None)),
        (Run("r", "CANCELED", is_finished=True, is_cancelled=True), (None, 0, "cancelled")),
    ],
    ids=lambda what: what.status if isinstance(what, Run) else "",
)
def test_what_became_of_the_run_decides_about_its_claim(database, asked, kind, user, ended, then):
    work_id = asked.ask(database, user)
    (launch,) = tick(database, kind, Runs())
    let_the_claims_age(database, asked)

    assert tick(database, kind, Runs({launch.run_key: ended})) == []

    found = state(database, asked, work_id)
    status, lost, code = then
    assert (found["lost_leases"], found["error_code"]) == (lost, code)
    if code is None:
        assert found["status"] == (status or asked.work.queue.waiting)
    else:
        assert OPERATOR in str(found["error_detail"] or OPERATOR)
        assert claim(database, kind) == []


def test_a_cancelled_run_ends_nothing_that_was_claimed_again_since(database, asked, kind, user):
    asked.ask(database, user)
    (old,) = claim(database, kind)
    (lease,) = start(database, asked, [old])
    outcomes.release(database, asked.work, lease, reason="test")
    (new,) = claim(database, kind)

    assert not outcomes.cancel_run(database, asked.work, old, actor="operator")
    assert start(database, asked, [old]) == []
    assert len(start(database, asked, [new])) == 1


# --- done by the claiming process -------------------------------------------------------------------------------------


def done_here(database, asked: Asked, kind: WorkKind, ends: Callable[[Lease], object]) -> str | None:
    """Claim a row and end it in this process; returns the id of the run that it is done under."""
    ids: list[str] = []

    def do(claimed: Claim, run_id: str) -> None:
        ids.append(run_id)
        (lease,) = start(database, asked, [claimed], run=run_id)
        with kept(database, asked.work, [lease], lease_seconds=60), settled(database, asked.work, lease, RULE):
            ends(lease)

    was_claimed = do_here(lambda: next(iter(claim(database, kind)), None), do, program="a command")
    assert was_claimed == bool(ids)
    return ids[0] if ids else None


def test_a_row_that_does_not_wait_is_left_to_its_worker(database, asked, kind, lease):
    assert done_here(database, asked, kind, lambda _: None) is None


def test_a_refusal_ends_the_row_and_nothing_else(database, asked, kind, user):
    row_id = asked.ask(database, user)

    def refuse(_: Lease) -> None:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, "cannot be made")

    assert done_here(database, asked, kind, refuse)
    assert state(database, asked, row_id)["error_detail"] == "cannot be made"


def test_any_other_error_is_raised_and_the_row_waits_for_another_attempt(database, asked, kind, user):
    row_id = asked.ask(database, user)

    def fails(_: Lease) -> None:
        raise StoreUnavailable("away", store="local")

    with pytest.raises(StoreUnavailable):
        done_here(database, asked, kind, fails)
    assert (state(database, asked, row_id)["status"], state(database, asked, row_id)["attempts"]) == (
        asked.work.queue.waiting,
        1,
    )


def test_an_interrupt_puts_the_row_back_at_no_cost_and_goes_on(database, asked, kind, user):
    row_id = asked.ask(database, user)

    def interrupted(_: Lease) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        done_here(database, asked, kind, interrupted)
    found = state(database, asked, row_id)
    assert (found["status"], found["attempts"], found["lost_leases"]) == (asked.work.queue.waiting, 0, 0)


def test_two_commands_share_no_file_lock_so_that_the_end_of_one_is_not_the_death_of_the_other(
    database, asked, kind, user
):
    for _ in range(2):
        asked.ask(database, user)
    kind = replace(kind, claim=lambda opened: claim_one(opened, asked))

    assert done_here(database, asked, kind, lambda _: None) != done_here(database, asked, kind, lambda _: None)


def claim_one(database: Database, asked: Asked) -> list[Claim]:
    with database.transaction() as connection:
        waiting = asked.work.queue.waiting_ids(connection, 1)
        return asked.work.queue.claim(connection, waiting, batch=uuid4())
