"""`posegen backends`: who can make pictures here, at what price, and under which licence."""

from __future__ import annotations

from pathlib import Path

from posegen.backends.description import DRAWING
from posegen.cli import console
from posegen.cli.calls import usd
from posegen.cli.commands import AS_JSON
from posegen.cli.session import open_session
from posegen.generations import service
from posegen.generations.calling.listing import ListedBackend


def backends(as_json: AS_JSON = False) -> None:
    """List the configured backends.

    With their licences, prices, breakers and open calls. A hosted backend is configured once its key is set;
    POSEGEN_BACKENDS_FILE describes others. Requests may name it once POSEGEN_BACKENDS_OFFERED lists it.

    Example: `posegen backends`
    """
    with open_session() as session:
        found = service.backends(session.database, session.backends)
    if as_json:
        console.print_json([vars(each) for each in found])
        return
    console.table(
        ["backend", "wire", "from", "offered", "breaker", "calls", "USD a picture", "licence", "model"],
        [_row(each) for each in found],
        right=("calls", "USD a picture"),
    )


def _row(each: ListedBackend) -> list[str]:
    return [
        each.name,
        each.wire,
        "built in" if each.file is None else Path(each.file).name,
        _offered(each),
        "open" if each.breaker_open else "closed",
        f"{each.open_calls} of {each.concurrency}" if each.wire != DRAWING else "",
        "" if each.price_usd is None else f"{usd(each.price_usd)} ({each.price_date or 'POSEGEN_BACKEND_COSTS'})",
        each.licence_name,
        each.model,
    ]


def _offered(each: ListedBackend) -> str:
    return f"no: {each.why_not}" if each.why_not else "yes" if each.offered else "no"
