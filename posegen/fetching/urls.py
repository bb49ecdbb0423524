"""Foreign URLs in their parts, and whether two URLs have one origin. Addresses are judged in `connections.py`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from posegen.errors import FetchRefused
from posegen.fetching.addresses import literal
from posegen.graphemes import shorten

LONGEST_URL = 8192
_PORTS = {"http": 80, "https": 443}
_LONGEST_SHOWN = 200
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
_ENDS_IN_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
"""Such hosts are IPv4 addresses to resolvers, and never names (WHATWG URL, "ends in a number")."""


@dataclass(frozen=True)
class ForeignUrl:
    """A URL that is parsed once: the judged parts are those of the request.

    `host`: a name in ASCII and lower case without a trailing dot, or an address without brackets; `target`: path and
    query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def bracketed_host(self) -> str:
        """The host as a URL spells it, with brackets around an IPv6 address."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def written_port(self) -> int | None:
        """The port as a URL spells it; None for the default of the scheme."""
        return None if self.port == _PORTS[self.scheme] else self.port

    @property
    def shown(self) -> str:
        """The URL for messages, without its query."""
        return shown(str(self))

    def __str__(self) -> str:
        port = "" if self.written_port is None else f":{self.written_port}"
        return f"{self.scheme}://{self.bracketed_host}{port}{self.target}"

    def joined(self, location: str) -> ForeignUrl:
        """The URL that a redirect of this one leads to. Raises `FetchRefused`, as `parse` does."""
        from httpx2 import URL, InvalidURL

        try:
            return parse(str(URL(str(self)).join(location)))
        except (InvalidURL, ValueError):
            raise _refused(location, "it is not valid: check the redirect that leads to it") from None


@lru_cache(maxsize=256)  # a call is looked at under the same URLs again and again
def parse(url: str) -> ForeignUrl:
    """A URL in its parts.

    Raises `FetchRefused` for another scheme than `http` and `https`, a user name or password, and a host that is
    neither a name nor an address in its usual spelling.
    """
    from httpx2 import URL, InvalidURL  # takes a tenth of a second, which commands that fetch nothing save

    if len(url) > LONGEST_URL:
        raise _refused(url, f"it has more than {LONGEST_URL} characters: give a shorter one")
    try:
        parsed = URL(url)
    except (InvalidURL, ValueError):
        raise _refused(url, "it is not valid: check its spelling") from None
    if parsed.scheme not in _PORTS:
        raise _refused(url, "its scheme is neither https nor http: give a URL that begins with https://")
    if parsed.userinfo:
        raise _refused(url, "it holds a user name or a password: give a URL without them")
    host = parsed.raw_host.decode("ascii").lower().removesuffix(".")
    if literal(host) is None and (not _NAME.fullmatch(host) or _ENDS_IN_NUMBER.fullmatch(host)):
        raise _refused(url, "its host is neither a name nor an address in its usual spelling: check it")
    port = _PORTS[parsed.scheme] if parsed.port is None else parsed.port
    return ForeignUrl(parsed.scheme, host, port, parsed.raw_path.decode("ascii"))


def same_origin(url: str, base: str) -> bool:
    """Whether scheme, host and port of two URLs are equal; False as well for URLs that `parse` refuses.

    >>> same_origin("https://queue.fal.run/requests/1/status", "https://queue.fal.run")
    True
    >>> same_origin("https://queue.fal.run.example/requests/1/status", "https://queue.fal.run")
    False
    """
    try:
        one, other = parse(url), parse(base)
    except FetchRefused:
        return False
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def is_of_domain(url: str, domain: str) -> bool:
    """Whether a URL leads to a host of a domain, or the domain itself, over HTTPS on its usual port.

    >>> is_of_domain("https://api.eu1.bfl.ai/v1/get_result?id=1", "bfl.ai")
    True
    >>> is_of_domain("https://notbfl.ai/", "bfl.ai")
    False
    """
    try:
        target = parse(url)
    except FetchRefused:
        return False
    # No host name has an underscore, which resolvers take all the same.
    is_under = f".{target.host}".endswith(f".{domain}") and "_" not in target.host
    return is_under and (target.scheme, target.port) == ("https", 443)


def _refused(url: str, reason: str) -> FetchRefused:
    return FetchRefused(shown(url), reason)


def shown(url: str) -> str:
    """A URL for messages: without user, query and fragment, which may be secrets, and without control characters."""
    plain = re.sub(r"//[^/?#]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0])
    start = plain[: 2 * _LONGEST_SHOWN]
    return shorten("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in start), _LONGEST_SHOWN)
