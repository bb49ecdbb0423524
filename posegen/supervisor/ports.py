"""Where the servers listen."""

from __future__ import annotations

import socket

from posegen.errors import PlatformUnusable

WEBSERVER_PORT = 3000
API_PORT = 8080
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def choose_port(host: str, wanted: int | None, *, preferred: int = WEBSERVER_PORT) -> int:
    """The port to listen on: the wanted one; without a wish the preferred one when it is free, else a free one.

    Raises `PlatformUnusable` when the wanted port is taken or the host is none of this machine's.
    """
    if wanted is not None:
        return _bind(host, wanted)
    try:
        return _bind(host, preferred)
    except PlatformUnusable:
        return _bind(host, 0)


def url_of(host: str, port: int) -> str:
    """The URL at which this machine reaches a server that listens there, without a slash at its end."""
    reached = ANY_ADDRESS.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _bind(host: str, port: int) -> int:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as refused:
        raise PlatformUnusable(
            f"Nothing can listen on port {port} of {host}: {refused.strerror or refused}. Choose another port or host."
        ) from None
