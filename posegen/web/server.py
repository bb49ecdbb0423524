"""The API process: settings in, uvicorn out.

`python -m posegen.web.server` is what `posegen up` runs; `posegen api` calls `serve` in its own process.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence

import uvicorn

from posegen.database.connection import Database
from posegen.errors import PosegenError, SettingsInvalid
from posegen.logs import configure_logging
from posegen.settings import Settings, load_settings
from posegen.supervisor.ports import url_of
from posegen.web.app import create_app
from posegen.web.events.live import Live
from posegen.web.installation import open_installation
from posegen.web.texts import is_loopback

LAST_RESPONSES_SECONDS = 3
"""What requests and streams have to end when the process is asked to."""
_FOR_THE_HUB = 1
SILENT_CLIENT_MS = 30_000
"""A client that takes nothing for so long is disconnected: shutdown would wait for what it has not read."""
LARGEST_MESSAGE = 64 * 1024
"""Bytes of a WebSocket message that are read at all; one that is followed has 16 KiB at most."""


class _Server(uvicorn.Server):
    """Ends the streams before it waits for its connections: each would be one to wait for."""

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._live.stop()
        await super().shutdown(sockets)


def serve(settings: Settings, database_url: str, *, host: str, port: int) -> None:
    """Serve until a signal ends it.

    Raises:
        SettingsInvalid: another address than loopback without POSEGEN_API_URL.
    """
    check_address(settings, host)
    url = settings.posegen_api_url or url_of(host, port)
    with (
        Database(database_url, most_connections=settings.posegen_api_threads + _FOR_THE_HUB) as database,
        open_installation(settings, database, url=url) as installation,
    ):
        application = create_app(installation)
        config = uvicorn.Config(
            application.asgi,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="websockets-sansio",
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=LAST_RESPONSES_SECONDS,
        )
        with listening_socket(config) as listener:
            _Server(config, application.live).run([listener])


def listening_socket(config: uvicorn.Config) -> socket.socket:
    """The bound socket of a server, whose connections end when their client takes nothing for 30 s."""
    listener = config.bind_socket()
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_CLIENT_MS)
    return listener


def check_address(settings: Settings, host: str) -> None:
    """Keys and pictures go over the network in the clear, unless a proxy in front speaks TLS: it has to be named.

    Raises `SettingsInvalid` for an address that other machines reach, without an https URL.
    """
    if is_loopback(host) or (settings.posegen_api_url or "").startswith("https://"):
        return
    raise SettingsInvalid(
        [f"POSEGEN_API_URL has to be the https:// URL of the proxy in front, because the API listens on {host}"]
    )


def main(arguments: Sequence[str]) -> int:
    """Serve the database that DATABASE_URL names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="posegen.web.server")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    settings = load_settings()
    configure_logging(settings)
    if settings.database_url is None:
        parser.error("DATABASE_URL is not set; `posegen api` finds the embedded server")
    try:
        serve(settings, settings.database_url, host=options.host, port=options.port)
    except PosegenError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
