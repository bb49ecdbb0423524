"""Designs as a kind of work under the settings, for the tick of a sensor: one run for each claim."""

from __future__ import annotations

from uuid import UUID

import structlog

from posegen.backends.registry import Backends
from posegen.database.connection import Database
from posegen.designs import rows
from posegen.designs.rows import REQUESTS_CHANNEL
from posegen.designs.service import clear_deleted
from posegen.designs.work import DESIGNS, claim_designs, design_rule
from posegen.errors import StorageError
from posegen.objects.traffic import noted_traffic
from posegen.settings import Settings
from posegen.storage.stores import Stores
from posegen.studio import Studio
from posegen.work.rules import RetryRule
from posegen.work.slots import most_claimed
from posegen.work.tick import WorkKind

log = structlog.get_logger(__name__)


def kind(settings: Settings) -> WorkKind:
    """Designs under these settings."""
    hosted = Backends.of(settings).with_own_slots
    return WorkKind(
        "design_requests",
        DESIGNS,
        design_rule(RetryRule.of(settings)),
        stall_seconds=settings.posegen_stall_seconds,
        run_key=lambda claim: f"design:{claim.id}:{claim.dispatch}",
        claim=lambda database: claim_designs(
            database, most_under_way=most_claimed(settings.posegen_max_running), hosted=hosted
        ),
        clear=lambda database: _clear(database, settings),
        channel=REQUESTS_CHANNEL,
    )


def _clear(database: Database, settings: Settings) -> list[UUID]:
    """Deleted designs whose objects are deleted now; the stores are opened only when there are any."""
    with database.transaction() as connection:
        if not rows.deleted_waiting(connection):
            return []
    stores = Stores.of(settings)
    try:
        with noted_traffic(database, stores):
            return clear_deleted(Studio.of(settings, database, stores, Backends.of(settings)))
    except StorageError as failure:
        log.warning("deleted designs are not cleared yet", reason=str(failure))
        return []
