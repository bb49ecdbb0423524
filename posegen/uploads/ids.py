"""Ids of uploads in texts that may also be something else, such as a URL."""

from __future__ import annotations

import re
from uuid import UUID

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def upload_in(text: str) -> UUID | None:
    """The id, in its usual spelling; None for any other text.

    >>> upload_in("a0000000-0000-4000-8000-000000000001"), upload_in("https://maps.example/pose.png")
    (UUID('a0000000-0000-4000-8000-000000000001'), None)
    """
    return UUID(text) if _UUID.fullmatch(text) else None
