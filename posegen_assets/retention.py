"""Retention as assets: unused images, traces of ended work, and space that was counted wrong.

What goes, in which order, and why that is safe beside live work, is in `posegen.upkeep.retention`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import dagster as dg
from pydantic import Field

from posegen.accounts import service as accounts
from posegen.database.connection import Database
from posegen.settings import LONGEST_DAYS, LONGEST_GRACE_HOURS, MOST_ROWS, Settings
from posegen.upkeep import retention_rows as retention
from posegen.upkeep.retention import RetentionRule, clean_up_images
from posegen.upkeep.retention_access import delete_ended_access
from posegen.upkeep.retention_rows import Due
from posegen_assets.ownership import CODE_VERSION, OWNERS, UPKEEP
from resources.database import DatabaseResource
from resources.studio import StudioResource
from resources.traces import forget_partitions, forget_runs, old_runs
from sensors.targets import DESIGNS, GENERATION_PARTITIONS

_PAGE = 200
T = TypeVar("T")


class ImagesConfig(dg.Config):
    """Which images go; what is left out is as the settings say."""

    dry_run: bool = Field(default=False, description="Report only; nothing is hidden or deleted.")
    keep_days: float | None = Field(
        default=None, gt=0, le=LONGEST_DAYS, description="Instead of POSEGEN_KEEP_IMAGES_DAYS."
    )
    grace_hours: float | None = Field(
        default=None, ge=0, le=LONGEST_GRACE_HOURS, description="Instead of POSEGEN_DELETE_GRACE_HOURS."
    )
    most_poses: int | None = Field(
        default=None, ge=1, le=MOST_ROWS, description="Hide and delete the images of so many poses each."
    )


class TracesConfig(dg.Config):
    """Whose traces go; what is left out is as the settings say."""

    dry_run: bool = Field(default=False, description="Report only; nothing is dropped.")
    keep_days: float | None = Field(
        default=None, gt=0, le=LONGEST_DAYS, description="Instead of POSEGEN_KEEP_TRACES_DAYS."
    )
    # More than a day brings on one machine: what is left over each night would pile up.
    most: int = Field(
        default=200_000, ge=1, le=MOST_ROWS, description="Generations, designs and runs in one pass, each."
    )


class RecountConfig(dg.Config):
    """How space is counted anew."""

    dry_run: bool = Field(default=False, description="Report only; no account is corrected.")


@dg.asset(
    group_name=UPKEEP,
    kinds={"storage", "postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="Images that were neither downloaded nor marked for 90 days are hidden, and deleted a day later.",
)
def cleaned_images(
    config: ImagesConfig, studio: dg.ResourceParam[StudioResource], settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One pass: hide what has expired, delete what was hidden long enough."""
    rule = RetentionRule.of(settings)
    rule = RetentionRule(
        images=rule.images if config.keep_days is None else timedelta(days=config.keep_days),
        grace=rule.grace if config.grace_hours is None else timedelta(hours=config.grace_hours),
    )
    with studio.open() as opened:
        stores = opened.stores_in_use()
        done = clean_up_images(opened.database, stores, rule, most=config.most_poses, dry_run=config.dry_run)
    return dg.MaterializeResult(
        metadata={
            "expired": dg.MetadataValue.md(_shown(done.expired)),
            "due": dg.MetadataValue.md(_shown(done.due)),
            "poses hidden": done.hidden,
            "poses deleted": done.deleted.poses,
            "objects deleted": done.objects_gone,
            "bytes deleted": done.bytes_gone,
            "dry run": config.dry_run,
            "at": dg.MetadataValue.timestamp(datetime.now(UTC)),
        }
    )


@dg.asset(
    group_name=UPKEEP,
    kinds={"dagster", "postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="A week after its end, work loses its events, its partition and its runs; its rows stay. "
    "Credentials go once they have ended for long enough.",
)
def retired_work(
    context: dg.AssetExecutionContext,
    config: TracesConfig,
    database: dg.ResourceParam[DatabaseResource],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One pass over generations, designs, runs and credentials."""
    rule = RetentionRule.of(settings)
    age = rule.traces if config.keep_days is None else timedelta(days=config.keep_days)
    with database.open() as opened:
        with opened.transaction() as connection:
            generations = retention.generations_to_retire(connection, age=age, limit=config.most)
            designs = retention.designs_to_retire(connection, age=age, limit=config.most)
        runs = old_runs(context.instance, ended_before=datetime.now(UTC) - age, most=config.most)
        events = credentials = 0
        if not config.dry_run:
            credentials = delete_ended_access(opened, datetime.now(UTC))
            events = _retire(context.instance, opened, generations, designs)
            for page in _pages(runs):
                forget_runs(context.instance, page)
    return dg.MaterializeResult(
        metadata={
            "generations": len(generations),
            "designs": len(designs),
            "runs": len(runs),
            "events": events,
            "credentials": credentials,
            "dry run": config.dry_run,
            "at": dg.MetadataValue.timestamp(datetime.now(UTC)),
        }
    )


@dg.asset(
    group_name=UPKEEP,
    kinds={"postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="Everybody's used and reserved space, counted anew; accounts that were wrong are corrected and named.",
)
def recounted_space(config: RecountConfig, database: dg.ResourceParam[DatabaseResource]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One pass over all accounts."""
    with database.open() as opened:
        wrong = accounts.recount(opened, actor="posegen, recounted_space", dry_run=config.dry_run)
    rows = [
        f"| {each.user_id} | {each.used_before:,} | {each.used:,} | {each.reserved_before:,} | {each.reserved:,} |"
        for each in wrong
    ]
    head = ["| user | used | counted | reserved | counted |", "|---|---:|---:|---:|---:|"]
    return dg.MaterializeResult(
        metadata={
            "accounts that were wrong": len(wrong),
            "accounts": dg.MetadataValue.md("\n".join([*head, *rows]) if rows else "nothing"),
            "dry run": config.dry_run,
            "at": dg.MetadataValue.timestamp(datetime.now(UTC)),
        }
    )


def _retire(instance: dg.DagsterInstance, database: Database, generations: list[UUID], designs: list[UUID]) -> int:
    """Partitions first: an interrupted pass finds the rows again, and deletes partitions that are gone."""
    events = 0
    for page in _pages(generations):
        forget_partitions(instance, GENERATION_PARTITIONS, [str(each) for each in page])
        with database.transaction() as connection:
            events += retention.retire_generations(connection, page)
    for page in _pages(designs):
        forget_partitions(instance, DESIGNS, [str(each) for each in page])
        with database.transaction() as connection:
            retention.retire_designs(connection, page)
    return events


def _pages(rows: Sequence[T]) -> list[Sequence[T]]:
    return [rows[begin : begin + _PAGE] for begin in range(0, len(rows), _PAGE)]


def _shown(due: Due) -> str:
    since = "" if due.oldest is None else f", the oldest of {due.oldest:%Y-%m-%d}"
    return f"{due.poses:,} poses with {due.bytes:,} bytes{since}"
