"""The commands of `docs/how-to/let-people-in.md` do what the page says, and its table is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from posegen.access import service
from posegen.access.callers import ALLOWED_SCOPES, DEFAULT_SCOPES, Kind, Scope
from posegen.access.credentials import new_key
from tests.builders import execute, rows, value
from tests.commands import Shell
from tests.documents import names_in, page

PAGE = page("docs/how-to/let-people-in.md")
USER = "a0000000-0000-4000-8000-000000000001"
KEY = "7hNq2kT9wXb4"


def test_the_scopes_of_each_kind_are_on_the_page():
    for row in PAGE.rows("kind"):
        kind = Kind(row["kind"])
        user = DEFAULT_SCOPES[Kind.USER]
        given = {
            "all": set(Scope),
            "those of a user": user,
        }
        listed = names_in(row["scopes by default"])
        scopes = set().union(*(given.get(each) or {Scope(each)} for each in listed))
        assert scopes == DEFAULT_SCOPES[kind]
        assert {each for each in names_in(row["cannot have"]) if each} == set(Scope) - ALLOWED_SCOPES[kind]


def test_the_pattern_for_scanners_finds_keys():
    (pattern,) = re.findall(r"`(psg_\[.+\})`", PAGE.text)

    assert re.fullmatch(pattern, new_key()[0])


@pytest.fixture
def posegen(database, tmp_path, monkeypatch, capsys):
    """The command as the page assumes it, with the user and the key that the page names."""
    execute(database, "insert into users (id, name) values (%s, 'Ayu')", USER)
    execute(
        database,
        "insert into api_keys (id, secret, kind, name, scopes, created_by) "
        "values (%s, sha256('x'), 'service', 'old', '{files:read}', %s)",
        KEY,
        f"key:{KEY}",
    )
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    return Shell(monkeypatch, capsys)


def in_a_shell(script):
    ended = subprocess.run(["/bin/sh", "-ec", script], capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_every_command_of_the_page_works(database, posegen):
    blocks = {block.note: block.text for block in PAGE.blocks()}
    lines = [line for text in blocks.values() for line in text.splitlines() if line.startswith("$ posegen ")]
    assert len(lines) == 10

    assert KEY in in_a_shell(blocks["made by a key"])
    key = in_a_shell(blocks["into a variable"] + 'printf %s "$KEY"')
    assert service.caller_of_key(database, key, datetime.now(UTC)).kind is Kind.SERVICE
    assert {line: posegen(*shlex.split(line)[2:]).code for line in lines} == dict.fromkeys(lines, 0)

    made = rows(database, "select name, kind, rate, revoked_at is null as valid from api_keys")
    assert sorted((each["name"], each["kind"], each["rate"], each["valid"]) for each in made) == [
        ("backend", "service", None, True),
        ("backend", "service", None, True),
        ("old", "service", None, False),
        ("reader", "service", 600, True),
        ("shop", "user", None, True),
    ]
    assert value(database, "select count(*) from login_links where user_id::text = %s", USER) == 2
