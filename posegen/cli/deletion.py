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
from posegen.cli.session import open_session
from posegen.generations import service
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
        deleted = service.delete(
            session.database,
            generation,
            numbers=numbers(pose) or None,
            grace=grace,
            delete_files=delete_files,
            actor=actor or local_actor("delete"),
        )
    if as_json:
        console.print_json(
            {
                "generation": generation,
                "poses_hidden": deleted.poses_hidden,
                "grace_seconds": grace.total_seconds(),
                "adopted_files_kept": deleted.adopted_files_kept,
            }
        )
    else:
        console.say(
            f"The images of {_poses(deleted.poses_hidden)} are hidden, and deleted in "
            f"{grace.total_seconds() / 3600:g} hours. Until then: posegen restore {generation}"
        )
        if deleted.adopted_files_kept:
            kept = f"Adopted files that stay where they are: {deleted.adopted_files_kept}."
            console.say(f"{kept} --delete-files deletes them, too.")


def restore(generation: _GENERATION, pose: POSES = None, actor: ACTOR = None, as_json: AS_JSON = False) -> None:
    """Take `posegen delete`, or the deletion of expired images, back.

    Exit code 1 when nothing can be had back.

    Example: `posegen restore GENERATION`
    """
    with open_session() as session:
        restored = service.restore(
            session.database, generation, numbers=numbers(pose) or None, actor=actor or local_actor("restore")
        )
    if as_json:
        told = {"poses_restored": restored.poses_restored, "poses_gone": restored.poses_gone}
        console.print_json({"generation": generation, **told})
        return
    console.say(f"The images of {_poses(restored.poses_restored)} are there again.")
    if restored.poses_gone:
        console.complain(f"The images of {_poses(restored.poses_gone)} are deleted for good.")


def _poses(number: int) -> str:
    return "1 pose" if number == 1 else f"{number} poses"
