"""Who may come in to the embedded server, and what it promises to those who do."""

from __future__ import annotations

import stat
import subprocess

import psycopg
import pytest

from posegen.database.embedded import EmbeddedServer, ServerAddress
from tests.embedded_server import answers, connect


def test_over_tcp_only_the_right_password_comes_in(address: ServerAddress) -> None:
    assert answers(address)
    for wrong in ("", "wrong"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            connect(address, password=wrong, passfile="/dev/null")


def test_over_the_socket_only_the_right_password_comes_in(address: ServerAddress) -> None:
    with connect(address, host=str(address.socket_dir)) as connection:
        assert connection.execute("select inet_server_addr() is null").fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(address, host=str(address.socket_dir), password="", passfile="/dev/null")


def test_the_password_is_kept_where_only_the_owner_reads_it_and_out_of_what_is_printed(address: ServerAddress) -> None:
    kept = address.socket_dir.parent / "connection.json"

    assert address.password in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert address.password not in repr(address)
    assert [path.name for path in address.socket_dir.iterdir() if "password" in path.name] == []


def test_the_server_is_set_up_to_keep_what_it_promises(address: ServerAddress) -> None:
    wanted = {
        **{"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "data_checksums": "on"},
        **{"TimeZone": "UTC", "server_encoding": "UTF8", "listen_addresses": "127.0.0.1"},
        **{"max_connections": "100", "shared_buffers": "16384", "password_encryption": "scram-sha-256"},
    }
    with connect(address) as connection:
        rows = connection.execute("select name, setting from pg_settings").fetchall()
        sorted_alike = connection.execute("select upper('ä'), datlocale from pg_database limit 1").fetchone()

    assert {name: value for name, value in rows if name in wanted} == wanted
    assert sorted_alike == ("Ä", "C.UTF-8")


def test_asking_for_a_running_server_opens_no_connection_and_starts_no_process(
    address: ServerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedServer(address.socket_dir.parent.parent)
    server.acquire()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(psycopg, "connect", lambda *_, **__: pytest.fail("a connection"))
            patched.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process"))
            assert server.ensure_running() == address
    finally:
        server.release()
