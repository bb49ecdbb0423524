"""`posegen submit`, `status` and `show`: asking for pictures, how they come along, and what came out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from posegen.accounts import service as accounts
from posegen.cli import console
from posegen.cli.calls import in_words
from posegen.cli.commands import AS_JSON
from posegen.cli.failures import Progress, told_on_failure
from posegen.cli.following import follow
from posegen.cli.picking import names
from posegen.cli.session import Session, open_session
from posegen.cli.sheets import check_suffix, write_sheet
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused
from posegen.generations import service
from posegen.generations.asking.requests import GenerationRequest
from posegen.generations.calling.listing import ListedCall
from posegen.generations.making.contact_sheets import draw_contact_sheet
from posegen.generations.reading.gathering import gather_files
from posegen.generations.reading.pages import LARGEST_PAGE, Cursor, GenerationFilter
from posegen.generations.reading.results import GenerationResult, PoseResult
from posegen.generations.service import Submitted
from posegen.running_platform import find_platform
from posegen.states import GenerationStatus

LOCAL_USER = UUID("00000000-0000-4000-8000-000000000001")
# 1 is a user's mistake, and 2 one of usage.
GENERATION_FAILED = 3
LONGEST_WAIT = 7200.0
_MOST_CALLS = 1000
NOT_GOOD = {GenerationStatus.FAILED, GenerationStatus.CANCELLED}


def submit(
    poses: Annotated[list[str] | None, typer.Argument(help="Library poses; `posegen library list` names them.")] = None,
    user: Annotated[
        UUID | None,
        typer.Option(help="Who asks and pays. Without it a local user with credits."),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="What the picture shows, up to 2,000 characters.")] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="All poses of a category; may be repeated, or several with commas.")
    ] = None,
    format: Annotated[  # the option's name is what users read
        list[str] | None,
        typer.Option(help="A platform such as instagram_post; may be repeated, or several with commas."),
    ] = None,
    fit: Annotated[
        str | None, typer.Option(help="cover or contain, for all formats; without it the format and the figure decide.")
    ] = None,
    avatar: Annotated[
        list[str] | None, typer.Option(help="An attribute such as hair=bob_brown; may be repeated.")
    ] = None,
    variations: Annotated[int, typer.Option(help="Pictures of each pose, 1 to 50.")] = 1,
    seed: Annotated[int | None, typer.Option(help="0 to 4294967295; without it one is drawn.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="What renders, such as mannequin; without it POSEGEN_BACKEND.")
    ] = None,
    control_weight: Annotated[
        float | None, typer.Option(help="How closely a model keeps to the pose, 0 to 2; 1 without it.")
    ] = None,
    negative_prompt: Annotated[
        str | None, typer.Option(help="What the picture does not show, up to 2,000 characters.")
    ] = None,
    control_kind: Annotated[
        str | None,
        typer.Option(help="openpose or depth: how a model is shown the pose; without it the backend decides."),
    ] = None,
    control_image: Annotated[
        str | None, typer.Option(help="A map of your own that shows the pose: an upload's id, or a URL.")
    ] = None,
    control_start: Annotated[
        float | None, typer.Option(help="Part of the steps after which the map counts, 0 to 1.")
    ] = None,
    control_end: Annotated[float | None, typer.Option(help="Part of the steps up to which it counts, 0 to 1.")] = None,
    allow_degraded: Annotated[
        bool, typer.Option("--allow-degraded", help="Leave out what the backend cannot follow, instead of a refusal.")
    ] = False,
    priority: Annotated[
        int | None, typer.Option(help="-10 to 10, higher ones first; 0 without it. Ahead of fairness among users.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Your own id for what the pictures belong to.")] = None,
    group: Annotated[
        str | None, typer.Option(help="A name within the project, for requests that belong together.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Show the pictures by signed URLs only.")] = False,
    retry_of: Annotated[
        UUID | None, typer.Option(help="An ended generation whose failed and cancelled poses are made again.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one never asks twice.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Follow it to its end; exit code 3 when it fails.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that --wait follows it.", min=1, max=86_400)] = LONGEST_WAIT,
    as_json: AS_JSON = False,
) -> None:
    """Ask for pictures of library poses, of a prompt, or of both.

    Works like an INSERT into `generation_requests`; `posegen up` picks it up.

    Examples: `posegen submit star-jump --format tiktok --wait`;
    `posegen submit --prompt "waving in the park" --variations 3 --avatar setting=park`
    """
    request = GenerationRequest(
        poses=poses or [],
        categories=names(category),
        formats=names(format),
        fit=fit,
        avatar=_attributes(avatar or []),
        variations=variations,
        prompt=prompt,
        seed=seed,
        backend=backend,
        control_weight=control_weight,
        negative_prompt=negative_prompt,
        allow_degraded=allow_degraded or None,
        control_kind=control_kind,
        control_image=control_image,
        control_start=control_start,
        control_end=control_end,
        priority=priority,
        project_id=project,
        group_name=group,
        private=private or None,
        retry_of=retry_of,
    )
    with told_on_failure() as progress, open_session() as session:
        submitted = _stored(session, user, key, request, progress)
        generation = submitted.generation_id
        is_up = find_platform(session.settings.posegen_home) is not None
        # On a server of one's own, it may be up on another machine.
        is_served = is_up or not session.urls.embedded
        if not is_up:
            console.note("Posegen is not up here: `posegen up`, in another shell, makes the pictures.")
        if wait and is_served:
            result = _followed(session, generation, seconds=timeout, quiet=as_json)
        else:
            (result,) = service.status(session.database, [generation])
        if as_json:
            console.print_json({**_document(result), "replayed": submitted.replayed})
        else:
            _print([result])
    if wait and result.status in NOT_GOOD:
        raise typer.Exit(GENERATION_FAILED)
    if wait and not result.status.is_terminal:
        if is_served:
            console.complain(f"Not ended after {timeout:.0f} s; `posegen status {generation}` looks again.")
        raise typer.Exit(1)


def status(
    generations: Annotated[list[UUID] | None, typer.Argument(help="Generations; without any, the latest ones.")] = None,
    limit: Annotated[int, typer.Option(help="How many of the latest.", min=1, max=1000)] = 20,
    as_json: AS_JSON = False,
) -> None:
    """Show how generations are coming along.

    Exit code 1 when one of those named does not exist.

    Example: `posegen status --limit 5`
    """
    with open_session() as session:
        found = service.status(session.database, generations) if generations else _latest(session, limit)
    if as_json:
        console.print_json([_document(result) for result in found])
    elif found:
        _print(found)
    else:
        console.say("There is no generation yet: `posegen submit star-jump` asks for one.")


def _latest(session: Session, limit: int) -> list[GenerationResult]:
    found: list[GenerationResult] = []
    after: Cursor | None = None
    while len(found) < limit:
        size = min(limit - len(found), LARGEST_PAGE)
        page = service.list_generations(session.database, GenerationFilter(), after=after, limit=size)
        found += page.data
        after = page.next
        if after is None:
            break
    return found


def show(
    generation: Annotated[UUID, typer.Argument(help="The generation; `posegen status` lists the latest ones.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            callback=check_suffix,
            help="The file to write, PNG or JPEG; without it one in POSEGEN_HOME, named after the generation.",
        ),
    ] = None,
    files: Annotated[
        Path | None, typer.Option(help="Also copy every picture into this folder, under names to read.")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the contact sheet in the system's viewer.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Write a contact sheet of a generation; say where its files are.

    Example: `posegen show GENERATION --files summer`
    """
    with open_session() as session:
        studio = session.studio()
        sheet = draw_contact_sheet(studio, generation, width=1280)
        poses = service.pose_results(session.database, generation)
        calls = service.calls(session.database, generation_id=generation, limit=_MOST_CALLS)
        (result,) = service.status(session.database, [generation])
        target = output or session.settings.posegen_home / "sheets" / f"{generation}.png"
        if sheet is not None:
            write_sheet(sheet, target)
        gathered = gather_files(studio, generation, files) if files is not None else []
    if as_json:
        console.print_json(
            {
                **_document(result),
                "contact_sheet": None if sheet is None else str(target),
                "poses": [
                    {**vars(pose), "calls": [vars(call) for call in calls if call.pose_id == pose.pose_id]}
                    for pose in poses
                ],
            }
        )
    else:
        _print([result])
        _print_poses(poses, calls)
    if sheet is None:
        console.note("No pose is completed, so there is no contact sheet.")
        raise typer.Exit(1)
    if not as_json:
        console.say(f"Contact sheet: {target}")
        if gathered:
            console.say(f"{len(gathered)} files in {files}")
    if open_it:
        typer.launch(str(target))


def _print_poses(poses: list[PoseResult], calls: list[ListedCall]) -> None:
    """The picture of each pose, with the calls that were made for it, and how its prints come out."""
    for pose in poses:
        console.say(f"{pose.number:>3} {pose.library_pose:<28} {pose.image_url or pose.status}")
        for call in reversed([each for each in calls if each.pose_id == pose.pose_id]):
            for line in in_words(call):
                console.say(f"    {line}")
        for name, ppi in pose.effective_ppi.items():
            console.say(f"    {name}: {ppi:.0f} pixels of the picture to an inch of paper")


def _attributes(given: list[str]) -> dict[str, str]:
    pairs = [attribute.partition("=") for attribute in given]
    for name, equals, _ in pairs:
        if not equals:
            raise RequestRefused(ErrorCode.INVALID_REQUEST, f"--avatar {name!r} has no value: write {name}=VALUE.")
    return {name: value for name, _, value in pairs}


def _stored(
    session: Session, user: UUID | None, key: str | None, request: GenerationRequest, progress: Progress
) -> Submitted:
    def may_be_stored(submitted: Submitted) -> None:
        generation = submitted.generation_id
        progress.sentence = f"Generation {generation} may be stored: `posegen status {generation}` says whether."

    asking = user or local_user(session)
    submitted = service.submit(session.database, asking, request, idempotency_key=key, before_commit=may_be_stored)
    generation = submitted.generation_id
    progress.sentence = f"Generation {generation} is stored; `posegen status {generation}` shows it."
    return submitted


def local_user(session: Session) -> UUID:
    """The user of an operator's own requests: always the same one, even if other users have its name."""
    return accounts.user_with_credits(
        session.database, LOCAL_USER, "local", credits=100_000, reason="for trying things out"
    )


def _followed(session: Session, generation: UUID, *, seconds: float, quiet: bool) -> GenerationResult:
    (result,) = follow(
        session.database,
        {generation: str(generation)[:8]},
        seconds=seconds,
        quiet=quiet,
        keep_running=session.urls.keep_running,
    )
    return result


def _document(result: GenerationResult) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(vars(result), default=str))
    return document


def _print(results: list[GenerationResult]) -> None:
    """A table that fits on 80 columns with whole ids, which the next command wants; reasons follow below it."""
    console.table(
        ["generation", "status", "asked (UTC)", "poses", "credits", "took s"],
        [
            [
                str(result.generation_id),
                str(result.status),
                console.utc(result.created_at, "%m-%d %H:%M"),
                f"{result.poses_completed}/{result.poses_total}",
                str(result.credits_spent),
                "-" if result.seconds_to_finish is None else f"{result.seconds_to_finish:.1f}",
            ]
            for result in results
        ],
        right=["poses", "credits", "took s"],
    )
    for result in results:
        if result.error_code is not None:
            why = console.visible(result.error_detail or result.error_message or "")
            console.say(f"{result.generation_id}: {result.error_code}: {why}")
