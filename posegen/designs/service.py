"""What customers and operators do with designs, for every door: the command, Dagster, and HTTP.

A door calls these functions and shows what they return; it decides nothing itself. How a design looks lives in
`drawing`, how it is made in `making`, the statements on its tables in `rows`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import structlog

from posegen.database.connection import Database
from posegen.database.keyset import Place
from posegen.designs import rows
from posegen.designs.making import make_design
from posegen.designs.products import Product
from posegen.designs.rows import DesignObject, Font
from posegen.designs.work import claim_design, start_design
from posegen.errors import DesignUnknown, StoreUnknown
from posegen.objects.service import PlacedFile
from posegen.storage.keys import manifest_key
from posegen.storage.protocol import ObjectStore
from posegen.studio import Studio
from posegen.work.in_process import do_here

log = structlog.get_logger(__name__)

ASSET = "design_previews"
"""The asset whose manifests describe designs."""
_ENDED = {"published", "failed"}
_LOOK_SECONDS = 1.0
_CLEARED_AT_ONCE = 100


@dataclass(frozen=True)
class NewDesign:
    """What is asked for: the columns of `design_requests`. None stands for the column's default. `size`: points."""

    text: str
    product_type: str | None = None
    font: str | None = None
    size: float | None = None
    text_colour: str | None = None
    ground_colour: str | None = None
    watermark: str | None = None
    print_file: bool = False
    project_id: str | None = None


@dataclass(frozen=True)
class DesignResult:
    """A design as the view `design_results` has it. `size`, `size_used`: points."""

    design_id: UUID
    user_id: UUID
    project_id: str | None
    status: str
    error_code: str | None
    error_message: str | None
    error_detail: str | None
    warnings: list[str]
    text: str
    font: str
    product_type: str
    size: float | None
    size_used: float | None
    text_colour: str | None
    ground_colour: str | None
    watermark: str | None
    preview_url: str | None
    thumbnail_url: str | None
    print_key: str | None
    print_bytes: int | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether it never changes any more."""
        return self.status in _ENDED


def submit(
    database: Database, user_id: UUID, new: NewDesign, *, before_commit: Callable[[UUID], object] = lambda _: None
) -> UUID:
    """Store a design request; its design waits for the next tick.

    Args:
        database: where requests are stored.
        user_id: whose design it is.
        new: what is asked for.
        before_commit: called with the id of the design before it is stored for good: a connection that breaks in the
            commit leaves open whether it is.

    Returns:
        The id of the design.

    Raises:
        RequestRefused: the database refuses a value (invalid_request); nothing is stored.
    """
    with database.transaction() as connection:
        design_id = rows.insert(connection, {"user_id": user_id, **vars(new)})
        before_commit(design_id)
    return design_id


def result(database: Database, design_id: UUID, *, user_id: UUID | None = None) -> DesignResult:
    """The design as it is now.

    Args:
        database: where the design is.
        design_id: the design.
        user_id: whose it has to be; None for any user's.

    Raises:
        DesignUnknown: there is no such design, or it belongs to another user.
    """
    with database.transaction() as connection:
        found = rows.result_of(connection, DesignResult, design_id)
    if found is None or user_id not in (None, found.user_id):
        raise DesignUnknown(design_id)
    return found


def results(
    database: Database,
    *,
    limit: int,
    after: Place | None = None,
    user_id: UUID | None = None,
    status: str | None = None,
) -> list[DesignResult]:
    """A page of designs, the newest first.

    Args:
        database: where designs are.
        limit: designs on a page.
        after: `created_at` and id of the last design of the page before; None for the first page.
        user_id: only those of this user.
        status: only those with this status.

    Returns:
        At most `limit + 1` designs: the last one tells that there is another page.
    """
    with database.transaction() as connection:
        return rows.results(connection, DesignResult, user_id=user_id, status=status, limit=limit, after=after)


def product_types(database: Database) -> list[Product]:
    """The products that designs are printed on, in order."""
    with database.transaction() as connection:
        return rows.product_types(connection)


def fonts(database: Database) -> list[Font]:
    """The fonts that designs can be written in, in order."""
    with database.transaction() as connection:
        return rows.fonts(connection)


def result_at_end(
    database: Database, design_id: UUID, *, seconds: float, keep_running: Callable[[], object]
) -> DesignResult:
    """The design when it has ended, or as it is when the time is over.

    Args:
        database: where the design is.
        design_id: the design.
        seconds: how long to wait for its end.
        keep_running: called again and again while this function waits; keeps the database server running.

    Raises:
        DesignUnknown: there is no such design.
    """
    deadline = time.monotonic() + seconds
    with database.listening(rows.STEPS_CHANNEL) as steps:
        while True:
            found = result(database, design_id)
            if found.has_ended or time.monotonic() > deadline:
                return found
            keep_running()
            steps.wait(_LOOK_SECONDS)


def render(studio: Studio, design_id: UUID, *, run_id: str, dispatch: int | None) -> None:
    """Render and publish a design, unless it has ended.

    Args:
        studio: what designs are made with.
        design_id: the design.
        run_id: the run of Dagster, or a name for the process that takes its place.
        dispatch: that of the claim that launched the run; None for a run that was started by hand.

    Raises:
        DesignUnknown: there is no such design.
        ClaimSuperseded: another run owns it.
        RequestRefused: it cannot be made; it has failed with this error.
        LeaseLost: another worker took it over, or it was deleted meanwhile.
    """
    lease = start_design(
        studio.database,
        design_id,
        dispatch=dispatch,
        run_id=run_id,
        lease_seconds=studio.lease_seconds,
        worker_home=studio.hold_lock(run_id),
    )
    if lease is not None:
        make_design(studio, lease)


def render_here(studio: Studio, design_id: UUID) -> None:
    """Render and publish a waiting design in this process; one that cannot be made fails.

    Does nothing when another process has claimed it. Raises `LeaseLost`.
    """
    do_here(
        lambda: claim_design(studio.database, design_id),
        lambda claim, run_id: render(studio, claim.id, run_id=run_id, dispatch=claim.dispatch),
        program="posegen design",
    )


def objects_of(database: Database, design_id: UUID) -> list[DesignObject]:
    """Where the files of a published design lie; none for any other design."""
    with database.transaction() as connection:
        return rows.objects_of(connection, design_id)


def placed_files(database: Database, designs: Sequence[UUID]) -> list[PlacedFile]:
    """Where the pictures of published designs lie, for signing; none for other designs."""
    with database.transaction() as connection:
        return rows.placed_files(connection, designs)


def print_url(studio: Studio, design_id: UUID) -> str | None:
    """A URL that reads a design's print for an hour; None when it has none."""
    prints = [each for each in objects_of(studio.database, design_id) if each.kind == "print"]
    return studio.store_named(prints[0].store).signed_get_url(prints[0].key) if prints else None


def download(studio: Studio, design_id: UUID, folder: Path) -> list[Path]:
    """Copy the files of a published design into `folder`, each verified against its hash. Raises `StorageError`."""
    folder.mkdir(parents=True, exist_ok=True)
    copied = []
    for each in objects_of(studio.database, design_id):
        path = folder / f"{each.kind}{Path(each.key).suffix}"
        path.write_bytes(studio.read(each.store, each.key, each.sha256))
        copied.append(path)
    return copied


def delete(studio: Studio, design_id: UUID, *, user_id: UUID | None = None) -> None:
    """Delete the rows of a design, then its objects. Objects that could not be deleted stay noted for `clear_deleted`.

    Args:
        studio: has the stores.
        design_id: the design.
        user_id: whose it has to be; None for any user's.

    Raises:
        DesignUnknown: there is no such design, or it belongs to another user.
    """
    with studio.database.transaction() as connection:
        objects = rows.objects_of(connection, design_id)
        if not rows.delete_request(connection, design_id, user_id=user_id):
            raise DesignUnknown(design_id)
    for each in objects:
        studio.store_named(each.store).delete(each.key)
    studio.store.delete(_manifest_of(design_id))


def clear_deleted(studio: Studio) -> list[UUID]:
    """Delete the objects that deleted designs have left; returns these designs, whose partitions may be deleted now.

    Objects in a store that is not configured stay noted.
    """
    with studio.database.transaction() as connection:
        stores = _reachable(studio, rows.stores_with_deleted(connection))
        deleted = rows.lock_deleted(connection, list(stores), _CLEARED_AT_ONCE)
        for each in deleted:
            if each.store is not None:
                stores[each.store].delete(*each.keys)
                studio.store.delete(_manifest_of(each.design_id))
        rows.forget_deleted(connection, deleted)
    return list(dict.fromkeys(each.design_id for each in deleted))


def _reachable(studio: Studio, names: list[str]) -> dict[str, ObjectStore]:
    stores = {}
    for name in names:
        try:
            stores[name] = studio.store_named(name)
        except StoreUnknown as unknown:
            log.warning("deleted designs cannot be cleared", store=name, reason=str(unknown))
    return stores


def _manifest_of(design_id: UUID) -> str:
    return manifest_key(ASSET, str(design_id))
