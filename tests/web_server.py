"""A real web server for the tests, on a port of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """Calls `before_shutdown` in its event loop before it waits for its connections."""

    def __init__(self, config: uvicorn.Config, before_shutdown: Callable[[], object]) -> None:
        super().__init__(config)
        self._before_shutdown = before_shutdown

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_shutdown()
        await super().shutdown(sockets)


@contextmanager
def served(
    application: ASGIApp,
    *,
    lifespan: Literal["on", "off"] = "off",
    ws: Literal["none", "websockets-sansio"] = "none",
    before_shutdown: Callable[[], object] = lambda: None,
) -> Iterator[int]:
    """The port of a server that runs until the block ends."""
    config = uvicorn.Config(application, log_config=None, ws=ws, lifespan=lifespan, timeout_graceful_shutdown=30)
    server = _Server(config, before_shutdown)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=180)
            assert not thread.is_alive()
