"""What Dagster remembers of runs and partitions, and how it is made to forget them. Nothing of Posegen's own is here.

`delete_run` leaves two things behind that would grow for ever: the run's evaluations of asset checks, and its logs.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg
from dagster._core.instance import DagsterInstance
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

KEPT_TAG = "posegen/keep_runs"
"""Runs with this tag are not forgotten: their materialisations say what there is."""

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_PAGE = 200


def old_runs(instance: DagsterInstance, *, ended_before: datetime, most: int) -> list[str]:
    """The ids of finished runs that may be forgotten, the oldest first."""
    filters = dg.RunsFilter(statuses=_FINISHED, updated_before=ended_before)
    found: list[str] = []
    cursor = None
    while len(found) < most and (page := instance.get_run_records(filters, limit=_PAGE, cursor=cursor, ascending=True)):
        cursor = page[-1].dagster_run.run_id
        found += [each.dagster_run.run_id for each in page if KEPT_TAG not in each.dagster_run.tags]
    return found[:most]


def forget_runs(instance: DagsterInstance, run_ids: Sequence[str]) -> None:
    """Delete runs with their events, evaluations and logs; asked again, it goes on where it was."""
    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        with storage.index_connection() as connection:
            connection.execute(
                AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id.in_(run_ids))
            )
    for run_id in run_ids:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)


def forget_partitions(
    instance: DagsterInstance, partitions: dg.DynamicPartitionsDefinition, keys: Sequence[str]
) -> None:
    """Delete partitions; one that is not there is passed over."""
    assert partitions.name is not None, "the partitions of Posegen have names"
    for key in keys:
        instance.delete_dynamic_partition(partitions.name, key)
