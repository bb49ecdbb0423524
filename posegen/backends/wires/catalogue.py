"""The wires that a deployment can speak: which exist as soon as their key is set, and how each is opened.

Opening a wire imports its HTTP client; describing it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from posegen.backends.description import Description
from posegen.backends.hosted import HostedBackend
from posegen.backends.protocol import Capabilities
from posegen.settings import Settings


@dataclass(frozen=True)
class Wire:
    """A configured backend of a provider. `open`: connects nothing until the first request."""

    description: Description
    open: Callable[[], HostedBackend]


def wires_of(settings: Settings) -> Mapping[str, Wire]:
    """Every hosted backend whose key is set, by its name."""
    found = {}
    if settings.fal_key is not None:
        found["fal"] = Wire(FAL, lambda: _open_fal(FAL, settings))
    return found


FAL = Description(
    name="fal",
    wire="fal",
    model="fal-ai/flux-general",
    version="flux-general-1",
    capabilities=Capabilities(
        largest_side=2048,
        pose_control=True,
        free_prompt=True,
        ground_truth=False,
        costs_money=True,
        photographic=True,
        control_kinds=("openpose", "depth"),
        negative_prompt=True,
    ),
    licence="flux-1-dev",
    price=Decimal("0.075"),
    price_date="2026-11-29",
    recommended_scale=0.7,
)


def _open_fal(description: Description, settings: Settings) -> HostedBackend:
    from posegen.backends.wires import fal
    from posegen.backends.wires.http import WireClient
    from posegen.fetching.fetcher import Fetcher

    assert settings.fal_key is not None, "a wire exists once its key is set"
    base_url = settings.fal_base_url.rstrip("/")
    # An address of the operator's serves both; fal itself has them on two hosts.
    list_url = fal.LIST_URL if base_url == fal.QUEUE_URL else base_url
    client = WireClient(
        auth={"Authorization": f"Key {settings.fal_key.get_secret_value()}"},
        variable=fal.VARIABLE,
        base_url=base_url,
        origins=[list_url],
        seconds=settings.posegen_backend_seconds,
    )
    files = Fetcher.of(settings, hosts=fal.MEDIA_HOSTS, origins=[] if base_url == fal.QUEUE_URL else [base_url])
    return fal.Fal(description, client, files, base_url, list_url, settings.posegen_backend_seconds)
