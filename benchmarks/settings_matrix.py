"""Whether the demonstration's requests come out right on servers and in environments that give sessions other settings.

`./uvw run python -m benchmarks.settings_matrix` plays every variant of `tests/settings_matrix.py` on an embedded server
and writes the table to `benchmarks/settings_matrix.md`. Right means: the statuses, credits and counts that the
demonstration expects, no attempt and no lease lost, times in UTC in rows and on the screen, and no rule broken that
`posegen verify` checks. Some variants also run the real `posegen demo`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from benchmarks.running_platform import machine
from posegen.backends.registry import open_backend
from posegen.database.server import DatabaseUrls
from posegen.errors import DatabaseUnusable
from posegen.logs import configure_logging
from posegen.settings import Settings
from posegen.supervisor.ports import choose_port
from tests.poolers import PGBOUNCER, pgbouncer
from tests.servers import running_postgres
from tests.settings_matrix import LIBPQ, VARIANTS, Variant, play, surroundings, variant

DEMOS = ("nothing of its own", "database: all of it", "role: every timeout tiny", "embedded: every variable of libpq")
_PROXY = "http://127.0.0.1:9"
PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"), _PROXY)
DEMO_SECONDS = 400


@dataclass(frozen=True)
class Row:
    """A line of the table. `problems`: what was not right; `seconds`: by the clock."""

    name: str
    how: str
    problems: Sequence[str]
    seconds: float

    @property
    def cells(self) -> str:
        """As Markdown."""
        came = "right" if not self.problems else "; ".join(self.problems)[:300]
        return f"| {self.name} | {self.how} | {came} | {self.seconds:.1f} |"


def main() -> None:
    """Play everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="variants with this in their name; writes no file")
    only = parser.parse_args().only
    configure_logging(Settings(posegen_log_level="error"))
    with tempfile.TemporaryDirectory(prefix="posegen-benchmark-") as folder:
        home = Path(folder)
        with running_postgres(home) as server:
            played = [each for each in VARIANTS if only is None or only in each.name]
            rows = [_played(server, each, home) for each in track(played, "variants", transient=True)]
            if only is None:
                rows += [_demonstrated(server, variant(name), home) for name in DEMOS]
                rows.append(_demonstrated(server, Variant("every proxy variable", environment=PROXIES), home))
                rows += _through_poolers(server, home)
    table = _table(rows)
    print(table)
    if only is None:
        Path(__file__).with_suffix(".md").write_text(table)
    sys.exit(any(row.problems for row in rows))


def _played(server: DatabaseUrls, each: Variant, home: Path, through: Callable[[str], str] = lambda url: url) -> Row:
    began = time.monotonic()
    try:
        with surroundings(server, each, home, through=through):
            problems = play(open_backend)
    except Exception as error:  # noqa: BLE001  # a variant that stops must not keep the others from their turn
        problems = [f"{type(error).__name__}: {' '.join(str(error).split())}"]
    return Row(each.name, "requests", problems, time.monotonic() - began)


def _demonstrated(server: DatabaseUrls, each: Variant, home: Path) -> Row:
    """`posegen demo` in a process of its own."""
    began = time.monotonic()
    with surroundings(server, each, home):
        done = subprocess.run(
            [sys.executable, "-m", "posegen.cli.main", "demo", "--port", str(choose_port("127.0.0.1", 0))],
            env=os.environ.copy(), capture_output=True, text=True, timeout=DEMO_SECONDS, check=False,
        )  # fmt: skip
    problems = [] if done.returncode == 0 else [f"exit code {done.returncode}: {done.stderr[-300:]}"]
    return Row(each.name, "`posegen demo`", problems, time.monotonic() - began)


def _through_poolers(server: DatabaseUrls, home: Path) -> list[Row]:
    """In session mode everything comes out right; in the other modes a sentence says so at once."""
    if PGBOUNCER is None:
        return []
    rows = []
    for mode in ("session", "transaction", "statement"):
        with ExitStack() as poolers:

            def through(url: str, mode: str = mode, poolers: ExitStack = poolers) -> str:
                return poolers.enter_context(pgbouncer(url, mode=mode))

            row = _played(server, Variant(f"PgBouncer in {mode} mode"), home, through)
        if mode != "session":
            refused = [problem for problem in row.problems if problem.startswith(DatabaseUnusable.__name__)]
            problems = [] if refused and "port" in refused[0] else [f"not refused: {row.problems}"]
            row = Row(row.name, "refused with a sentence", problems, row.seconds)
        rows.append(row)
    return rows


def _table(rows: Sequence[Row]) -> str:
    right = sum(not row.problems for row in rows)
    return "\n".join(
        [
            machine(),
            "",
            f"**{len(rows)} runs on {len({row.name for row in rows})} servers and environments: {right} right.** "
            f"`embedded: every variable of libpq` sets {len(LIBPQ)} variables.",
            "",
            "| variant | what ran | came out | s |",
            "|---|---|---|---:|",
            *(row.cells for row in rows),
            "",
        ]
    )


if __name__ == "__main__":
    main()
