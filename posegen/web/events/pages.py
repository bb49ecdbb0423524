"""Events as a page of JSON, for clients that ask again instead of following a stream."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from posegen.database.connection import Database
from posegen.errors import GenerationUnknown
from posegen.generations.reading.following import (
    FollowedEvent,
    Horizon,
    Pending,
    events_since,
    horizon_now,
    story_of,
)
from posegen.web.events.frames import UrlsOf, data_of, urls_in
from posegen.web.events.streams import SEQUENCE


def page_of_generation(database: Database, urls_of: UrlsOf, generation_id: UUID, after: str | None) -> dict[str, Any]:
    """The events of a generation behind a sequence, from its first one without; `is_over`: nothing follows.

    Raises `GenerationUnknown`.
    """
    seen = int(after) if after and SEQUENCE.fullmatch(after) else 0
    story = story_of(database, generation_id, after=seen)
    if story is None:
        raise GenerationUnknown(generation_id)
    is_reset = story.events is None or bool(after and not SEQUENCE.fullmatch(after))
    return _page(story.events or [], urls_of, str(story.last_event), is_reset=is_reset) | {"is_over": story.is_over}


def page_of_many(database: Database, urls_of: UrlsOf, user_id: UUID | None, after: str | None) -> dict[str, Any]:
    """The events of a user's generations, or of all, since a token; without one, none, and the token of now."""
    horizon = Horizon.of_token(after) if after else None
    if horizon is None:
        pending = Pending(horizon_now(database), None if after else [])
    else:
        pending = events_since(database, horizon, user_id=user_id)
    return _page(pending.events or [], urls_of, pending.horizon.token, is_reset=pending.events is None)


def _page(events: Sequence[FollowedEvent], urls_of: UrlsOf, after: str, *, is_reset: bool) -> dict[str, Any]:
    """`after`: what the next request names; `is_reset`: some events cannot be told, so the client reads lists again."""
    urls = urls_in(events, urls_of)
    return {"data": [json.loads(data_of(event, urls)) for event in events], "after": after, "is_reset": is_reset}
