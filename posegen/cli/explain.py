"""`posegen explain`: everything that is known of one generation, on one screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any

import typer

from posegen.cli import console
from posegen.cli.calls import say_calls
from posegen.cli.commands import AS_JSON
from posegen.cli.session import open_session
from posegen.database.json_documents import UnreadableJson
from posegen.generations.reading.explaining import explain_generation
from posegen.generations.reading.history import History, PastClaim, Presence, stretches_of
from posegen.generations.reading.history_rows import EntryRow, ExportRow, GenerationRow, PoseRow
from posegen.generations.reading.waiting import Waits
from posegen.running_platform import find_platform
from posegen.storage.stores import Stores

_NAME_WIDTH = 10


def explain(
    generation: Annotated[str, typer.Argument(help="The generation, or the beginning of its id.")],
    as_json: AS_JSON = False,
) -> None:
    """Tell a generation's whole history, to look into a complaint.

    Request, runs, poses, calls, exports, credits, objects and events. Works as well when the traces of the work are
    gone, and when the images are deleted: then it says so. Times are UTC.

    Example: `posegen explain eefe1f06`
    """
    with open_session(despite_files=True) as session:
        platform = find_platform(session.settings.posegen_home)
        explained = explain_generation(
            session.database,
            session.settings,
            session.backends,
            Stores.of(session.settings, quick=True).named,
            generation,
            ui=None if platform is None else platform.url,
        )
    if as_json:
        console.print_json(explained.document)
        return
    history, waits, presence = explained.history, explained.waits, explained.presence
    held_up, ui = explained.held_up, explained.ui
    _say_request(history.generation)
    if held_up is not None:
        _line("waits", held_up)
    _say_runs(history, ui)
    _say_poses(history.poses, waits)
    say_calls(history.calls, waits)
    _say_exports(history.exports)
    _say_credits(history)
    _say_objects(history, presence)
    _say_audit(history)
    _say_events(history)


def _say_request(row: GenerationRow) -> None:
    console.say(
        f"Generation {row.generation_id}: {row.status}, {row.poses_completed} of {row.poses_total} poses completed, "
        f"{row.poses_failed} failed"
    )
    _line("user", f"{row.user_name or 'unknown'} ({row.user_id})")
    asked = {
        "poses": _shown(row.poses),
        "categories": _shown(row.categories),
        "prompt": row.prompt and repr(row.prompt),
        "avatar": _facts(row.avatar),
        "formats": _shown(row.formats),
        "fit": row.fit,
    }
    for name, text in asked.items():
        if text:
            _line(name, text)
    details = {
        "backend": row.backend,
        "variations": row.variations,
        "seed": row.seed,
        "control weight": row.control_weight,
        "priority": row.priority,
        "project": row.project_id,
        "key": row.idempotency_key,
    }
    _line("also", _facts(details))
    _line("times", _time_line(row))
    if row.error_code is not None:
        _line("error", f"{row.error_code}: {row.error_detail or ''}")
        _line("", row.operator_message or "")
    if row.retired_at is not None:
        _line("retired", f"{_at(row.retired_at)}: events, partition and runs were dropped; what rows tell is below")


def _time_line(row: GenerationRow) -> str:
    steps = {
        "accepted": row.queued_at,
        "begun": row.started_at,
        "ended": row.finished_at,
    }
    later = [f"{name} +{(at - row.submitted_at).total_seconds():.1f} s" for name, at in steps.items() if at is not None]
    if row.finished_at is None and row.progressed_at is not None:
        later.append(f"last progress {_at(row.progressed_at)}")
    return ", ".join([f"asked {_at(row.submitted_at)}", *later])


def _say_runs(history: History, ui: str | None) -> None:
    row = history.generation
    _heading(f"Runs: claims {row.dispatch}, failed attempts {row.attempts}, lost leases {row.lost_leases}")
    if row.lease_expires_at is not None:
        _line("lease", f"until {_at(row.lease_expires_at)}")
    if row.status == "queued":
        _line("waits", f"not claimed before {_at(row.not_before)}")
    for claim in history.claims:
        _line(f"claim {claim.dispatch or '-'}", _claim(claim))
        if claim.run_id and ui and row.retired_at is None:
            _line("", f"{ui}/runs/{claim.run_id}")
    if not history.claims and row.run_id is not None:
        _line("last run", row.run_id)


def _claim(claim: PastClaim) -> str:
    claimed = "" if claim.claimed_at is None else f"claimed {_at(claim.claimed_at)}, "
    if claim.began_at is None:
        begun = "no run has begun"
    elif claim.claimed_at is None:
        begun = f"begun {_at(claim.began_at)} without a claim"
    else:
        waited = (claim.began_at - claim.claimed_at).total_seconds()
        begun = f"run {claim.run_id} began +{waited:.1f} s, poses completed {claim.poses}"
    if claim.ended_at is None:
        return f"{claimed}{begun}, not ended"
    why = "" if claim.reason is None else f": {claim.reason}"
    return f"{claimed}{begun}, {claim.ending} {_at(claim.ended_at)}{why}"


def _say_poses(poses: Sequence[PoseRow], waits: Waits) -> None:
    if not poses:
        return
    _heading("Poses, times in milliseconds")
    rows = [
        [
            str(pose.position + 1),
            pose.library_pose,
            pose.status,
            *(_number(each) for each in (pose.render_ms, pose.store_ms, pose.generation_ms)),
            _clock(pose.completed_at),
            _remarks(pose, waits.of_pose(pose)),
        ]
        for pose in poses
    ]
    headings = ["#", "pose", "status", "render", "store", "in all", "at", "remarks"]
    console.table(headings, rows, right=["#", "render", "store", "in all"])


def _remarks(pose: PoseRow, wait: str | None) -> str:
    said = [] if wait is None else [wait]
    if pose.error_code is not None:
        said.append(f"{pose.error_code}: {pose.error_detail or ''}")
    if pose.backend_failures:
        said.append(f"{pose.backend_failures} calls without a response")
    if pose.quality_retries:
        said.append(f"{pose.quality_retries} pictures did not pass")
    if pose.images_deleted_at is not None:
        said.append(f"images deleted {_at(pose.images_deleted_at)} ({pose.delete_reason})")
    elif pose.delete_after is not None:
        said.append(f"images hidden, deleted after {_at(pose.delete_after)} ({pose.delete_reason})")
    return "; ".join(said)


def _say_exports(exports: Sequence[ExportRow]) -> None:
    if not exports:
        return
    _heading("Exports")
    rows = []
    for name, alike in groupby(sorted(exports, key=lambda export: export.format), key=lambda export: export.format):
        each = list(alike)
        failed = Counter(f"{export.error_code}: {export.error_detail or ''}" for export in each if export.error_code)
        rows.append(
            [
                name,
                str(sum(export.status == "completed" for export in each)),
                str(sum(export.status == "failed" for export in each)),
                str(sum(export.deleted_at is not None for export in each)),
                f"{sum(export.size or 0 for export in each):,}",
                "; ".join(f"{why} ({count})" if count > 1 else why for why, count in failed.items()),
            ]
        )
    headings = ["format", "completed", "failed", "deleted", "bytes", "remarks"]
    console.table(headings, rows, right=["completed", "failed", "deleted", "bytes"])


def _say_credits(history: History) -> None:
    row = history.generation
    _heading(
        f"Credits: {row.credits_spent} spent, {row.credits_held} held, {row.credits_released} released, "
        f"{row.credits_refunded} refunded"
    )
    rows = []
    for (kind, actor, reason), alike in groupby(history.entries, key=_alike):
        entries = list(alike)
        amount = sum(entry.amount for entry in entries)
        rows.append([_clock(entries[0].created_at), _times(kind, len(entries)), f"{amount:,}", actor, reason])
    if rows:
        console.table(["at", "movement", "credits", "by", "reason"], rows, right=["credits"])


def _alike(entry: EntryRow) -> tuple[str, str, str]:
    return entry.kind, entry.actor, entry.reason


def _say_objects(history: History, presence: Presence) -> None:
    size = sum(each.size for each in history.objects)
    stores = ", ".join(f"{count} in {name}" for name, count in Counter(row.store for row in history.objects).items())
    deleted = sum(pose.images_deleted_at is not None for pose in history.poses)
    _heading(f"Objects: {len(history.objects)}, {size:,} bytes" + (f": {stores}" if stores else ""))
    if deleted:
        _line("deleted", f"the images of {deleted} poses")
    for row in presence.missing:
        _line("missing", f"{row.store}:{row.key}")
    for name, why in presence.unknown.items():
        _line("unknown", f"{name} could not be asked: {why}")
    if history.objects and not presence.missing and not presence.unknown:
        _line("found", "all of them are there")


def _say_audit(history: History) -> None:
    if history.audit:
        _heading("Who did what")
        console.table(
            ["at", "by", "what", "details"],
            [[_at(row.created_at), row.actor, row.action, _facts(row.detail)] for row in history.audit],
        )


def _say_events(history: History) -> None:
    if not history.events:
        return
    shown = [event for event in history.events if not event.kind.startswith("call_")]
    of_calls = len(history.events) - len(shown)
    _heading("Events" + (" (--json also has those of calls)" if of_calls else ""))
    rows = []
    for stretch, events in stretches_of(shown):
        until = "" if stretch.count == 1 else f" to {_clock(stretch.last)}"
        details = _facts(_counted(events[0].detail)) if stretch.count == 1 else ""
        rows.append([f"{_clock(stretch.first)}{until}", _times(stretch.kind, stretch.count), details])
    console.table(["at", "event", "details"], rows)


def _heading(text: str) -> None:
    console.say(f"\n{console.visible(text)}")


def _line(name: str, text: str) -> None:
    console.say(f"  {name:<{_NAME_WIDTH}} {console.visible(text)}")


def _facts(facts: dict[str, Any] | UnreadableJson) -> str:
    if isinstance(facts, UnreadableJson):
        return str(facts)
    known = {name: value for name, value in facts.items() if value not in (None, [], {}, "")}
    return ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in known.items())


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _counted(detail: dict[str, Any]) -> dict[str, Any]:
    """The details of an event, with a pose's number as the table of poses has it: from 1."""
    return {**({"number": detail["position"] + 1} if "position" in detail else {}), **detail, "position": None}


def _times(what: str, count: int) -> str:
    return what if count == 1 else f"{what} ×{count}"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _at(moment: datetime) -> str:
    return console.utc(moment)


def _clock(moment: datetime | None) -> str:
    return "-" if moment is None else console.utc(moment, "%m-%d %H:%M:%S")
