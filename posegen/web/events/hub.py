"""The hub: reads each event of the database once, for all followers of this process.

A thread listens on a connection of its own. Notifications are hints to read; what is read is decided by the horizon.
Followers live in the event loop. How their streams begin and end is `streams`.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from uuid import UUID

import structlog

from posegen.database.connection import Database, Listener
from posegen.errors import DatabaseUnusable
from posegen.generations.reading.following import FollowedEvent, Horizon, Pending, beat, events_since, horizon_now
from posegen.generations.rows.events import EVENTS_CHANNEL
from posegen.web.events.frames import Frame, PoseUrls, UrlsOf, data_of, frame_of, urls_in

MOST_WAITING = 256
"""Frames that a follower may be behind."""
LOOK_SECONDS = 2.0
"""Between two readings without a hint, and between two heartbeats."""
_BEATS_MISSED = 3
_WAKE_SECONDS = 0.25
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_FIRST_READING_SECONDS = 5.0


class End(Enum):
    """Why a stream ends before its generation does."""

    LAGGING = "the client reads too slowly"
    EXPIRED = "the credential is no longer valid"
    SHUTDOWN = "the server stops"
    GONE = "the client has left"


class Follower:
    """The frames that wait for one client. Belongs to the event loop.

    `followed`: the id of a generation or a user; `end`: why it has ended, or None.
    """

    __slots__ = ("_waiting", "_woken", "end", "followed")

    def __init__(self, followed: UUID | None) -> None:
        self.followed = followed
        self.end: End | None = None
        self._waiting: deque[Frame] = deque()
        self._woken: asyncio.Future[None] | None = None

    def put(self, frame: Frame) -> None:
        """Append a frame; a follower who is too far behind is ended, and resumes from the last frame that it took."""
        if len(self._waiting) >= MOST_WAITING:
            self.finish(End.LAGGING)
        elif self.end is None:
            self._waiting.append(frame)
            _wake(self._woken)

    def finish(self, end: End) -> None:
        """End it, for the first reason that is given."""
        if self.end is None:
            self.end = end
            self._waiting.clear()
            _wake(self._woken)

    async def take(self, seconds: float) -> list[Frame]:
        """All frames that wait; none when it has ended, or when nothing comes within `seconds`."""
        if not self._waiting and self.end is None:
            loop = asyncio.get_running_loop()
            self._woken = loop.create_future()
            # Cheaper than `asyncio.timeout`, which each of thousands of idle followers would enter.
            timer = loop.call_later(seconds, _wake, self._woken)
            try:
                await self._woken
            finally:
                timer.cancel()
                self._woken = None
        frames = list(self._waiting)
        self._waiting.clear()
        return frames


class Hub:
    """All followers of a process, and the thread that reads for them.

    Args:
        database: read by one thread at a time, apart from the connection that listens.
        urls_of: the URLs of completed poses.
    """

    def __init__(self, database: Database, urls_of: UrlsOf) -> None:
        self.urls_of = urls_of
        self._database = database
        self._of_generations: defaultdict[UUID | None, set[Follower]] = defaultdict(set)
        self._of_users: defaultdict[UUID | None, set[Follower]] = defaultdict(set)
        self._horizon: Horizon | None = None
        self._has_read = asyncio.Event()
        self._delivered = threading.Event()
        self._stopped = threading.Event()
        self._beats = f"posegen_hub_{secrets.token_hex(8)}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read for followers until the block ends."""
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._run, args=[loop], name="events hub", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            # A database that does not respond must not delay the end of the process.
            await asyncio.to_thread(thread.join, 2 * _WAKE_SECONDS)

    def follow_generation(self, generation_id: UUID) -> Follower:
        """A follower of one generation; frames have its sequence as id."""
        return self._add(self._of_generations, generation_id)

    def follow_user(self, user_id: UUID | None) -> Follower:
        """A follower of a user's generations, or of all; frames have the token of a horizon as id."""
        return self._add(self._of_users, user_id)

    def leave(self, follower: Follower) -> None:
        """Forget a follower."""
        for together in (self._of_generations, self._of_users):
            followers = together.get(follower.followed, set())
            followers.discard(follower)
            if not followers:
                together.pop(follower.followed, None)

    def finish_all(self, end: End) -> None:
        """End every follower."""
        for followers in [*self._of_generations.values(), *self._of_users.values()]:
            for follower in followers:
                follower.finish(end)

    def __len__(self) -> int:
        return sum(map(len, [*self._of_generations.values(), *self._of_users.values()]))

    async def horizon(self) -> Horizon:
        """What was read so far: every event that is visible there was put into the queues.

        Raises `DatabaseUnusable` when nothing could be read since the start.
        """
        if self._horizon is None:
            try:
                async with asyncio.timeout(_FIRST_READING_SECONDS):
                    await self._has_read.wait()
            except TimeoutError as late:
                raise DatabaseUnusable("No events could be read yet.") from late
        assert self._horizon is not None
        return self._horizon

    def _add(self, together: defaultdict[UUID | None, set[Follower]], followed: UUID | None) -> Follower:
        follower = Follower(followed)
        together[followed].add(follower)
        return follower

    # --- in the thread ---

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen again after every failure: without the hub no stream of this process would go on."""
        pause = _SHORTEST_PAUSE
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._read(loop)  # before a connection that may take long, or fail
                with self._database.listening(EVENTS_CHANNEL, self._beats) as listener:
                    self._listen(listener, loop)
            except Exception as failure:  # noqa: BLE001
                structlog.get_logger(__name__).warning("the listener of events reconnects", reason=str(failure))
            pause = _SHORTEST_PAUSE if time.monotonic() - began > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            self._stopped.wait(pause)

    def _listen(self, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        heard_at = time.monotonic()
        look_at = heard_at
        while not self._stopped.is_set():
            if time.monotonic() >= look_at:
                self._read(loop)
                beat(self._database, self._beats)
                look_at = time.monotonic() + LOOK_SECONDS
            hints = listener.wait(_WAKE_SECONDS, burst_seconds=0)
            if any(not hint for hint in hints):  # a heartbeat is empty
                heard_at = time.monotonic()
            if any(hints):
                self._read(loop)
            if time.monotonic() - heard_at > _BEATS_MISSED * LOOK_SECONDS:
                raise DatabaseUnusable("The connection that listens receives no heartbeats.")

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read what is new and wait until the followers have it: while the loop is busy, hints collect."""
        seen = self._horizon
        pending = events_since(self._database, seen) if seen else Pending(horizon_now(self._database), [])
        urls = urls_in(pending.events or [], self.urls_of)
        self._delivered.clear()
        loop.call_soon_threadsafe(self._deliver, pending, urls)
        while not self._delivered.wait(_WAKE_SECONDS):
            if self._stopped.is_set():
                return

    # --- in the event loop ---

    def _deliver(self, pending: Pending, urls: Mapping[UUID, PoseUrls]) -> None:
        # Who resumes from one of these events reads all of them again: only together do they reach the new horizon.
        token = (self._horizon or pending.horizon).token
        self._horizon = pending.horizon
        self._has_read.set()
        if pending.events is None:
            self.finish_all(End.LAGGING)
        for event in pending.events or []:
            try:
                self._tell(event, urls, token)
            except Exception:  # an event that cannot be encoded must not keep the others from any follower
                log = structlog.get_logger(__name__)
                log.exception("an event is not told", generation=str(event.generation_id), sequence=event.sequence)
        self._delivered.set()

    def _tell(self, event: FollowedEvent, urls: Mapping[UUID, PoseUrls], token: str) -> None:
        of_one = self._of_generations.get(event.generation_id, ())
        of_many = [*self._of_users.get(event.user_id, ()), *self._of_users.get(None, ())]
        if not of_one and not of_many:
            return
        data = data_of(event, urls)
        frame, frame_of_many = frame_of(event, data), frame_of(event, data, horizon=token)
        for follower in of_one:
            follower.put(frame)
        for follower in of_many:
            follower.put(frame_of_many)


def _wake(woken: asyncio.Future[None] | None) -> None:
    if woken is not None and not woken.done():
        woken.set_result(None)
