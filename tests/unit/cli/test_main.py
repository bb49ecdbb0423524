"""The command's parts: what each says of itself, and how mistakes and interrupted pipes end."""

from __future__ import annotations

import re

import pytest

from posegen.cli.commands import ASK, KEEP, LOOK, OPERATE
from tests.commands import Shell

COMMANDS = {
    (): "From a request in PostgreSQL to finished pose images",
    ("demo",): "Make pictures from four real requests",
    ("up",): "Run Posegen in the foreground, until Ctrl-C",
    ("submit",): "Ask for pictures of library poses, of a prompt, or of both",
    ("status",): "Show how generations are coming along",
    ("show",): "Write a contact sheet of a generation",
    ("doctor",): "Check every part, from settings and disk to queue and platform",
    ("env",): "Print the variables that psql, Dagster and others need",
    ("library",): "The poses that can be asked for",
    ("library", "list"): "List the poses with their categories and descriptions",
    ("library", "sheet"): "Draw every pose of the library on one sheet",
    ("library", "draw"): "Write a pose as picture, OpenPose map, depth map and JSON",
    ("db",): "The database: its schema",
    ("db", "upgrade"): "Bring schema and lists to this version",
    ("db", "serve"): "Keep the embedded server running",
    ("db", "status"): "Say which revision the database has",
}


@pytest.fixture
def posegen(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return Shell(monkeypatch, capsys)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command) or "posegen")
def test_every_command_says_what_it_does_and_starts_nothing(posegen, tmp_path, command):
    answer = posegen(*command, "--help")

    assert answer.code == 0
    assert COMMANDS[command] in " ".join(answer.out.split())
    assert list(tmp_path.iterdir()) == []


def test_every_option_says_what_it_is_for(posegen):
    for command in ("demo", "up", "submit", "status", "show", "doctor", "env"):
        lines = [line.strip("│ ") for line in posegen(command, "--help", width=160).out.splitlines()]
        options = [line for line in lines if line.startswith(("--", "*"))]
        assert options, command
        for option in options:
            assert option.rstrip(".").count(" ") > 3, option


def test_each_group_of_commands_fits_on_twelve_lines(posegen):
    panels = re.split(r"╭─ ", posegen("--help", width=80).out)[2:]  # the first one has the options

    assert [panel.partition(" ─")[0] for panel in panels] == [ASK, LOOK, KEEP, OPERATE]
    assert max(panel.partition("╰")[0].count("\n") + 1 for panel in panels) <= 12


def test_without_a_command_it_lists_them(posegen):
    answer = posegen()

    for command in COMMANDS:
        if len(command) == 1:
            assert command[0] in answer.out


@pytest.mark.parametrize("arguments", [["no-such-command"], ["library", "no-such"], ["status", "--no-such"]])
def test_a_slip_of_the_keyboard_is_a_matter_of_usage(posegen, arguments):
    answer = posegen(*arguments)

    assert answer.code == 2
    assert "no-such" in answer.err
    assert answer.out == ""


def test_a_setting_that_cannot_be_used_is_named_with_its_fix(posegen, monkeypatch):
    monkeypatch.setenv("POSEGEN_RENDER_THREADS", "many")
    monkeypatch.setenv("STORAGE_MODE", "tape")

    answer = posegen("status")

    assert answer.code == 1
    assert "POSEGEN_RENDER_THREADS = 'many'" in answer.err
    assert "STORAGE_MODE = 'tape'" in answer.err


def test_a_home_that_cannot_be_made_is_named(posegen, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path / "file" / "home"))

    answer = posegen("status")

    assert answer.code == 1
    assert str(tmp_path / "file") in answer.err


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://ayu:secret-word@127.0.0.1:9/posegen", "cannot be reached"),
        ("mysql://ayu:secret-word@127.0.0.1/posegen", "DATABASE_URL cannot be read"),
        ("garbage", "DATABASE_URL cannot be read"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(posegen, monkeypatch, url, says):
    monkeypatch.setenv("DATABASE_URL", url)

    answer = posegen("status")

    assert answer.code == 1
    assert says in answer.err
    assert "secret-word" not in answer.err
