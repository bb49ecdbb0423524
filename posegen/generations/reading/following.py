"""Events for followers: all of one generation from a sequence on, or those of a user or of everybody since a horizon.

A horizon is a snapshot of the database. Sequences, times and transaction ids are drawn before a commit, so none of
them can be a place to go on from: an event with a lower one may be committed later. An event is new for a follower when
the transaction that inserted it was not visible in the snapshot that the follower read last. Rows and the next snapshot
come from one statement. Which connections followers have, and how events are encoded, is decided in `posegen.web`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from posegen.database.connection import Connection, Database
from posegen.database.json_documents import as_object
from posegen.database.rows import many, one
from posegen.states import GenerationStatus

MOST_PENDING = 10_000
"""Events that a follower may be behind; beyond that it reads the lists again."""

# A server that crashed may give transaction ids out a second time: those whose WAL was not flushed, which happens every
# 0.2 s. After a restart, reading begins so many ids earlier, with what was written since that restart.
_IDS_LOST_IN_A_CRASH = 10_000
_TOKEN = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,8})-([0-9a-f]{1,16})-([0-9a-f]{1,16})", re.ASCII)


@dataclass(frozen=True)
class FollowedEvent:
    """An event with the generation and the user that it belongs to. (generation, sequence) names it."""

    generation_id: UUID
    user_id: UUID
    sequence: int
    kind: str
    detail: dict[str, Any]
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", as_object(self.detail))

    @property
    def is_end(self) -> bool:
        """Whether the generation has ended with it."""
        return self.kind in _ENDS


_ENDS = frozenset(status.value for status in GenerationStatus if status.is_terminal)


@dataclass(frozen=True)
class Horizon:
    """What a follower has seen: every event that was visible in a snapshot.

    Attributes:
        system: the cluster's identifier.
        timeline: of the cluster; a restore to a point in time begins another one.
        started: when the server started, in microseconds since 1970.
        snapshot: as PostgreSQL writes it, `xmin:xmax:` and the ids between them that were open.
    """

    system: int
    timeline: int
    started: int
    snapshot: str

    @property
    def token(self) -> str:
        """The horizon for a client: all ids below xmin. From it on, events come at least once, some of them twice."""
        # Signed in PostgreSQL, which has no unsigned numbers.
        return f"{self.system % 2**64:x}-{self.timeline:x}-{self.started:x}-{int(self.snapshot.split(':')[0]):x}"

    @classmethod
    def of_token(cls, token: str) -> Horizon | None:
        """The horizon of a token, or None for other texts."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        system, timeline, started, xmin = (int(part, 16) for part in found.groups())
        if max(started, xmin) >= 2**63:
            return None
        return cls(system - 2**64 if system >= 2**63 else system, timeline, started, f"{xmin}:{xmin}:")

    def is_of_the_cluster_of(self, other: Horizon) -> bool:
        """Whether ids of the two can be compared."""
        return (self.system, self.timeline) == (other.system, other.timeline)


@dataclass(frozen=True)
class Pending:
    """What has happened since a horizon.

    `events`: in order within each generation; None when they cannot be told: the horizon is of another cluster, or from
    before a restore, or of the future, or more than `MOST_PENDING` events are pending. `horizon`: of this reading.
    """

    horizon: Horizon
    events: list[FollowedEvent] | None


@dataclass(frozen=True)
class Story:
    """A generation as a follower of it alone reads it.

    `last_event`: the sequence from which the follower goes on; `is_over`: no event that it waits for follows;
    `events`: those after the sequence that was asked for, None when they cannot be told.
    """

    user_id: UUID
    last_event: int
    is_over: bool
    events: list[FollowedEvent] | None


def horizon_now(database: Database) -> Horizon:
    """The horizon of a follower for whom everything is new from now on."""
    with database.transaction() as connection:
        (row,) = connection.execute(f"select {_HORIZON} from {_CLUSTER}")
        return Horizon(**row)


def events_since(database: Database, seen: Horizon, *, user_id: UUID | None = None) -> Pending:
    """The events that were not visible at a horizon, of one user or of all."""
    with database.transaction() as connection:
        return _pending(connection, seen, user_id)


def story_of(database: Database, generation_id: UUID, *, after: int | None = None) -> Story | None:
    """Where a generation stands, and its events with a sequence above `after`; None for an unknown generation.

    Without `after`, there are none.
    """
    with database.transaction() as connection:
        # The state first: an event that is committed between the two statements is found by the second one.
        found = one(connection, _Standing, _STANDING, [generation_id])
        if found is None:
            return None
        events = [] if after is None else _events_after(connection, generation_id, after, found.last_event)
    last = max(found.last_event, events[-1].sequence) if events else found.last_event
    return Story(found.user_id, last, found.status.is_terminal, events)


def beat(database: Database, channel: str) -> None:
    """Send an empty notification: a listener that does not receive it has lost its connection."""
    with database.transaction() as connection:
        connection.execute("select pg_notify(%s, '')", [channel])


@dataclass(frozen=True)
class _Standing:
    user_id: UUID
    last_event: int
    status: GenerationStatus

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", GenerationStatus(self.status))


_STANDING: LiteralString = "select user_id, last_event, status from generations where id = %s"
_EVENT: LiteralString = "generation_id, user_id, sequence, kind, detail, created_at"


def _events_after(
    connection: Connection, generation_id: UUID, after: int, last_event: int
) -> list[FollowedEvent] | None:
    """None when some of them are deleted, when there are too many, or when `after` has not happened yet."""
    statement: LiteralString = f"""
        select {_EVENT} from events where generation_id = %s and sequence > %s order by sequence limit %s
    """
    found = many(connection, FollowedEvent, statement, [generation_id, after, MOST_PENDING + 1])
    are_all = len(found) >= last_event - after and all(event.sequence == after + 1 for event in found[:1])
    return found if after <= last_event and are_all and len(found) <= MOST_PENDING else None


_CLUSTER: LiteralString = "pg_control_system() as s, pg_control_checkpoint() as c"
_HORIZON: LiteralString = """
    s.system_identifier as system, c.timeline_id as timeline, pg_current_snapshot()::text as snapshot,
    (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint as started
"""


def _since(whose: LiteralString) -> LiteralString:
    """Events in the order in which they could be seen at the earliest, within a generation by sequence.

    Two ranges of an index: ids from xmax on, and single ids. Positions at or above the present xmax are those of a
    restored dump. The limits let the planner go by the index, whatever it assumes of the bound.
    """
    return f"""
        with present as materialized (
            select r.*, pg_snapshot_xmax(r.snapshot::pg_snapshot) as xmax,
                   (case r.started when %(started)s then %(xmax)s else %(margin)s end)::xid8 as bound
            from (select {_HORIZON} from {_CLUSTER}) as r
        ), fresh as (
            (select {_EVENT}, position from events
             where {whose} position >= (select bound from present) and position < (select xmax from present)
             and (position >= %(xmax)s::xid8 or created_at >= pg_postmaster_start_time())
             order by position limit %(most)s)
            union all
            (select {_EVENT}, position from events
             where {whose} position = any(%(open)s::xid8[]) and position < (select xmax from present)
             order by position limit %(most)s)
        )
        select p.system, p.timeline, p.started, p.snapshot, f.* from present p left join fresh f on true
        order by max(f.position) over (partition by f.generation_id order by f.sequence), f.generation_id, f.sequence
    """


_SINCE_OF_ALL = _since("")
_SINCE_OF_A_USER = _since("user_id = %(user)s and")


def _pending(connection: Connection, seen: Horizon, user_id: UUID | None) -> Pending:
    xmin, xmax, still_open = seen.snapshot.split(":")
    values = {
        "user": user_id,
        "started": seen.started,
        "xmax": xmax,
        "margin": str(max(int(xmax) - _IDS_LOST_IN_A_CRASH, 0)),
        "open": still_open.split(",") if still_open else [],
        "most": MOST_PENDING + 1,
    }
    found = connection.execute(_SINCE_OF_ALL if user_id is None else _SINCE_OF_A_USER, values).fetchall()
    now = Horizon(**{each.name: found[0][each.name] for each in fields(Horizon)})
    lost = 0 if now.started == seen.started else _IDS_LOST_IN_A_CRASH
    is_of_the_past = now.is_of_the_cluster_of(seen) and int(xmin) <= int(now.snapshot.split(":")[1]) + lost
    if not is_of_the_past or len(found) > MOST_PENDING:
        return Pending(now, None)
    names = [each.name for each in fields(FollowedEvent)]
    events = [row for row in found if row["sequence"] is not None]
    return Pending(now, [FollowedEvent(**{name: row[name] for name in names}) for row in events])
