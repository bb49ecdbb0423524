"""What requests to S3 are signed with, given to obstore on request, and to our own signing.

Credentials of ours never go through obstore's own reading of the environment: a session token that lies there for
something else would be sent with them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from posegen.errors import StoreDenied
from posegen.storage.configuration import Credentials

# How long obstore may keep what the chain has given; the chain itself renews what is about to expire well before.
_KEPT = timedelta(minutes=4)


def credentials_source(given: Credentials | None, *, store: str) -> Callable[[], Credentials]:
    """Returns the credentials that are valid now: those given, or what the default AWS chain finds.

    Raises `StoreDenied` where that finds nothing.
    """
    if given is not None:
        return lambda: given
    return _chain(store)


def as_obstore_wants(source: Callable[[], Credentials], *, fixed: bool) -> Callable[[], dict[str, Any]]:
    """A credential provider for obstore. `fixed`: they never change."""

    def provide() -> dict[str, Any]:
        found = source()
        return {
            "access_key_id": found.access_key_id,
            "secret_access_key": found.secret_access_key,
            "token": found.session_token,
            "expires_at": None if fixed else datetime.now(UTC) + _KEPT,
        }

    return provide


def _chain(store: str) -> Callable[[], Credentials]:
    """botocore's chain: profile, SSO, web identity, container, instance. Loaded only where it is needed."""
    import botocore.session

    session = botocore.session.get_session()

    def look() -> Credentials:
        found = session.get_credentials()
        if found is None:
            raise StoreDenied(
                "AWS's default chain finds none: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or AWS_PROFILE.",
                store=store,
            )
        frozen = found.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    return look
