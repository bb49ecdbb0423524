"""The socket that the API listens on."""

from __future__ import annotations

import socket

import pytest
import uvicorn

from posegen.web import server

MORE_THAN_BUFFERS_HOLD = b"x" * 64 * 1024 * 1024


def test_a_client_that_never_reads_is_disconnected(monkeypatch):
    monkeypatch.setattr(server, "SILENT_CLIENT_MS", 300)
    config = uvicorn.Config("nothing", host="127.0.0.1", port=0, log_config=None)
    with server.listening_socket(config) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted, pytest.raises(TimeoutError):
                accepted.sendall(MORE_THAN_BUFFERS_HOLD)
