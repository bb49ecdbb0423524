"""`posegen demo`: real requests, submitted as a foreign backend would, followed to their pictures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Annotated
from uuid import UUID, uuid4

import typer

from posegen.accounts import service as accounts
from posegen.cli import console
from posegen.cli.calls import usd
from posegen.cli.following import follow
from posegen.cli.session import Session, open_session
from posegen.cli.sheets import write_sheet
from posegen.cli.up import platform_for, say_api
from posegen.errors import PosegenError
from posegen.generations import service
from posegen.generations.asking.requests import GenerationRequest
from posegen.generations.reading.gathering import GatheredFile, gather_files
from posegen.generations.reading.results import GenerationResult
from posegen.images.contact_sheet import Tile, contact_sheet
from posegen.platforms.platform import PLATFORMS
from posegen.running_platform import find_platform
from posegen.states import GenerationStatus
from posegen.supervisor.local_platform import PlatformOptions
from posegen.supervisor.signals import stop_on_signals

CREDITS = 1_000
LONGEST_SECONDS = 240.0


@dataclass(frozen=True)
class DemoRequest:
    """One request of the demonstration and how it has to end."""

    name: str
    request: GenerationRequest
    expected: GenerationStatus = GenerationStatus.COMPLETED


REQUESTS = (
    DemoRequest(
        "five poses for Instagram and TikTok",
        GenerationRequest(
            poses=[
                "walking-towards-viewer",
                "box-in-both-hands",
                "phone-selfie",
                "sitting-legs-crossed",
                "star-jump",
            ],
            formats=["instagram_post", "tiktok"],
            seed=11,
        ),
    ),
    DemoRequest(
        "three variations of a prompt",
        GenerationRequest(
            prompt="dancing ballet on the beach in a summer dress",
            variations=3,
            avatar={"clothing": "summer_dress", "hair": "curly_auburn", "skin": "brown", "setting": "beach"},
            seed=23,
        ),
    ),
    DemoRequest(
        "a pose and a prompt, in all twelve formats",
        GenerationRequest(
            poses=["hands-on-hips-both"],
            prompt="the new season's suit, for the shop window",
            avatar={"gender_expression": "masculine", "clothing": "suit", "hair": "short_black", "setting": "city"},
            formats=list(PLATFORMS),
            seed=42,
        ),
    ),
    DemoRequest(
        "one that intake refuses",
        GenerationRequest(poses=["flying-carpet"], formats=["instagram_post"]),
        expected=GenerationStatus.FAILED,
    ),
)


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the Dagster UI and the HTTP API running afterwards, until Ctrl-C.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="Port of the Dagster UI; without it 3000, or a free one.", min=1, max=65535)
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="Who makes the pictures; a hosted one bills each. `posegen backends` lists them.")
    ] = None,
) -> None:
    """Make pictures from four real requests, to see it work.

    It needs no account, no network and no other service. Starts PostgreSQL and Dagster, inserts the requests into the
    database, follows them, and shows what came out. Exit code 0 means that every file in the table exists, opens, and
    has its platform's size.

    Example: `posegen demo --keep`
    """
    began = time.monotonic()
    interrupted = Event()
    hosted = [] if backend is None else [backend]

    def stop(hurry: bool) -> None:
        interrupted.set()
        if platform is not None:
            platform.request_stop(hurry)

    def carry_on() -> None:
        if interrupted.is_set():
            raise typer.Exit(130)

    with open_session(upgrade=True) as session, ExitStack() as platforms:
        session.backends.describe(backend or session.settings.posegen_backend)
        running = find_platform(session.settings.posegen_home)
        options = PlatformOptions(port=port, with_api=keep)
        platform = None if running else platform_for(session, options, offered=hosted)
        url = running.url if running else platform.url if platform else ""
        if platform is not None:
            platforms.enter_context(stop_on_signals(stop))
            console.note("Starting PostgreSQL and Dagster ...")
            platforms.callback(platform.stop)
            if not platform.start():
                raise typer.Exit(130)
        problems = _demonstrate(session, url, began, carry_on, backend)
        if platform is not None and keep:
            say_api(session, platform, command="demo")
            console.say(f"The Dagster UI stays at {url} until Ctrl-C.")
            platform.wait()
    for problem in problems:
        console.complain(problem)
    if problems:
        raise typer.Exit(1)


def _demonstrate(
    session: Session, url: str, began: float, carry_on: Callable[[], None], backend: str | None
) -> list[str]:
    """Everything that went otherwise than it should. `carry_on`: called at every look, raises to end the wait."""
    user = accounts.user_with_credits(
        session.database, uuid4(), "Demonstration", credits=CREDITS, reason="for the demonstration"
    )
    before = accounts.balance(session.database, user)
    requests = [replace(each, request=replace(each.request, backend=backend)) for each in REQUESTS]
    names = {service.submit(session.database, user, each.request).generation_id: each for each in requests}
    shown = {each: request.name for each, request in names.items()}
    results = follow(session.database, shown, seconds=LONGEST_SECONDS, keep_running=carry_on)
    after = accounts.balance(session.database, user)
    folder = session.settings.posegen_home / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    files, problems = _gather_all(session, results, folder)
    for result in results:
        if result.status is not names[result.generation_id].expected:
            problems.append(_unexpected(result, names[result.generation_id], session))
    _print_table(results, names, files)
    for result in results:
        if result.status is not GenerationStatus.FAILED:
            continue
        charged = result.credits_spent + result.credits_held
        console.say(f"Refused, and {charged or 'nothing'} charged: {result.error_code}: {result.error_detail}")
        if charged:
            problems.append(f"generation {result.generation_id} failed, and {charged} credits were charged for it")
    console.say(
        f"\nCredits: {before.credits_available} before, {after.credits_available} after; "
        f"{after.credits_spent - before.credits_spent} spent, {after.credits_held} held."
    )
    _say_calls(session, names)
    if any(files.values()):
        sheet = _sheet(files, folder / "contact-sheet.png")
        console.say(f"Files:         {folder}\nContact sheet: {sheet}")
    console.say(
        "Lineage:       posegen demo --keep (or posegen up), then open "
        f"{url}/locations/posegen/asset-groups/pose_images/lineage\nDone in {time.monotonic() - began:.1f} s."
    )
    return problems


def _say_calls(session: Session, generations: Collection[UUID]) -> None:
    """What hosted backends were asked for, and what that has cost."""
    calls = [call for each in generations for call in service.calls(session.database, generation_id=each, limit=1000)]
    if calls:
        cost = sum((call.billed_usd for call in calls if call.billed_usd is not None), Decimal(0))
        console.say(
            f"Calls:   {len(calls)} to hosted backends, {usd(cost)} USD by their responses and price lists; "
            "`posegen calls` lists them."
        )


def _gather_all(
    session: Session, results: list[GenerationResult], folder: Path
) -> tuple[dict[UUID, list[GatheredFile]], list[str]]:
    files: dict[UUID, list[GatheredFile]] = {}
    problems = []
    studio = session.studio()
    for number, result in enumerate(results, 1):
        try:
            files[result.generation_id] = gather_files(studio, result.generation_id, folder / f"generation-{number}")
        except PosegenError as broken:
            problems.append(str(broken))
            continue
        exports = sum(file.format in PLATFORMS for file in files[result.generation_id])
        wanted = result.poses_completed * len(result.formats)
        if exports != wanted and result.status is not GenerationStatus.FAILED:
            problems.append(f"generation {result.generation_id} has {exports} exports instead of {wanted}")
    return files, problems


def _unexpected(result: GenerationResult, request: DemoRequest, session: Session) -> str:
    detail = f" ({result.error_code}: {result.error_detail})" if result.error_code else ""
    return (
        f"{request.name}: {result.status}{detail} instead of {request.expected} after {LONGEST_SECONDS:.0f} s at most. "
        f"`posegen doctor` checks the parts; the logs are in {session.settings.posegen_home / 'logs'}."
    )


def _print_table(
    results: list[GenerationResult], names: dict[UUID, DemoRequest], files: dict[UUID, list[GatheredFile]]
) -> None:
    rows = []
    for number, result in enumerate(results, 1):
        made = files.get(result.generation_id, [])
        rows.append(
            [
                str(number),
                str(result.status),
                f"{result.poses_completed}/{result.poses_total}",
                str(sum(file.format in PLATFORMS for file in made)),
                f"{sum(file.size for file in made):,}",
                str(result.credits_spent),
                "-" if result.seconds_to_finish is None else f"{result.seconds_to_finish:.1f}",
                names[result.generation_id].name,
            ]
        )
    headings = ["#", "status", "poses", "exports", "bytes", "credits", "seconds", "request"]
    console.table(headings, rows, right=["poses", "exports", "bytes", "credits", "seconds"], title="What came out")
    for number, result in enumerate(results, 1):
        console.say(f"{number} posegen show {result.generation_id}")


def _sheet(files: dict[UUID, list[GatheredFile]], path: Path) -> Path:
    pictures = [file for made in files.values() for file in made if file.format != "thumbnail"]
    tiles = [Tile(file.path.read_bytes(), label=file.path.parent.name, detail=file.format) for file in pictures]
    write_sheet(contact_sheet(tiles, title="posegen demo"), path)
    return path
