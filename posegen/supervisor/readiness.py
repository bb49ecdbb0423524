"""How readiness is detected: the process responds, rather than having had enough time."""

from __future__ import annotations

import http.client
import socket
import urllib.request
from pathlib import Path

from posegen.proxies import open_url

ANSWER_SECONDS = 2


def answers_http(url: str) -> bool:
    """Whether a GET of `url` succeeds."""
    try:
        with open_url(urllib.request.Request(url), seconds=ANSWER_SECONDS) as answer:
            return bool(answer.status == http.client.OK)
    except (OSError, http.client.HTTPException):
        return False


def accepts_connections(path: Path) -> bool:
    """Whether a process listens on the Unix socket `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWER_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
