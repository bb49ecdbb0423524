"""The connections of a fetch: names are resolved once, addresses judged, and no step outlasts the deadline.

What may be fetched, and redirects, are `fetcher.py`. This module loads httpcore2, and `fetcher.py` loads this module
when it is needed.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore2

from posegen.errors import FetchRefused
from posegen.fetching.addresses import is_public, literal
from posegen.fetching.urls import ForeignUrl

Resolver = Callable[[str], Sequence[str]]


class Deadline:
    """The end of a fetch, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the end, above 0. Raises `TimeoutError` after it."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class GuardedBackend(httpcore2.NetworkBackend):
    """Connects to the very addresses that it has judged: a name that changes meanwhile changes nothing.

    Args:
        url: the URL that is fetched, for messages.
        judges: whether addresses have to be public; False for a proxy and for origins of the operator.
        resolve: returns the addresses of a name.
        deadline: for all steps together.
    """

    def __init__(self, url: ForeignUrl, *, judges: bool, resolve: Resolver, deadline: Deadline) -> None:
        self._url = url
        self._judges = judges
        self._resolve = resolve
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline takes its place
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to the first address that accepts it. Raises `FetchRefused` unless all of them are public."""
        addresses = self._addresses(host.strip("[]"))
        if self._judges and not all((found := literal(address)) and is_public(found) for address in addresses):
            raise FetchRefused(self._url.shown, "its host has an address that is not public: give a public URL")
        failure: Exception = httpcore2.ConnectError(socket.gaierror("no address"))
        for position, address in enumerate(addresses):
            share = self._deadline.left() / (len(addresses) - position)
            try:
                stream = httpcore2.SyncBackend().connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                failure = failed
            else:
                return _TimedStream(stream, self._deadline)
        raise failure

    def _addresses(self, host: str) -> Sequence[str]:
        """Resolved in a thread of its own, which may outlast the deadline: `getaddrinfo` has no timeout."""
        outcome: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                outcome.put(self._resolve(host))
            except (OSError, UnicodeError) as failure:
                outcome.put(failure)

        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        try:
            found = outcome.get(timeout=self._deadline.left())
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(found, Exception):
            raise httpcore2.ConnectError(found)
        return found


class _TimedStream(httpcore2.NetworkStream):
    """A stream whose every step has only the time that is left, so that a slow drip ends at the deadline, too."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, self._deadline.left())

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def system_resolver(host: str) -> Sequence[str]:
    """The addresses of a host by the resolver of the operating system, each once. Raises `OSError`, `UnicodeError`."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def trusted_tls() -> ssl.SSLContext:
    """TLS with the certificates that this machine trusts, read once in each process: that takes 30 ms."""
    return httpcore2.default_ssl_context()


def pool_of(backend: GuardedBackend, proxy: str | None) -> httpcore2.ConnectionPool:
    """A pool for one request. `proxy`: its URL, which may hold a user name and a password."""
    through = None
    if proxy is not None:
        parts = urlsplit(proxy)
        auth = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
        through = httpcore2.Proxy(proxy, auth=auth)
    return httpcore2.ConnectionPool(ssl_context=trusted_tls(), proxy=through, network_backend=backend)


def reason_of(failure: Exception) -> str:
    """What went wrong on the network, without anything that the far end sent."""
    if isinstance(failure, ImportError):
        return "its proxy speaks SOCKS, which is not supported: set a proxy that speaks HTTP"
    cause = failure.args[0] if failure.args and isinstance(failure.args[0], Exception) else failure
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {cause.verify_message}"
    if isinstance(cause, (socket.gaierror, UnicodeError)):
        return "its name has no address; where only a proxy resolves names, set POSEGEN_FETCH_PROXY"
    if isinstance(cause, OSError):
        return f"the connection failed: {cause.strerror or type(cause).__name__}"
    if isinstance(failure, httpcore2.ProxyError):
        return f"the proxy returned {str(failure).partition(' ')[0]}"
    return "the response is not complete HTTP"
