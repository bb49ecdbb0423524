"""`posegen library`: the poses that can be asked for, in words and in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from posegen.cli import console
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.session import open_session
from posegen.cli.sheets import check_suffix, write_sheet
from posegen.errors import InvalidPose
from posegen.images.contact_sheet import Tile, contact_sheet
from posegen.images.png import encode_png
from posegen.library import service

app = Commands(help="The poses that can be asked for: a list, pictures, control maps.", no_args_is_help=True)

_SIDE = 512


@app.command("list")
def list_poses(
    category: Annotated[str | None, typer.Option(help="Only the poses of this category.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """List the poses with their categories and descriptions.

    Example: `posegen library list --category yoga`
    """
    with open_session() as session:
        listing = service.listing(session.database, category)
    if as_json:
        console.print_json([vars(pose) for pose in listing.poses])
        return
    console.table(
        ["pose", "category", "difficulty", "description"],
        [[pose.slug, pose.category, pose.difficulty, pose.description] for pose in listing.poses],
    )
    for slug, why in listing.unusable.items():
        console.complain(f"{slug} cannot be drawn: {why}")


@app.command()
def sheet(
    out: Annotated[
        Path | None, typer.Argument(callback=check_suffix, help="The file to write, as --output.", show_default=False)
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", callback=check_suffix, help="The file to write, PNG or JPEG.")
    ] = Path("poses.png"),
    columns: Annotated[int, typer.Option(help="Poses side by side.", min=1, max=32)] = 8,
    width: Annotated[int, typer.Option(help="Width of the sheet in pixels.", min=160, max=8192)] = 1600,
    kind: Annotated[str, typer.Option(help="mannequin, openpose or depth.")] = "mannequin",
    as_json: AS_JSON = False,
) -> None:
    """Draw every pose of the library on one sheet.

    Example: `posegen library sheet --kind openpose -o poses.png`
    """
    wanted = service.picture_kind(kind)
    tiles = []
    with open_session() as session:
        for pose in track(service.listing(session.database).poses, "Drawing", console=console.err):
            try:
                drawn = service.draw(session.database, pose.slug, side=_SIDE)
                tiles.append(Tile(drawn.picture(wanted), label=pose.slug))
            except InvalidPose as invalid:
                console.complain(f"{pose.slug} cannot be drawn: {invalid}")
    target = out or output
    write_sheet(contact_sheet(tiles, width=width, columns=columns), target)
    if as_json:
        console.print_json({"sheet": str(target), "poses": len(tiles)})
    else:
        console.say(f"{len(tiles)} poses on {target}")


@app.command()
def draw(
    slug: Annotated[str, typer.Argument(help="The pose; `posegen library list` names them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write into.")] = Path(),
    side: Annotated[int, typer.Option(help="Width and height in pixels.", min=64, max=2048)] = 1024,
    as_json: AS_JSON = False,
) -> None:
    """Write a pose as picture, OpenPose map, depth map and JSON.

    Example: `posegen library draw yoga-tree -o drawn`
    """
    with open_session() as session:
        drawn = service.draw(session.database, slug, side=side)
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in service.PICTURE_KINDS:
        written.append(output / f"{slug}-{kind}.png")
        written[-1].write_bytes(encode_png(drawn.picture(kind)).data)
    written.append(output / f"{slug}-openpose.json")
    written[-1].write_text(drawn.keypoints)
    if as_json:
        console.print_json({"pose": slug, "files": [str(path) for path in written]})
        return
    for path in written:
        console.say(str(path))
