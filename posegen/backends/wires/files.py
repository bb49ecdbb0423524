"""Reading the file of a finished call: from the wire's media hosts or the operator's own address, and nowhere else."""

from __future__ import annotations

from posegen.errors import BackendRejected, CallUnknown, FetchFailed, FetchRefused
from posegen.fetching.fetcher import Fetcher

LONGEST_FILE = 30_000_000
FILE_SECONDS = 60.0
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
