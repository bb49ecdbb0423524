"""`posegen storage migrate` and `reconcile`: objects go to another store, and stores are compared with their rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.cli.session import Session, open_session
from posegen.objects import adopted_files, moves, stores
from posegen.objects.identity import require_own
from posegen.objects.moving import Move, Moved, delete_due, move_manifests, move_objects
from posegen.upkeep.reconciling import Reconciled
from posegen.upkeep.reconciling import reconcile as reconcile_all

# Objects that were put there during the move are left to the next pass, so that the command ends.
_PASSES = 3


def migrate(
    to: Annotated[str, typer.Option(help="The store that objects go to, such as r2.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="The store that they come from; local without it.")
    ] = None,
    grace_hours: Annotated[
        float, typer.Option("--grace", help="Hours that the old copies stay.", min=0, max=8760)
    ] = 24.0,
    read_back: Annotated[bool, typer.Option("--read-back", help="Read every copy again before it counts.")] = False,
    mb_per_second: Annotated[
        float | None,
        typer.Option(
            "--rate",
            help="Megabytes a second at most, over all threads.",
            min=0.001,
            max=1_000_000,
        ),
    ] = None,
    threads: Annotated[int, typer.Option(help="Objects copied at once.", min=1, max=64)] = 8,
    delete_files: Annotated[
        bool, typer.Option("--delete-files", help="Old copies go even where they are files that were adopted in place.")
    ] = False,
    as_json: AS_JSON = False,
) -> None:
    """Move every object to another store while work goes on.

    Set STORAGE_MODE to the new store first, so that new objects go there. Every object stays readable at every moment,
    every copy is verified, and old copies stay for the grace period; files that were adopted where they lie stay for
    good without --delete-files. Killed and run again, it goes on where it was; back is the same command the other way.
    Exit code 1 when something could not be moved.

    Example: `posegen storage migrate --from local --to r2`
    """
    with open_session(upgrade=True) as session:
        from_ = _source(session, from_, to)
        source, target = session.stores.named(from_), session.stores.named(to)
        require_own(session.database, target)
        if session.settings.storage_mode != to:
            console.note(f"New objects still go to {session.settings.storage_mode}: set STORAGE_MODE={to} as well.")
        rate = None if mb_per_second is None else mb_per_second * 1e6
        move = Move(source, target, timedelta(hours=grace_hours), read_back, rate, threads, delete_files)
        moved = _move(session, move, quiet=as_json)
        manifests = move_manifests(source, target)
        gone, _ = delete_due(session.database, source)
        with session.database.transaction() as connection:
            left, _ = moves.still_to_move(connection, from_)
            kept = adopted_files.count_in(connection, from_)
    if as_json:
        said = {"manifests": manifests, "left": left, "old_copies_deleted": gone, "adopted_files_kept": kept}
        console.print_json({**vars(moved), **said})
    else:
        console.say(
            f"{moved.objects:,} objects, {moved.bytes / 1e6:,.1f} MB from {from_} to {to}; {moved.was_there:,} of them "
            f"were there already. {manifests:,} manifests copied. {left:,} objects are still in {from_}."
        )
        if kept:
            console.say(f"{kept:,} files that were adopted where they lie stay in {from_}: --delete-files.")
    for problem in moved.problems:
        console.complain(problem)
    if moved.problems or left:
        raise typer.Exit(1)


def reconcile(
    repair: Annotated[bool, typer.Option("--repair", help="Act on what is found, where that loses nothing.")] = False,
    grace_hours: Annotated[
        float,
        typer.Option("--grace", help="Hours that an object may lie there without a row.", min=0, max=8760),
    ] = 24.0,
    read_all: Annotated[bool, typer.Option("--read-all", help="Also read and hash every object.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Compare the stores with their rows.

    Finds what has no row, and what is lost, damaged, unused or half uploaded. Reports; with --repair it deletes what
    no row needs, and finds objects again that lie in another store. Exit code 1 when something is left to do.

    Example: `posegen storage reconcile --repair`
    """
    with open_session() as session, console.err.status("Looking ...", spinner="dots") as status:
        if repair:
            require_own(session.database, session.store)
        pass_ = reconcile_all(
            session.database,
            session.stores_in_use(),
            grace=timedelta(hours=grace_hours),
            read_all=read_all,
            repair=repair,
            looking_at=lambda what: status.update(f"Looking at {what}", spinner="dots"),
        )
    if as_json:
        found = [{**vars(each), "says": each.says} for each in pass_.found]
        console.print_json({**vars(pass_), "found": found, "left": pass_.left})
    else:
        _print(pass_)
    if pass_.left:
        raise typer.Exit(1)


def _source(session: Session, given: str | None, to: str) -> str:
    """The store that objects come from. Raises `typer.BadParameter` with the stores that rows name instead."""
    source = given or "local"
    with session.database.transaction() as connection:
        counts = {store: moves.still_to_move(connection, store).objects for store in stores.needed(connection)}
    others = {store: count for store, count in counts.items() if store != to}
    if source != to and (given or source in others or not others):
        return source
    if not others:
        raise typer.BadParameter(
            f"{to} is where the objects are; no other store has any: there is nothing to move.", param_hint="--to"
        )
    found = ", ".join(f"{count:,} in {store}" for store, count in others.items())
    advice = " or ".join(f"--from {store}" for store in others)
    raise typer.BadParameter(
        f"No object is to be moved from {source} to {to}. Rows say where objects are: {found}. Add {advice}.",
        param_hint="--from",
    )


def _move(session: Session, move: Move, *, quiet: bool) -> Moved:
    with session.database.transaction() as connection:
        objects, size = moves.still_to_move(connection, move.source.name)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[objects]}"),
    )  # fmt: skip
    total = Moved()
    with Progress(*columns, console=console.err, disable=quiet) as progress:
        bar = progress.add_task(f"{move.source.name} to {move.target.name}", total=size, objects=f"0/{objects:,}")
        for _ in range(_PASSES):
            before = (total.objects, total.bytes)

            def show(moved: Moved, before: tuple[int, int] = before) -> None:
                session.urls.keep_running()
                progress.update(
                    bar, completed=before[1] + moved.bytes, objects=f"{before[0] + moved.objects:,}/{objects:,}"
                )

            moved = move_objects(session.database, move, progress=show)
            total.objects += moved.objects
            total.bytes += moved.bytes
            total.was_there += moved.was_there
            total.problems = moved.problems
            if not moved.objects:
                break
    return total


def _print(pass_: Reconciled) -> None:
    console.table(
        ["store", "number", "bytes", "repaired", "found"],
        [[each.store, f"{each.number:,}", f"{each.bytes:,}", f"{each.repaired:,}", each.says] for each in pass_.found],
        right=["number", "bytes", "repaired"],
    )
    for each in pass_.found:
        for example in each.examples:
            console.say(f"{each.store}, {each.kind}: {example}")
        if each.number > each.repaired:
            console.say(f"{each.store}, {each.kind}: to do: {each.fix}")
    console.say(
        f"{pass_.rows:,} rows and {pass_.objects:,} objects compared; {pass_.left:,} left to do, "
        f"{pass_.deleted:,} objects ({pass_.deleted_bytes:,} bytes) deleted."
    )
