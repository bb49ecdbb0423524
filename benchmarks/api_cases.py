"""Requests that schemathesis generates, each sent by every role: `uv run python -m benchmarks.api_cases --cases 10000`.

The suite sends 500 of them. This prints how often each operation returned each status, and every defect: a 500, a
response outside the document, a problem without its media type. The exit code is 1 when there is one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from posegen.database.connection import Database
from posegen.logs import configure_logging
from posegen.settings import Settings
from posegen.upkeep.preparing import prepare_database
from tests.api_cases import keys_of_roles, run_cases
from tests.api_client import running_api
from tests.api_scene import known_ids
from tests.builders import a_user
from tests.conftest import BASE_URL
from tests.servers import fresh_database, running_postgres


def main() -> int:
    """Generate, send, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="requests, each of which every role sends")
    parser.add_argument("--seed", type=int, default=1, help="another one generates other requests")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        settings = Settings(posegen_home=Path(place) / "home", posegen_log_level="error")
        configure_logging(settings)
        with (
            running_postgres(Path(place)) as urls,
            fresh_database(urls) as url,
            Database(url, most_connections=20) as database,
        ):
            prepare_database(database, base_urls={"local": BASE_URL})
            with running_api(database, settings) as api:
                owner = a_user(database)
                known = known_ids(api, owner)
                roles = keys_of_roles(api, owner)
                outcome = run_cases(api.url, roles, known, cases=options.cases, number=options.seed)
    for (operation, status), times in sorted(outcome.statuses.items()):
        print(f"{times:7,}  {status}  {operation}")
    print(f"{outcome.sent:,} requests, {len(outcome.defects)} defects", *outcome.defects, sep="\n")
    return 1 if outcome.defects else 0


if __name__ == "__main__":
    sys.exit(main())
