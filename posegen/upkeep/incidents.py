"""Incidents: opened and closed by what was found, and sent to the webhook, each beginning and end once.

What is wrong is judged in `health.py`; over which wire it is told is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import structlog

from posegen import incidents
from posegen.database.connection import Connection, Database
from posegen.incidents import Incident
from posegen.upkeep.health import HealthFinding

log = structlog.get_logger(__name__)

QUIET = timedelta(minutes=10)
"""What was not found for so long is over. Two looks have to agree on that: what comes and goes is one incident."""
LONGEST_TOLD = timedelta(days=1)
"""Incidents that ended before that are not sent."""
MOST_AT_ONCE = 5


def follow(connection: Connection, findings: Iterable[HealthFinding], *, quiet: timedelta = QUIET) -> tuple[int, int]:
    """Open what is new, close what is over; how many of each. `findings`: all of this look."""
    opened = 0
    for finding in findings:
        opened += incidents.note_found(
            connection,
            kind=finding.kind,
            subject=finding.subject,
            severity=finding.severity,
            summary=finding.summary,
        )
    return opened, incidents.close_unseen(connection, quiet=quiet)


def tell(database: Database, send: Callable[[dict[str, Any]], None]) -> int:
    """Send what was not sent yet; returns how many messages were accepted.

    `send` raises when a message was not accepted; that ends this round, so that what happened first is told first.
    Each incident is locked while it is told of, and its acceptance is written down before the next one.
    """
    accepted = 0
    while accepted < MOST_AT_ONCE:
        with database.transaction() as connection:
            incident = incidents.next_to_send(connection, longest=LONGEST_TOLD)
            if incident is None:
                break
            send(message(incident))
            incidents.note_accepted(connection, incident)
        accepted += 1
        log.info("incident told", incident=str(incident.id), kind=incident.kind, over=incident.over)
    return accepted


def message(incident: Incident) -> dict[str, Any]:
    """What is told of an incident next, as JSON has it. `incident` and `state` together name it."""
    says = f"over: {incident.kind.replace('_', ' ')}" if incident.over else incident.severity
    return {
        "incident": str(incident.id),
        "state": "over" if incident.over else "open",
        "kind": incident.kind,
        "subject": incident.subject,
        "severity": incident.severity,
        "summary": incident.summary,
        "opened_at": incident.opened_at.isoformat(),
        "closed_at": incident.closed_at.isoformat() if incident.over and incident.closed_at else None,
        "text": f"Posegen, {says}: {incident.summary}",
    }
