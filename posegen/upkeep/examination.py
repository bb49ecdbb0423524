"""Examining an installation: every part once, what is wrong with it and what mends it. It repairs nothing.

What can only be seen over HTTP is in `outside.py`. `posegen doctor` shows it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg

from posegen.accounts.replay import audit
from posegen.backends import breaker_rows as breakers
from posegen.backends.registry import Backends
from posegen.database.connection import Connection, Database
from posegen.database.failures import describe
from posegen.database.migrate import current_revision, newest_revision
from posegen.database.rows import column
from posegen.database.server import DatabaseUrls, open_server
from posegen.error_codes import ErrorCode
from posegen.errors import PosegenError, SettingsInvalid, StorageError
from posegen.library.rows import stored_poses
from posegen.library.validation import usable_poses
from posegen.objects import stores
from posegen.objects.identity import is_own
from posegen.platforms.file import own_platforms
from posegen.platforms.rows import judged_platforms
from posegen.policy.lists import read_lists
from posegen.running_platform import RunningPlatform, find_platform
from posegen.settings import Settings, load_settings
from posegen.storage.configuration import StoresConfig
from posegen.storage.protocol import ObjectStore
from posegen.storage.stores import Stores
from posegen.upkeep import diagnosis_rows as condition
from posegen.upkeep import http_checks as outside
from posegen.upkeep.far_ends import look_at_far_ends
from posegen.upkeep.finding import Finding, Part, checked
from posegen.upkeep.invariants import SPACE
from posegen.work import failing_steps as steps

LEAST_FREE_BYTES = 1_000_000_000
MOST_SKEW_SECONDS = 30
# Longer than each of these takes while the platform works, with some room.
JUDGED_SECONDS, CLAIMED_SECONDS, BEGUN_SECONDS, SWEPT_SECONDS = 60, 300, 120, 60
FAILURES_SECONDS = 3600
FEW_FAILURES = 3
MOST_FAILED_SHARE = 0.2
NEWEST_OBJECTS = 20
# More rows than that take seconds to replay.
MOST_AUDITED = 100_000
# What operators can do something about; the others are the customer's, or the picture's.
OURS = (
    ErrorCode.BACKEND_UNAVAILABLE,
    ErrorCode.BACKEND_RETRIES_EXCEEDED,
    ErrorCode.STORAGE_FAILED,
    ErrorCode.TIMED_OUT,
    ErrorCode.POISONED,
)
STORE_FIXES = {
    "local": "Look at STORAGE_LOCAL_PATH, or without it at the folder storage in POSEGEN_HOME: it must be a folder of "
    "yours, the same one as before.",
    "r2": "Look at the R2_* settings; `posegen storage init` checks bucket and token.",
    "s3": "Look at the S3_* settings; `posegen storage init` checks bucket and credentials.",
}


def utc_now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def examine(clock: Callable[[], datetime] = utc_now) -> list[Finding]:
    """Everything that can be examined; what stands on a broken part is left out."""
    try:
        settings = load_settings()
    except PosegenError as broken:
        return [Finding(Part.SETTINGS, False, str(broken), "Correct, set or unset the variables that are named.")]
    findings = [
        _settings(settings),
        _bytecode(),
        _home(settings.posegen_home),
        _disk(settings),
        checked(Part.STORE, lambda: _store(settings), STORE_FIXES[settings.storage_mode]),
        _backends(settings),
        *look_at_far_ends(settings),
    ]
    if not findings[2].good and settings.database_url is None:
        return findings  # the embedded server would only say the same
    try:
        with open_server(settings) as urls:
            findings.append(_database(urls))
            if findings[-1].good:
                findings += _what_the_database_tells(urls, settings, clock, store_is_good=findings[4].good)
    except PosegenError as broken:
        findings.append(_unusable(str(broken), settings))
    except psycopg.Error as refused:
        # It could be entered, but not be used.
        findings = [finding for finding in findings if finding.part != Part.DATABASE]
        findings.append(_unusable(describe(refused), settings))
    return findings


def _unusable(detail: str, settings: Settings) -> Finding:
    if settings.database_url is None:
        folder = settings.posegen_home / "postgres"
        fix = f"Do what the message says. The files of the embedded server are in {folder}."
    elif "lacks a right" in detail:
        fix = "Grant what docs/how-to/database-roles.md names, or log in as the owner."
    else:
        fix = "Mend DATABASE_URL, or unset it for the embedded server."
    return Finding(Part.DATABASE, False, detail, fix)


def _settings(settings: Settings) -> Finding:
    """The files of platforms and of the policy, too; that of backends is looked at with them."""
    try:
        own_platforms(settings.posegen_platforms_file)
        if settings.posegen_policy_file is not None:
            read_lists(settings.posegen_policy_file)
    except SettingsInvalid as wrong:
        fix = "Correct the file. Until then requests with words wait for that of the policy, and no command starts."
        return Finding(Part.SETTINGS, False, " ".join(wrong.problems), fix)
    return Finding(Part.SETTINGS, True, f"data in {settings.posegen_home}")


def _bytecode() -> Finding:
    if sys.dont_write_bytecode:
        slow = "writes no bytecode: every start takes seconds more"
        return Finding(Part.PYTHON, False, slow, "Unset PYTHONDONTWRITEBYTECODE, and start Python without -B.")
    return Finding(Part.PYTHON, True, sys.version.split()[0])


def _home(home: Path) -> Finding:
    folder = _existing(home)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        fix = "Make it a folder that this user may write to, or set POSEGEN_HOME to one."
        return Finding(Part.HOME, False, f"nothing can be written in {folder}", fix)
    return Finding(Part.HOME, True, "can be written to")


def _disk(settings: Settings) -> Finding:
    # Pictures, then what else grows there: the embedded database, logs, work in progress.
    folders = {"data": settings.posegen_home}
    if settings.storage_mode == "local":
        folders = {"pictures": settings.storage_path, **folders}
    free = {what: shutil.disk_usage(_existing(folder)).free for what, folder in folders.items()}
    what = min(free, key=lambda each: free[each])
    detail = f"{free[what] / 1e9:.1f} GB free for {what}"
    if free[what] < LEAST_FREE_BYTES:
        variable = "STORAGE_LOCAL_PATH" if what == "pictures" else "POSEGEN_HOME"
        return Finding(Part.DISK, False, detail, f"Free some space, or set {variable} to a larger disk.")
    return Finding(Part.DISK, True, detail)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _store(settings: Settings) -> str:
    health = Stores.of(settings, quick=True).current.health()
    return f"{health.store}: write {health.write_seconds * 1000:.1f} ms, read {health.read_seconds * 1000:.1f} ms"


def _backends(settings: Settings) -> Finding:
    try:
        backends = Backends.of(settings)
        backends.check()
    except SettingsInvalid as wrong:
        fix = (
            "Correct the file of POSEGEN_BACKENDS_FILE. Requests for what it does not describe wait, all others go on."
        )
        return Finding(Part.BACKEND, False, " ".join(wrong.problems), fix)
    except PosegenError as unknown:
        fix = "Set POSEGEN_BACKEND and POSEGEN_BACKENDS_OFFERED to backends that are configured, or set their keys."
        return Finding(Part.BACKEND, False, str(unknown), fix)
    default = backends.describe(settings.posegen_backend)
    billed = [name for name, each in backends.offered.items() if each.capabilities.costs_money]
    if billed and settings.posegen_credits_hosted_backend == 0:
        detail = f"{', '.join(billed)}: each picture is billed in USD, and costs no more credits than a drawn one"
        return Finding(Part.BACKEND, False, detail, "Set POSEGEN_CREDITS_HOSTED_BACKEND to what a picture is worth.")
    return Finding(Part.BACKEND, True, f"{default.name} {default.version}")


def _database(urls: DatabaseUrls) -> Finding:
    kind = "embedded server" if urls.embedded else "server of DATABASE_URL"
    found, needed = current_revision(urls.application), newest_revision()
    if found != needed:
        return Finding(Part.DATABASE, False, f"{kind}: revision {found}, needed {needed}", "posegen db upgrade")
    with Database(urls.application) as database:
        condition.try_to_write(database)
    return Finding(Part.DATABASE, True, f"{kind}: revision {found}")


def _what_the_database_tells(
    urls: DatabaseUrls, settings: Settings, clock: Callable[[], datetime], *, store_is_good: bool
) -> list[Finding]:
    config = StoresConfig.of(settings).quick()
    opened = Stores.configured(config)
    platform = find_platform(settings.posegen_home)
    with Database(urls.application) as database:
        findings = [_clock(database, clock), *_stores(database, opened)]
        with database.transaction() as connection:
            keys = condition.newest_keys(connection, opened.current.name, most=NEWEST_OBJECTS)
            shown = stores.store_row(connection, opened.current.name)
        if store_is_good:
            findings.append(_objects(opened.current, keys))
        with database.transaction() as connection:
            findings += _work(connection, settings, platform, clock())
        findings.append(_accounts(database))
    if store_is_good:
        findings += outside.look(
            config, opened.current, platform, keys, base_url=None if shown is None else shown.base_url, now=clock()
        )
    return findings


def _clock(database: Database, clock: Callable[[], datetime]) -> Finding:
    with database.transaction() as connection:
        skew = abs((condition.server_time(connection) - clock()).total_seconds())
    if skew > MOST_SKEW_SECONDS:
        detail = f"{skew:.0f} s away from the database server's"
        return Finding(Part.CLOCK, False, detail, "Let both machines set their clocks by NTP.")
    return Finding(Part.CLOCK, True, "as the database server's")


def _stores(database: Database, opened: Stores) -> list[Finding]:
    """Whether the current store is this database's own, and whether every store that rows need can be read."""
    with database.transaction() as connection:
        needed = stores.needed(connection)

    def look(name: str) -> str:
        own = is_own(database, opened.named(name))
        return "belongs to this database" if own else "is new; gets its marker before the first object"

    return [
        checked(f"{Part.STORE} {name}", partial(look, name), STORE_FIXES.get(name, "Configure it again."))
        for name in dict.fromkeys([opened.current.name, *needed])
    ]


def _objects(store: ObjectStore, keys: list[str]) -> Finding:
    try:
        missing = [key for key in keys if not store.exists(key)]
    except StorageError as failure:
        return Finding(Part.OBJECTS, False, str(failure), STORE_FIXES.get(store.name, "Look at the store."))
    if missing:
        detail = f"{len(missing)} of the newest {len(keys)} are missing in {store.name}, such as {missing[0]}"
        volume = "mount the right volume" if store.name == "local" else "look whether the bucket is the right one"
        fix = f"`posegen storage reconcile` lists all; {volume}, or put a backup back."
        return Finding(Part.OBJECTS, False, detail, fix)
    return Finding(Part.OBJECTS, True, f"the newest {len(keys)} are in {store.name}")


def _work(connection: Connection, settings: Settings, platform: RunningPlatform | None, now: datetime) -> list[Finding]:
    backends = Backends.of(settings)
    moved = condition.movement(
        connection, hosted=backends.with_own_slots, undescribed=backends.undescribed, default=settings.posegen_backend
    )
    detail = f"{moved.waiting} waiting, {moved.under_way} under way"
    findings = outside.look_at_platform(platform, detail, is_needed=moved.waiting + moved.under_way > 0, now=now)
    return [
        *findings,
        *outside.look_at_api(platform),
        _queue(moved, settings),
        _steps(connection),
        _lists(connection),
        _breakers(connection),
        _failures(connection),
    ]


def _queue(moved: condition.Movement, settings: Settings) -> Finding:
    # With a limit for each user, work may wait beside a free slot.
    limited = settings.posegen_max_running_per_user > 0 and moved.under_way > 0
    free = moved.under_way - moved.at_far_ends < settings.posegen_max_running and not limited
    free_at_far_ends = moved.at_far_ends < settings.posegen_max_waiting and not limited
    waits = "a generation waits for {:.0f} s beside a free slot"
    slow = [
        (moved.not_judged, JUDGED_SECONDS, "a request was not judged for {:.0f} s"),
        (moved.not_claimed if free else None, CLAIMED_SECONDS, waits),
        (moved.not_claimed_hosted if free_at_far_ends else None, CLAIMED_SECONDS, waits),
        (moved.not_begun, BEGUN_SECONDS, "the run of a claim has not begun for {:.0f} s"),
        (moved.not_swept, SWEPT_SECONDS, "a lease ran out {:.0f} s ago and was not swept"),
    ]
    stuck = [says.format(seconds) for seconds, most, says in slow if seconds is not None and seconds > most]
    if stuck:
        fix = "Mend platform, daemon and sensors first; then `posegen up` again, and look into the folder logs."
        return Finding(Part.QUEUE, False, "; ".join(stuck), fix)
    return Finding(Part.QUEUE, True, "moves" if moved.waiting or moved.under_way else "is empty")


def _steps(connection: Connection) -> Finding:
    failing = steps.failing_steps(connection)
    if failing:
        fix = "The log of the code server has the traceback; the other steps go on. Mend or remove what it names."
        return Finding(Part.STEPS, False, "; ".join(each.summary for each in failing), fix)
    return Finding(Part.STEPS, True, "every step of the sensors works")


def _lists(connection: Connection) -> Finding:
    """Library poses and platforms that are left out, because nothing can be made of their rows."""
    drawable, poses = usable_poses(stored_poses(connection))
    judged = judged_platforms(connection)
    left_out = [f"pose {slug}: {why[:200]}" for slug, why in poses.items()]
    left_out += [f"platform {name[:63]!r}: {why[:200]}" for name, why in judged.unusable.items()]
    if left_out:
        detail = f"left out: {len(left_out)}, such as {left_out[0]}"
        return Finding(Part.LISTS, False, detail, "Correct the row of library_poses or platforms, or disable the pose.")
    return Finding(Part.LISTS, True, f"{len(drawable)} poses and {len(judged.usable)} platforms can be asked for")


def _breakers(connection: Connection) -> Finding:
    left_alone = breakers.open_breakers(connection)
    if left_alone:
        detail = "; ".join(
            f"the breaker of {row.backend} is open for another {max(row.wait or 0, 0):.0f} s: {row.last_error}"
            for row in left_alone
        )
        fix = "Look at the backend's credentials, limits and status page; it is tried again by itself."
        return Finding(Part.BREAKERS, False, detail, fix)
    return Finding(Part.BREAKERS, True, "all closed")


def _failures(connection: Connection) -> Finding:
    ended = condition.ended_since(connection, seconds=FAILURES_SECONDS)
    found = condition.failures_since(connection, OURS, seconds=FAILURES_SECONDS)
    failed = sum(each.number for each in found)
    detail = f"{failed} of {ended} generations of the last hour"
    if failed >= FEW_FAILURES and failed > ended * MOST_FAILED_SHARE:
        codes = ", ".join(f"{each.code} {each.number}" for each in found)
        fix = f"posegen explain {found[0].example}"
        return Finding(Part.FAILURES, False, f"{detail}: {codes}", fix)
    return Finding(Part.FAILURES, True, detail)


def _accounts(database: Database) -> Finding:
    with database.transaction() as connection:
        if condition.has_more_than(connection, MOST_AUDITED):
            return Finding(Part.ACCOUNTS, True, "too many to replay here: `posegen credits audit`, `posegen verify`")
    with database.transaction() as connection:
        audited = audit(connection)
        wrong = column(connection, SPACE.broken)
    wrong += [
        f"{each.what} {each.id}: {each.number} is {each.recorded}, its entries give {each.replayed}"
        for each in audited.differences
    ]
    if wrong:
        fix = "`posegen credits audit` and `posegen verify` list all; rows were written without the provided functions."
        return Finding(Part.ACCOUNTS, False, f"differences: {len(wrong)}, such as {wrong[0]}", fix)
    return Finding(Part.ACCOUNTS, True, f"{audited.entries:,} movements give the balances of {audited.accounts:,}")
