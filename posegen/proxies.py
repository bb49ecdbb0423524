"""Which HTTP requests go through the proxy of the environment (`http_proxy` and the like): none to this machine.

Requests of `urllib` are opened here; the clients of buckets ask `is_this_machine`, those of httpx2 `proxy_for`.
"""

from __future__ import annotations

import ipaddress
import socket
import urllib.request
from http.client import HTTPResponse
from typing import cast
from urllib.parse import urlsplit

_ANY_PORT = 9


def open_url(
    request: urllib.request.Request, *, seconds: float, handlers: tuple[type[urllib.request.BaseHandler], ...] = ()
) -> HTTPResponse:
    """Send an HTTP request and return the open response, which the caller closes.

    What this machine serves is asked directly. Other hosts follow `http_proxy`, `https_proxy` and `no_proxy`.

    Args:
        request: to an `http` or `https` URL.
        seconds: for each step on the wire.
        handlers: further ones of `urllib.request`.

    Raises `OSError` (`urllib.error.URLError`), `http.client.HTTPException` or `ValueError`, as urllib does.
    """
    direct = (urllib.request.ProxyHandler({}),) if is_this_machine(request.full_url) else ()
    return cast(HTTPResponse, urllib.request.build_opener(*direct, *handlers).open(request, timeout=seconds))


def proxy_for(url: str) -> str | None:
    """The URL of the environment's proxy for requests to `url`; None for this machine and for hosts of `no_proxy`."""
    parts = urlsplit(url)
    if is_this_machine(url) or urllib.request.proxy_bypass(parts.netloc):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def is_this_machine(url: str) -> bool:
    """Whether the URL's host is this machine: by a loopback name, by its own name, or by one of its addresses.

    Other names are not looked up: behind a proxy there may be no name server that knows them.
    """
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = socket.gethostname().lower()
        return name != "" and (host == name or host.startswith(f"{name}."))
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified or _is_own_address(mapped)


def _is_own_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Only a packet to an address of ours would leave with that very address. None is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), _ANY_PORT))
            return str(probe.getsockname()[0]) == str(address)
    except OSError:
        return False
