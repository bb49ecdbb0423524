"""`posegen regenerate`: exports of an ended generation, made anew."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer
from rich.progress import Progress

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.cli.picking import POSES, names, numbers
from posegen.cli.session import open_session
from posegen.generations import service
from posegen.generations.asking.regeneration import regenerate as make_again

SOME_FAILED = 1


def regenerate(
    generation: Annotated[UUID, typer.Argument(help="A generation that has ended; `posegen status` lists the latest.")],
    format: Annotated[  # the option's name is what users read
        list[str] | None,
        typer.Option(
            help="A platform such as tiktok; may be repeated, or several with commas. Without it those of the request."
        ),
    ] = None,
    pose: POSES = None,
    missing: Annotated[bool, typer.Option("--missing", help="Only what is not there, or has failed.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Make exports of a generation again, or in a new format.

    It costs no credits. The new files take the place of the old ones all at once; a file that cannot be made leaves the
    old one. Exit code 1 when one could not be made.

    Examples: `posegen regenerate GENERATION --format tiktok --pose 3` makes one export,
    `posegen regenerate GENERATION --format shopee` one format of all poses, `posegen regenerate GENERATION` all.
    """
    with open_session() as session:
        (result,) = service.status(session.database, [generation])
        chosen = numbers(pose)
        total = result.poses_completed if chosen is None else len(chosen)
        with Progress(console=console.err, disable=as_json, transient=True) as progress:
            bar = progress.add_task("Deriving", total=total)
            done = make_again(
                session.studio(),
                generation,
                formats=names(format) or None,
                numbers=chosen,
                again=not missing,
                on_pose=lambda _: progress.advance(bar),
            )
    if as_json:
        console.print_json({"derived": done.derived, "failed": [vars(each) for each in done.failed]})
    else:
        for each in done.failed:
            console.complain(
                f"pose {each.number} ({each.library_pose}) as {each.format} could not be made; the table exports and "
                "the log say why."
            )
        console.say(f"{done.derived} exports derived.")
    if done.failed:
        raise typer.Exit(SOME_FAILED)
