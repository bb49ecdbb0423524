"""`python -m tests.wires`: what it prints, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

from tests.raw_http import ask

COMMAND = [sys.executable, "-m", "tests.wires"]


def run(*arguments):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("wire", "variables"),
    [
        ("fal", ["FAL_KEY", "FAL_BASE_URL"]),
        ("bfl", ["BFL_API_KEY", "BFL_BASE_URL"]),
        ("huggingface", ["HUGGINGFACE_API_KEY", "HUGGINGFACE_BASE_URL"]),
        ("openai", ["OPENAI_API_KEY", "OPENAI_BASE_URL"]),
    ],
)
def test_it_prints_the_variables_and_serves_until_it_is_interrupted(wire, variables):
    with subprocess.Popen([*COMMAND, wire], stdout=subprocess.PIPE, text=True) as process:
        printed = []
        while not (printed and printed[-1].startswith("# ledger")):
            printed.append(process.stdout.readline().rstrip())
        exports = dict(line.removeprefix("export ").split("=", 1) for line in printed if line.startswith("export"))
        url = exports[variables[1]].removesuffix("/v1")
        ledger = ask("GET", f"{url}/__ledger").json()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

    assert list(exports) == variables
    assert ledger["submissions"] == []
    assert "0 paid" in rest
    assert process.returncode == 0


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        ended = run("fal", "--port", str(port))

    assert ended.returncode == 1
    assert f"Port {port} cannot be used" in ended.stderr


def test_the_help_names_wires_faults_and_the_ledger():
    text = run("--help").stdout

    for word in ("huggingface", "NO POSE", "__ledger", "__faults", "lost", "no response until"):
        assert word in text
