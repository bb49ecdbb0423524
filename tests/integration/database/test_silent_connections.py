"""A server that is gone without a word: what the kernel is told about each connection to it."""

from __future__ import annotations

import socket
import sys
from urllib.parse import urlsplit

import pytest

from posegen.generations.rows.events import REQUESTS_CHANNEL
from resources.dagster_storage import pooled_engine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems name these options otherwise")


def silence_is_noticed(descriptor):
    """Whether the kernel gives this connection up within 30 seconds of silence."""
    with socket.socket(fileno=descriptor) as connection:
        try:
            probed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            idle, interval, count = (
                connection.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
            unanswered = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        finally:
            connection.detach()
    return probed and idle + interval * count <= 30 and 0 < unanswered <= 30_000


def test_every_connection_to_a_silent_server_is_given_up(database):
    with database.transaction() as connection:
        assert silence_is_noticed(connection.fileno())
    with database.listening(REQUESTS_CHANNEL) as listener:
        assert silence_is_noticed(listener._connection.fileno())


def test_dagsters_connections_are_given_up_too(database):
    engine = pooled_engine(urlsplit(database.url)._replace(scheme="postgresql+psycopg2").geturl())
    with engine.connect() as connection:
        assert silence_is_noticed(connection.connection.dbapi_connection.fileno())
    engine.dispose()
