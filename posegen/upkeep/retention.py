"""Retention: unused images are hidden, then deleted; ended work is retired. Page by page beside live work.

Each page is a transaction of its own, short enough that no claim waits for it. Killed anywhere and run again, a pass
goes on where it was. What Dagster remembers of retired work is dropped by the caller (`resources.traces`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import repeat

from posegen.database.connection import Database
from posegen.objects.moving import delete_due
from posegen.settings import Settings
from posegen.storage.protocol import ObjectStore
from posegen.upkeep import retention_rows as retention
from posegen.upkeep.retention_rows import Deleted, Due

# Poses in one transaction: some 15 objects each, whose locks and foreign keys are held for some 20 ms.
PAGE = 50


@dataclass(frozen=True)
class RetentionRule:
    """Retention periods. `images`: neither marked nor downloaded; `grace`: between hidden and deleted."""

    images: timedelta = timedelta(days=90)
    grace: timedelta = timedelta(hours=24)
    traces: timedelta = timedelta(days=7)

    @classmethod
    def of(cls, settings: Settings) -> RetentionRule:
        """As the settings say."""
        return cls(
            images=timedelta(days=settings.posegen_keep_images_days),
            grace=timedelta(hours=settings.posegen_delete_grace_hours),
            traces=timedelta(days=settings.posegen_keep_traces_days),
        )


@dataclass(frozen=True)
class ImagesPass:
    """What a pass over images found and did. `hidden`: poses; `objects_gone`, `bytes_gone`: deleted from the stores."""

    expired: Due
    due: Due
    hidden: int = 0
    deleted: Deleted = field(default_factory=Deleted)
    objects_gone: int = 0
    bytes_gone: int = 0


def clean_up_images(
    database: Database,
    stores: Sequence[ObjectStore],
    rule: RetentionRule,
    *,
    most: int | None = None,
    dry_run: bool = False,
    page: int = PAGE,
) -> ImagesPass:
    """Hide the images that have expired, and delete those that were hidden for long enough.

    Args:
        database: where the rows are.
        stores: the stores that rows need.
        rule: how long images are kept.
        most: the number of poses to hide, and of those to delete; None for all.
        dry_run: only count.
        page: poses in one transaction.
    """
    with database.transaction() as connection:
        expired = retention.expired(connection, age=rule.images)
        due = retention.to_delete(connection)
    if dry_run:
        return ImagesPass(expired, due)
    hidden = 0
    for limit in _pages(most, page):
        with database.transaction() as connection:
            done = retention.hide_expired(connection, age=rule.images, grace=rule.grace, limit=limit)
        hidden += done
        if done < limit:
            break
    deleted = Deleted()
    for limit in _pages(most, page):
        with database.transaction() as connection:
            gone = retention.delete_hidden(connection, limit=limit)
        deleted += gone
        if gone.poses < limit:
            break
    deleted += _delete_leftovers(database, rule, page)
    objects = size = 0
    for store in stores:
        number, freed = delete_due(database, store)
        objects, size = objects + number, size + freed
    return ImagesPass(expired, due, hidden, deleted, objects, size)


def _delete_leftovers(database: Database, rule: RetentionRule, page: int) -> Deleted:
    deleted = Deleted()
    for delete in (
        partial(retention.delete_leftover_variants, limit=page),
        partial(retention.delete_unused_files, age=rule.traces, limit=page),
        partial(retention.delete_unused_controls, age=rule.traces, limit=page),
    ):
        gone = Deleted(objects=1)
        while gone.objects:
            with database.transaction() as connection:
                gone = delete(connection)
            deleted += gone
    return deleted


def _pages(most: int | None, page: int) -> Iterator[int]:
    """The sizes of one page after the other, for good or until there were `most`."""
    if most is None:
        yield from repeat(page)
    else:
        yield from (min(page, most - done) for done in range(0, most, page))
