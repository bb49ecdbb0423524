"""`posegen library`: the poses that can be asked for, in words and in pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track

from posegen.cli import console
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.session import open_session
from posegen.cli.sheets import check_suffix, write_sheet
from posegen.errors import InvalidPose, UnknownName
from posegen.figure.drawing import Drawing
from posegen.images.contact_sheet import Tile, contact_sheet
from posegen.images.pixels import Pixels
from posegen.images.png import encode_png
from posegen.library.control_maps import draw_library_pose
from posegen.library.rows import StoredPose, stored_poses
from posegen.library.validation import usable_poses
from posegen.poses.control_maps import depth_map, openpose_map
from posegen.poses.keypoints import openpose_json

app = Commands(help="The poses that can be asked for: a list, pictures, control maps.", no_args_is_help=True)

_SIDE = 512
_KINDS = ("mannequin", "openpose", "depth")


@app.command("list")
def list_poses(
    category: Annotated[str | None, typer.Option(help="Only the poses of this category.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """List the poses with their categories and descriptions.

    Example: `posegen library list --category yoga`
    """
    poses = _enabled_poses()
    if category is not None:
        known = sorted({pose.category for pose in poses})
        if category not in known:
            raise UnknownName("category", category, known)
        poses = [pose for pose in poses if pose.category == category]
    if as_json:
        console.print_json(
            [{name: value for name, value in vars(pose).items() if name != "specification"} for pose in poses]
        )
        return
    console.table(
        ["pose", "category", "difficulty", "description"],
        [[pose.slug, pose.category, pose.difficulty, pose.description] for pose in poses],
    )
    for slug, why in usable_poses(poses)[1].items():
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
    if kind not in _KINDS:
        raise UnknownName("kind of picture", kind, list(_KINDS))
    tiles = []
    for pose in track(_enabled_poses(), "Drawing", console=console.err):
        try:
            tiles.append(Tile(_picture(draw_library_pose(pose, _SIDE), kind), label=pose.slug))
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
    poses = {pose.slug: pose for pose in _all_poses()}
    if slug not in poses:
        raise UnknownName("pose", slug, list(poses))
    pose = poses[slug]
    drawing = draw_library_pose(pose, side)
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in _KINDS:
        written.append(output / f"{slug}-{kind}.png")
        written[-1].write_bytes(encode_png(_picture(drawing, kind)).data)
    written.append(output / f"{slug}-openpose.json")
    written[-1].write_text(json.dumps(openpose_json(drawing.keypoints, side, side)))
    if as_json:
        console.print_json({"pose": slug, "files": [str(path) for path in written]})
        return
    for path in written:
        console.say(str(path))


def _all_poses() -> list[StoredPose]:
    with open_session() as session, session.database.transaction() as connection:
        return stored_poses(connection)


def _enabled_poses() -> list[StoredPose]:
    return [pose for pose in _all_poses() if pose.enabled]


def _picture(drawing: Drawing, kind: str) -> Pixels:
    height, width = drawing.pixels.shape[:2]
    if kind == "openpose":
        return openpose_map(drawing.keypoints, width, height)
    if kind == "depth":
        return np.repeat(depth_map(drawing.depth)[..., None], 3, axis=2)
    return drawing.pixels
