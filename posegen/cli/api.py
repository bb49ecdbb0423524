"""`posegen api`: the HTTP API alone, in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from posegen.cli import console
from posegen.cli.session import open_session
from posegen.supervisor.ports import API_PORT, choose_port, url_of


def api(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Anything but loopback needs POSEGEN_API_URL with https.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; without it 8080, or a free one.", min=1, max=65535)
    ] = None,
) -> None:
    """Serve the HTTP API in the foreground, until Ctrl-C.

    `posegen up` starts one, too. Several may serve one database, on one machine or many, behind a proxy that
    distributes requests. `posegen key create` makes a key; `docs/reference/api.md` describes the API.

    Example: `posegen api --port 8081`
    """
    from posegen.web.server import check_address, serve  # FastAPI: no other command needs to wait for it

    with open_session() as session:
        check_address(session.settings, host)
        chosen = choose_port(host, port, preferred=API_PORT)
        console.say(f"HTTP API: {session.settings.posegen_api_url or url_of(host, chosen)}/v1. Ctrl-C ends it.")
        serve(session.settings, session.urls.application, host=host, port=chosen)
