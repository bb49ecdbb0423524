"""The API process: settings in, uvicorn out.

`python -m posegen.web.server` is what `posegen up` runs; `posegen api` calls `serve` in its own process.
"""

from __future__ import annotations

import argparse
import ipaddress
import sys
from collections.abc import Sequence

import uvicorn

from posegen.database.connection import Database
from posegen.errors import PosegenError, SettingsInvalid
from posegen.logs import configure_logging
from posegen.settings import Settings, load_settings
from posegen.supervisor.ports import url_of
from posegen.web.app import create_app
from posegen.web.installation import open_installation

LAST_RESPONSES_SECONDS = 3
"""What requests and streams have to end when the process is asked to."""


def serve(settings: Settings, database_url: str, *, host: str, port: int) -> None:
    """Serve until a signal ends it.

    Raises:
        SettingsInvalid: another address than loopback without POSEGEN_API_URL.
    """
    check_address(settings, host)
    url = settings.posegen_api_url or url_of(host, port)
    with (
        Database(database_url, most_connections=settings.posegen_api_threads) as database,
        open_installation(settings, database, url=url) as installation,
    ):
        uvicorn.run(
            create_app(installation),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=LAST_RESPONSES_SECONDS,
        )


def check_address(settings: Settings, host: str) -> None:
    """Keys and pictures go over the network in the clear, unless a proxy in front speaks TLS: it has to be named.

    Raises `SettingsInvalid` for an address that other machines reach, without an https URL.
    """
    if is_loopback(host) or (settings.posegen_api_url or "").startswith("https://"):
        return
    raise SettingsInvalid(
        [f"POSEGEN_API_URL has to be the https:// URL of the proxy in front, because the API listens on {host}"]
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
