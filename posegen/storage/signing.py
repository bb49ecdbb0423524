"""Signed URLs of the local store: who has one may do what it says, until it expires. HMAC-SHA256, nothing is kept.

S3 signs by itself. Which routes ask for a signature is `posegen/web/objects.py`.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode


@dataclass(frozen=True)
class Grant:
    """What a signature allows. `expires`: seconds since 1970; for a PUT also the content type and the size in bytes."""

    method: str
    key: str
    expires: int
    content_type: str = ""
    size: int = -1

    def query(self, secret: bytes) -> str:
        """The part of the URL behind the question mark."""
        upload = {"type": self.content_type, "size": self.size} if self.method == "PUT" else {}
        return urlencode({"expires": self.expires, **upload, "signature": self._signature(secret)})

    def _signature(self, secret: bytes) -> str:
        # No line break can be in a method, key or number, and the content type comes last.
        text = "\n".join([self.method, self.key, str(self.expires), str(self.size), self.content_type])
        return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def granted(method: str, key: str, query: str, *, secret: bytes, now: float) -> Grant | None:
    """What the query of a URL allows right now; None when it was not signed so, or has expired."""
    try:
        given = parse_qs(query, max_num_fields=8)
        grant = Grant(
            method=method,
            key=key,
            expires=int(given["expires"][0]),
            content_type=given["type"][0] if method == "PUT" else "",
            size=int(given["size"][0]) if method == "PUT" else -1,
        )
        signature = given["signature"][0]
    except (KeyError, ValueError):
        return None
    genuine = hmac.compare_digest(signature.encode("utf-8", "replace"), grant._signature(secret).encode())
    return grant if genuine and now < grant.expires else None
