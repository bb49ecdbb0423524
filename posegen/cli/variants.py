"""`posegen variants`: a stored picture as a JPEG and as a WebP of high quality, made now; and deleting them."""

from __future__ import annotations

import time
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.actors import ACTOR, local_actor
from posegen.cli.commands import AS_JSON, Commands, Group
from posegen.cli.failures import Progress, told_on_failure
from posegen.cli.session import Session, open_session
from posegen.database.connection import Connection
from posegen.error_codes import ErrorCode
from posegen.errors import NoVariants, RequestRefused
from posegen.generations.rows import recipes
from posegen.images.decoding.pool import DecoderPool
from posegen.variants import rows as variants
from posegen.variants.making import make_variants
from posegen.variants.rows import VariantResult
from posegen.variants.work import claim_request

FAILED = 3
_LONGEST_WAIT = 600.0
_LOOK_SECONDS = 0.5


class _Variants(Group):
    """What does not begin with the name of a command is what variants are made of."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["make", *args]
        return super().parse_args(ctx, args)


app = Commands(
    cls=_Variants,
    help="A stored picture as a JPEG and as a WebP of high quality: `posegen variants SOURCE` makes them.",
    no_args_is_help=True,
)


@app.command("make")
def variants_of(
    source: Annotated[str, typer.Argument(help="A stored picture: its URL, its key, or the id of a pose.")],
    tool: Annotated[str, typer.Option(help="What asks: a name that becomes part of the keys.")] = "cli",
    user: Annotated[UUID | None, typer.Option(help="The user who asks; by default the owner of the picture.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also copy both files into this folder.")
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Make a JPEG and a WebP of a stored picture, at its own size.

    Works like an INSERT into `image_requests`, and needs no `posegen up`. Exit code 3 when they cannot be made.

    Example: `posegen variants make POSE -o variants`
    """
    with told_on_failure() as progress:
        with open_session() as session, console.err.status("Making variants ..."):
            result = _made(session, source, tool, user, progress)
            if output is not None and result.status == "completed":
                _copy(session, result, output)
        if as_json:
            console.print_json(vars(result))
        else:
            _say(result)
    if result.status != "completed":
        raise typer.Exit(FAILED)


@app.command()
def delete(
    requests: Annotated[list[UUID], typer.Argument(metavar="REQUEST...", help="The ids of their image requests.")],
    actor: ACTOR = None,
    as_json: AS_JSON = False,
) -> None:
    """Delete the variants of image requests for good.

    Variants that were made of them go as well; the picture that they are made of stays. Exit code 1 when none of them
    has files.

    Example: `posegen variants delete REQUEST`
    """
    with open_session() as session:
        with session.database.transaction() as connection:
            deleted = variants.delete(connection, requests, actor=actor or local_actor("variants delete"))
        if not deleted:
            raise NoVariants(requests)
        session.delete_due()
    if as_json:
        console.print_json({"requests_deleted": deleted})
    else:
        console.say(f"The variants of {deleted} {'request' if deleted == 1 else 'requests'} are deleted.")


def _made(session: Session, source: str, tool: str, user: UUID | None, progress: Progress) -> VariantResult:
    with session.database.transaction() as connection:
        meant = _key_of_pose(connection, source)
        asking = user or variants.owner_of(connection, meant)
        if asking is None:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"{source!r} belongs to no user: give its URL, its key or the id of a pose, and --user for a picture "
                "without an owner.",
            )
        request = variants.insert_image_request(connection, asking, tool, meant)
        progress.sentence = f"Image request {request} may be stored; the table image_requests says whether."
    progress.sentence = f"Image request {request} is stored; the view variant_results shows it."
    batch = claim_request(session.database, request)
    if batch is not None:
        with DecoderPool.of_our_own() as decoders:
            make_variants(session.studio(), batch, decoders.decode, run_id="posegen variants")
    return _ended(session, request)


def _key_of_pose(connection: Connection, source: str) -> str:
    """The key of a pose's picture, where the source is a pose's id; otherwise the source itself."""
    try:
        pose = recipes.stored_recipe(connection, UUID(source))
    except ValueError:
        return source
    return source if pose is None or pose.image is None else pose.image[1]


def _ended(session: Session, request: UUID) -> VariantResult:
    """The result, when the request has ended: `posegen up` may have claimed it first."""
    deadline = time.monotonic() + _LONGEST_WAIT
    while True:
        with session.database.transaction() as connection:
            result = variants.result_of(connection, request)
        assert result is not None, "the request was just made"
        if result.finished_at is not None or time.monotonic() > deadline:
            return result
        time.sleep(_LOOK_SECONDS)


def _copy(session: Session, result: VariantResult, folder: Path) -> None:
    with session.database.transaction() as connection:
        files = variants.stored_variants(connection, result.request_id)
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in zip(("normal", "high-quality"), files, strict=True):
        data = session.studio().read(file.store, file.key, file.sha256)
        (folder / f"{result.request_id}-{name}{PurePosixPath(file.key).suffix}").write_bytes(data)


def _say(result: VariantResult) -> None:
    if result.status != "completed":
        console.complain(f"{result.error_code or result.status}: {result.error_detail or 'not ended yet'}")
        return
    size = f"{result.width}x{result.height}"
    console.say(f"normal        JPEG  {size:>9}  {result.normal_bytes:>11,} bytes  {result.normal_url}")
    console.say(f"high quality  WebP  {size:>9}  {result.high_quality_bytes:>11,} bytes  {result.high_quality_url}")
