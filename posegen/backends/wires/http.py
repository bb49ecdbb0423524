"""HTTP for wires: one request, one response, and what each of them means for a call that may be billed.

Nothing is repeated and no redirect is followed here. httpx2 is imported with the first wire that is opened.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore2
import httpx2

from posegen.errors import (
    AccountRefused,
    BackendRejected,
    CallNotAccepted,
    CallNotSent,
    CallUnknown,
    ResponseTooLong,
)
from posegen.fetching.connections import trusted_tls
from posegen.fetching.urls import is_of_domain, same_origin, shown
from posegen.graphemes import shorten
from posegen.proxies import proxy_for

CONNECT_SECONDS = 5.0
LOOK_SECONDS = 30.0
# What a response that has begun is given beyond that, however slowly it comes: a whole picture may be in it.
_BODY_SECONDS = 60.0
_KEPT_OPEN = 8
# After requests were broken off: a thread that was about to send another one has seen by then that it must not.
_REFUSING_SECONDS = 5.0
_NOT_SENT = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.PoolTimeout, httpcore2.ProxyError)
_UNKNOWN = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
)
_MOST_JSON_BYTES = 2_000_000
_LONGEST_SHOWN = 300


@dataclass(frozen=True)
class Response:
    """What came back. `body`: decoded, whole, at most as long as was allowed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises `CallUnknown` when it is anything else, such as a page of HTML."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            raise CallUnknown(f"The response {self.status} is no JSON: {self._beginning()}") from None
        if not isinstance(found, dict):
            raise CallUnknown(f"The response {self.status} is no JSON object: {self._beginning()}")
        return found

    def shown(self) -> str:
        """The beginning of the body, for an error's words.

        Of a list of problems only the messages: each problem repeats the value that it is about, such as the prompt.

        >>> Response(422, {}, b'{"detail": [{"msg": "too long", "input": "a woman"}]}').shown()
        'too long'
        """
        with suppress(CallUnknown):
            detail = self.json().get("detail") if self.status >= 400 else None
            if isinstance(detail, list):
                words = "; ".join(str(each.get("msg")) for each in detail if isinstance(each, dict))
                return shorten(words, _LONGEST_SHOWN)
        return self._beginning()

    def _beginning(self) -> str:
        return shorten(self.body[: 4 * _LONGEST_SHOWN].decode(errors="replace").strip(), _LONGEST_SHOWN)


class WireClient:
    """Sends the requests of one wire. Threads share it.

    Args:
        auth: the header with the key, which is sent to the wire's own origins only.
        variable: the environment variable of the key, for errors.
        base_url: of the wire.
        origins: further ones of its own.
        domain: of the provider, such as `bfl.ai`: its hosts over HTTPS are the wire's own, too.
        seconds: how long a submit may take without a byte. Any other request takes `LOOK_SECONDS` at most: a far end
            that hangs must not hold up a deadline.
    """

    def __init__(
        self,
        *,
        auth: Mapping[str, str],
        variable: str,
        base_url: str,
        origins: Iterable[str] = (),
        domain: str | None = None,
        seconds: float,
    ) -> None:
        self._auth = auth
        self._variable = variable
        self._own = (base_url, *origins)
        self._domain = domain
        self._network = _Network()
        self._seconds = seconds
        # A fresh connection for what must be sent once, which on one that is just being closed may be lost or not, and
        # for results: a response too many on a kept one would be taken for that of the next request.
        self._once, self._again = (
            httpx2.Client(transport=_Transport(_pool(self._network, base_url, kept_open=kept)))
            for kept in (0, _KEPT_OPEN)
        )

    def is_own(self, url: str) -> bool:
        """Whether a URL that the far end has named leads to the wire's own origin: only there our key is sent."""
        is_of_provider = self._domain is not None and is_of_domain(url, self._domain)
        return is_of_provider or any(same_origin(url, own) for own in self._own)

    def send(
        self,
        method: str,
        url: str,
        *,
        once: bool = False,
        headers: Mapping[str, str] | None = None,
        most_bytes: int = _MOST_JSON_BYTES,
        **body: Any,
    ) -> Response:
        """Send one request to the wire's own origins, with the key.

        Args:
            method: of HTTP.
            url: at one of the wire's origins.
            once: on a connection of its own: a submit, or a response that does not say which call it is of.
            headers: further ones.
            most_bytes: of the response's body, decoded.
            body: as `httpx2.Client.stream` takes it, such as `json`.

        Returns:
            The response, whatever its status; see `raise_for_status`.

        Raises:
            CallNotSent: no byte of the request has reached the far end.
            ResponseTooLong: the body has more than `most_bytes`.
            CallUnknown: the request may have reached it.
        """
        if not self.is_own(url):
            raise CallUnknown(f"The far end names {shown(url)}, which is not this wire's: the key is not sent there.")
        client = self._once if once else self._again
        seconds = self._seconds if method == "POST" else min(self._seconds, LOOK_SECONDS)
        timeout = httpx2.Timeout(seconds, connect=CONNECT_SECONDS)
        ends = time.monotonic() + seconds + _BODY_SECONDS
        received = bytearray()
        try:
            with client.stream(
                method, url, headers={**self._auth, **(headers or {})}, timeout=timeout, **body
            ) as response:
                for chunk in response.iter_bytes():
                    received += chunk
                    if time.monotonic() > ends:
                        raise CallUnknown(f"The response of {shown(url)} has not ended after {seconds:g} s.")
                    if len(received) > most_bytes:
                        raise ResponseTooLong(f"The response of {shown(url)} is longer than {most_bytes:,} bytes.")
                return Response(response.status_code, dict(response.headers), bytes(received))
        except _NOT_SENT as failed:
            raise CallNotSent(f"No connection to {shown(url)}: {_reason(failed)}") from failed
        except _UNKNOWN as failed:
            raise CallUnknown(f"No response from {shown(url)}: {_reason(failed)}") from failed

    def raise_for_status(self, response: Response) -> None:
        """Raise what a status other than 2xx means for a call.

        Raises:
            AccountRefused: 401, 402, 403.
            CallNotAccepted: 429 and 503, which every provider of ours documents as "not accepted".
            BackendRejected: any other 4xx: the far end refuses this order.
            CallUnknown: any other status.
        """
        status = response.status
        if 200 <= status < 300:
            return
        said = f"The far end responded {status}: {response.shown()}"
        if status in (401, 402, 403):
            raise self.account_refused(response)
        if status in (429, 503):
            raise CallNotAccepted(said, retry_after=retry_after(response.headers))
        if 400 <= status < 500 and status not in (404, 408):
            raise BackendRejected(said)
        raise CallUnknown(said)

    def check_key(self, url: str, *, good: Collection[int] = ()) -> None:
        """Read a URL that needs the key. Raises what `send` and `raise_for_status` raise.

        `good`: the statuses that only a request with the right key gets; by default 2xx with a JSON object.
        """
        response = self.send("GET", url)
        if response.status not in good:
            self.raise_for_status(response)
            response.json()

    def account_refused(self, response: Response) -> AccountRefused:
        """The error for a response that refuses our key, or says that the account has no money."""
        said = f"The far end responded {response.status}: {response.shown()}"
        return AccountRefused(f"{said} Check {self._variable} and the account's balance.", variable=self._variable)

    def abort(self) -> None:
        """Break off the requests under way, and refuse those that follow within moments."""
        self._network.abort()

    def close(self) -> None:
        """Close the connections."""
        self._once.close()
        self._again.close()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks for; a date counts from the response's own date, whatever our clock says.

    >>> retry_after({"retry-after": "Mon, 30 Nov 2026 10:00:05 GMT", "date": "Mon, 30 Nov 2026 10:00:00 GMT"})
    5.0
    """
    asked = headers.get("retry-after", "").strip()
    try:
        if asked.isdigit():
            return float(asked)
        return max((parsedate_to_datetime(asked) - parsedate_to_datetime(headers["date"])).total_seconds(), 0.0)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def _reason(failed: Exception) -> str:
    return f"{type(failed).__name__} {failed}".strip()


class _Transport(httpx2.BaseTransport):
    """Requests over a pool of httpcore2, whose errors say how far a request has come."""

    def __init__(self, pool: httpcore2.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, Iterable), "a synchronous client sends synchronous bodies"
        url = request.url
        response = self._pool.handle_request(
            httpcore2.Request(
                request.method,
                httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Network(httpcore2.NetworkBackend):
    """Connections that another thread can break off: a read that waits for a response sees nothing else."""

    def __init__(self) -> None:
        self._backend = httpcore2.SyncBackend()
        self._lock = threading.Lock()
        self._open: set[_Stream] = set()
        self._refusing_until = 0.0

    def connect_tcp(self, host: str, port: int, *options: Any, **more: Any) -> httpcore2.NetworkStream:
        return self.tracked(self._backend.connect_tcp(host, port, *options, **more))

    def tracked(self, stream: httpcore2.NetworkStream) -> _Stream:
        """The stream, which `abort` breaks off. Raises `ConnectError` afterwards."""
        with self._lock:
            if time.monotonic() < self._refusing_until:
                stream.close()
                raise httpcore2.ConnectError("The requests under way were broken off.")
            tracked = _Stream(stream, self)
            self._open.add(tracked)
            return tracked

    def forget(self, stream: _Stream) -> None:
        with self._lock:
            self._open.discard(stream)

    def abort(self) -> None:
        with self._lock:
            self._refusing_until = time.monotonic() + _REFUSING_SECONDS
            for stream in self._open:
                with suppress(OSError):
                    stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, network: _Network) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._network.forget(self)
        self._stream.close()

    def start_tls(self, *arguments: Any, **more: Any) -> httpcore2.NetworkStream:
        self._network.forget(self)
        return self._network.tracked(self._stream.start_tls(*arguments, **more))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _pool(network: _Network, base_url: str, *, kept_open: int) -> httpcore2.ConnectionPool:
    """Connections to one origin, through the environment's proxy where it names one for this host."""
    options: dict[str, Any] = {
        "ssl_context": trusted_tls(),
        "max_connections": None,
        "max_keepalive_connections": kept_open,
        "network_backend": network,
    }
    proxy = proxy_for(base_url)
    return httpcore2.ConnectionPool(**options) if proxy is None else httpcore2.HTTPProxy(proxy, **options)
