"""`posegen archive`: a generation's pictures in one ZIP file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import UUID

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.cli.picking import POSES, names, numbers
from posegen.cli.session import open_session
from posegen.generations.reading.archives import DEFAULT_FORMATS, IMAGE, GenerationArchive, plan_archive

_SHOWN = 5


def archive(
    generation: Annotated[UUID, typer.Argument(help="The generation; `posegen status` lists the latest ones.")],
    format: Annotated[  # the option's name is what users read
        list[str] | None,
        typer.Option(
            help="A platform such as tiktok, or `image` for the pose itself, as a PNG; may be repeated, or several "
            f"with commas. Without it {' and '.join(DEFAULT_FORMATS)}."
        ),
    ] = None,
    pose: POSES = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write, or the folder for one that is named after the generation."
        ),
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Write a generation's pictures into one ZIP file.

    Each is checked against its hash on the way. Poses that lack one of the formats are named; the archive is made of
    what there is.

    Example: `posegen archive GENERATION --format instagram_post,tiktok,image -o poses.zip`
    """
    with open_session() as session:
        wanted = names(format) or list(DEFAULT_FORMATS)
        planned = plan_archive(session.studio(), generation, formats=wanted, poses=numbers(pose))
        target = _target(output, planned.folder)
        _write(planned, target, quiet=as_json)
    if as_json:
        console.print_json(
            {
                "archive": str(target),
                "size": planned.size,
                "files": planned.names,
                "missing": [vars(each) for each in planned.missing],
            }
        )
        return
    for each in planned.missing[:_SHOWN]:
        console.note(f"Not there: pose {each.number} ({each.library_pose}) as {each.format}")
    if len(planned.missing) > _SHOWN:
        console.note(f"Not there: {len(planned.missing) - _SHOWN} more; --json lists them all.")
    if planned.missing:
        lacking = ",".join(dict.fromkeys(each.format for each in planned.missing if each.format != IMAGE))
        console.note(f"`posegen regenerate {generation} --format {lacking} --missing` makes them, at no charge.")
    console.say(f"{len(planned.names)} files, {planned.size:,} bytes: {target}")


def _write(planned: GenerationArchive, target: Path, *, quiet: bool) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with (
        Progress(*columns, console=console.err, disable=quiet) as progress,
        _whole_or_not_at_all(target.resolve()) as file,
    ):
        bar = progress.add_task("Packing", total=planned.size)
        for chunk in planned.read():
            file.write(chunk)
            progress.update(bar, advance=len(chunk))


@contextmanager
def _whole_or_not_at_all(target: Path) -> Iterator[BinaryIO]:
    """A file beside `target` that takes its name when all of it is written, and is gone when that fails."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _target(out: Path | None, folder: str) -> Path:
    """Where the archive goes: in a folder under a name of its own, elsewhere under the name that was given."""
    if out is None or out.is_dir():
        return (out or Path()) / f"{folder}.zip"
    if out.exists() and not out.is_file():
        raise typer.BadParameter(f"{out} is no file that could be replaced.", param_hint="--output")
    return out
