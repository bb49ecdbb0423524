"""`posegen storage adopt`: pictures that another system has made, taken in with their rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.cli.session import open_session
from posegen.generations.adopting.adoption import Adopted, Adoption, adopt_tree
from posegen.images.decoding.pool import DecoderPool


def adopt(
    folder: Annotated[
        Path,
        typer.Argument(help="It holds poses/GENERATION/POSE.png and POSE_thumb.png.", exists=True, file_okay=False),
    ],
    user: Annotated[UUID, typer.Option(help="Whose pictures they are, and whose space they take.")],
    expire: Annotated[
        bool, typer.Option("--expire", help="Unused pictures go after POSEGEN_KEEP_IMAGES_DAYS, counted from the file.")
    ] = False,
    delete_files: Annotated[
        bool, typer.Option("--delete-files", help="Files that are taken in where they are may be deleted with a pose.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; nothing is taken in.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Take in an upload tree of another system.

    Every folder becomes a generation that has ended and cost nothing. A tree that is the local store's own folder is
    registered where it is; any other is copied into the store and stays as it was. Adopted pictures are as old as their
    files. They do not expire without --expire, and files that are registered where they are stay when their pose is
    deleted, without --delete-files. Done again, it takes in only what is new. Exit code 1 when something could not be
    taken in.

    Example: `posegen storage adopt uploads --user USER`
    """
    with open_session(upgrade=True) as session, DecoderPool() as decoders:
        tree = Adoption.of(
            session.settings,
            folder,
            user,
            expires=expire,
            delete_files=delete_files,
            dry_run=dry_run,
            now=datetime.now(UTC),
        )
        console.note(_rules(tree, session.settings.posegen_keep_images_days))
        with console.err.status("Looking ...", spinner="dots") as status:

            def show(adopted: Adopted) -> None:
                session.urls.keep_running()
                status.update(f"{adopted.generations:,} generations, {adopted.poses:,} poses", spinner="dots")

            adopted = adopt_tree(session.studio(), tree, decoders.decode, progress=show)
    if as_json:
        console.print_json({**vars(adopted), "in_place": tree.in_place, "expire": expire, "dry_run": dry_run})
    else:
        _say(tree, adopted)
    for problem in adopted.problems:
        console.complain(problem)
    if adopted.problems:
        raise typer.Exit(1)


def _rules(tree: Adoption, keep_days: float) -> str:
    """What will be true of the pictures, said before anything is done."""
    if not tree.in_place:
        files = "The pictures are copied into the store; the folder stays as it is."
    elif tree.delete_files:
        files = (
            "The folder is the store's own: its files become objects where they are, and are deleted with their poses."
        )
    else:
        files = (
            "The folder is the store's own: its files become objects where they are, and stay when a pose is deleted."
        )
    if tree.expires:
        return f"{files} Unused pictures are hidden, then deleted, {keep_days:g} days after their file was written."
    return f"{files} The pictures do not expire."


def _say(tree: Adoption, adopted: Adopted) -> None:
    how = "registered where they are" if tree.in_place else "copied"
    console.say(
        f"{'Dry run: ' if tree.dry_run else ''}{adopted.generations:,} generations with {adopted.poses:,} poses, "
        f"{adopted.bytes:,} bytes, {how}; {adopted.known:,} were known already."
    )
    if adopted.files_kept:
        console.say(f"{adopted.files_kept:,} files are kept when their poses go.")
    if adopted.older:
        console.say(f"{adopted.older:,} poses are older than that already: the next clean-up hides them.")
