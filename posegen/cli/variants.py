"""`posegen variants`: a stored picture as a JPEG and as a WebP of high quality, made now; and deleting them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.actors import ACTOR, local_actor
from posegen.cli.commands import AS_JSON, Commands, Group
from posegen.cli.failures import told_on_failure
from posegen.cli.session import open_session
from posegen.variants import service
from posegen.variants.service import VariantResult

FAILED = 3
_LONGEST_WAIT = 600.0


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

        def may_be_stored(request: UUID) -> None:
            progress.sentence = f"Image request {request} may be stored; the table image_requests says whether."

        with open_session() as session, console.err.status("Making variants ..."):
            request = service.submit(session.database, source, tool=tool, user_id=user, before_commit=may_be_stored)
            progress.sentence = f"Image request {request} is stored; the view variant_results shows it."
            studio = session.studio()
            service.make_here(studio, request)
            result = service.result_at_end(session.database, request, seconds=_LONGEST_WAIT)
            if output is not None and result.status == "completed":
                service.download(studio, request, output)
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
        deleted = service.delete(session.database, requests, actor=actor or local_actor("variants delete"))
        session.delete_due()
    if as_json:
        console.print_json({"requests_deleted": deleted})
    else:
        console.say(f"The variants of {deleted} {'request' if deleted == 1 else 'requests'} are deleted.")


def _say(result: VariantResult) -> None:
    if result.status != "completed":
        console.complain(f"{result.error_code or result.status}: {result.error_detail or 'not ended yet'}")
        return
    size = f"{result.width}x{result.height}"
    console.say(f"normal        JPEG  {size:>9}  {result.normal_bytes:>11,} bytes  {result.normal_url}")
    console.say(f"high quality  WebP  {size:>9}  {result.high_quality_bytes:>11,} bytes  {result.high_quality_url}")
