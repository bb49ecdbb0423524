"""Parts of files by `Range` (RFC 9110, 14): one range of bytes, guarded by `If-Range`."""

from __future__ import annotations

import re

from starlette.datastructures import Headers

# At most 18 digits: a longer number is no position in any object.
_SINGLE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


def wanted_range(headers: Headers, tag: str, size: int) -> range | None:
    """None: the whole object, also for what is no single range; an empty range: there are no such bytes."""
    if headers.get("if-range", tag) != tag:
        return None
    asked = _SINGLE_RANGE.fullmatch(headers.get("range", "").strip())
    if asked is None:
        return None
    first, last = asked.groups()
    if not first:
        return range(max(size - int(last), 0), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)
