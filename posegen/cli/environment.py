"""`posegen env`: the variables that other programs need to work with this Posegen."""

from __future__ import annotations

import shlex

from posegen.cli import console
from posegen.cli.commands import AS_JSON
from posegen.database.server import open_server
from posegen.settings import load_settings
from posegen.supervisor.environment import dagster_environment


def env(as_json: AS_JSON = False) -> None:
    """Print the variables that psql, Dagster and others need.

    `psql "$DATABASE_URL"` and `dagster dev` work then, as long as the server runs: the embedded one lives as long as a
    `posegen` command uses it. `posegen up` does, and so does `posegen db serve`. Variables of libpq that would lead
    elsewhere, such as PGHOSTADDR, are unset.

    Example: `eval "$(posegen env)"`
    """
    settings = load_settings()
    with open_server(settings) as urls:
        variables = {"DATABASE_URL": urls.application, **dagster_environment(settings, urls)}
    if as_json:
        console.print_json(variables)
        return
    for name in urls.ignored:
        console.print_shell(f"unset {name}")
    for name, value in variables.items():
        console.print_shell(f"export {name}={shlex.quote(value)}")
