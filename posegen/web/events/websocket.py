"""WebSocket: one connection that follows many generations, each with a stream of its own.

The client sends `follow` and `unfollow`; a message that is neither gets an `error`, and the connection goes on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Annotated, Any, Literal
from uuid import UUID

import psycopg
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from posegen.errors import GenerationUnknown, PosegenError
from posegen.web.events.frames import Frame
from posegen.web.events.hub import End
from posegen.web.events.sse import SEND_SECONDS
from posegen.web.events.streams import Stream

MOST_FOLLOWED = 100
"""Generations that a connection follows at once."""
MOST_BYTES = 16 * 1024
"""Of a message from the client, as UTF-8; one of `MOST_FOLLOWED` generations has 8 KB."""

_CODES = {End.EXPIRED: 1008, End.SHUTDOWN: 1012, End.GONE: 1000, End.LAGGING: 1013}
_CLOSE_SECONDS = 1.0
_CLIENT_IS_GONE = (OSError, TimeoutError, WebSocketDisconnect)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Followed(_Strict):
    id: UUID
    after: Annotated[int, Field(strict=True, ge=0, lt=10**9)] | None = None


class _Follow(_Strict):
    type: Literal["follow"]
    generations: Annotated[list[_Followed], Field(min_length=1, max_length=MOST_FOLLOWED)]


class _Unfollow(_Strict):
    type: Literal["unfollow"]
    generations: Annotated[list[UUID], Field(min_length=1, max_length=MOST_FOLLOWED)]


_MESSAGE: TypeAdapter[_Follow | _Unfollow] = TypeAdapter(Annotated[_Follow | _Unfollow, Field(discriminator="type")])


class Socket:
    """A connection.

    Args:
        websocket: not accepted yet.
        follow: subscribes to a generation, from a sequence on.
    """

    def __init__(self, websocket: WebSocket, follow: Callable[[UUID, int | None], Stream]) -> None:
        self._websocket = websocket
        self._follow = follow
        self._followed: dict[UUID, asyncio.Task[None]] = {}
        self._sending = asyncio.Lock()
        self._end: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    def finish(self, end: End) -> None:
        """End the connection, for the first reason that is given."""
        if not self._end.done():
            self._end.set_result(end)

    async def serve(self) -> None:
        """Accept it, and serve it until the client leaves or it is finished."""
        await self._websocket.accept()
        # Sending stops with it, too: it is the one that knows of a client that has left.
        reader = asyncio.create_task(self._read())
        try:
            either: set[asyncio.Future[Any]] = {reader, self._end}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel([reader, *self._followed.values()])
            if not self._end.done():
                reader.result()
        with suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._websocket.close(_CODES[self._end.result()], self._end.result().value)

    async def _read(self) -> None:
        """One message after the other, so that a connection occupies one thread at most."""
        try:
            while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
                await self._obey(message.get("text"))
            self.finish(End.GONE)
        except _CLIENT_IS_GONE:
            self.finish(End.GONE)

    async def _obey(self, text: str | None) -> None:
        if text is None or len(text.encode()) > MOST_BYTES:
            await self._refuse("invalid_message", f"a message is text of at most {MOST_BYTES:,} bytes")
            return
        try:
            message = _MESSAGE.validate_json(text)
        except ValidationError as invalid:
            first = invalid.errors(include_url=False, include_input=False, include_context=False)[0]
            await self._refuse("invalid_message", f"{'.'.join(map(str, first['loc'])) or 'message'}: {first['msg']}")
            return
        if isinstance(message, _Unfollow):
            await self._unfollow(message.generations)
            return
        for each in message.generations:
            await self._unfollow([each.id])
            await self._begin(each.id, each.after)

    async def _begin(self, generation_id: UUID, after: int | None) -> None:
        if len(self._followed) >= MOST_FOLLOWED:
            await self._refuse("too_many", f"a connection follows at most {MOST_FOLLOWED} generations", generation_id)
            return
        stream = self._follow(generation_id, after)
        try:
            first = await stream.open()
        except GenerationUnknown as unknown:
            stream.close()
            await self._refuse("not_found", str(unknown), generation_id)
        except (PosegenError, psycopg.Error):
            stream.close()
            await self._refuse("unavailable", "the database does not respond; follow it again later", generation_id)
        except BaseException:
            stream.close()
            raise
        else:
            task = asyncio.create_task(self._pass_on(generation_id, stream, first))
            self._followed[generation_id] = task

    async def _unfollow(self, generations: Iterable[UUID]) -> None:
        await _cancel([task for each in generations if (task := self._followed.pop(each, None)) is not None])

    async def _pass_on(self, generation_id: UUID, stream: Stream, first: list[Frame] | None) -> None:
        try:
            frames = first
            while frames is not None:
                for frame in frames:
                    await self._send(frame)
                frames = await stream.more()
            self._followed.pop(generation_id, None)
            await self._send(Frame("end", generation_id=generation_id))
        except _CLIENT_IS_GONE:
            self.finish(End.GONE)
        finally:
            stream.close()

    async def _refuse(self, code: str, detail: str, generation_id: UUID | None = None) -> None:
        await self._send(Frame("error", json.dumps({"code": code, "detail": detail}).encode(), "", generation_id))

    async def _send(self, frame: Frame) -> None:
        async with self._sending, asyncio.timeout(SEND_SECONDS):
            await self._websocket.send_text(frame.message)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
