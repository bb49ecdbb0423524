"""What the platform was set to, and when that changed: a line in the audit for each start with other settings."""

from __future__ import annotations

import json
from typing import Any

from posegen import audit
from posegen.database.connection import Connection
from posegen.database.json_documents import as_object
from posegen.settings import Settings, is_secret

ACTION = "settings_changed"
SUBJECT = "posegen up"
_HIDDEN = "(a secret)"


def record_settings(connection: Connection, settings: Settings, *, actor: str) -> dict[str, list[Any]]:
    """Add a line when the settings are others than at the last start; returns what changed: before and after.

    Only settings that differ from their defaults are written, and of a secret only that there is one.
    """
    values = shown_settings(settings)
    last = audit.latest_detail(connection, action=ACTION, subject=SUBJECT)
    before = as_object({} if last is None else last.get("values"))
    changed = {
        name: [before.get(name), values.get(name)]
        for name in sorted({*before, *values})
        if before.get(name) != values.get(name)
    }
    if changed:
        audit.record(
            connection, actor=actor, action=ACTION, subject=SUBJECT, detail={"changed": changed, "values": values}
        )
    return changed


def shown_settings(settings: Settings) -> dict[str, Any]:
    """What is set, by variable, as JSON has it; secrets are not shown."""
    given = json.loads(settings.model_dump_json(exclude_defaults=True))
    return {
        name.upper(): _HIDDEN if is_secret(name.upper()) else value
        for name, value in sorted(given.items())
        if value is not None
    }
