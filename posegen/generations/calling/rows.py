"""Statements about calls of hosted backends: one row is one order to one provider, inserted before anything leaves.

Decisions (planning a call, marking it sent, ending it) belong behind the fence of the generation's lease. Facts about
the far end are written once and only forward, by whichever worker learns them, also one that has lost its lease.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, LiteralString
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from posegen.backends.hosted import Accepted, AcceptedCall, Bill
from posegen.backends.protocol import Recipe
from posegen.database.connection import Connection
from posegen.database.rows import changed, column, existing, many, one, value
from posegen.database.texts import storable
from posegen.error_codes import ErrorCode
from posegen.generations.calling import telling

Purpose = Literal["pose", "background", "replay"]


class CallState(StrEnum):
    """Where a call stands; those from `used` on are final."""

    PLANNED = "planned"
    SENT = "sent"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    USED = "used"
    REJECTED = "rejected"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNCERTAIN = "uncertain"

    @property
    def is_final(self) -> bool:
        """Whether a call in this state has ended."""
        return self not in (CallState.PLANNED, CallState.SENT, CallState.ACCEPTED, CallState.DELIVERED)


@dataclass(frozen=True)
class Call:
    """A call as its row has it.

    `age`: seconds since it was sent, None while it is planned; `failures`: submits that certainly had no effect;
    `error`: what went wrong last, such as why the far end does not respond; `object_*`: the delivered file.
    """

    id: UUID
    pose_id: UUID
    generation_id: UUID
    attempt: int
    backend: str
    recipe: dict[str, Any] | None
    seed: int
    state: str
    token: int
    sender_run: str | None
    sender_home: UUID | None
    failures: int
    far_id: str | None
    urls: dict[str, str]
    sent_at: datetime | None
    age: float | None
    facts: dict[str, Any]
    error: str | None
    object_id: int | None
    object_store: str | None
    object_key: str | None
    object_sha256: str | None
    private: bool = False

    @property
    def file(self) -> tuple[str, str, str]:
        """Store, key and SHA-256 of the delivered file."""
        assert self.object_store is not None, "a delivered call has its file"
        assert self.object_key is not None, "a delivered call has its file"
        assert self.object_sha256 is not None, "a delivered call has its file"
        return self.object_store, self.object_key, self.object_sha256

    @property
    def accepted(self) -> AcceptedCall:
        """What a wire needs to look at it."""
        assert self.far_id is not None, "an accepted call has the far end's id"
        return AcceptedCall(self.id, self.far_id, self.urls)


@dataclass(frozen=True)
class SentBy:
    """Who sends an order. `token`: tells one send from others; `run`: whose file lock, in `home`, proves its death."""

    token: int
    run: str | None
    home: UUID | None


OPEN: LiteralString = "('planned', 'sent', 'accepted', 'delivered')"
"""The states of a call that has not ended, as a list of SQL: indexes have it as their condition."""
_CALL: LiteralString = """
    c.id, c.pose_id, c.generation_id, c.attempt, c.backend, c.recipe, c.seed, c.state, c.token, c.sender_run,
    c.sender_home, c.failures, c.far_id, c.urls, c.sent_at,
    extract(epoch from clock_timestamp() - c.sent_at)::double precision as age,
    c.facts, c.error, c.object_id, o.store as object_store, o.key as object_key, o.sha256 as object_sha256,
    (select private from generations where id = c.generation_id) as private
"""


def open_call(connection: Connection, pose: UUID, purpose: Purpose = "pose") -> Call | None:
    """The call of a pose that has not ended; there is one at most."""
    statement = f"""
        select {_CALL} from backend_calls c left join objects o on o.id = c.object_id
        where c.pose_id = %s and c.purpose = %s and c.state in {OPEN}
    """
    return one(connection, Call, statement, [pose, purpose])


def call(connection: Connection, call_id: UUID) -> Call:
    """The call with this id."""
    statement = f"select {_CALL} from backend_calls c left join objects o on o.id = c.object_id where c.id = %s"
    return existing(connection, Call, statement, [call_id])


@dataclass(frozen=True)
class History:
    """The ended calls of a pose. `billable`: that the provider may have billed; `last_state`: None when there is none.

    `uncertain`: those of the billable ones of which it cannot be told whether they were made; `fruitless`: submits
    without an effect, failed and cancelled calls; `last_error`: of the newest call that has one.
    """

    number: int
    rejected: int
    billable: int
    uncertain: int
    fruitless: int
    last_state: str | None
    last_code: str | None
    last_error: str | None


def history(connection: Connection, pose: UUID, purpose: Purpose = "pose") -> History:
    """What the calls of a pose have come to so far."""
    statement = """
        select count(*) as number, count(*) filter (where state = 'rejected') as rejected,
               count(*) filter (where state in ('used', 'rejected', 'uncertain') or billed_usd > 0) as billable,
               count(*) filter (where state = 'uncertain') as uncertain,
               (coalesce(sum(failures), 0) + count(*) filter (where state in ('cancelled', 'failed')))::integer
                   as fruitless,
               (array_agg(state order by attempt desc))[1] as last_state,
               (array_agg(error_code order by attempt desc))[1] as last_code,
               (array_agg(error order by attempt desc) filter (where error is not null))[1] as last_error
        from backend_calls where pose_id = %s and purpose = %s
    """
    return existing(connection, History, statement, [pose, purpose])


def take_place(connection: Connection, backend: str, *, most: int) -> bool:
    """Whether one more call of this backend may be out; until the transaction ends, no other worker plans one."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('posegen calls of ' || %s, 0))", [backend])
    return places_taken(connection, backend) < most


def places_taken(connection: Connection, backend: str) -> int:
    """How many calls of this backend are out or about to leave, over all workers."""
    statement = "select count(*) from backend_calls where backend = %s and state in ('planned', 'sent', 'accepted')"
    return int(value(connection, statement, [backend]))


def plan(
    connection: Connection,
    pose: UUID,
    recipe: Recipe,
    *,
    generation: UUID,
    token: int,
    attempt: int,
    budget: int,
    purpose: Purpose = "pose",
) -> UUID:
    """Insert a call of which nothing has left yet; returns its id.

    Args:
        connection: in a transaction that holds the fence, and a place among the backend's calls.
        pose: that it is for.
        recipe: what is ordered.
        generation: of the pose.
        token: under which it is planned.
        attempt: which call of the pose it is, from 1.
        budget: how many calls of the pose may be billed; uncertain calls of an unbilled backend come on top.
        purpose: what the picture is for.
    """
    call_id = uuid4()
    connection.execute(
        """
        insert into backend_calls (id, purpose, pose_id, generation_id, budget, attempt, backend, model, recipe,
            recipe_hash, seed, token)
        values (%(id)s, %(purpose)s, %(pose)s, %(generation)s, %(budget)s, %(attempt)s, %(backend)s, %(model)s,
            %(recipe)s, %(recipe_hash)s, %(seed)s, %(token)s)
        """,
        {
            "id": call_id,
            "purpose": purpose,
            "pose": pose,
            "generation": generation,
            "budget": budget,
            "attempt": attempt,
            "backend": recipe.backend,
            "model": recipe.model,
            "recipe": Jsonb(recipe.to_json()),
            "recipe_hash": recipe.digest(),
            "seed": recipe.seed,
            "token": token,
        },
    )
    return call_id


def mark_sent(connection: Connection, call_id: UUID, sender: SentBy, *, again_after: int | None = None) -> bool:
    """Note that the request is about to leave, and who sends it; of two senders only one can.

    `again_after`: the token under which it was sent before, for a call that certainly did not reach the far end.
    """
    statement = """
        update backend_calls set state = 'sent', sent_at = clock_timestamp(), token = %(token)s, sender_run = %(run)s,
            sender_home = %(home)s
        where id = %(id)s
            and (state = 'planned' and %(again_after)s::bigint is null
                or state = 'sent' and far_id is null and token = %(again_after)s::bigint)
    """
    if not changed(connection, statement, {**vars(sender), "id": call_id, "again_after": again_after}):
        return False
    telling.decided(connection, call_id)
    return True


# --- facts: written once, by any worker -------------------------------------------------------------------------------


def unsend(connection: Connection, call_id: UUID, *, token: int, error: str) -> bool:
    """Note that nothing of a request has reached the far end; False when another worker has sent it since.

    One that was cancelled meanwhile is settled by that. `token`: under which it was sent.
    """
    statement = """
        update backend_calls set error = %s,
            state = case state when 'sent' then 'planned' else state end,
            sent_at = case state when 'sent' then null else sent_at end,
            settled_at = case state when 'sent' then null else clock_timestamp() end
        where id = %s and token = %s and far_id is null
            and (state = 'sent' or state = 'cancelled' and settled_at is null)
    """
    return changed(connection, statement, [storable(error), call_id, token]) == 1


def accept(connection: Connection, call_id: UUID, accepted: Accepted) -> bool:
    """Note the far end's id; False when the call has one already.

    The earliest time at which the file may expire is noted, too: that of a picture that is made at once.
    """
    telling.lock_generation(connection, call_id)
    statement = """
        update backend_calls set far_id = %(far_id)s, urls = %(urls)s, accepted_at = clock_timestamp(),
            expires_at = clock_timestamp() + make_interval(secs => %(kept)s::float8), error = null,
            state = case when state in ('planned', 'sent') then 'accepted' else state end
        where id = %(id)s and far_id is null returning state
    """
    values = {
        "id": call_id,
        "far_id": accepted.far_id,
        "urls": Jsonb(dict(accepted.urls)),
        "kept": accepted.kept_seconds,
    }
    state = value(connection, statement, values)
    if state is None:
        return False
    _bill(connection, call_id, accepted.bill)
    if state == CallState.ACCEPTED:
        telling.learned(connection, call_id)
    return True


def deliver(
    connection: Connection, call_id: UUID, *, object_id: int, facts: Mapping[str, Any], bill: Bill | None
) -> bool:
    """Note the delivered file; False when one was delivered before.

    `connection`: in a transaction that has locked the generation.
    """
    statement = """
        update backend_calls set object_id = %(object)s, facts = %(facts)s, delivered_at = clock_timestamp(),
            state = case when state in ('sent', 'accepted') then 'delivered' else state end,
            settled_at = case when ended_at is null then settled_at else clock_timestamp() end
        where id = %(id)s and delivered_at is null returning state
    """
    state = value(connection, statement, {"id": call_id, "object": object_id, "facts": Jsonb(dict(facts))})
    if state is None:
        return False
    _bill(connection, call_id, bill)
    if state == CallState.DELIVERED:
        telling.learned(connection, call_id)
    return True


def _bill(connection: Connection, call_id: UUID, bill: Bill | None) -> None:
    if bill is not None:
        connection.execute(
            "update backend_calls set billed_usd = %s, bill_source = %s where id = %s and billed_usd is null",
            [bill.usd, bill.source, call_id],
        )


def note_error(connection: Connection, call_id: UUID, error: str | None) -> None:
    """Note why the far end does not respond to looks at a call; None once it does again."""
    clean = None if error is None else storable(error)
    connection.execute("update backend_calls set error = %s where id = %s and ended_at is null", [clean, call_id])


def recorded_ids(connection: Connection, backend: str) -> frozenset[str]:
    """The far end's ids that belong to calls of the last days."""
    statement = """
        select far_id from backend_calls
        where backend = %s and far_id is not null and planned_at > now() - interval '7 days'
    """
    return frozenset(column(connection, statement, [backend]))


def billed(connection: Connection, call_id: UUID) -> Decimal | None:
    """What a call has cost in US dollars; None when nothing says so."""
    found: Decimal | None = value(connection, "select billed_usd from backend_calls where id = %s", [call_id])
    return found


def usual_seconds(connection: Connection, backend: str) -> float | None:
    """How long the quicker ones of the newest pictures of a backend took, from sending to the file; None for none."""
    statement = """
        select percentile_disc(0.25) within group (order by took) from (
            select extract(epoch from delivered_at - sent_at)::double precision as took from backend_calls
            where backend = %s and state = 'used' and planned_at > now() - interval '1 day'
            order by planned_at desc limit 20
        ) newest
    """
    seconds: float | None = value(connection, statement, [backend])
    return seconds


def count_failure(connection: Connection, call_id: UUID) -> int:
    """Count a submit that had no effect; returns how many there were."""
    statement = "update backend_calls set failures = failures + 1 where id = %s returning failures"
    return int(value(connection, statement, [call_id]))


# --- the end of a call: behind the fence ------------------------------------------------------------------------------


def end(
    connection: Connection,
    call_id: UUID,
    state: CallState,
    *,
    code: ErrorCode | None = None,
    error: str | None = None,
    bill: Bill | None = None,
    settled: bool = True,
) -> bool:
    """End an open call; False when it has ended already.

    Args:
        connection: in a transaction that holds the fence.
        call_id: the call.
        state: a final one.
        code: what its pose fails with, where it does.
        error: why, in words.
        bill: what it cost, where that is known only now.
        settled: False for one that the far end may still be making; it is cancelled and looked at there later.
    """
    statement = f"""
        update backend_calls set state = %(state)s, error_code = %(code)s, error = coalesce(%(error)s, error),
            ended_at = clock_timestamp(),
            settled_at = case when %(settled)s then clock_timestamp() end
        where id = %(id)s and state in {OPEN}
    """
    values = {
        "id": call_id,
        "state": state,
        "code": code,
        "error": None if error is None else storable(error),
        "settled": settled,
    }
    if not changed(connection, statement, values):
        return False
    _bill(connection, call_id, bill)
    telling.decided(connection, call_id, code=code, error=error)
    return True


def use(connection: Connection, call_id: UUID) -> int | None:
    """End a delivered call as the one whose picture its pose has; returns its file, or None when it has ended."""
    statement = """
        update backend_calls set state = 'used', ended_at = clock_timestamp(), settled_at = clock_timestamp()
        where id = %s and state = 'delivered' returning object_id
    """
    file: int | None = value(connection, statement, [call_id])
    return file


def end_open(connection: Connection, pose: UUID) -> None:
    """Cancel the open call of a pose that has failed; what the far end may still be making is to be settled."""
    _cancel(connection, f"pose_id = %s and state in {OPEN}", [pose])


def _cancel(connection: Connection, which: LiteralString, values: Sequence[object]) -> int:
    statement = f"""
        update backend_calls set state = 'cancelled', ended_at = clock_timestamp(),
            settled_at = case when state in ('planned', 'delivered') then clock_timestamp() end
        where {which}
    """
    return changed(connection, statement, values)


# --- what no worker holds ---------------------------------------------------------------------------------------------

_UNATTENDED: LiteralString = """
    from backend_calls c join generations g on g.id = c.generation_id
    where (c.ended_at is not null and c.settled_at is null
            or c.state = 'accepted' and (g.status <> 'running' or g.lease_expires_at < now()))
        and (c.looked_at is null or c.looked_at < now() - interval '30 seconds')
        and (%(backends)s::text[] is null or c.backend = any(%(backends)s))
"""
_LEFT: LiteralString = f"purpose = 'replay' and state in {OPEN} and planned_at < now() - interval '2 hours'"
"""A replay that no process has gone on with for longer than any call may take."""


def any_unattended(connection: Connection, *, backends: Collection[str] | None = None) -> bool:
    """Whether a call is to be settled, or may be finished at the far end while no worker holds its generation.

    `backends`: whose calls; None for any.
    """
    left = f"select from backend_calls where {_LEFT}"
    statement = f"select exists (select {_UNATTENDED}) or exists ({left})"
    return bool(value(connection, statement, {"backends": _listed(backends)}))


def end_left_replays(connection: Connection) -> int:
    """Cancel the calls of replays that no process goes on with; returns how many. Each would keep a place for ever."""
    return _cancel(connection, _LEFT, [])


def take_unattended(connection: Connection, *, backends: Collection[str] | None = None, limit: int) -> list[Call]:
    """The calls that `any_unattended` means; no other pass looks at them for half a minute.

    The backends take turns, each with the calls first that were not looked at yet or longest ago.
    """
    statement = f"""
        with unattended as (
            select c.id, row_number() over (
                partition by c.backend order by c.looked_at nulls first, c.planned_at, c.id
            ) as nth
            {_UNATTENDED}
        ), taken as (
            select c.id from unattended u join backend_calls c on c.id = u.id
            where c.looked_at is null or c.looked_at < now() - interval '30 seconds'
            order by u.nth, c.planned_at limit %(limit)s for update of c skip locked
        ), looked as (
            update backend_calls c set looked_at = now() from taken where c.id = taken.id
        )
        select {_CALL} from taken join backend_calls c on c.id = taken.id left join objects o on o.id = c.object_id
    """
    return many(connection, Call, statement, {"backends": _listed(backends), "limit": limit})


def leave_unattended(connection: Connection, calls: Collection[UUID]) -> None:
    """Put back calls that a pass has taken and not looked at: the next pass looks at them first."""
    connection.execute("update backend_calls set looked_at = null where id = any(%s)", [list(calls)])


def _listed(names: Collection[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def settle(connection: Connection, call_id: UUID, *, bill: Bill | None = None) -> None:
    """Note that nothing more can be learned of an ended call. `bill`: what it has cost; what is known first counts."""
    _bill(connection, call_id, bill)
    connection.execute(
        """
        update backend_calls set settled_at = clock_timestamp()
        where id = %s and ended_at is not null and settled_at is null
        """,
        [call_id],
    )


def doubt(connection: Connection, call_id: UUID, *, error: str) -> bool:
    """Make a cancelled call uncertain that was sent and has no bill; False for any other."""
    statement = """
        update backend_calls set state = 'uncertain', error_code = %s, error = %s
        where id = %s and state = 'cancelled' and sent_at is not null and billed_usd is null
    """
    return changed(connection, statement, [ErrorCode.BACKEND_UNCERTAIN, storable(error), call_id]) == 1
