"""Streams: how following begins, resumes and ends, whatever the encoding.

A stream subscribes at the hub first and reads the state then, so that nothing falls between the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from posegen.database.connection import Database
from posegen.errors import GenerationUnknown
from posegen.generations.reading.following import FollowedEvent, Horizon, Pending, Story, events_since, story_of
from posegen.web.events.frames import Frame, data_of, frame_of, urls_in
from posegen.web.events.hub import End, Follower, Hub

KEEP_ALIVE_SECONDS = 15.0
SEQUENCE = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True)
class Viewer:
    """Who follows. `credential`: names the key or session; `user_id`: whose generations it may see, None for all."""

    credential: str
    user_id: UUID | None


@dataclass(frozen=True)
class Sources:
    """What streams need of the rest of the API. All are called in threads.

    Attributes:
        generation: from a generation's id to what GET returns of it, as JSON.
        listing: from a user's id, None for all, to what GET returns of the generations, as JSON.
        still_valid: from names of credentials to those of them that are valid.
    """

    generation: Callable[[UUID], bytes]
    listing: Callable[[UUID | None], bytes]
    still_valid: Callable[[frozenset[str]], Collection[str]]


class Stream(Protocol):
    """What an encoding sends: first what `open` returns, then what `more` returns, until that is None."""

    async def open(self) -> list[Frame] | None:
        """Subscribe and read; None when there is nothing to tell, now and later."""

    async def more(self) -> list[Frame] | None:
        """What comes next: no frames when it was silent for `KEEP_ALIVE_SECONDS`, None at the end."""

    def finish(self, end: End) -> None:
        """Let it end."""

    def close(self) -> None:
        """Unsubscribe."""


class GenerationStream:
    """One generation, up to its end.

    Args:
        after: the sequence that the client has seen last, as it has sent it.
    """

    def __init__(
        self, database: Database, hub: Hub, sources: Sources, viewer: Viewer, generation_id: UUID, after: str | None
    ) -> None:
        self._database, self._hub, self._sources, self._viewer = database, hub, sources, viewer
        self._generation_id = generation_id
        self._after = after
        self._seen = 0
        self._is_over = False
        self._follower = hub.follow_generation(generation_id)

    async def open(self) -> list[Frame] | None:
        """See `Stream`. Raises `DatabaseUnusable`; `GenerationUnknown`, for those of others, too."""
        await self._hub.horizon()  # what is committed after the state is read, the hub reads
        after = int(self._after) if self._after and SEQUENCE.fullmatch(self._after) else None
        story, document, events = await run_in_threadpool(self._read, after)
        self._seen, self._is_over = story.last_event, story.is_over
        if story.is_over and after == story.last_event:
            return None
        is_reset = story.events is None or (after is None and bool(self._after))
        start = str(story.last_event if after is None or is_reset else after)
        resets = [Frame("reset", id=start, generation_id=self._generation_id)] if is_reset else []
        return [*resets, Frame("state", document, start, self._generation_id), *events]

    async def more(self) -> list[Frame] | None:
        """See `Stream`."""
        if self._is_over:
            return None
        frames = [frame for frame in await self._follower.take(KEEP_ALIVE_SECONDS) if frame.sequence > self._seen]
        if self._follower.end is not None:
            self._is_over = True
            return _last_words(self._follower, self._generation_id)
        if frames:
            self._seen = frames[-1].sequence
            self._is_over = any(frame.is_end for frame in frames)
        return frames

    def finish(self, end: End) -> None:
        """See `Stream`."""
        self._follower.finish(end)

    def close(self) -> None:
        """See `Stream`."""
        self._hub.leave(self._follower)

    def _read(self, after: int | None) -> tuple[Story, bytes, list[Frame]]:
        story = story_of(self._database, self._generation_id, after=after)
        if story is None or self._viewer.user_id not in (None, story.user_id):
            raise GenerationUnknown(self._generation_id)
        return story, self._sources.generation(self._generation_id), _frames(self._hub, story.events or [])


class ManyStream:
    """The generations of a user, or all of them. It has no end.

    Args:
        user_id: whose; None for all.
        after: the token that the client has seen last, as it has sent it.
    """

    def __init__(self, database: Database, hub: Hub, sources: Sources, user_id: UUID | None, after: str | None) -> None:
        self._database, self._hub, self._sources = database, hub, sources
        self._user_id = user_id
        self._after = after
        self._is_over = False
        self._follower = hub.follow_user(user_id)

    async def open(self) -> list[Frame] | None:
        """See `Stream`. Raises `DatabaseUnusable`."""
        now = (await self._hub.horizon()).token
        seen = Horizon.of_token(self._after) if self._after else None
        pending, document, events = await run_in_threadpool(self._read, seen)
        is_reset = bool(self._after) and (pending is None or pending.events is None)
        start = now if seen is None or is_reset else seen.token
        resets = [Frame("reset", id=start)] if is_reset else []
        # The events of a reading reach its horizon only together.
        reached = [Frame("", id=pending.horizon.token)] if pending is not None and events else []
        return [*resets, Frame("state", document, start), *events, *reached]

    async def more(self) -> list[Frame] | None:
        """See `Stream`."""
        if self._is_over:
            return None
        frames = await self._follower.take(KEEP_ALIVE_SECONDS)
        if self._follower.end is not None:
            self._is_over = True
            return _last_words(self._follower, None)
        # Nothing waits, so all up to the hub's horizon was sent.
        return frames or [Frame("", id=(await self._hub.horizon()).token)]

    def finish(self, end: End) -> None:
        """See `Stream`."""
        self._follower.finish(end)

    def close(self) -> None:
        """See `Stream`."""
        self._hub.leave(self._follower)

    def _read(self, seen: Horizon | None) -> tuple[Pending | None, bytes, list[Frame]]:
        pending = events_since(self._database, seen, user_id=self._user_id) if seen else None
        events = (pending.events or []) if pending else []
        token = seen.token if seen else None
        return pending, self._sources.listing(self._user_id), _frames(self._hub, events, horizon=token)


def _frames(hub: Hub, events: Sequence[FollowedEvent], *, horizon: str | None = None) -> list[Frame]:
    urls = urls_in(events, hub.urls_of)
    return [frame_of(event, data_of(event, urls), horizon=horizon) for event in events]


def _last_words(follower: Follower, generation_id: UUID | None) -> list[Frame] | None:
    return [Frame("lagging", generation_id=generation_id)] if follower.end is End.LAGGING else None
