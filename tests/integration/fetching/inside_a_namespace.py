"""Runs in a network namespace of its own, in which every address is local and accepts connections on some ports.

`python -m tests.integration.fetching.inside_a_namespace` fetches what it reads as JSON from standard input, and prints,
for each case, how the fetch ended, which addresses accepted a connection, and how many packets were sent.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posegen.errors import FetchError
from posegen.fetching.connections import system_resolver
from posegen.fetching.fetcher import Fetcher
from tests.scripted_server import response

PORTS = (22, 80, 443, 5432, 8080)
accepted: list[str] = []
location: list[str] = []


def main() -> None:
    """Make every address local, listen, and fetch each case."""
    for command in ("link set lo up", "route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for port in PORTS:
            listener = socket.create_server((anywhere, port), family=family, backlog=64)
            threading.Thread(target=serve, args=[listener], daemon=True).start()
    json.dump([outcome_of(case) for case in json.load(sys.stdin)], sys.stdout)


def serve(listener: socket.socket) -> None:
    """Accept every connection, and reply "ok", or with the redirect of the case to requests for /away."""
    while True:
        connection, _ = listener.accept()
        with connection:
            accepted.append(str(connection.getsockname()[0]))
            head = connection.recv(65_536)
            away = b"GET /away" in head and response(b"", status=302, headers={"Location": location[0]})
            connection.sendall(away or response(b"ok"))


def outcome_of(case: dict[str, Any]) -> dict[str, Any]:
    """`case`: `url`; `addresses`: those of its name, one list for each time that it is resolved; `location`."""
    wait_for_silence()
    accepted.clear()
    location[:] = [case.get("location", "")]
    rounds = list(case.get("addresses", []))
    resolved = []

    def resolve(host: str) -> Sequence[str]:
        resolved.append(host)
        return rounds.pop(0) if rounds else system_resolver(host)

    before = packets_sent()
    try:
        ended = Fetcher(resolve=resolve).fetch(case["url"], most_bytes=100, seconds=20).data.decode()
    except FetchError as failure:
        ended = f"{type(failure).__name__}: {failure.reason}"
    return {"ended": ended, "accepted": list(accepted), "resolved": resolved, "packets": packets_sent() - before}


def packets_sent() -> int:
    """Packets over the namespace's only interface."""
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.split()[10])


def wait_for_silence() -> None:
    """Until the connections of the case before have sent their last packets."""
    last = -1
    while last != packets_sent():
        last = packets_sent()
        time.sleep(0.03)


if __name__ == "__main__":
    main()
