"""The one fetcher for foreign URLs: of customers, and of results that providers return.

It reads with GET and sends no credentials and no cookies. Requests to the API of a provider are the wires' own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posegen.errors import FetchFailed, FetchRefused
from posegen.fetching.addresses import is_public, literal
from posegen.fetching.urls import ForeignUrl, parse, same_origin
from posegen.proxies import proxy_for
from posegen.settings import Settings

if TYPE_CHECKING:  # importing them takes a tenth of a second, which commands that fetch nothing save
    import httpcore2

    from posegen.fetching.connections import Deadline, GuardedBackend, Resolver

MOST_REDIRECTS = 3
PORTS = (80, 443)
_OK = 200
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = (("Accept", "*/*"), ("Accept-Encoding", "identity"), ("Connection", "close"), ("User-Agent", "posegen"))


@dataclass(frozen=True)
class Fetched:
    """The body of a response. `content_type`: the media type in lower case, "" without one; `url`: its final URL."""

    data: bytes
    content_type: str
    url: str


@dataclass(frozen=True)
class Fetcher:
    """Reads foreign URLs within bounds. One fetcher may be used by several threads at once.

    Attributes:
        hosts: the domains that may be fetched from, each with its subdomains; None for every public host.
        origins: base URLs that the operator configured. URLs of their origins may have private addresses and any port,
            need not be in `hosts`, and follow the proxy variables of the environment instead of `proxy`.
        proxy: URL of the proxy that everything else goes through; it resolves the names and judges their addresses.
        resolve: returns the addresses of a name; None for the resolver of the operating system.
    """

    hosts: tuple[str, ...] | None = None
    origins: tuple[str, ...] = ()
    proxy: str | None = None
    resolve: Resolver | None = None

    @classmethod
    def of(cls, settings: Settings, *, hosts: Iterable[str] | None = None, origins: Iterable[str] = ()) -> Fetcher:
        """The fetcher for URLs of customers; with `hosts` and `origins`, the one for the results of a wire."""
        proxy = settings.posegen_fetch_proxy
        return cls(
            hosts=None if hosts is None else tuple(hosts),
            origins=tuple(origins),
            proxy=proxy.get_secret_value() if proxy else None,
        )

    def fetch(self, url: str, *, most_bytes: int, seconds: float) -> Fetched:
        """Reads a URL and follows up to 3 redirects.

        Args:
            url: `https://…` or `http://…`.
            most_bytes: the largest body that is accepted.
            seconds: for everything together, from resolving the name to the last byte of the last response.

        Raises:
            FetchRefused: the URL, its address, a redirect or the size of its body is not allowed.
            FetchFailed: there was no complete response in time, or its status was not 200.
        """
        import httpcore2

        from posegen.fetching.connections import Deadline, reason_of

        deadline = Deadline(seconds)
        target = parse(url)
        for _ in range(1 + MOST_REDIRECTS):
            try:
                response = self._get(target, most_bytes, deadline)
            except (TimeoutError, httpcore2.TimeoutException):
                raise FetchFailed(target.shown, f"there was no complete response within {seconds:g} s") from None
            except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError, ImportError) as failure:
                raise FetchFailed(target.shown, reason_of(failure)) from None
            if isinstance(response, Fetched):
                return response
            target = response
        raise FetchRefused(target.shown, f"more than {MOST_REDIRECTS} redirects led to it: give the final URL")

    def check(self, url: str) -> None:
        """Judge what needs no resolver and no request. Raises `FetchRefused` for a URL that `fetch` would refuse."""
        self._judge(parse(url))

    def _get(self, url: ForeignUrl, most_bytes: int, deadline: Deadline) -> Fetched | ForeignUrl:
        """The body, or the URL of a redirect."""
        import httpcore2

        from posegen.fetching.connections import pool_of

        backend, proxy = self._way_to(url, deadline)
        address = httpcore2.URL(scheme=url.scheme, host=url.bracketed_host, port=url.written_port, target=url.target)
        with (
            pool_of(backend, proxy) as pool,
            pool.stream("GET", address, headers=_HEADERS, extensions={"sni_hostname": url.host}) as response,
        ):
            headers = {name.lower(): value.decode("utf-8", "replace") for name, value in response.headers}
            if response.status in _REDIRECTS and b"location" in headers:
                return url.joined(headers[b"location"])
            if response.status != _OK:
                raise FetchFailed(url.shown, f"the response was {response.status}", status=response.status)
            if headers.get(b"content-encoding", "identity").lower() != "identity":
                raise FetchRefused(
                    url.shown, "its body is compressed although that was not accepted: serve it as it is"
                )
            content_type = headers.get(b"content-type", "").partition(";")[0].strip().lower()
            return Fetched(_body(response, url, most_bytes), content_type, str(url))

    def _way_to(self, url: ForeignUrl, deadline: Deadline) -> tuple[GuardedBackend, str | None]:
        """How connections to the URL are opened, and through which proxy. Raises `FetchRefused`."""
        from posegen.fetching.connections import GuardedBackend, system_resolver

        is_configured = any(same_origin(str(url), origin) for origin in self.origins)
        if not is_configured:
            self._judge(url)
        proxy = proxy_for(str(url)) if is_configured else self.proxy
        judges = proxy is None and not is_configured
        resolve = self.resolve or system_resolver
        return GuardedBackend(url, judges=judges, resolve=resolve, deadline=deadline), proxy

    def _judge(self, url: ForeignUrl) -> None:
        """Judges what needs no resolver; `GuardedBackend` judges the addresses of names."""
        if url.port not in PORTS:
            raise FetchRefused(url.shown, f"its port is {url.port}: only 80 and 443 are allowed")
        if self.hosts is not None and not any(f".{url.host}".endswith(f".{host}") for host in self.hosts):
            raise FetchRefused(url.shown, f"its host is not in {', '.join(self.hosts)}: results have to lie there")
        address = literal(url.host)
        if address is not None and not is_public(address):
            raise FetchRefused(url.shown, "its address is not public: give a public URL")


def _body(response: httpcore2.Response, url: ForeignUrl, most_bytes: int) -> bytes:
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > most_bytes:
            raise FetchRefused(url.shown, f"it has more than {most_bytes} bytes: give a smaller file")
    return bytes(body)
