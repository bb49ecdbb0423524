"""`posegen storage`: the stores themselves: setting them up, looking whether they are well, and at what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from posegen.cli import console
from posegen.cli.session import open_session
from posegen.database import stores
from posegen.errors import StorageError, StoreUnknown
from posegen.settings import load_settings
from posegen.storage.identity import require_own, take_over
from posegen.storage.keys import validate_prefix
from posegen.storage.opening import open_stores, places_of
from posegen.storage.places import BucketPlace
from posegen.storage.protocol import LONGEST_SIGNED_SECONDS, SIGNED_SECONDS, ObjectStore

app = typer.Typer(help="The stores: where pictures, thumbnails and exports lie.", no_args_is_help=True)

_STORE = Annotated[str | None, typer.Option("--store", help="Its name; without it the one that takes new objects.")]
_AS_JSON = Annotated[bool, typer.Option("--json", help="One JSON document for scripts.")]


@app.command()
def init(
    store: _STORE = None,
    take_it_over: Annotated[
        bool, typer.Option("--take-over", help="Let the store belong to this database, whatever its marker says.")
    ] = False,
    as_json: _AS_JSON = False,
) -> None:
    """Make or check a store: bucket, CORS, lifecycle, privacy, and the marker that ties it to this database.

    Prints what the credentials must be allowed. Exit code 1 when something is left to do; a bucket that anybody can
    read although it should be private is refused. Doing it twice changes nothing.
    """
    with open_session(upgrade=True) as session:
        places = places_of(session.settings).quick()
        name = store or places.current
        place = next((bucket for bucket in places.buckets if bucket.name == name), None)
        opened = open_stores(places).named(name)
        steps = [] if place is None else _set_up_bucket(place, opened)
        if take_it_over:
            take_over(session.database, opened)
        else:
            require_own(session.database, opened)
        steps.append({"part": "marker", "good": True, "detail": "the store belongs to this database"})
    policy = None if place is None else _policy(place)
    if as_json:
        console.print_json({"store": name, "steps": steps, "policy": policy})
    else:
        _print_steps(name, steps, policy)
    if not all(step["good"] for step in steps):
        raise typer.Exit(1)


@app.command()
def health(store: _STORE = None, as_json: _AS_JSON = False) -> None:
    """Write, read and delete a small object in each store that is configured, with the time it takes.

    Exit code 1 when one of them does not answer as it should.
    """
    places = places_of(load_settings()).quick()
    opened = open_stores(places)
    found = [_health(opened.named, name) for name in ([store] if store else opened.names)]
    if as_json:
        console.print_json(found)
    else:
        table = Table("store", "", *(Column(each, justify="right") for each in ("write", "read", "delete", "free")), "")
        for each in found:
            verdict = "[green]good[/]" if each["good"] else "[bold red]bad[/]"
            table.add_row(each["store"], verdict, *_figures(each), escape(each["error"] or ""))
        console.out.print(table)
    if not all(each["good"] for each in found):
        raise typer.Exit(1)


@app.command()
def usage(as_json: _AS_JSON = False) -> None:
    """Show how many objects and bytes lie in each store, by kind, as the database has them. Manifests have no rows."""
    with open_session() as session, session.database.transaction() as connection:
        found = stores.usage(connection)
        known = session.stores.names
    if as_json:
        console.print_json([vars(each) for each in found])
        return
    table = Table("store", "kind", Column("objects", justify="right"), Column("bytes", justify="right"))
    for each in found:
        table.add_row(each.store, each.folder, f"{each.objects:,}", f"{each.bytes:,}")
    table.add_section()
    table.add_row("", "all", f"{sum(each.objects for each in found):,}", f"{sum(each.bytes for each in found):,}")
    console.out.print(table)
    for name in sorted({each.store for each in found} - set(known)):
        console.complain(str(StoreUnknown(name, known)))


@app.command()
def ls(
    prefix: Annotated[
        str, typer.Argument(help="What the keys begin with, such as poses/; everything without it.")
    ] = "",
    store: _STORE = None,
    after: Annotated[str | None, typer.Option(help="Only what comes behind this key.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=1_000_000)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List what lies in a store itself, whether or not the database knows it: size, age, key."""
    opened = _opened(store)
    for shown, entry in enumerate(opened.list(_whole(prefix), start_after=after)):
        if shown == limit:
            console.err.print(f"There are more: --after KEY or --limit, which is {limit} now.")
            break
        if as_json:
            modified = entry.modified.astimezone(UTC).isoformat()
            print(json.dumps({"key": entry.key, "size": entry.size, "modified": modified}))
        else:
            console.say(f"{entry.size:>12,}  {console.utc(entry.modified)}  {entry.key}")


@app.command()
def url(
    key: Annotated[str, typer.Argument(help="The object's key; `posegen storage ls` lists them.")],
    store: _STORE = None,
    seconds: Annotated[
        int, typer.Option(help="How long a signed URL lives.", min=1, max=LONGEST_SIGNED_SECONDS)
    ] = SIGNED_SECONDS,
    signed: Annotated[bool, typer.Option("--signed", help="Sign it even where the object is public.")] = False,
) -> None:
    """Print where an object can be read: its public URL, or a signed one where its store is private."""
    opened = _opened(store)
    public = None if signed else opened.public_url(key)
    print(public or opened.signed_get_url(key, seconds=seconds))


def _opened(store: str | None) -> ObjectStore:
    opened = open_stores(places_of(load_settings()).quick())
    return opened.named(store) if store else opened.current


def _whole(prefix: str) -> str:
    """`poses` as people write it is the folder `poses/`."""
    wanted = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    return validate_prefix(wanted)


def _set_up_bucket(place: BucketPlace, store: ObjectStore) -> list[dict[str, Any]]:
    from posegen.storage.bucket import BucketAdministration  # boto3: nothing else here needs it
    from posegen.storage.credentials import credentials_source

    bucket = BucketAdministration(place, credentials_source(place.credentials, store=place.name))
    steps = [bucket.make_bucket(), bucket.allow_origins(), bucket.abort_incomplete_uploads()]
    return [vars(step) for step in [*steps, *bucket.check_privacy(store)]]


def _policy(place: BucketPlace) -> str:
    from posegen.storage.bucket import needed_policy

    return needed_policy(place)


def _print_steps(name: str, steps: list[dict[str, Any]], policy: str | None) -> None:
    table = Table("part", "", "found or done", title=f"store {name}", title_justify="left")
    for step in steps:
        verdict = "[green]good[/]" if step["good"] else "[bold red]to do[/]"
        table.add_row(step["part"], verdict, escape(step["detail"]))
    console.out.print(table)
    if policy is not None:
        console.say(f"The credentials need no more than this:\n{policy}")


def _health(named: Callable[[str], ObjectStore], name: str) -> dict[str, Any]:
    try:
        measured = named(name).health()
    except StorageError as broken:
        times = dict.fromkeys(("write_seconds", "read_seconds", "delete_seconds", "free_bytes"))
        return {"store": name, "good": False, **times, "error": str(broken)}
    return {"good": True, **vars(measured), "error": None}


def _figures(found: dict[str, Any]) -> list[str]:
    times = [found[f"{step}_seconds"] for step in ("write", "read", "delete")]
    shown = ["-" if seconds is None else f"{seconds * 1000:.1f} ms" for seconds in times]
    free = found["free_bytes"]
    return [*shown, "-" if free is None else f"{free / 1e9:.1f} GB"]
