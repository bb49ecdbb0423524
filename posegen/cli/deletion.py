"""`posegen delete` and `posegen restore`: images of ended generations, hidden at once and deleted a day later."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.actors import ACTOR, local_actor
from posegen.cli.commands import AS_JSON
from posegen.cli.picking import POSES, numbers
from posegen.cli.session import Session, open_session
from posegen.errors import GenerationUnknown, NothingToDelete, NothingToRestore, PoseNumberUnknown
from posegen.generations.reading.results import results_of
from posegen.generations.rows import poses as pose_rows
from posegen.objects import adopted_files
from posegen.settings import LONGEST_GRACE_HOURS

_GENERATION = Annotated[UUID, typer.Argument(help="A generation that has ended; `posegen status` lists the latest.")]


def delete(
    generation: _GENERATION,
    pose: POSES = None,
    grace_hours: Annotated[
        float | None,
        typer.Option(
            "--grace",
            help="Hours in which they can be had back; without it POSEGEN_DELETE_GRACE_HOURS.",
            min=0,
            max=LONGEST_GRACE_HOURS,
        ),
    ] = None,
    delete_files: Annotated[
        bool, typer.Option("--delete-files", help="Files that were adopted where they lie go, too.")
    ] = False,
    actor: ACTOR = None,
    as_json: AS_JSON = False,
) -> None:
    """Delete the images of a generation and all that was made of them.

    `posegen restore` takes it back for a day. Thumbnails, exports and variants go with the images. They are hidden from
    every view at once, and deleted from the store when the time of grace is over; files that were adopted where they
    lie stay there without --delete-files. What they cost stays paid; rows, ledger and audit stay as they are. Exit code
    1 when there is nothing to delete.

    Example: `posegen delete GENERATION --pose 1,3`
    """
    with open_session() as session:
        grace = timedelta(
            hours=session.settings.posegen_delete_grace_hours if grace_hours is None else grace_hours,
        )
        chosen = _chosen(session, generation, pose)
        with session.database.transaction() as connection:
            hidden = pose_rows.hide(connection, chosen, actor=actor or local_actor("delete"), grace=grace)
            released = adopted_files.let_go_with(connection, chosen) if delete_files else 0
            kept = adopted_files.count_of_poses(connection, chosen)
    if not hidden and not released:
        raise NothingToDelete(generation)
    if as_json:
        console.print_json(
            {
                "generation": generation,
                "poses_hidden": hidden,
                "grace_seconds": grace.total_seconds(),
                "adopted_files_kept": kept,
            }
        )
    else:
        console.say(
            f"The images of {_poses(hidden)} are hidden, and deleted in {grace.total_seconds() / 3600:g} hours. "
            f"Until then: posegen restore {generation}"
        )
        if kept:
            console.say(f"Adopted files that stay where they are: {kept}. --delete-files deletes them, too.")


def restore(generation: _GENERATION, pose: POSES = None, actor: ACTOR = None, as_json: AS_JSON = False) -> None:
    """Take `posegen delete`, or the deletion of expired images, back.

    Exit code 1 when nothing can be had back.

    Example: `posegen restore GENERATION`
    """
    with open_session() as session:
        chosen = _chosen(session, generation, pose)
        with session.database.transaction() as connection:
            hidden = [each for each in pose_rows.hidden_poses(connection, generation) if each.id in chosen]
            restored = pose_rows.restore(connection, chosen, actor=actor or local_actor("restore"))
    gone = sum(each.images_deleted_at is not None for each in hidden)
    if not restored:
        raise NothingToRestore(generation, gone=gone)
    if as_json:
        console.print_json({"generation": generation, "poses_restored": restored, "poses_gone": gone})
        return
    console.say(f"The images of {_poses(restored)} are there again.")
    if gone:
        console.complain(f"The images of {_poses(gone)} are deleted for good.")


def _chosen(session: Session, generation: UUID, poses: list[str] | None) -> list[UUID]:
    wanted = numbers(poses)
    with session.database.transaction() as connection:
        if not results_of(connection, [generation]):
            raise GenerationUnknown(generation)
        completed = {position + 1: pose for position, pose in pose_rows.completed_poses(connection, generation).items()}
    for number in wanted or ():
        if number not in completed:
            raise PoseNumberUnknown(number, list(completed))
    return [completed[number] for number in (wanted or completed)]


def _poses(number: int) -> str:
    return "1 pose" if number == 1 else f"{number} poses"
