"""`posegen storage`: the stores themselves: setting them up, looking whether they are well, and at what is in them."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any

import typer
from rich.text import Text

from posegen.cli import console
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.session import open_session
from posegen.errors import StoreUnknown
from posegen.objects import service as objects
from posegen.objects.identity import require_own, take_over
from posegen.settings import load_settings
from posegen.storage.configuration import BucketConfig, StoresConfig
from posegen.storage.health import StoreState, state_of
from posegen.storage.keys import validate_prefix
from posegen.storage.protocol import LONGEST_SIGNED_SECONDS, SIGNED_SECONDS, ObjectStore
from posegen.storage.stores import Stores

app = Commands(help="The stores: where pictures, thumbnails and exports lie.", no_args_is_help=True)

_STORE = Annotated[str | None, typer.Option("--store", help="Its name; without it the one that takes new objects.")]


@app.command()
def init(
    store: _STORE = None,
    take_it_over: Annotated[
        bool, typer.Option("--take-over", help="Let the store belong to this database, whatever its marker says.")
    ] = False,
    as_json: AS_JSON = False,
) -> None:
    """Make or check a store, and tie it to this database.

    Looks at bucket, CORS, lifecycle, privacy, and the marker that ties the store to the database. Prints what the
    credentials must be allowed. Exit code 1 when something is left to do; a bucket that anybody can read although it
    should be private is refused. Doing it twice changes nothing.

    Example: `posegen storage init --store r2`
    """
    with open_session(upgrade=True) as session:
        config = StoresConfig.of(session.settings).quick()
        name = store or config.current
        bucket = next((bucket for bucket in config.buckets if bucket.name == name), None)
        opened = Stores.configured(config).named(name)
        steps = [] if bucket is None else _set_up_bucket(bucket, opened)
        if take_it_over:
            take_over(session.database, opened)
        else:
            require_own(session.database, opened)
        steps.append({"part": "marker", "good": True, "detail": "the store belongs to this database"})
    policy = None if bucket is None else _policy(bucket)
    if as_json:
        console.print_json({"store": name, "steps": steps, "policy": policy})
    else:
        _print_steps(name, steps, policy)
    if not all(step["good"] for step in steps):
        raise typer.Exit(1)


@app.command()
def health(store: _STORE = None, as_json: AS_JSON = False) -> None:
    """Write, read and delete a small object in each store.

    Shows the time it takes in each store that is configured. Exit code 1 when one of them fails.

    Example: `posegen storage health`
    """
    opened = Stores.of(load_settings(), quick=True)
    found = [state_of(opened.named, name) for name in ([store] if store else opened.names)]
    if as_json:
        console.print_json([vars(each) for each in found])
    else:
        console.table(
            ["store", "state", "write", "read", "delete", "free", "error"],
            [
                [each.store, console.GOOD if each.good else console.BAD, *_figures(each), each.error or ""]
                for each in found
            ],
            right=["write", "read", "delete", "free"],
        )
    if not all(each.good for each in found):
        raise typer.Exit(1)


@app.command()
def usage(as_json: AS_JSON = False) -> None:
    """Show how many objects and bytes lie in each store, by kind.

    As the database has them; manifests have no rows.

    Example: `posegen storage usage`
    """
    with open_session() as session:
        found = objects.usage(session.database)
        known = session.stores.names
    if as_json:
        console.print_json([vars(each) for each in found])
        return
    rows = [[each.store, each.folder, f"{each.objects:,}", f"{each.bytes:,}"] for each in found]
    rows.append(["", "all", f"{sum(each.objects for each in found):,}", f"{sum(each.bytes for each in found):,}"])
    console.table(["store", "kind", "objects", "bytes"], rows, right=["objects", "bytes"])
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
    """List what lies in a store itself: size, age, key.

    Whether or not the database knows it.

    Example: `posegen storage ls poses --limit 20`
    """
    opened = _opened(store)
    for shown, entry in enumerate(opened.list(_whole(prefix), start_after=after)):
        if shown == limit:
            console.note(f"There are more: --after KEY or --limit, which is {limit} now.")
            break
        if as_json:
            modified = entry.modified.astimezone(UTC).isoformat()
            console.print_json({"key": entry.key, "size": entry.size, "modified": modified}, indent=None)
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
    as_json: AS_JSON = False,
) -> None:
    """Print where an object can be read: a public or a signed URL.

    A signed one where its store is private.

    Example: `posegen storage url KEY --seconds 600`
    """
    opened = _opened(store)
    public = None if signed else opened.public_url(key)
    found = public or opened.signed_get_url(key, seconds=seconds)
    if as_json:
        console.print_json({"key": key, "url": found, "signed": public is None})
    else:
        console.say(found)


def _opened(store: str | None) -> ObjectStore:
    opened = Stores.of(load_settings(), quick=True)
    return opened.named(store) if store else opened.current


def _whole(prefix: str) -> str:
    """`poses` as people write it is the folder `poses/`."""
    wanted = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    return validate_prefix(wanted)


def _set_up_bucket(config: BucketConfig, store: ObjectStore) -> list[dict[str, Any]]:
    from posegen.storage.bucket import BucketAdministration  # boto3: nothing else here needs it
    from posegen.storage.credentials import credentials_source

    bucket = BucketAdministration(config, credentials_source(config.credentials, store=config.name))
    steps = [bucket.make_bucket(), bucket.allow_origins(), bucket.abort_incomplete_uploads()]
    return [vars(step) for step in [*steps, *bucket.check_privacy(store)]]


def _policy(config: BucketConfig) -> str:
    from posegen.storage.bucket import needed_policy

    return needed_policy(config)


def _print_steps(name: str, steps: list[dict[str, Any]], policy: str | None) -> None:
    to_do = Text("to do", style="bold red")
    console.table(
        ["part", "state", "found or done"],
        [[step["part"], console.GOOD if step["good"] else to_do, step["detail"]] for step in steps],
        title=f"store {name}",
    )
    if policy is not None:
        console.say(f"The credentials need no more than this:\n{policy}")


def _figures(found: StoreState) -> list[str]:
    times = (found.write_seconds, found.read_seconds, found.delete_seconds)
    shown = ["-" if seconds is None else f"{seconds * 1000:.1f} ms" for seconds in times]
    return [*shown, "-" if found.free_bytes is None else f"{found.free_bytes / 1e9:.1f} GB"]
