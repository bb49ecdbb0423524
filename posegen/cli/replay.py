"""`posegen replay`: a picture made again from its recipe, and how far it is from the stored one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.calls import usd
from posegen.cli.commands import AS_JSON
from posegen.cli.session import open_session
from posegen.generations.reading.replay import Likeness, Replay
from posegen.generations.reading.replay import replay as render_again
from posegen.images.png import encode_png

DIFFERS = 1


def replay(
    pose: Annotated[UUID, typer.Argument(help="The pose's id; `posegen show GENERATION --json` names them.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the new picture here, as a PNG, to look at it.")
    ] = None,
    billed: Annotated[
        bool, typer.Option("--billed", help="Also when the picture's backend bills each call: one is paid for.")
    ] = False,
    as_json: AS_JSON = False,
) -> None:
    """Render a pose again from its recipe, and compare the pictures.

    The customer has no file and no charge of it. Exit code 1 when the pictures differ.

    With the same lock file on the same family of processors the mannequin gives the same bytes. A picture of a hosted
    backend is made in a call of its own, which is paid for: `posegen calls` lists it. After an interruption the same
    command goes on with that call.

    Example: `posegen replay POSE -o again.png`
    """
    with open_session() as session, console.err.status("Rendering ..."):
        found = render_again(session.studio(), pose, billed=billed)
    if output is not None:
        output.write_bytes(encode_png(found.pixels).data)
    if as_json:
        console.print_json({name: value for name, value in vars(found).items() if name != "pixels"})
    else:
        _say(found)
    if found.likeness is Likeness.DIFFERENT:
        raise typer.Exit(DIFFERS)


def _say(found: Replay) -> None:
    verdicts = {
        Likeness.IDENTICAL: "Identical: the same file, byte for byte.",
        Likeness.SAME_PIXELS: "The same picture, pixel for pixel, in a file that is written otherwise.",
        Likeness.DIFFERENT: "Different: " + _how_far(found),
    }
    console.say(verdicts[found.likeness])
    if found.call is not None:
        _say_call(found)
    console.say(f"Recipe {found.recipe_hash}, made with {found.backend} {found.made_with}.")
    if found.made_with != found.replayed_with:
        console.say(f"Rendered now with {found.backend} {found.replayed_with}: another version may draw otherwise.")
    if not found.recipe_is_whole:
        console.say("The stored recipe has another hash than was recorded: it was changed afterwards.")


def _say_call(found: Replay) -> None:
    if found.likeness is Likeness.DIFFERENT:
        console.say(
            "That is expected: a hosted model need not give the same picture, because its machines and its revision "
            "may be others by now."
            if found.seeds
            else f"That is expected: {found.backend} takes no seed, so every call gives another picture."
        )
    cost = "nothing says what it cost" if found.billed_usd is None else f"{usd(found.billed_usd)} USD"
    console.say(f"Call {found.call}: {cost}.")


def _how_far(found: Replay) -> str:
    if found.psnr is None:
        return "it has another size."
    return (
        f"PSNR {found.psnr:.1f} dB; {found.changed:.2%} of the pixels differ, by {found.largest_difference} of 255 "
        "levels at most."
    )
