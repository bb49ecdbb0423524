"""The webserver: the Dagster UI, the pictures of the local store and `/metrics` under one address.

A relative URL such as `/media/poses/...` in an asset's metadata therefore shows in the UI, whatever the port is.
"""

import argparse
import logging
from collections.abc import Sequence
from functools import partial

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.log import configure_loggers
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from posegen.settings import Settings, load_settings
from posegen.storage.configuration import LocalConfig
from posegen.storage.stores import open_local
from posegen.upkeep.metrics import read_numbers
from posegen.web.metrics import metrics_route
from posegen.web.objects import media_path, object_routes

# A browser that keeps its connection open must not keep the process.
LAST_ANSWERS_SECONDS = 3


class PosegenWebserver(DagsterWebserver[WorkspaceProcessContext, WorkspaceRequestContext]):
    """Dagster's webserver plus extra routes. `extra`: these routes."""

    def __init__(self, context: WorkspaceProcessContext, extra: Sequence[BaseRoute]) -> None:
        self._extra = extra
        super().__init__(context)

    def build_routes(self) -> list[BaseRoute]:
        """Ours first: Dagster's last route takes every path."""
        return [*self._extra, *super().build_routes()]  # type: ignore[no-untyped-call]


def create_app(context: WorkspaceProcessContext, settings: Settings) -> Starlette:
    """The web application for one workspace."""
    config = LocalConfig.of(settings)
    pictures = object_routes(open_local(config), cors_origins=config.cors_origins)
    extra: list[BaseRoute] = [Mount(media_path(settings), routes=pictures)]
    if settings.database_url is not None:  # `posegen up` always says it, also of the embedded server
        extra.append(metrics_route(partial(read_numbers, settings.database_url), local_store=settings.storage_path))
    return PosegenWebserver(context, extra).create_asgi_app()


def main(arguments: Sequence[str]) -> None:
    """Serve until we are told to end."""
    options = _parser().parse_args(arguments)
    configure_loggers(formatter=options.log_format)
    logging.getLogger("dagster-webserver").info("Serving on http://%s:%s", options.host, options.port)
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(
            instance,
            WorkspaceFileTarget(paths=[options.workspace]),
            version=__version__,
            read_only=options.read_only,
        ) as context,
    ):
        uvicorn.run(
            create_app(context, load_settings()),
            host=options.host,
            port=options.port,
            log_level="warning",
            timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="resources.webserver", description="The Dagster UI of Posegen.")
    parser.add_argument("--workspace", required=True, help="workspace file with the code locations")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=3000, help="port to listen on (default: %(default)s)")
    parser.add_argument("--read-only", action="store_true", help="show everything, start and change nothing")
    parser.add_argument("--log-format", choices=["colored", "json", "rich"], default="colored")
    return parser
