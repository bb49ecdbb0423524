"""What an examination says of one part. The parts themselves are looked at in `examination.py` and `outside.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from posegen.errors import PosegenError


class Part(StrEnum):
    """What is looked at. `docs/how-to/troubleshooting.md` says of each what a bad one looks like."""

    SETTINGS = "settings"
    PYTHON = "python"
    HOME = "home"
    DISK = "disk"
    STORE = "store"
    BACKEND = "backend"
    DATABASE = "database"
    CLOCK = "clock"
    OBJECTS = "objects"
    PLATFORM = "platform"
    DAEMON = "daemon"
    SENSORS = "sensors"
    API = "api"
    QUEUE = "queue"
    STEPS = "steps"
    LISTS = "lists"
    BREAKERS = "breakers"
    FAILURES = "failures"
    ACCOUNTS = "accounts"
    PICTURES = "pictures"
    UPLOADS = "uploads"
    CORS = "cors"


@dataclass(frozen=True)
class Finding:
    """One part, such as `disk` or, where there are several of a kind, `store local`. `fix`: empty when it is good."""

    part: str
    good: bool
    detail: str
    fix: str = ""


def checked(part: str, look: Callable[[], str], fix: str) -> Finding:
    """Good when the check raises nothing; its result is the detail."""
    try:
        return Finding(part, True, look())
    except PosegenError as broken:
        return Finding(part, False, str(broken), fix)
