"""The entry point of live progress: streams for callers, how many one may have, and how long its rights last.

Which routes lead here, who the caller is, and how errors are shown, is decided by the API.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from uuid import UUID

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.websockets import WebSocket

from posegen.database.connection import Database
from posegen.errors import TooManyStreams
from posegen.generations.reading.following import story_of
from posegen.web.events.frames import UrlsOf
from posegen.web.events.hub import End, Hub
from posegen.web.events.sse import EventStream
from posegen.web.events.streams import GenerationStream, ManyStream, Sources, Viewer
from posegen.web.events.websocket import Socket

MOST_STREAMS = 20
"""Of one credential in one process; a WebSocket is one, whatever it follows."""
CHECK_SECONDS = 15.0
"""Between two checks of all credentials. A stream ends at most 30 s after its rights have ended."""


class Live:
    """All streams of a process.

    Args:
        database: of the hub and of streams that begin; a stream that waits holds no connection.
        urls_of: the URLs of completed poses.
        sources: what streams need of the rest of the API.
    """

    def __init__(self, database: Database, urls_of: UrlsOf, sources: Sources) -> None:
        self.hub = Hub(database, urls_of)
        self._database = database
        self._sources = sources
        self._open: dict[str, set[Callable[[End], None]]] = {}
        self._is_stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read events and check credentials until the block ends."""
        async with self.hub.running():
            checks = asyncio.create_task(self._check_credentials())
            try:
                yield
            finally:
                checks.cancel()
                self.stop()

    def stop(self) -> None:
        """End all streams, and each new one at once.

        Call it in the event loop before the server waits for its connections: a stream would be one to wait for.
        """
        self._is_stopping = True
        self._end(self._open.keys(), End.SHUTDOWN)
        self.hub.finish_all(End.SHUTDOWN)  # also those of requests that wait

    @property
    def streams(self) -> int:
        """How many are open."""
        return sum(map(len, self._open.values()))

    def generation(self, viewer: Viewer, generation_id: UUID, after: str | None) -> Response:
        """The server-sent events of a generation.

        The response raises `GenerationUnknown`, `TooManyStreams` and `DatabaseUnusable` before it starts.
        """
        stream = partial(GenerationStream, self._database, self.hub, self._sources, viewer, generation_id, after)
        return EventStream(stream, partial(self._admitted, viewer.credential))

    def many(self, viewer: Viewer, user_id: UUID | None, after: str | None) -> Response:
        """The server-sent events of a user's generations, or of all.

        The API has checked that the viewer may see them. The response raises `TooManyStreams` and `DatabaseUnusable`
        before it starts.
        """
        stream = partial(ManyStream, self._database, self.hub, self._sources, user_id, after)
        return EventStream(stream, partial(self._admitted, viewer.credential))

    async def websocket(self, viewer: Viewer, websocket: WebSocket) -> None:
        """Serve a WebSocket until it ends. Raises `TooManyStreams` before it is accepted."""

        def follow(generation_id: UUID, after: int | None) -> GenerationStream:
            said = None if after is None else str(after)
            return GenerationStream(self._database, self.hub, self._sources, viewer, generation_id, said)

        socket = Socket(websocket, follow)
        with self._admitted(viewer.credential, socket.finish):
            await socket.serve()

    async def wait_for_end(self, generation_id: UUID, seconds: float) -> bool:
        """Whether a generation ends within so many seconds; False for an unknown one, and when the server stops.

        It holds no thread meanwhile.
        """
        deadline = time.monotonic() + seconds
        follower = self.hub.follow_generation(generation_id)
        try:
            await self.hub.horizon()
            while True:
                story = await run_in_threadpool(story_of, self._database, generation_id)
                if story is None or story.is_over:
                    return story is not None
                while follower.end is None and (left := deadline - time.monotonic()) > 0:
                    if any(frame.is_end for frame in await follower.take(left)):
                        return True
                if follower.end is not End.LAGGING:
                    return False
                self.hub.leave(follower)
                follower = self.hub.follow_generation(generation_id)
        finally:
            self.hub.leave(follower)

    @contextmanager
    def _admitted(self, credential: str, end: Callable[[End], None]) -> Iterator[None]:
        ends = self._open.setdefault(credential, set())
        if len(ends) >= MOST_STREAMS:
            raise TooManyStreams(MOST_STREAMS)
        ends.add(end)
        if self._is_stopping:
            end(End.SHUTDOWN)
        try:
            yield
        finally:
            ends.discard(end)
            if not ends and self._open.get(credential) is ends:
                del self._open[credential]

    async def _check_credentials(self) -> None:
        """One call for all of them: a check for each of thousands of streams would keep the database busy."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if not (credentials := frozenset(self._open)):
                continue
            try:
                valid = await run_in_threadpool(self._sources.still_valid, credentials)
            except Exception as failure:  # noqa: BLE001  # without the database no event comes either
                log = structlog.get_logger(__name__)
                log.warning("the credentials of streams cannot be checked", reason=str(failure))
            else:
                self._end(credentials.difference(valid), End.EXPIRED)

    def _end(self, credentials: Collection[str], end: End) -> None:
        for credential in credentials:
            for finish in list(self._open.get(credential, ())):
                finish(end)
