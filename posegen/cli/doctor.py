"""`posegen doctor`: looks at each part, says what is wrong and what mends it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from posegen.backends.registry import open_backend
from posegen.cli import console
from posegen.database import stores
from posegen.database.connection import Database
from posegen.database.migrate import current_revision, newest_revision
from posegen.database.server import DatabaseUrls, open_server
from posegen.errors import PosegenError
from posegen.settings import Settings, load_settings
from posegen.storage.identity import is_own
from posegen.storage.opening import open_stores, places_of
from posegen.supervisor.locks import find_platform

_LEAST_FREE_BYTES = 1_000_000_000
_STORE_FIXES = {
    "local": "Look at STORAGE_LOCAL_PATH: it must be a folder of yours, the same one as before.",
    "r2": "Look at the R2_* settings; `posegen storage init` checks bucket and token.",
    "s3": "Look at the S3_* settings; `posegen storage init` checks bucket and credentials.",
}


@dataclass(frozen=True)
class Finding:
    """One part. `fix`: what mends it, empty when nothing has to be."""

    part: str
    good: bool
    detail: str
    fix: str = ""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON document for scripts.")] = False) -> None:
    """Check settings, disk, store, backend, database, queue and platform. Exit code 1 when a part needs mending."""
    findings = examine()
    if as_json:
        console.print_json([vars(finding) for finding in findings])
    else:
        table = Table("part", "", "found", "fix")
        for finding in findings:
            verdict = "[green]good[/]" if finding.good else "[bold red]bad[/]"
            table.add_row(finding.part, verdict, escape(finding.detail), escape(finding.fix))
        console.out.print(table)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def examine() -> list[Finding]:
    """Everything that can be examined; what stands on a broken part is left out."""
    try:
        settings = load_settings()
    except PosegenError as broken:
        return [Finding("settings", False, str(broken), "Correct or unset the variable.")]
    findings = [
        Finding("settings", True, f"data in {settings.posegen_home}"),
        _bytecode(),
        _disk(settings),
        _checked("store", lambda: _store(settings), _STORE_FIXES[settings.storage_mode]),
        _checked("backend", lambda: _backend(settings), "Set POSEGEN_BACKEND to a backend that is installed."),
    ]
    try:
        with open_server(settings) as urls:
            findings.append(_database(urls))
            if findings[-1].good:
                findings += _stores(urls, settings)
                findings.append(_queue(urls, settings))
    except PosegenError as broken:
        findings.append(
            Finding("database", False, str(broken), "Mend DATABASE_URL, or unset it for the embedded server.")
        )
    return findings


def _bytecode() -> Finding:
    if sys.dont_write_bytecode:
        return Finding(
            "python", False, "writes no bytecode: every start takes seconds more", "unset PYTHONDONTWRITEBYTECODE"
        )
    return Finding("python", True, sys.version.split()[0])


def _disk(settings: Settings) -> Finding:
    folder = next(parent for parent in (settings.storage_path, *settings.storage_path.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free for pictures"
    if free < _LEAST_FREE_BYTES:
        return Finding("disk", False, detail, "Free some space, or set STORAGE_LOCAL_PATH to a larger disk.")
    return Finding("disk", True, detail)


def _store(settings: Settings) -> str:
    health = open_stores(places_of(settings).quick()).current.health()
    return f"{health.store}: write {health.write_seconds * 1000:.1f} ms, read {health.read_seconds * 1000:.1f} ms"


def _stores(urls: DatabaseUrls, settings: Settings) -> list[Finding]:
    """Whether the current store is this database's own, and whether every store that rows need can be read."""
    opened = open_stores(places_of(settings).quick())
    with Database(urls.application) as database:
        with database.transaction() as connection:
            needed = stores.needed(connection)

        def look(name: str) -> str:
            own = is_own(database, opened.named(name))
            return "belongs to this database" if own else "is new; gets its marker before the first object"

        return [
            _checked(f"store {name}", partial(look, name), _STORE_FIXES.get(name, "Configure it again."))
            for name in dict.fromkeys([opened.current.name, *needed])
        ]


def _backend(settings: Settings) -> str:
    backend = open_backend(settings.posegen_backend)
    return f"{backend.name} {backend.version}"


def _checked(part: str, look: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(part, True, look())
    except PosegenError as broken:
        return Finding(part, False, str(broken), fix)


def _database(urls: DatabaseUrls) -> Finding:
    kind = "embedded server" if urls.embedded else "server of DATABASE_URL"
    found, needed = current_revision(urls.application), newest_revision()
    if found != needed:
        return Finding("database", False, f"{kind}: revision {found}, needed {needed}", "posegen db upgrade")
    return Finding("database", True, f"{kind}: revision {found}")


def _queue(urls: DatabaseUrls, settings: Settings) -> Finding:
    with Database(urls.application) as database, database.transaction() as connection:
        row = connection.execute(
            """
            select count(*) filter (where status in ('submitted', 'queued')) as waiting,
                   count(*) filter (where status in ('dispatched', 'running')) as under_way
            from generations where status in ('submitted', 'queued', 'dispatched', 'running')
            """
        ).fetchone()
    assert row is not None, "an aggregate answers a row"
    platform = find_platform(settings.posegen_home)
    detail = f"{row['waiting']} waiting, {row['under_way']} under way"
    if platform is None:
        if row["waiting"] + row["under_way"]:
            return Finding("platform", False, f"not up, {detail}", "posegen up")
        return Finding("platform", True, "not up, and nothing waits for it")
    return Finding("platform", True, f"up at {platform.url}, {detail}")
