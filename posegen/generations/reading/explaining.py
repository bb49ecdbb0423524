"""One generation explained from its request to its objects: what doors show to operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from posegen.backends.registry import Backends
from posegen.database.connection import Database
from posegen.generations.reading import history as histories
from posegen.generations.reading.history import History, Presence, look_for
from posegen.generations.reading.waiting import Waits, file_that_holds_up
from posegen.settings import Settings
from posegen.storage.protocol import ObjectStore


@dataclass(frozen=True)
class Explained:
    """A generation with its history.

    Attributes:
        history: what rows and events tell.
        waits: why its calls wait.
        presence: which of its objects lie in their stores.
        held_up: which file of the operator holds it up, and how to mend it; None for no file.
        ui: the URL of the Dagster UI; None when it does not run here.
    """

    history: History
    waits: Waits
    presence: Presence
    held_up: str | None
    ui: str | None

    @property
    def document(self) -> dict[str, Any]:
        """All of it for programs."""
        return {**_document(self.history, self.waits, self.presence, self.ui), "waits": self.held_up}


def explain_generation(
    database: Database,
    settings: Settings,
    backends: Backends,
    open_store: Callable[[str], ObjectStore],
    beginning: str,
    *,
    ui: str | None,
) -> Explained:
    """Everything that is known of a generation.

    Args:
        database: where it is.
        settings: of this process.
        backends: of these settings.
        open_store: returns the store of a name.
        beginning: of its id, or all of it.
        ui: the URL of the Dagster UI.

    Raises:
        GenerationUnknown: no id begins so.
        GenerationAmbiguous: several do.
    """
    history = histories.explain(database, beginning)
    presence = look_for(history.objects, open_store)
    hosted = backends.descriptions.get(history.generation.backend or "")
    most = hosted.concurrency if hosted is not None and hosted.is_hosted else None
    waits = Waits(history, most, settings.posegen_backend_seconds)
    return Explained(history, waits, presence, file_that_holds_up(history.generation, settings, backends), ui)


def _document(history: History, waits: Waits, presence: Presence, ui: str | None) -> dict[str, Any]:
    linked = ui is not None and history.generation.retired_at is None
    return {
        "generation": vars(history.generation),
        "claims": [
            {**vars(claim), "url": f"{ui}/runs/{claim.run_id}" if linked and claim.run_id else None}
            for claim in history.claims
        ],
        "poses": [{**vars(pose), "waits": waits.of_pose(pose)} for pose in history.poses],
        "calls": [{**vars(call), "waits": waits.of_call(call) if call.is_open else None} for call in history.calls],
        "exports": _rows(history.exports),
        "ledger": _rows(history.entries),
        "objects": _rows(history.objects),
        "missing_objects": _rows(presence.missing),
        "stores_not_asked": presence.unknown,
        "audit": _rows(history.audit),
        "events": _rows(history.events),
    }


def _rows(rows: Iterable[object]) -> list[dict[str, Any]]:
    return [vars(row) for row in rows]
