"""`posegen inspect`: what a picture says of itself, and what the database knows of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from posegen.backends.licences import licence_of
from posegen.cli import console
from posegen.cli.calls import in_words
from posegen.cli.commands import AS_JSON
from posegen.cli.session import open_session
from posegen.database.connection_file import read_record
from posegen.errors import PosegenError
from posegen.generations.reading.origins import Known, Said, what_is_known, what_it_says
from posegen.images.provenance import DigitalSource, Provenance
from posegen.settings import load_settings

_SOURCES = {
    DigitalSource.TRAINED_MODEL.value: "made by a trained model",
    DigitalSource.DRAWN.value: "drawn by a program, without a trained model",
}


def inspect(
    file: Annotated[Path, typer.Argument(help="A PNG, JPEG or WebP.")],
    as_json: AS_JSON = False,
) -> None:
    """Say where a picture comes from, as file and database know it.

    What a file says, anybody may have written into it. That its bytes are those of a stored object is certain.
    Any file can be inspected. Without a database, only what the file itself contains is shown.

    Example: `posegen inspect picture.jpg`
    """
    if not file.is_file():
        what = "no regular file" if file.exists() else "not there"
        raise typer.BadParameter(f"{file} is {what}.", param_hint="FILE")
    said = what_it_says(file)
    known, why_not = _ask(said)
    if as_json:
        console.print_json(_document(file, said, known, why_not))
        return
    _say_what_it_says(file, said)
    if known is not None:
        _say_what_is_known(said, known)
    else:
        console.say(f"The database was not asked: {why_not}")


def _ask(said: Said) -> tuple[Known | None, str]:
    """What the database knows, or why it was not asked. To look at a file, no database is made."""
    try:
        settings = load_settings()
        if settings.database_url is None and read_record(settings.posegen_home / "postgres") is None:
            return None, f"there is none in {settings.posegen_home}."
        with open_session() as session:
            return what_is_known(session.database, said), ""
    except (PosegenError, psycopg.Error, OSError) as unreachable:
        return None, str(unreachable)


def _say_what_it_says(file: Path, said: Said) -> None:
    kind = "no picture" if said.header is None else f"{said.header.format}, {said.header.width}x{said.header.height}"
    console.say(f"{file}: {kind}, {said.size:,} bytes")
    _line("SHA-256", said.sha256)
    if said.problem is not None:
        _line("problem", said.problem)
    if said.provenance is None:
        console.say("It says nothing of where it comes from.")
        return
    console.say("It says of itself:")
    for name, text in _words(said.provenance).items():
        _line(name, text)


def _words(provenance: Provenance) -> dict[str, str]:
    source = provenance.digital_source
    words = {
        "digital source": source and f"{source.rpartition('/')[2]} ({_SOURCES.get(source, source)})",
        "generator": provenance.generator,
        "asked for": provenance.created and f"{provenance.created:%Y-%m-%d %H:%M:%S %Z}",
        "recipe": provenance.recipe_hash,
    }
    return {name: text for name, text in words.items() if text}


def _say_what_is_known(said: Said, known: Known) -> None:
    for each in known.files:
        use = "" if each.pose_id is None else f": the {each.role} of pose {each.pose_id}"
        console.say(f"Unchanged since it was stored as {each.store}:{each.key}{use}")
    for call in known.calls:
        first, second = in_words(call)
        console.say(f"Pose {call.pose_id}: {first}\n  {second}")
    if not known.files:
        console.say("Its bytes are none that are stored: it was changed since, deleted, or made elsewhere.")
    if said.provenance is None or said.provenance.recipe_hash is None:
        return
    if not known.made:
        console.say("Its recipe is not in this database.")
        return
    for made in known.made:
        console.say(f"The recipe of pose {made.pose_id}, number {made.number} of generation {made.generation_id}")
    for name, value in known.made[0].recipe.items():
        if name != "specification":
            _line(name, _licence(str(value)) if name == "licence" else _plain(value))
    console.say(
        f"`posegen replay {known.made[0].pose_id}` renders it again; --json has the recipe with all its angles."
    )


def _licence(model: str) -> str:
    licence = licence_of(model)
    return f"{model}: {licence.name} ({licence.licence_class.replace('_', '-')})"


def _plain(value: object) -> str:
    return ", ".join(f"{name} {item}" for name, item in value.items()) if isinstance(value, dict) else str(value)


def _line(name: str, text: str) -> None:
    console.say(f"  {name:<15} {text}")


def _document(file: Path, said: Said, known: Known | None, why_not: str) -> dict[str, Any]:
    made = known.made if known else []
    return {
        "file": str(file),
        "size": said.size,
        "sha256": said.sha256,
        "picture": said.header
        and {"format": said.header.format, "width": said.header.width, "height": said.header.height},
        "problem": said.problem,
        "says": said.provenance and vars(said.provenance),
        "database": "asked" if known else why_not,
        "stored": [vars(each) for each in known.files] if known else [],
        "calls": [vars(each) for each in known.calls] if known else [],
        "poses": [{name: value for name, value in vars(each).items() if name != "recipe"} for each in made],
        "recipe": made[0].recipe if made else None,
    }
