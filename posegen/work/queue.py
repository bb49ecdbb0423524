"""The work queue: the statements over every table of work, from the claim to the end of a lease.

A table of work has a row for each piece of work, with the columns of `Progress`, `submitted_at`, `not_before`,
`dispatched_at`, `started_at`, `progressed_at`, `finished_at`, `lease_expires_at`, `worker_home`, `error_code` and
`error_detail`. What the work is, and what follows from it, lies in its home.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from posegen.database.connection import Connection
from posegen.database.rows import column, many, one, value
from posegen.database.texts import storable
from posegen.errors import LeaseLost

DISPATCHED = "dispatched"
"""The status of a claimed row, in every table of work."""

_MOST_AT_ONCE = 1000
_PROGRESS: LiteralString = "id, user_id, status, dispatch, batch, token, run_id, worker_home, attempts, lost_leases"


@dataclass(frozen=True)
class Claim:
    """The right to start one run for a row. `dispatch` tells this claim from earlier ones of the same row.

    `batch`: the run that the row was claimed for together with others; None where each row has a run of its own.
    """

    id: UUID
    dispatch: int
    user_id: UUID
    batch: UUID | None = None


@dataclass(frozen=True)
class Lease:
    """The right to write to a row, until another worker is given a higher token."""

    id: UUID
    token: int


@dataclass(frozen=True)
class Progress:
    """Where a row stands.

    `worker_home`: the folder in which the run holds its file lock; `attempts`: attempts that ended with an error;
    `lost_leases`: workers that were lost.
    """

    id: UUID
    user_id: UUID
    status: str
    dispatch: int
    batch: UUID | None
    token: int
    run_id: str | None
    worker_home: UUID | None
    attempts: int
    lost_leases: int


@dataclass(frozen=True)
class Cost:
    """What the end of an attempt adds to its row: `attempts` for an error, `lost_leases` for a lost worker."""

    attempts: int = 0
    lost_leases: int = 0


FREE = Cost()
"""The cost of an attempt that ends without a fault of the work or its worker, such as a shutdown."""


@dataclass(frozen=True)
class Queue:
    """A table of work. The methods take an open transaction and decide nothing.

    Attributes:
        table: the name of the table.
        noun: what a row is called in messages, such as "design".
        waiting: the status of a row that may be claimed.
        running: the status of a row under a lease.
    """

    table: LiteralString
    noun: str
    waiting: LiteralString
    running: LiteralString

    # --- claims ---------------------------------------------------------------------------------------------------

    def runs_under_way(self, connection: Connection) -> int:
        """How many runs have rows that are dispatched or running; a batch is one run."""
        statement = "select count(distinct coalesce(batch, id)) from work_under_way where work = %s"
        return int(value(connection, statement, [self.table]))

    def waiting_ids(self, connection: Connection, limit: int) -> list[UUID]:
        """Rows that may be claimed: the oldest of each user first, so that no user waits for another's flood."""
        return column(
            connection,
            f"""
            select id from (
                select id, submitted_at, row_number() over (partition by user_id order by submitted_at, id) as nth
                from {self.table} where status = '{self.waiting}' and not_before <= now()
            ) waiting
            order by nth, submitted_at, id limit %s
            """,
            [limit],
        )

    def lock_waiting(self, connection: Connection, work_id: UUID) -> bool:
        """Lock a row that may be claimed; False when it does not wait any more, or another transaction holds it."""
        found = connection.execute(
            f"select from {self.table} where id = %s and status = '{self.waiting}' for update skip locked", [work_id]
        )
        return found.fetchone() is not None

    def claim(self, connection: Connection, ids: Sequence[UUID], *, batch: UUID | None = None) -> list[Claim]:
        """Dispatch those of these rows that still wait and that no other transaction holds, in the given order."""
        return many(
            connection,
            Claim,
            f"""
            with next as (
                select w.id, wanted.nth
                from unnest(%(ids)s::uuid[]) with ordinality as wanted (id, nth) join {self.table} w using (id)
                where w.status = '{self.waiting}' for update of w skip locked
            ), claimed as (
                update {self.table} w
                set status = '{DISPATCHED}', dispatch = dispatch + 1, dispatched_at = now(), batch = %(batch)s
                from next where w.id = next.id returning w.id, w.dispatch, w.user_id, w.batch, next.nth
            )
            select id, dispatch, user_id, batch from claimed order by nth
            """,
            {"ids": list(ids), "batch": batch},
        )

    def unstarted_claims(self, connection: Connection, *, older_than_seconds: float) -> list[Claim]:
        """Claims whose run has not begun to work for a while: it may never have been launched."""
        return many(
            connection,
            Claim,
            f"""
            select id, dispatch, user_id, batch from {self.table}
            where status = '{DISPATCHED}' and dispatched_at < now() - make_interval(secs => %(seconds)s)
            order by dispatched_at, id limit {_MOST_AT_ONCE}
            """,
            {"seconds": older_than_seconds},
        )

    def claims_in(self, connection: Connection, batch: UUID) -> list[Claim]:
        """The claims of a batch whose rows are still dispatched, the oldest row first."""
        return many(
            connection,
            Claim,
            f"""
            select id, dispatch, user_id, batch from {self.table}
            where batch = %(batch)s and status = '{DISPATCHED}' order by submitted_at, id
            """,
            {"batch": batch},
        )

    # --- leases ---------------------------------------------------------------------------------------------------

    def start(
        self,
        connection: Connection,
        claims: Sequence[Claim],
        *,
        run_id: str,
        lease_seconds: float,
        worker_home: UUID | None = None,
    ) -> list[Lease]:
        """Turn dispatched rows into running ones under new tokens; claims that no longer hold are left out."""
        return many(
            connection,
            Lease,
            f"""
            with started as (
                update {self.table} w set status = '{self.running}', token = token + 1, run_id = %(run)s,
                    worker_home = %(home)s, started_at = coalesce(started_at, now()), progressed_at = now(),
                    lease_expires_at = now() + make_interval(secs => %(seconds)s)
                from unnest(%(ids)s::uuid[], %(dispatches)s::integer[]) with ordinality as c (id, dispatch, nth)
                where w.id = c.id and w.status = '{DISPATCHED}' and w.dispatch = c.dispatch
                returning w.id, w.token, c.nth
            )
            select id, token from started order by nth
            """,
            {
                "run": run_id,
                "home": worker_home,
                "seconds": lease_seconds,
                "ids": [claim.id for claim in claims],
                "dispatches": [claim.dispatch for claim in claims],
            },
        )

    def renew(self, connection: Connection, leases: Sequence[Lease], *, lease_seconds: float) -> set[UUID]:
        """Prolong these leases; returns the ids of the rows that are still held."""
        return self._touch(
            connection, "lease_expires_at = now() + make_interval(secs => %(seconds)s)", leases, seconds=lease_seconds
        )

    def note_progress(self, connection: Connection, leases: Sequence[Lease]) -> set[UUID]:
        """Note that the worker of these leases gets on; returns the ids of the rows that are still held."""
        return self._touch(connection, "progressed_at = now()", leases)

    def hold(self, connection: Connection, lease: Lease) -> Progress | None:
        """Lock the row for this transaction if the lease still holds, and note progress: the fence before every write.

        Returns where the row stands, or None when another worker owns it.
        """
        return one(
            connection,
            Progress,
            f"""
            update {self.table} set progressed_at = now()
            where id = %(id)s and token = %(token)s and status = '{self.running}' returning {_PROGRESS}
            """,
            {"id": lease.id, "token": lease.token},
        )

    def lost(self, lease: Lease) -> LeaseLost:
        """The error of a worker whose lease no longer holds."""
        return LeaseLost(f"Another worker owns {self.noun} {lease.id} (token {lease.token}); nothing was written.")

    def progress_of(self, connection: Connection, work_id: UUID) -> Progress | None:
        """Where this row stands, locked for the transaction; None when there is no such row."""
        return one(connection, Progress, f"select {_PROGRESS} from {self.table} where id = %s for update", [work_id])

    # --- the end of an attempt ------------------------------------------------------------------------------------

    def put_back(
        self,
        connection: Connection,
        progress: Progress,
        *,
        wait_seconds: float,
        detail: str | None = None,
        cost: Cost = FREE,
    ) -> None:
        """Let a locked row wait again, out of reach of the worker that had it."""
        connection.execute(
            f"""
            update {self.table} set status = '{self.waiting}', token = token + 1, lease_expires_at = null,
                error_detail = coalesce(%s, error_detail), attempts = attempts + %s, lost_leases = lost_leases + %s,
                not_before = now() + make_interval(secs => %s)
            where id = %s
            """,
            [detail and storable(detail), cost.attempts, cost.lost_leases, wait_seconds, progress.id],
        )

    def fail(self, connection: Connection, work_id: UUID, *, code: str, detail: str, cost: Cost = FREE) -> None:
        """End a locked row that has not ended as failed."""
        connection.execute(
            f"""
            update {self.table} set status = 'failed', token = token + 1, lease_expires_at = null, error_code = %s,
                error_detail = %s, attempts = attempts + %s, lost_leases = lost_leases + %s, finished_at = now()
            where id = %s
            """,
            [code, storable(detail), cost.attempts, cost.lost_leases, work_id],
        )

    # --- recovery -------------------------------------------------------------------------------------------------

    @property
    def expired(self) -> LiteralString:
        """A condition: the lease has expired, by the database's clock."""
        return f"status = '{self.running}' and lease_expires_at < now()"

    @property
    def stalled(self) -> LiteralString:
        """A condition: the worker renews its lease, and has made no progress for `%(stall)s` seconds."""
        return f"status = '{self.running}' and progressed_at < now() - make_interval(secs => %(stall)s)"

    @property
    def held(self) -> LiteralString:
        """A condition: the row runs under the token `%(token)s`."""
        return f"status = '{self.running}' and token = %(token)s"

    def any_where(
        self, connection: Connection, conditions: Sequence[LiteralString], values: Mapping[str, object]
    ) -> bool:
        """Whether a row meets one of these conditions; an index decides each of them where no row does."""
        looks = " or ".join(f"exists (select from {self.table} where {condition})" for condition in conditions)
        return bool(value(connection, f"select {looks}", values))

    def ids_where(self, connection: Connection, condition: LiteralString, values: Mapping[str, object]) -> list[UUID]:
        """Rows that meet a condition, those first whose lease expires first."""
        return column(
            connection,
            f"select id from {self.table} where {condition} order by lease_expires_at, id limit {_MOST_AT_ONCE}",
            values,
        )

    def lock_where(
        self, connection: Connection, work_id: UUID, condition: LiteralString, values: Mapping[str, object]
    ) -> Progress | None:
        """Where a row stands; None when it does not meet the condition any more, or another transaction holds it."""
        return one(
            connection,
            Progress,
            f"select {_PROGRESS} from {self.table} where id = %(id)s and {condition} for update skip locked",
            {**values, "id": work_id},
        )

    def running_in(self, connection: Connection, worker_home: UUID) -> list[Progress]:
        """The running rows whose runs hold a file lock in this place."""
        return many(
            connection,
            Progress,
            f"select {_PROGRESS} from {self.table} where status = '{self.running}' and worker_home = %(home)s",
            {"home": worker_home},
        )

    def _touch(
        self, connection: Connection, change: LiteralString, leases: Sequence[Lease], **values: object
    ) -> set[UUID]:
        held = column(
            connection,
            f"""
            update {self.table} w set {change} from unnest(%(ids)s::uuid[], %(tokens)s::integer[]) as l (id, token)
            where w.id = l.id and w.token = l.token and w.status = '{self.running}' returning w.id
            """,
            {"ids": [lease.id for lease in leases], "tokens": [lease.token for lease in leases], **values},
        )
        return set(held)
