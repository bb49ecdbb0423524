"""Tells the webhook of the operator what has begun to be wrong, and what is over. What that is, upkeep decides."""

from collections.abc import Callable
from functools import partial
from typing import Any

import dagster as dg

from posegen.database.connection import Database
from posegen.errors import WebhookRefused
from posegen.settings import Settings
from posegen.upkeep.incidents import tell
from posegen.upkeep.webhook import post
from posegen.work.steps import Steps
from resources.database import DatabaseResource
from sensors.waiting import skipped_without_database

SENSOR = "alerts"


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends each incident to POSEGEN_ALERT_WEBHOOK, once when it begins and once when it is over.",
)
@skipped_without_database
def alerts(database: dg.ResourceParam[DatabaseResource], settings: dg.ResourceParam[Settings]) -> dg.SkipReason:
    """Starts no run. What was not accepted is tried again by the next tick."""
    webhook = settings.posegen_alert_webhook
    if webhook is None:
        return dg.SkipReason("POSEGEN_ALERT_WEBHOOK is not set; no alerts are sent.")
    send = partial(post, webhook.get_secret_value())
    with database.open_for_a_tick() as opened:
        accepted = Steps(opened, SENSOR).run("messages", lambda: _told(opened, send)) or "none: the step failed"
    return dg.SkipReason(f"Messages that were accepted: {accepted}.")


def _told(database: Database, send: Callable[[dict[str, Any]], None]) -> str:
    try:
        return str(tell(database, send))
    except WebhookRefused as refused:
        return f"not all; the next tick tries again. {refused}"
