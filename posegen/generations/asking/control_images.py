"""What may be named as a control image: an upload of the same user, or a URL that may be fetched. Nothing is opened."""

from __future__ import annotations

from uuid import UUID

from posegen.database.connection import Connection
from posegen.error_codes import ErrorCode
from posegen.errors import FetchRefused, RequestRefused
from posegen.fetching.fetcher import Fetcher
from posegen.generations.rows import controls
from posegen.uploads.ids import upload_in


def check_source(connection: Connection, user_id: UUID, source: str) -> None:
    """Raises `RequestRefused` (invalid_request) for a control image that could never be read.

    Args:
        connection: in the transaction of intake.
        user_id: who asks.
        source: the id of an upload, or a URL.
    """
    upload = upload_in(source)
    if upload is not None:
        if controls.uploaded(connection, upload, user_id) is None:
            raise _invalid(f"The user has no completed upload {upload}: complete it first, or name a URL")
        return
    try:
        Fetcher().check(source)
    except FetchRefused as refused:
        raise _invalid(f"The control image {refused.url} cannot be read: {refused.reason}") from None


def _invalid(problem: str) -> RequestRefused:
    return RequestRefused(ErrorCode.INVALID_REQUEST, f"{problem}.")
