"""Building the world of a test: users, requests, and generations in every state, through the doors that users have.

Everything takes the database and answers ids; `rows` and `value` look at what is there.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from posegen.accounts import quota
from posegen.backends.description import Description
from posegen.backends.registry import BUILT_IN, Backends
from posegen.database.connection import Database
from posegen.designs import work as designs
from posegen.generations import service
from posegen.generations.asking import claims, intake
from posegen.generations.asking.intake import IntakeLimits
from posegen.generations.asking.judging import Prices
from posegen.generations.making import outcomes
from posegen.generations.making.exports import derive_exports
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses
from posegen.generations.rows import poses
from posegen.generations.rows.poses import MadePose, OpenPose
from posegen.generations.service import Cancelled
from posegen.images.measures import Measures, Passed
from posegen.images.thumbnail_sizes import STANDARD, ThumbnailSize
from posegen.objects import rows as objects
from posegen.policy.policy import Policy, read_policy
from posegen.poses.library import LIBRARY
from posegen.settings import Settings
from posegen.storage.keys import pose_key, thumbnail_key, uploaded_key
from posegen.storage.protocol import ObjectInfo
from posegen.studio import Studio
from posegen.variants import work as variant_requests
from posegen.work.keeper import LeaseKeeper
from posegen.work.outcomes import Work
from posegen.work.queue import Claim, Lease
from posegen.work.recovery import Recovered, recover
from posegen.work.rules import RetryRule
from tests import hosted
from tests.concurrency import until

SLUGS = [pose.slug for pose in LIBRARY]
A_POSE = SLUGS[0]
PRICE = 30
SEED = 7
RUN = "run-1"


# --- looking ------------------------------------------------------------------------------------------------------


def rows(database: Database, query: str, *values: object) -> list[dict[str, Any]]:
    """What a query answers."""
    with database.transaction() as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[call-overload, no-any-return]


def row(database: Database, query: str, *values: object) -> dict[str, Any]:
    """The one row that a query answers."""
    (only,) = rows(database, query, *values)
    return only


def value(database: Database, query: str, *values: object) -> Any:
    """The one value that a query answers."""
    (only,) = row(database, query, *values).values()
    return only


def execute(database: Database, statement: str, *values: object) -> int:
    """Run a statement in a transaction of its own; the number of rows that it touched."""
    with database.transaction() as connection:
        return connection.execute(statement, values).rowcount  # type: ignore[call-overload, no-any-return]


def result(database: Database, generation: UUID) -> dict[str, Any]:
    """The row of `generation_results`, which is what a customer's backend reads."""
    return row(database, "select * from generation_results where generation_id = %s", generation)


def status(database: Database, generation: UUID) -> str:
    """The generation's state."""
    return str(result(database, generation)["status"])


def pose_statuses(database: Database, generation: UUID) -> list[str]:
    """The states of a generation's poses, by position."""
    found = rows(database, "select status from pose_results where generation_id = %s order by position", generation)
    return [pose["status"] for pose in found]


def account(database: Database, user: UUID) -> dict[str, Any]:
    """A user's balances."""
    return row(database, "select * from accounts where user_id = %s", user)


def credits(database: Database, user: UUID) -> tuple[int, int, int]:
    """Available, held, spent."""
    found = account(database, user)
    return found["credits_available"], found["credits_held"], found["credits_spent"]


def event_kinds(database: Database, generation: UUID) -> list[str]:
    """The kinds of a generation's events, in order."""
    found = rows(database, "select kind from events where generation_id = %s order by sequence", generation)
    return [event["kind"] for event in found]


# --- asking -------------------------------------------------------------------------------------------------------


def a_user(database: Database, *, credits: int = 10_000, storage_limit: int | None = None) -> UUID:
    """A user with credits to spend."""
    with database.transaction() as connection:
        user = _only(connection.execute("insert into users (name) values ('Ayu') returning id"))
        if credits:
            connection.execute("select grant_credits(%s, %s, 'a gift', 'test')", [user, credits])
        if storage_limit is not None:
            connection.execute("update accounts set storage_limit = %s where user_id = %s", [storage_limit, user])
    return UUID(str(user))


def a_request(database: Database, user: UUID, **columns: object) -> UUID:
    """A plain INSERT as a foreign backend makes it: one library pose, unless the columns say otherwise."""
    given = {"user_id": user, **({"poses": [A_POSE]} if not columns.keys() & _WHAT else {}), **columns}
    statement = sql.SQL("insert into generation_requests ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, given)), sql.SQL(", ").join(sql.Placeholder() * len(given))
    )
    values = [Jsonb(item) if isinstance(item, dict) else item for item in given.values()]
    with database.transaction() as connection:
        return UUID(str(_only(connection.execute(statement, values))))


def take_in(
    database: Database,
    *,
    credits_per_pose: int = PRICE,
    limit: int = 500,
    limits: IntakeLimits = IntakeLimits(),  # noqa: B008 - frozen
    policy: Policy | None = None,
    thumbnails: tuple[ThumbnailSize, ...] = (STANDARD,),
) -> int:
    """Judge what was submitted."""
    return intake.take_in(
        database,
        default_backend="mannequin",
        prices=Prices(pose=credits_per_pose),
        policy=policy or read_policy(None),
        draw_seed=lambda: SEED,
        limit=limit,
        limits=limits,
        backends={**BUILT_IN, **_hosted(), hosted.NAME: hosted.DESCRIPTION},
        thumbnails=thumbnails,
    )


# --- generations in a state ---------------------------------------------------------------------------------------


@cache
def _hosted() -> dict[str, Description]:
    """The hosted backends of every provider."""
    keys = dict.fromkeys(("fal_key", "bfl_api_key", "huggingface_api_key", "openai_api_key"), SecretStr("a-key"))
    settings = Settings(huggingface_endpoint_url="http://127.0.0.1:9/endpoint", **keys)
    return dict(Backends.of(settings).descriptions)


def queued(database: Database, user: UUID | None = None, **columns: object) -> UUID:
    """A generation that was accepted."""
    generation = a_request(database, user or a_user(database), **columns)
    take_in(database)
    assert status(database, generation) == "queued", result(database, generation)
    return generation


def claimed(database: Database, user: UUID | None = None, **columns: object) -> Claim:
    """A generation that was claimed; the only one that waited."""
    generation = queued(database, user, **columns)
    (claim,) = claims.claim_next(database, most_running=1000)
    assert claim.id == generation, "another generation was waiting"
    return claim


def running(
    database: Database, user: UUID | None = None, *, run: str = RUN, lease_seconds: float = 60, **columns: object
) -> Lease:
    """A generation that a worker holds the lease of."""
    return started(database, claimed(database, user, **columns), run=run, lease_seconds=lease_seconds)


def started(database: Database, claim: Claim, *, run: str = RUN, lease_seconds: float = 60) -> Lease:
    """The lease of a claim whose run begins to work."""
    lease = claims.start_work(database, claim.id, dispatch=claim.dispatch, run_id=run, lease_seconds=lease_seconds)
    assert lease is not None, "the generation has ended"
    return lease


def expire_lease(database: Database, generation: UUID) -> None:
    """Let the worker have been silent for too long."""
    execute(database, "update generations set lease_expires_at = now() - interval '1 second' where id = %s", generation)


def sweep(database: Database, work: Work = GENERATIONS, rule: RetryRule = RetryRule()) -> list[Recovered]:  # noqa: B008
    """Take away what lost its worker, or gets nowhere."""
    return recover(database, work, rule, stall_seconds=1800)


def taken_over(database: Database, generation: UUID, *, run: str = "run-2") -> Lease:
    """The lease that another worker has after the first was silent for too long."""

    def swept() -> bool:
        expire_lease(database, generation)
        return bool(sweep(database))

    until(swept)  # a keeper may renew the lease in between
    (claim,) = claims.claim_next(database, most_running=1000)
    return started(database, claim, run=run)


def cancel_generation(database: Database, generation: UUID, *, actor: str) -> bool:
    """Whether it was still open."""
    return isinstance(service.cancel(database, generation, actor=actor), Cancelled)


# --- work ---------------------------------------------------------------------------------------------------------


def open_poses(database: Database, generation: UUID) -> list[OpenPose]:
    """What a worker still has to make."""
    with database.transaction() as connection:
        return poses.open_poses(connection, generation)


def stored_object(key: str, *, size: int = 1000) -> ObjectInfo:
    """An object that a store would answer for this key."""
    return ObjectInfo(key, size, hashlib.sha256(key.encode()).hexdigest(), 0, "image/png")


def made_pose(generation: UUID, pose: OpenPose, *, size: int = 1000) -> MadePose:
    """A pose as a worker has made and stored it; no bytes behind it."""
    image, thumbnail = (
        stored_object(key_for(generation, pose.id, hashlib.sha256(str(pose.id).encode()).hexdigest()), size=size)
        for key_for in (pose_key, thumbnail_key)
    )
    return MadePose(
        recipe={"pose": pose.library_pose},
        recipe_hash="0" * 64,
        keypoints=None,
        image=image,
        thumbnail=thumbnail,
        passed=Passed(pose.seed, 0, Measures(150, 180, 0.8, 1, bytes([pose.position] * 1024))),
        render_ms=40,
        store_ms=10,
        generation_ms=60,
    )


def work(studio: Studio, lease: Lease) -> str:
    """What a run does, from the first pose to the end; the state that the generation ends in."""
    with LeaseKeeper(studio.database, GENERATIONS.queue, [lease], lease_seconds=studio.lease_seconds) as keeper:
        make_poses(studio, lease, keeper)
        derive_exports(studio, lease.id, lease, keeper)
        return outcomes.finish_generation(studio.database, lease)


def finished(studio: Studio, user: UUID | None = None, **columns: object) -> UUID:
    """A generation that went all the way."""
    lease = running(studio.database, user, **columns)
    work(studio, lease)
    return lease.id


def kept_picture(studio: Studio, user: UUID, data: bytes) -> str:
    """The key of a JPEG that is stored as a picture of the user's, as if an upload had been kept as these bytes."""
    stored = studio.put_verified(lambda sha256: uploaded_key(uuid4(), sha256, "image/jpeg"), data, "image/jpeg")
    with studio.database.transaction() as connection:
        objects.register(connection, studio.store.name, stored, generation_id=None, user_id=user)
        quota.use(connection, user, stored.size)
    return stored.key


def a_batch(database: Database) -> UUID:
    """All image requests that wait, claimed for one run."""
    batch = variant_requests.claim_batch(database)[0].batch
    assert batch is not None, "a batch is claimed"
    return batch


# --- designs ------------------------------------------------------------------------------------------------------


def a_design(database: Database, user: UUID | None = None, **columns: object) -> UUID:
    """A plain INSERT of a small sticker that says "Be kind", unless the columns say otherwise."""
    given = {"user_id": user or a_user(database), "text": "Be kind", "product_type": "sticker", **columns}
    statement = sql.SQL("insert into design_requests ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, given)), sql.SQL(", ").join(sql.Placeholder() * len(given))
    )
    with database.transaction() as connection:
        return UUID(str(_only(connection.execute(statement, list(given.values())))))


def newest_image(database: Database) -> str | None:
    """The key of the image of the pose that was completed last, or None."""
    found = rows(
        database,
        "select key from generated_poses p join objects o on o.id = p.image_object order by completed_at desc limit 1",
    )
    return found[0]["key"] if found else None


def an_image_request(database: Database, user: UUID, source: str = "poses/x.png") -> UUID:
    """Insert a request for variants of a stored picture."""
    asked = "insert into image_requests (user_id, tool, source) values (%s, 'editor', %s) returning id"
    return UUID(str(value(database, f"with asked as ({asked}) select id from asked", user, source)))


def design(database: Database, design_id: UUID) -> dict[str, Any]:
    """The row of `design_results`, which is what a customer's backend reads."""
    return row(database, "select * from design_results where design_id = %s", design_id)


def claimed_design(database: Database, user: UUID | None = None, **columns: object) -> Claim:
    """A design that was claimed; the only one that waited."""
    asked = a_design(database, user, **columns)
    (claim,) = designs.claim_designs(database, most_under_way=1000)
    assert claim.id == asked, "another design was waiting"
    return claim


def rendering_design(database: Database, user: UUID | None = None, **columns: object) -> Lease:
    """A design that a worker holds the lease of."""
    return start_design(database, claimed_design(database, user, **columns))


def start_design(database: Database, claim: Claim, *, run: str = RUN) -> Lease:
    """The lease of a claim whose run begins to work."""
    lease = designs.start_design(database, claim.id, dispatch=claim.dispatch, run_id=run, lease_seconds=60)
    assert lease is not None, "the design has ended"
    return lease


def next_design_lease(database: Database) -> Lease:
    """The next attempt at the only design that waits, without waiting for its time to come."""
    execute(database, "update designs set not_before = now() where status = 'draft'")
    (claim,) = designs.claim_designs(database, most_under_way=1000)
    return start_design(database, claim)


def lose_design(database: Database, lease: Lease) -> None:
    """Let the worker have been silent for too long, and somebody notice."""
    execute(
        database,
        "update designs set lease_expires_at = now() - interval '1 second' where id = %s and status = 'rendering'",
        lease.id,
    )
    sweep(database, designs.DESIGNS)


_WHAT = {"poses", "prompt", "categories"}


def _only(cursor: Any) -> object:
    (only,) = cursor.fetchone().values()
    return only
