"""From INSERT to the first stored pose, and what a generation costs beside its rendering: one request at a time.

`./uvw run python -m benchmarks.latency` writes the table to `benchmarks/latency.md`.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from uuid import UUID

import psycopg
from rich.progress import track

from benchmarks.running_platform import (
    Measured,
    ask,
    cpu_by_program,
    machine,
    percentile,
    running_platform,
    wait_until_ended,
)
from posegen.database.connection import Database

REQUESTS = 20
POSES = ["star-jump"]
# Customers do not come in step with our loops: the pauses are spread over more than one round of each.
PAUSES_SECONDS = [1.0 + 5.0 * (number * 7 % REQUESTS) / REQUESTS for number in range(REQUESTS)]

# What happens to a generation, in order: the label of the step that ends there, and where its time is kept.
STEPS = (
    ("sensor answers", "event", "dispatched"),
    ("run enters the queue", "dagster", "PIPELINE_ENQUEUED"),
    ("queue hands it to the code server", "dagster", "PIPELINE_STARTING"),
    ("process starts and imports", "dagster", "PIPELINE_START"),
    ("lease is taken", "event", "started"),
    ("first pose is stored", "event", "pose_completed"),
    ("generation has ended", "event", "completed"),
    ("run has ended", "dagster", "PIPELINE_SUCCESS"),
)


def main() -> None:
    """Measure and write the table."""
    where = machine()
    with running_platform() as platform:
        # The first run compiles bytecode and fills caches; it is not counted.
        _one(platform, pause=1)
        idle = _idle_cpu(platform, seconds=20)
        before, began = cpu_by_program(platform), time.monotonic()
        generations = [_one(platform, pause) for pause in track(PAUSES_SECONDS, "Requests")]
        elapsed = time.monotonic() - began
        after = cpu_by_program(platform)
        steps = [_steps(platform, generation) for generation in generations]
        rendering = _rendering_seconds(platform.database, generations)
    cpu = {
        name: (after[name] - before.get(name, 0.0) - idle.get(name, 0.0) * elapsed) / REQUESTS for name in sorted(after)
    }
    table = _table(where, steps, cpu, rendering)
    Path(__file__).with_suffix(".md").write_text(table)
    print(table)


def _one(platform: Measured, pause: float) -> UUID:
    with platform.database.transaction() as connection:
        generation = ask(connection, platform.user, POSES, [])
    wait_until_ended(platform.database, [generation], seconds=120)
    time.sleep(pause)
    return generation


def _idle_cpu(platform: Measured, seconds: float) -> dict[str, float]:
    """CPU seconds per second while nothing happens: it is not the generations' doing."""
    before = cpu_by_program(platform)
    time.sleep(seconds)
    after = cpu_by_program(platform)
    return {name: (after[name] - before.get(name, 0.0)) / seconds for name in after}


def _steps(platform: Measured, generation: UUID) -> list[float]:
    """Seconds from the INSERT to the end of each step."""
    with platform.database.transaction() as connection:
        asked = connection.execute(
            "select created_at, run_id from generation_requests r join generations g on g.id = r.id where r.id = %s",
            [generation],
        ).fetchone()
        events = connection.execute(
            "select kind, extract(epoch from min(created_at)) as at from events where generation_id = %s group by kind",
            [generation],
        ).fetchall()
    assert asked is not None
    times = {("event", row["kind"]): float(row["at"]) for row in events}
    url = platform.dagster_url.replace("postgresql+psycopg2", "postgresql")
    with psycopg.connect(url, options="-c timezone=utc") as dagster:
        for kind, at in dagster.execute(
            "select dagster_event_type, extract(epoch from min(timestamp)) from event_logs where run_id = %s"
            " group by 1",
            [asked["run_id"]],
        ):
            times["dagster", kind] = float(at)
    return [times[source, kind] - asked["created_at"].timestamp() for _, source, kind in STEPS]


def _rendering_seconds(database: Database, generations: list[UUID]) -> float:
    with database.transaction() as connection:
        row = connection.execute(
            "select avg(render_ms) / 1000.0 as seconds from generated_poses where generation_id = any(%s)",
            [generations],
        ).fetchone()
    assert row is not None
    return float(row["seconds"])


def _table(where: str, steps: list[list[float]], cpu: dict[str, float], rendering: float) -> str:
    columns = list(zip(*steps, strict=True))
    first_pose = columns[[label for label, _, _ in STEPS].index("first pose is stored")]
    ends = columns[-1]
    lines = [
        "# Latency",
        "",
        f"`./uvw run python -m benchmarks.latency`: {REQUESTS} requests of one pose, one after the other, on an idle",
        f"system. {where}.",
        "",
        f"**INSERT to the first stored pose: p50 {percentile(first_pose, 0.5):.2f} s, p95 "
        f"{percentile(first_pose, 0.95):.2f} s.**",
        "",
        "| from the INSERT until | p50 s | p95 s | step p50 s |",
        "|---|---:|---:|---:|",
    ]
    previous = [0.0] * len(steps)
    for (label, _, _), column in zip(STEPS, columns, strict=True):
        took = statistics.median(now - then for now, then in zip(column, previous, strict=True))
        lines.append(f"| {label} | {percentile(column, 0.5):.2f} | {percentile(column, 0.95):.2f} | {took:.2f} |")
        previous = list(column)
    total = sum(cpu.values())
    lines += [
        "",
        f"Overhead per generation, beside {rendering:.2f} s of rendering: {percentile(ends, 0.5) - rendering:.2f} s "
        f"wall (p50, to the end of the run) and **{total - rendering:.2f} CPU s**, without what an idle platform "
        "spends anyway.",
        "",
        "| CPU s per generation | |",
        "|---|---:|",
        *(f"| {name} | {seconds:.2f} |" for name, seconds in cpu.items()),
        f"| all, rendering included | {total:.2f} |",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
