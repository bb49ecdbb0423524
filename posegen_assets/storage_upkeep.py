"""Upkeep of the stores: reconciling them with their rows every night, and moving objects from one to another in slices.

What is compared, repaired and moved, and why that is safe beside live work, is in `posegen.upkeep`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import Field

from posegen.objects import moves
from posegen.objects.identity import require_own
from posegen.objects.moving import Move, delete_due, move_manifests, move_objects
from posegen.studio import Studio
from posegen.upkeep.metrics import note_findings
from posegen.upkeep.reconciling import Found, reconcile
from posegen_assets.ownership import CODE_VERSION, OWNERS, UPKEEP
from resources.studio import StudioResource


class ReconcileConfig(dg.Config):
    """How stores are compared with their rows."""

    dry_run: bool = Field(default=False, description="Report only; nothing is repaired or deleted.")
    grace_hours: float = Field(default=24, ge=0, le=8760, description="How old an object without a row has to be.")
    read_all: bool = Field(default=False, description="Also read and hash every object.")


@dg.asset(
    group_name=UPKEEP,
    kinds={"storage"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    description="The stores beside their rows: unused objects are deleted, lost or damaged ones are named.",
)
def reconciled_storage(config: ReconcileConfig, studio: dg.ResourceParam[StudioResource]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One pass over every store that rows need."""
    with studio.open() as opened:
        pass_ = reconcile(
            opened.database,
            opened.stores_in_use(),
            grace=timedelta(hours=config.grace_hours),
            read_all=config.read_all,
            repair=not config.dry_run,
        )
        with opened.database.transaction() as connection:
            note_findings(connection, "reconcile", pass_.left)
    return dg.MaterializeResult(
        metadata={
            "findings left": pass_.left,
            "findings": dg.MetadataValue.md(_shown(pass_.found)),
            "rows": pass_.rows,
            "objects": pass_.objects,
            "objects deleted": pass_.deleted,
            "bytes deleted": pass_.deleted_bytes,
            "dry run": config.dry_run,
            "at": dg.MetadataValue.timestamp(datetime.now(UTC)),
        }
    )


class MoveConfig(dg.Config):
    """From where to where objects go; both stores have to be configured."""

    source: str = Field(description="The store that they come from, such as local.")
    target: str = Field(description="The store that they go to, such as r2.")
    slice_size: int = Field(default=2000, ge=1, le=1_000_000, description="Objects in one step.")
    grace_hours: float = Field(default=24, ge=0, le=8760, description="How long the old copies stay.")
    read_back: bool = Field(default=False, description="Read every copy again before it counts.")
    delete_files: bool = Field(default=False, description="Old copies go even where they are adopted files.")


@dg.op(out=dg.DynamicOut(dict), description="Cuts what is to be moved into slices.")
def slices_to_move(
    config: MoveConfig, studio: dg.ResourceParam[StudioResource]
) -> Iterator[dg.DynamicOutput[dict[str, object]]]:
    """One output for each slice: the ids that it begins and ends with, and what is to be done with it."""
    with studio.open() as opened:
        require_own(opened.database, opened.store_named(config.target))
        with opened.database.transaction() as connection:
            found = moves.slices(connection, config.source, config.slice_size)
    for number, (first, last) in enumerate(found):
        yield dg.DynamicOutput({**config.model_dump(), "first": first, "last": last}, mapping_key=f"slice_{number}")


@dg.op(description="Moves one slice; run again, it goes on where it was.")
def move_slice(
    context: dg.OpExecutionContext, studio: dg.ResourceParam[StudioResource], slice_: dict[str, object]
) -> int:
    """How many objects could not be moved; the log names them."""
    work = _Slice.model_validate(slice_)
    with studio.open() as opened:
        moved = move_objects(opened.database, _move(opened, work), first=work.first, last=work.last)
    context.log.info("%d objects, %d bytes moved, %d were there", moved.objects, moved.bytes, moved.was_there)
    for problem in moved.problems:
        context.log.error(problem)
    return len(moved.problems)


@dg.op(description="Copies the manifests, and deletes old copies whose time has come.")
def finish_move(
    context: dg.OpExecutionContext, config: MoveConfig, studio: dg.ResourceParam[StudioResource], problems: list[int]
) -> None:
    """The end of a move; fails when an object could not be moved, and says how many are left."""
    with studio.open() as opened:
        source, target = opened.store_named(config.source), opened.store_named(config.target)
        manifests = move_manifests(source, target)
        deleted, _ = delete_due(opened.database, source)
        with opened.database.transaction() as connection:
            left, _ = moves.still_to_move(connection, config.source)
    context.add_output_metadata({"manifests": manifests, "old copies deleted": deleted, "objects left": left})
    if sum(problems):
        raise dg.Failure(
            f"{sum(problems)} objects could not be moved; the steps before name them.", allow_retries=False
        )


@dg.job(
    name="move_storage",
    executor_def=dg.multi_or_in_process_executor,
    description="Moves every object to another store in slices, while work goes on: `posegen storage migrate`.",
)
def move_storage() -> None:
    """Slices side by side, one process each; with another executor on many machines."""
    finish_move(problems=slices_to_move().map(move_slice).collect())


class _Slice(MoveConfig):
    first: int
    last: int


def _move(studio: Studio, work: MoveConfig) -> Move:
    return Move(
        studio.store_named(work.source),
        studio.store_named(work.target),
        grace=timedelta(hours=work.grace_hours),
        read_back=work.read_back,
        delete_files=work.delete_files,
    )


def _shown(found: list[Found]) -> str:
    rows = [
        f"| {each.store} | {each.says} | {each.number:,} | {each.repaired:,} | {'; '.join(each.examples)} | "
        f"{each.fix if each.number > each.repaired else ''} |"
        for each in found
    ]
    head = ["| store | found | number | repaired | examples | to do |", "|---|---|---:|---:|---|---|"]
    return "\n".join([*head, *rows]) if rows else "nothing"
