"""Batches of hostile rows through the real ticks, each with healthy work behind it that has to be completed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import psycopg
from psycopg.rows import dict_row

from posegen.database.connection import Database
from posegen.designs import work as designs
from posegen.designs.making import make_design
from posegen.generations.asking import claims
from posegen.images.validation import open_image
from posegen.platforms.platform import PLATFORMS
from posegen.studio import Studio
from posegen.variants.making import make_variants
from sensors.requests import design_requests, generation_requests, image_requests
from sensors.targets import BATCH_TAG, DISPATCH_TAG
from tests.builders import a_design, a_request, a_user, execute, rows, value, work
from tests.hostile_rows import HostileRow

HEALTHY_SECONDS = 30.0
_LONGEST_PASSES = 40


@dataclass
class Outcome:
    """What became of the rows so far. `healthy_seconds`: of each healthy request, from its insert to its end."""

    written: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    healthy_seconds: list[float] = field(default_factory=list)


class Batches:
    """Writes rows, ticks, makes what is healthy, and looks at what has become of everything.

    Args:
        studio: with the database that the rows are written to.
        resources: of the sensors, as they are deployed.
        instance: of Dagster.
    """

    def __init__(self, studio: Studio, resources: dict[str, Any], instance: dg.DagsterInstance) -> None:
        self.outcome = Outcome()
        self._studio = studio
        self._database = studio.database
        self._resources = {name: resources[name] for name in ("database", "settings", "studio")}
        self._instance = instance
        self._customer = a_user(self._database, credits=10_000_000)

    def run(self, source: Iterator[HostileRow], count: int) -> None:
        """One batch of so many rows, and a healthy generation, design and variant behind them."""
        self._write(list(islice(source, count)))
        began, cpu = time.monotonic(), time.process_time()
        generation = a_request(self._database, self._customer)
        design = a_design(self._database, self._customer)
        self._make_generation(generation)
        self._make_design(design)
        self._make_variants(generation)
        # Of the processor's time, because others may need the machine; how long it took is written down.
        assert (used := time.process_time() - cpu) < HEALTHY_SECONDS, f"healthy work took {used:.1f} s of CPU"
        self.outcome.healthy_seconds.append(time.monotonic() - began)
        self._judge()
        self._clear()

    def _write(self, hostile: list[HostileRow]) -> None:
        with psycopg.connect(self._database.url, row_factory=dict_row) as connection:
            for row in hostile:
                counted = self.outcome.written if row.insert(connection) else self.outcome.refused
                counted[row.table] += 1

    def _tick(self, sensor: dg.SensorDefinition) -> list[dg.RunRequest]:
        with dg.build_sensor_context(instance=self._instance, resources=self._resources) as context:
            answer = sensor(context)
        return list(answer.run_requests or []) if isinstance(answer, dg.SensorResult) else []

    def _make_generation(self, generation: UUID) -> None:
        asked = {each.partition_key: each for each in self._tick(generation_requests)}
        request = asked[str(generation)]
        lease = claims.start_work(
            self._database, generation, dispatch=int(request.tags[DISPATCH_TAG]), run_id="run", lease_seconds=60
        )
        assert lease is not None
        assert work(self._studio, lease) == "completed"

    def _make_design(self, design: UUID) -> None:
        asked = {each.partition_key: each for each in self._tick(design_requests)}
        dispatch = int(asked[str(design)].tags[DISPATCH_TAG])
        lease = designs.start_design(self._database, design, dispatch=dispatch, run_id="run", lease_seconds=60)
        assert lease is not None
        make_design(self._studio, lease)
        assert value(self._database, "select status from designs where id = %s", design) == "published"

    def _make_variants(self, generation: UUID) -> None:
        execute(
            self._database,
            "insert into image_requests (user_id, tool, source) "
            "select user_id, 'editor', image_url from pose_results where generation_id = %s",
            generation,
        )
        for _ in range(_LONGEST_PASSES):
            asked = self._tick(image_requests)
            if not asked:
                break
            for request in asked:
                make_variants(
                    self._studio, UUID(request.tags[BATCH_TAG]), lambda file, _: open_image(file), run_id="run"
                )
        found = rows(
            self._database,
            "select status from variant_results where user_id = %s and status <> 'completed'",
            self._customer,
        )
        assert found == [], "the healthy image request was not made"

    def _judge(self) -> None:
        """Everything has ended or is on its way, and nothing met a defect."""
        assert rows(self._database, "select tick, step, cause, detail from step_failures") == []
        assert value(self._database, "select count(*) from generations where status = 'submitted'") == 0
        assert value(self._database, "select count(*) from image_variants where status = 'submitted'") == 0
        waiting = "select count(*) from designs where status = 'draft'"
        assert value(self._database, waiting) == 0
        for table in ("generations", "designs", "image_variants"):
            ended = rows(
                self._database,
                f"select coalesce(error_code, status) as how, count(*) as number, "
                f"count(*) filter (where status = 'failed' and coalesce(error_detail, '') = '') as silent, "
                f"max(error_detail) filter (where error_code = 'poisoned') as defect from {table} "
                "where finished_at is not null group by 1",
            )
            assert [each for each in ended if each["silent"] or each["defect"]] == []
            self.outcome.ended |= Counter({f"{table}: {each['how']}": each["number"] for each in ended})

    def _clear(self) -> None:
        """Make room for the next batch; the rows that ended stay."""
        for statement in (
            "select cancel_generation(id) from generations where finished_at is null",
            "delete from design_requests r using designs d where d.id = r.id and d.status = 'draft'",
            "update library_poses set enabled = false where slug like 'hostile%%' or position is null",
            "delete from library_poses l where not built_in "
            "and not exists (select from generated_poses p where p.library_pose = l.slug)",
            "delete from pose_categories c where not exists (select from library_poses l where l.category = c.slug) "
            "and slug like 'hostile%%'",
        ):
            execute(self._database, statement)
        execute(self._database, "delete from platforms where name <> all(%s)", list(PLATFORMS))


def commands_on_a_sample(database: Database, folder: Path) -> list[list[str]]:
    """Commands that show what is there, on work that ended in different ways. `folder`: to write into."""
    different = rows(
        database,
        "select distinct on (left(error_detail, 30)) id::text as id from generations where error_code is not null",
    )
    unreadable = rows(database, "select id::text as id from generation_requests where length(avatar::text) > 4000")
    designs_ended = rows(database, "select distinct on (left(error_detail, 20)) id::text as id from designs")
    ids = [each["id"] for each in (*different[:12], *unreadable[:2])]
    return [
        *(["explain", each] for each in ids),
        *(["show", each] for each in ids[:2]),
        *(["explain", ids[-1], "--json"], ["watch", ids[0]], ["watch", ids[-1], "--json"]),
        *(["design", "show", each["id"]] for each in designs_ended[:3]),
        *(["status", "--limit", "1000"], ["status", "--limit", "1000", "--json"], ["library", "list"]),
        *(["library", "list", "--json"], ["verify"], ["metrics"], ["metrics", "top-users"], ["metrics", "errors"]),
        *(["report", "--html", str(folder / "report.html")], ["audit"], ["credits", "audit"], ["doctor"]),
    ]


def problem_of(code: int, said: str) -> str | None:
    """What is wrong with a command's answer, or None."""
    if code not in {0, 1, 3}:
        return f"exit code {code}"
    if "Traceback" in said:
        return "a traceback"
    raw = sorted({"\x1b", "\u202e", "\x9b"} & set(said))
    return f"it shows {raw!a} as they are" if raw else None
