"""`posegen design`: asking for a design, looking at it, and deleting it with its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.failures import told_on_failure
from posegen.cli.requests import local_user
from posegen.cli.session import Session, open_session
from posegen.designs import service
from posegen.designs.service import DesignResult, NewDesign
from posegen.running_platform import find_platform

app = Commands(help="Designs: a text on a ground, as a preview and for print.", no_args_is_help=True)

FAILED = 3
LONGEST_WAIT = 600.0
_DESIGN = Annotated[UUID, typer.Argument(help="The design; `posegen design submit` prints its id.")]


@app.command()
def submit(
    text: Annotated[str, typer.Argument(help="What the design says, up to 500 characters; \\n begins a new line.")],
    product: Annotated[str | None, typer.Option(help="A product type such as mug; t-shirt without it.")] = None,
    font: Annotated[str | None, typer.Option(help="A font such as lobster; noto-sans-bold without it.")] = None,
    size: Annotated[float | None, typer.Option(help="Points, 1 to 2000; as large as fits without it.")] = None,
    colour: Annotated[str | None, typer.Option(help="Of the text: #rgb, #rrggbb or a CSS name.")] = None,
    ground: Annotated[str | None, typer.Option(help="Of the ground; the product's own without it.")] = None,
    watermark: Annotated[str | None, typer.Option(help="Words over the preview, up to 60 characters.")] = None,
    print_file: Annotated[bool, typer.Option("--print", help="Also make the PDF for print, at 300 dpi.")] = False,
    user: Annotated[UUID | None, typer.Option(help="Whose it is; without it a local user.")] = None,
    project: Annotated[str | None, typer.Option(help="Your own id for what the design belongs to.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Until it is there; made right here when `posegen up` does not run.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that --wait waits.", min=1, max=86_400)] = LONGEST_WAIT,
    as_json: AS_JSON = False,
) -> None:
    """Ask for a design. It costs no credits.

    Works like an INSERT into `design_requests`. With --wait, exit code 3 when it fails.

    Example: `posegen design submit "Good things\\ntake time" --font lobster --product poster --print --wait`
    """
    new = NewDesign(
        text=text.replace("\\n", "\n"),
        product_type=product,
        font=font,
        size=size,
        text_colour=colour,
        ground_colour=ground,
        watermark=watermark,
        print_file=print_file,
        project_id=project,
    )
    with told_on_failure() as progress, open_session() as session:

        def may_be_stored(design: UUID) -> None:
            progress.sentence = f"Design {design} may be stored: `posegen design show {design}` says whether."

        owner = user or local_user(session)
        design = service.submit(session.database, owner, new, before_commit=may_be_stored)
        progress.sentence = f"Design {design} is stored; `posegen design show {design}` shows it."
        result = _result_at_end(session, design, timeout) if wait else service.result(session.database, design)
        _print(result, as_json=as_json)
    if wait and result.status == "failed":
        raise typer.Exit(FAILED)
    if wait and not result.has_ended:
        console.complain(f"Not ended after {timeout:.0f} s; `posegen design show {design}` looks again.")
        raise typer.Exit(1)


@app.command()
def show(
    design: _DESIGN,
    files: Annotated[Path | None, typer.Option(help="Copy preview, thumbnail and print into this folder.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the preview in the system's viewer.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Show what became of a design, and copy its files.

    The URL of its print is good for an hour; those of preview and thumbnail for good. Exit code 1 when there is nothing
    to copy or open.

    Example: `posegen design show DESIGN --files poster`
    """
    with open_session() as session:
        result = service.result(session.database, design)
        folder = files or session.settings.posegen_home / "designs" / str(design)
        wanted = files is not None or open_it
        studio = session.studio()
        print_url = service.print_url(studio, design)
        copied = service.download(studio, design, folder) if wanted else []
    _print(result, {"print_url": print_url}, as_json=as_json)
    for path in copied if not as_json else []:
        console.say(str(path))
    if wanted and not copied:
        console.complain(f"The design is {result.status}: it has no files.")
        raise typer.Exit(1)
    if open_it:
        typer.launch(str(folder / "preview.png"))


@app.command()
def delete(
    designs: Annotated[list[UUID], typer.Argument(help="The designs to delete.")],
    as_json: AS_JSON = False,
) -> None:
    """Delete designs for good: their rows, then their files.

    The space counts as free again at once.

    Example: `posegen design delete DESIGN`
    """
    with open_session() as session:
        studio = session.studio()
        for design in designs:
            service.delete(studio, design)
    if as_json:
        console.print_json({"deleted": designs})
    else:
        console.say(f"Deleted: {len(designs)}")


def _result_at_end(session: Session, design: UUID, seconds: float) -> DesignResult:
    """The result when the design has ended: by `posegen up`, or rendered here when that does not run."""
    if find_platform(session.settings.posegen_home) is None:
        service.render_here(session.studio(), design)
    with console.err.status("Rendering ..."):
        return service.result_at_end(session.database, design, seconds=seconds, keep_running=session.urls.keep_running)


def _print(result: DesignResult, urls: dict[str, str | None] | None = None, *, as_json: bool) -> None:
    """`urls`: further ones, which the result does not have."""
    shown = {**vars(result), **(urls or {})}
    if as_json:
        console.print_json(shown)
        return
    points = "-" if result.size_used is None else f"{result.size_used:.1f}"
    console.table(
        ["design", "status", "product", "font", "points"],
        [[str(result.design_id), result.status, result.product_type, result.font, points]],
        right=["points"],
    )
    for name in ("preview_url", "thumbnail_url", "print_url"):
        if shown.get(name) is not None:
            console.say(f"{name.partition('_')[0]:<10}{shown[name]}")
    for warning in result.warnings:
        console.say(f"note: {warning}")
    if result.error_code is not None:
        console.say(f"{result.error_code}: {result.error_detail or result.error_message}")
