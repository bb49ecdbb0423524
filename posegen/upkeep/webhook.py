"""Sending JSON to a webhook: one POST, accepted or not. What is sent, and when again, is `incidents.py`."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from posegen.errors import WebhookRefused
from posegen.proxies import open_url

TIMEOUT_SECONDS = 10.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that follows a redirect becomes a GET, which would be taken for accepted."""

    def redirect_request(self, *_: object) -> None:
        return None


def post(url: str, body: dict[str, Any], *, seconds: float = TIMEOUT_SECONDS) -> None:
    """Send a message. `url`: `https://…` or `http://…`; `seconds`: for each step on the wire.

    Raises `WebhookRefused` unless the answer is from 200 to 299. The URL may hold a secret and is in no message.
    """
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "posegen"},
        method="POST",
    )
    try:
        with open_url(request, seconds=seconds, handlers=(_NoRedirects,)):
            return
    except urllib.error.HTTPError as refused:
        with refused:
            raise WebhookRefused(f"the response was {refused.code}") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as failure:
        reason = failure.reason if isinstance(failure, urllib.error.URLError) else failure
        raise WebhookRefused(f"it cannot be reached: {type(reason).__name__}") from None
