"""`/metrics` of an API process: the numbers of the installation, and those of its own requests."""

from __future__ import annotations

from functools import partial

from fastapi import Request
from prometheus_client import generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from posegen.access.callers import Kind
from posegen.upkeep.metrics import read_numbers
from posegen.web.callers import the_caller
from posegen.web.installation import Here
from posegen.web.metrics import PATH, scrape
from posegen.web.problems import Problem
from posegen.web.rooms import Needs, Room
from posegen.web.texts import is_loopback

pages = Room("pages")


@pages.get(PATH, Needs.NOTHING, include_in_schema=False)
async def metrics(request: Request, here: Here) -> Response:
    """The numbers in the words of Prometheus, for an admin, or for this machine when no proxy stands in front."""
    from_here = request.client is not None and is_loopback(request.client.host)
    # Whatever comes through a proxy on this machine comes from this machine.
    if here.settings.posegen_api_url is not None or not from_here:
        caller = await the_caller(request)
        if caller.kind is not Kind.ADMIN:
            raise Problem(403, "not_allowed", "Metrics are for admins.")
    read = partial(read_numbers, here.database.url)
    more = generate_latest(here.metrics.registry)
    return await run_in_threadpool(scrape, read, here.settings.storage_path, more)
