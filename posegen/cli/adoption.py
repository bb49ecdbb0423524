"""`posegen storage adopt`: pictures that another system has made, taken in with their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.session import open_session
from posegen.images.decoding.pool import DecoderPool
from posegen.studio.adoption import Adopted, adopt_tree


def adopt(
    folder: Annotated[
        Path,
        typer.Argument(help="It holds poses/GENERATION/POSE.png and POSE_thumb.png.", exists=True, file_okay=False),
    ],
    user: Annotated[UUID, typer.Option(help="Whose pictures they are, and whose space they take.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document for scripts.")] = False,
) -> None:
    """Take in an upload tree of another system: every folder becomes a generation that has ended and cost nothing.

    A tree that is the local store's own folder is registered where it is; any other is copied into the store and stays
    as it was. Done again, it takes in only what is new. Exit code 1 when something could not be taken in.
    """
    with open_session(upgrade=True) as session, DecoderPool() as decoders:
        local = session.settings.storage_mode == "local"
        in_place = local and folder.resolve() == session.settings.storage_path.resolve()
        with console.err.status("Looking ...", spinner="dots") as status:

            def show(adopted: Adopted) -> None:
                session.urls.keep_running()
                status.update(f"{adopted.generations:,} generations, {adopted.poses:,} poses", spinner="dots")

            adopted = adopt_tree(
                session.studio(), folder.resolve(), user, decoders.decode, in_place=in_place, progress=show
            )
    if as_json:
        console.print_json({**vars(adopted), "in_place": in_place})
    else:
        how = "registered where they are" if in_place else "copied"
        console.say(
            f"{adopted.generations:,} generations with {adopted.poses:,} poses, {adopted.bytes:,} bytes, {how}; "
            f"{adopted.known:,} were known already."
        )
    for problem in adopted.problems:
        console.complain(problem)
    if adopted.problems:
        raise typer.Exit(1)
