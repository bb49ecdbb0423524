"""What the processes of a nursery do: the way of every kind of work, from claim to end, without Dagster around it.

A `run` does what the assets do, a `sensor` what the sensors do, for generations, designs and image requests.
The domain's code is the product's own; only the backend's far end is played, and the breakages of the negative controls
are put in here.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from time import time as true_time
from typing import Any, NoReturn
from uuid import UUID

import psycopg
import structlog
from PIL import Image

import posegen.studio
from posegen.backends import mannequin
from posegen.backends.breaker import BackendRule
from posegen.backends.registry import Backends
from posegen.database.connection import Database
from posegen.designs.making import make_design
from posegen.designs.work import DESIGNS, claim_designs, start_design
from posegen.errors import ClaimSuperseded, DatabaseUnusable, PartlyDone
from posegen.fetching.connections import trusted_tls
from posegen.generations.asking import claims, intake
from posegen.generations.asking.judging import Prices
from posegen.generations.calling.settling import settle_calls
from posegen.generations.making import outcomes, recovery, work
from posegen.generations.making.exports import derive_exports
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses
from posegen.generations.making.recovery import TimeLimits
from posegen.images.validation import open_image
from posegen.logs import configure_logging
from posegen.policy.policy import read_policy
from posegen.settings import Settings
from posegen.storage.configuration import BucketConfig, RequestLimits
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectStore
from posegen.storage.s3 import BucketStore
from posegen.studio import Studio
from posegen.upkeep import retention_rows as retention
from posegen.upkeep.retention import RetentionRule, clean_up_images
from posegen.variants.making import make_variants
from posegen.variants.work import VARIANTS, claim_batch
from posegen.work import commit_points
from posegen.work import keeper as keeping
from posegen.work.commit_points import CommitPoint
from posegen.work.outcomes import Work
from posegen.work.queue import Claim, Lease
from posegen.work.recovery import recover
from posegen.work.rules import RetryRule
from posegen.work.worker_home import WorkerHome
from tests.faults.breakages import break_it
from tests.faults.disks import LyingStore, enter_namespace
from tests.faults.far_end import HostedBackend
from tests.s3_server import CREDENTIALS, REGION

log = structlog.get_logger(__name__)

PRICE = 30
PAUSE = 0.15
# A process that stands still in the middle of a transaction holds its locks for as long as this. On a busy machine a
# worker that was not stopped stands still for more than a second, too.
IDLE_SECONDS = 4.0
# Leases are lost here by the dozen, which is no reason to give a generation up.
RULE = RetryRule(most_attempts=1000, most_lost_leases=1000, first_wait=0.1)
BACKEND_RULE = BackendRule(first_pause=0.05, longest_pause=2, breaker_seconds=0.5)
CLEANED_SOON = RetentionRule(images=timedelta(seconds=0.3), grace=timedelta(seconds=0.2), traces=timedelta(seconds=0.6))
STORE_LIMITS = RequestLimits(connect=1, request=1.5, total=4, first_pause=0.05, longest_pause=0.3)


@dataclass(frozen=True)
class Orders:
    """What a process is told.

    Attributes:
        role: `run`, `sensor`, `cleaner` or `settler`.
        database: URL, through a proxy or not.
        store: folder of the local store. `bucket`: on an S3 server instead; `endpoint`: where that is, or a proxy.
        namespace: process whose mounts it sees, or 0.
        far_end: port of the rendering service.
        machine: folder in which the runs of its machine hold their locks; without it, it is alone on another one.
        lies: how many objects its disk damages.
        point: the commit point that it dies at, or stops at with `stops`; `:2` for the second time.
        clock_ahead: seconds that its clock is ahead. `clock_rate`: seconds of its clock in one of ours.
        breakage: what is broken in it, see `breakages.py`.
        call_seconds: how long it waits for a picture.
        environment: variables of the hosted backends that it may call.
        pause: seconds between two looks at the queue.
        side: of the images of poses, in pixels.
        ticks: file that a sensor adds a byte to after each pass.
    """

    name: str
    role: str
    database: str
    store: str
    far_end: int
    lease_seconds: float
    call_seconds: float
    bucket: str = ""
    endpoint: str = ""
    namespace: int = 0
    machine: str = ""
    lies: int = 0
    point: str = ""
    stops: bool = False
    clock_ahead: float = 0.0
    clock_rate: float = 1.0
    breakage: str = ""
    ticks: str = ""
    threads: int = 2
    slots: int = 100
    pause: float = PAUSE
    side: int = 256
    environment: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As the nursery takes them."""
        return asdict(self)


class ToldToStop(BaseException):
    """SIGTERM: what Dagster raises in its runs."""


def read_what_workers_share() -> None:
    """Read beforehand what each worker would read after its fork: the policy, codecs and certificates."""
    read_policy(None)
    Image.init()
    trusted_tls()


def be_a_worker(orders_given: dict[str, Any]) -> None:
    """Work until somebody ends it."""
    orders = Orders(**orders_given)
    os.environ.update(orders.environment)
    posegen.studio.POSE_SIDE = orders.side
    if orders.namespace:
        enter_namespace(orders.namespace)
    _set_clock(orders.clock_ahead, orders.clock_rate)
    _lay_fuse(orders)
    configure_logging(Settings(posegen_log_format="console"))
    signal.signal(signal.SIGTERM, _told_to_stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    checked = _note_checks()
    break_it(orders.breakage)
    backends = Backends.of(Settings(posegen_backend_seconds=orders.call_seconds))
    with Database(orders.database, idle_seconds=IDLE_SECONDS) as database:
        if orders.role == "sensor":
            _sense(database, orders, backends)
        elif orders.role == "cleaner":
            _clean(database, orders)
        else:
            studio = Studio(
                database=database,
                store=_store(orders),
                open_backend=lambda _: HostedBackend(orders.far_end, orders.call_seconds, checked.get),
                open_hosted=backends.open_hosted,
                describe=lambda name: None if name == mannequin.NAME else backends.descriptions.get(name),
                render_threads=orders.threads,
                lease_seconds=orders.lease_seconds,
                retry_rule=RULE,
                backend_rule=replace(BACKEND_RULE, call_seconds=orders.call_seconds),
                quality_retries=0,
                worker_home=WorkerHome(Path(orders.machine)) if orders.machine else None,
            )
            if orders.role == "settler":
                _settle(studio, orders)
            _run(studio, orders)


def _sense(database: Database, orders: Orders, backends: Backends) -> NoReturn:
    """Recover, judge and claim, again and again."""
    home = WorkerHome(Path(orders.machine)) if orders.machine else None
    policy, known = read_policy(None), backends.descriptions
    while True:
        try:
            recovery.recover(database, RULE, TimeLimits(), worker_home=home)
            intake.take_in(
                database,
                default_backend="mannequin",
                prices=Prices(pose=PRICE),
                policy=policy,
                draw_seed=lambda: 0,
                limit=100,
                backends=known,
            )
            claims.claim_next(database, most_running=orders.slots)
            for other in (DESIGNS, VARIANTS):
                recover(database, other, RULE, stall_seconds=TimeLimits().stall, worker_home=home)
            claim_designs(database, most_under_way=orders.slots)
            claim_batch(database)
        except (psycopg.Error, DatabaseUnusable, PartlyDone) as unreachable:
            log.warning("tick skipped", reason=str(unreachable))
        with Path(orders.ticks).open("a") as ticks:
            ticks.write(".")
        time.sleep(orders.pause)


def _clean(database: Database, orders: Orders) -> NoReturn:
    """Hide, delete and retire what is a moment old, again and again."""
    store = _store(orders)
    while True:
        clean_up_images(database, [store], CLEANED_SOON, page=3)
        with database.transaction() as connection:
            ended = retention.generations_to_retire(connection, age=CLEANED_SOON.traces, limit=3)
            retention.retire_generations(connection, ended)
        time.sleep(orders.pause)


def _settle(studio: Studio, orders: Orders) -> NoReturn:
    """Look at the calls that no worker holds, again and again."""
    while True:
        try:
            settle_calls(studio)
        except (psycopg.Error, DatabaseUnusable, PartlyDone) as unreachable:
            log.warning("pass skipped", reason=str(unreachable))
        time.sleep(orders.pause)


def _run(studio: Studio, orders: Orders) -> NoReturn:
    """Take one claim after the other. A run that fails is over; the next one is another."""
    number = 0
    while True:
        try:
            claimed = _next_claim(studio.database)
            if claimed is None:
                time.sleep(orders.pause)
                continue
            number += 1
            work, claim = claimed
            _RUNS[work](studio, claim, f"{orders.name}-{number}")
        except ClaimSuperseded:
            continue
        except Exception as error:  # whatever ends a run must not end the next
            log.warning("run failed", error=f"{type(error).__name__}: {error}", exc_info=True)
            time.sleep(orders.pause)


def _next_claim(database: Database) -> tuple[Work, Claim] | None:
    with database.transaction() as connection:
        waiting = [
            (work, claim)
            for work in (GENERATIONS, DESIGNS, VARIANTS)
            for claim in work.queue.unstarted_claims(connection, older_than_seconds=0)
        ]
    # Those who come at once begin at different places.
    return waiting[os.getpid() % len(waiting)] if waiting else None


def _make_generation(studio: Studio, claim: Claim, run_id: str) -> None:
    """The two assets of a run; between them it holds its lease, and nobody renews it."""
    generation: UUID = claim.id
    lease = claims.start_work(
        studio.database,
        generation,
        dispatch=claim.dispatch,
        run_id=run_id,
        lease_seconds=studio.lease_seconds,
        worker_home=None if studio.worker_home is None else studio.worker_home.hold(run_id),
    )
    if lease is None:
        return
    with work.at_work(studio.database, lease, lease_seconds=studio.lease_seconds, rule=RULE) as keeper:
        make_poses(studio, lease, keeper)
    lease = claims.resume_work(studio.database, generation, run_id=run_id)
    if lease is None:
        return
    with work.at_work(studio.database, lease, lease_seconds=studio.lease_seconds, rule=RULE) as keeper:
        derive_exports(studio, generation, lease, keeper)
        outcomes.finish_generation(studio.database, lease)


def _make_design(studio: Studio, claim: Claim, run_id: str) -> None:
    lease = start_design(
        studio.database,
        claim.id,
        dispatch=claim.dispatch,
        run_id=run_id,
        lease_seconds=studio.lease_seconds,
        worker_home=None if studio.worker_home is None else studio.worker_home.hold(run_id),
    )
    if lease is not None:
        make_design(studio, lease)


def _make_variants(studio: Studio, claim: Claim, run_id: str) -> None:
    assert claim.batch is not None, "image requests are claimed in batches"
    make_variants(studio, claim.batch, lambda data, _: open_image(data), run_id=run_id)


_RUNS = {GENERATIONS: _make_generation, DESIGNS: _make_design, VARIANTS: _make_variants}


def _store(orders: Orders) -> ObjectStore:
    if orders.bucket:
        return BucketStore(bucket_place(orders.bucket, orders.endpoint))
    if orders.lies:
        return LyingStore(Path(orders.store), base_url="/media", lies=orders.lies)
    return LocalStore(Path(orders.store), base_url="/media")


def bucket_place(bucket: str, endpoint: str) -> BucketConfig:
    """A bucket on the S3 server of these tests, for somebody who does not wait long."""
    return BucketConfig("s3", endpoint, bucket, REGION, CREDENTIALS, limits=STORE_LIMITS)


def _told_to_stop(*_: object) -> None:
    raise ToldToStop


def _note_checks() -> ContextVar[float]:
    """By the true clock, when the work at hand last found its lease to be good."""
    checked = ContextVar("checked", default=0.0)
    true_check = keeping.LeaseKeeper.check

    def check(keeper: keeping.LeaseKeeper, lease: Lease | None = None) -> None:
        true_check(keeper, lease)
        checked.set(true_time())

    keeping.LeaseKeeper.check = check  # type: ignore[method-assign]
    return checked


def _lay_fuse(orders: Orders) -> None:
    if not orders.point:
        return
    if orders.stops:
        point, _, times = orders.point.partition(":")
        fuse = _StoppingCountdown(CommitPoint(point), int(times or 1))
        commit_points._countdown = lambda: fuse  # type: ignore[assignment,return-value]
    else:
        os.environ["POSEGEN_KILL_AT"] = orders.point


class _StoppingCountdown:
    """Holds the whole process still at a commit point, as a machine does that is suspended there."""

    def __init__(self, point: CommitPoint, times: int) -> None:
        self._point = point
        self._times = times
        self._lock = threading.Lock()

    def ends_at(self, point: CommitPoint) -> bool:
        """Never: a suspended process may go on one day."""
        if point is not self._point:
            return False
        with self._lock:
            self._times -= 1
            if self._times == 0:
                # To this thread: sent to the process, another may take it, and this one goes on for a moment.
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        return False


def _set_clock(ahead: float, rate: float) -> None:
    """Let this process have a wrong clock, of which nobody else knows."""
    if ahead == 0 and rate == 1:
        return
    true_time, true_monotonic = time.time, time.monotonic
    began, began_monotonic = true_time(), true_monotonic()

    time.time = lambda: began + ahead + (true_time() - began) * rate
    time.monotonic = lambda: began_monotonic + ahead + (true_monotonic() - began_monotonic) * rate


# Leases are kept by `time.monotonic`: a module that had imported the name itself would not see the wrong clock.
assert keeping.time is time
