"""`posegen design`: asking for a design, looking at it, and deleting it with its files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from posegen.accounts import users
from posegen.cli import console
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.failures import told_on_failure
from posegen.cli.requests import LOCAL_USER
from posegen.cli.session import Session, open_session
from posegen.designs import rows as statements
from posegen.designs.making import delete_design, gather_design, make_design, print_url
from posegen.designs.requests import insert_design_request
from posegen.designs.work import claim_design, start_design
from posegen.errors import DesignUnknown, RequestRefused
from posegen.running_platform import find_platform

app = Commands(help="Designs: a text on a ground, as a preview and for print.", no_args_is_help=True)

FAILED = 3
LONGEST_WAIT = 600.0
_LOOK_SECONDS = 1.0
_HERE = "posegen design"
_ENDED = {"published", "failed"}
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
    values: dict[str, Any] = {
        "text": text.replace("\\n", "\n"),
        "product_type": product,
        "font": font,
        "size": size,
        "text_colour": colour,
        "ground_colour": ground,
        "watermark": watermark,
        "print_file": print_file,
        "project_id": project,
    }
    with told_on_failure() as progress, open_session() as session:
        with session.database.transaction() as connection:
            asking = user or users.free_user(
                connection, LOCAL_USER, "local", credits=100_000, reason="for trying things out"
            )
            design = insert_design_request(connection, asking, values)
            progress.sentence = f"Design {design} may be stored: `posegen design show {design}` says whether."
        progress.sentence = f"Design {design} is stored; `posegen design show {design}` shows it."
        result = _awaited(session, design, timeout) if wait else _result(session, design)
        _print(result, as_json=as_json)
    if wait and result["status"] == "failed":
        raise typer.Exit(FAILED)
    if wait and result["status"] not in _ENDED:
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
        result = _result(session, design)
        folder = files or session.settings.posegen_home / "designs" / str(design)
        wanted = files is not None or open_it
        studio = session.studio()
        result["print_url"] = print_url(studio, design)
        gathered = gather_design(studio, design, folder) if wanted else []
    _print(result, as_json=as_json)
    for path in gathered if not as_json else []:
        console.say(str(path))
    if wanted and not gathered:
        console.complain(f"The design is {result['status']}: it has no files.")
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
            delete_design(studio, design)
    if as_json:
        console.print_json({"deleted": designs})
    else:
        console.say(f"Deleted: {len(designs)}")


def _awaited(session: Session, design: UUID, seconds: float) -> dict[str, Any]:
    """The result when the design has ended: by `posegen up`, or rendered here when that does not run."""
    if find_platform(session.settings.posegen_home) is None:
        _render_here(session, design)
    deadline = time.monotonic() + seconds
    with (
        console.err.status("Rendering ..."),
        session.database.listening(statements.STEPS_CHANNEL) as steps,
    ):
        while True:
            result = _result(session, design)
            if result["status"] in _ENDED or time.monotonic() > deadline:
                return result
            session.urls.keep_running()
            steps.wait(_LOOK_SECONDS)


def _render_here(session: Session, design: UUID) -> None:
    claim = claim_design(session.database, design)
    if claim is None:  # refused, or another process has claimed it
        return
    studio = session.studio()
    lease = start_design(
        session.database, design, dispatch=claim.dispatch, run_id=_HERE, lease_seconds=studio.lease_seconds
    )
    if lease is not None:
        try:
            make_design(studio, lease)
        except RequestRefused:  # the result tells why
            return


def _result(session: Session, design: UUID) -> dict[str, Any]:
    with session.database.transaction() as connection:
        found = statements.result_of(connection, design)
    if found is None:
        raise DesignUnknown(design)
    return found


def _print(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.print_json(result)
        return
    size = result["size_used"]
    points = "-" if size is None else f"{size:.1f}"
    console.table(
        ["design", "status", "product", "font", "points"],
        [[str(result["design_id"]), result["status"], result["product_type"], result["font"], points]],
        right=["points"],
    )
    for name in ("preview_url", "thumbnail_url", "print_url"):
        if result.get(name) is not None:
            console.say(f"{name.partition('_')[0]:<10}{result[name]}")
    for warning in result["warnings"]:
        console.say(f"note: {warning}")
    if result["error_code"] is not None:
        console.say(f"{result['error_code']}: {result['error_detail'] or result['error_message']}")
