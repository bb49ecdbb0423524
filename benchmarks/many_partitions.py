"""What a generation costs when Dagster has many live partitions, and how long ten thousand of them take to retire."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from uuid import uuid4

import dagster as dg
from rich.progress import track

from benchmarks.running_platform import Measured, ask, cpu_by_program, percentile, running_platform, wait_until_ended
from resources.traces import forget_partitions
from sensors.targets import GENERATION_PARTITIONS

RETIRED = 10_000
_AT_ONCE = 1000


@dataclass(frozen=True)
class PartitionCosts:
    """With so many live partitions: seconds to the first pose, CPU seconds a generation, seconds to retire 10,000."""

    live: int
    first_pose: list[float]
    cpu: float
    retire: float | None

    def row(self) -> str:
        """A row of the table."""
        retire = "" if self.retire is None else f"{self.retire:.1f}"
        p50, p95 = (percentile(self.first_pose, share) for share in (0.5, 0.95))
        return f"| {self.live:,} | {p50:.2f} | {p95:.2f} | {self.cpu:.2f} | {retire} |"


def measure_partitions(live: int, requests: int) -> PartitionCosts:
    """Start a platform, give it so many partitions, and make one request after the other."""
    with running_platform() as platform:
        instance = _instance(platform)
        keys = [str(uuid4()) for _ in range(live)]
        assert GENERATION_PARTITIONS.name is not None
        for begin in track(range(0, live, _AT_ONCE), f"Adding {live:,} partitions"):
            instance.add_dynamic_partitions(GENERATION_PARTITIONS.name, keys[begin : begin + _AT_ONCE])
        _one(platform)
        before = cpu_by_program(platform)
        took = [_one(platform) for _ in track(range(requests), f"Requests with {live:,} partitions")]
        after = cpu_by_program(platform)
        cpu = sum(after[name] - before.get(name, 0.0) for name in after) / requests
        retire = None
        if live >= RETIRED:
            began = time.monotonic()
            forget_partitions(instance, GENERATION_PARTITIONS, keys[:RETIRED])
            retire = time.monotonic() - began
        return PartitionCosts(live, took, cpu, retire)


def _one(platform: Measured) -> float:
    """Seconds from the INSERT until the first pose is stored."""
    with platform.database.transaction() as connection:
        generation = ask(connection, platform.user, ["star-jump"], [])
    wait_until_ended(platform.database, [generation], seconds=300)
    with platform.database.transaction() as connection:
        row = connection.execute(
            """
            select extract(epoch from p.completed_at - r.created_at)::float8 as seconds
            from generated_poses p join generation_requests r on r.id = p.generation_id where r.id = %s
            """,
            [generation],
        ).fetchone()
    assert row is not None
    return float(row["seconds"])


def _instance(platform: Measured) -> dg.DagsterInstance:
    """Dagster's instance as the platform's own processes have it."""
    os.environ.update(platform.dagster_environment)
    return dg.DagsterInstance.get()
