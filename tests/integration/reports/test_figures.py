"""The figures that HTTP shows: those of the report, and computed without pandas."""

from __future__ import annotations

import json
import subprocess
import sys

from posegen.database.connection import Database
from posegen.reports import figures
from posegen.reports.periods import Period, day
from posegen.reports.usage import read_table, read_usage
from tests.histories import BEGIN, a_history, write

PERIOD = Period(BEGIN.date().replace(day=1), BEGIN.date().replace(month=12, day=28))
EMPTY = day(BEGIN.date().replace(year=2001))


def test_importing_the_figures_loads_neither_pandas_nor_matplotlib() -> None:
    program = (
        "import sys, posegen.reports.figures; print({'pandas', 'numpy', 'matplotlib', 'dagster'} & {*sys.modules})"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_figures_are_those_of_the_report(database: Database, prepared_url: str) -> None:
    write(prepared_url, a_history(7, generations=60))
    with database.transaction() as connection:
        report = read_usage(connection, PERIOD)
        tables = {name: read_table(connection, name, PERIOD).head(3) for name in ("users", "poses", "errors")}

    found = figures.headline(database, PERIOD)

    assert found.generations > 0
    assert found == report.headline
    for read, name in ((figures.top_users, "users"), (figures.popular_poses, "poses"), (figures.errors, "errors")):
        found_rows = [vars(each) for each in read(database, PERIOD, limit=3)]
        assert found_rows == json.loads(tables[name].to_json(orient="records"))
        assert found_rows


def test_a_period_in_which_nothing_happened_has_no_rates(database: Database) -> None:
    found = figures.headline(database, EMPTY)

    assert (found.generations, found.success_rate, found.duration_p95, found.dedupe_rate) == (0, None, None, None)
    assert figures.top_users(database, EMPTY, limit=9) == []
    assert figures.errors(database, EMPTY, limit=9) == []
