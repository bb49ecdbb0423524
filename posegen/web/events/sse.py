"""Server-sent events: a stream as the body of a response (WHATWG HTML, 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from posegen.web.events.frames import COMMENT, Frame
from posegen.web.events.hub import End
from posegen.web.events.streams import Stream

SEND_SECONDS = 20.0
"""For which a client may take nothing at all before it is given up."""
_HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx would collect a page of it
    "x-content-type-options": "nosniff",
}
_RETRY = b"retry: 2000\n\n"


class EventStream(Response):
    """A response that follows; 204, at which an `EventSource` stops, where nothing follows any more.

    Args:
        open_stream: subscribes.
        admitted: held while the stream is open, given the function that ends it; may raise `PosegenError`.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        open_stream: Callable[[], Stream],
        admitted: Callable[[Callable[[End], None]], AbstractContextManager[None]],
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._open_stream = open_stream
        self._admitted = admitted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = self._open_stream()
        try:
            with self._admitted(stream.finish):
                first = await stream.open()
                if first is None:
                    await Response(status_code=204, headers=_HEADERS)(scope, receive, send)
                    return
                watcher = asyncio.create_task(_finish_when_gone(receive, stream))
                try:
                    await self._send(first, stream, send)
                finally:
                    watcher.cancel()
        finally:
            stream.close()

    async def _send(self, first: list[Frame], stream: Stream, send: Send) -> None:
        # A client that has left, or that takes nothing.
        with suppress(OSError, TimeoutError):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await _send_part(send, _RETRY + _encoded(first))
            while (frames := await stream.more()) is not None:
                await _send_part(send, _encoded(frames) or COMMENT)
            await _send_part(send, b"", more_body=False)


def _encoded(frames: list[Frame]) -> bytes:
    return b"".join([frame.sse for frame in frames])


async def _send_part(send: Send, body: bytes, *, more_body: bool = True) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": more_body})


async def _finish_when_gone(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.finish(End.GONE)
