"""Reading the result of a finished call: its seed, and its file from the wire's own hosts, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posegen.backends.hosted import UNREADABLE_SEED
from posegen.errors import BackendRejected, CallUnknown, FetchFailed, FetchRefused
from posegen.fetching.fetcher import Fetcher

LONGEST_FILE = 30_000_000
FILE_SECONDS = 60.0
_LONGEST_SEED = 100
_NO_SEED = 2**64  # beyond every maker's seeds; a column of JSON cannot keep the largest numbers that JSON has
_GONE = (403, 404, 410)


class FileGone(Exception):
    """The far end has made the file, and its URL leads to nothing any more."""


def read_file(files: Fetcher, url: str) -> bytes:
    """The bytes behind a URL that the far end has named.

    Raises:
        BackendRejected: the URL leads where no result may be read from, or the file is too large.
        FileGone: there is nothing behind the URL any more.
        CallUnknown: it could not be read now, or is a page of text instead of a file.
    """
    try:
        fetched = files.fetch(url, most_bytes=LONGEST_FILE, seconds=FILE_SECONDS)
    except FetchRefused as refused:
        raise BackendRejected(f"The result cannot be read: {refused}") from refused
    except FetchFailed as failed:
        if failed.status in _GONE:
            raise FileGone(f"The result is gone: {failed}") from failed
        raise CallUnknown(f"The result could not be read: {failed}") from failed
    if fetched.content_type.startswith("text/"):
        raise CallUnknown(f"The result is {fetched.content_type} instead of a picture.")
    return fetched.data


def seed_in(result: Mapping[str, Any]) -> tuple[int | None, dict[str, str]]:
    """The seed of a result; None for one that is no whole number below 2^64, which is then in the second value.

    >>> seed_in({"seed": 7}), seed_in({"seed": "7"}), seed_in({})
    ((7, {}), (None, {'unreadable_seed': "'7'"}), (None, {}))
    """
    seed = result.get("seed")
    if isinstance(seed, int) and not isinstance(seed, bool) and abs(seed) < _NO_SEED:
        return seed, {}
    return None, {} if seed is None else {UNREADABLE_SEED: repr(seed)[:_LONGEST_SEED]}
