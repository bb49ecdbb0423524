"""The wires: what a backend of each is unless its operator says otherwise, and how it is opened.

Opening a wire imports its HTTP client; describing it does not. The backends of a deployment are in `registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from posegen.backends.description import Description
from posegen.backends.hosted import HostedBackend
from posegen.backends.licences import licences
from posegen.backends.protocol import Capabilities
from posegen.settings import Settings, variable_of

if TYPE_CHECKING:
    from posegen.backends.wires.http import WireClient
    from posegen.fetching.fetcher import Fetcher

AS_INPUT = "inputs"
"""The control map is an endpoint's input picture, and the prompt a parameter: the task image-to-image."""


@dataclass(frozen=True)
class Access:
    """Where a far end is, and what it is sent.

    Attributes:
        address: URL.
        variable: the environment variable of the key.
        key: None when that variable is not set.
        control: the parameter in which an endpoint's handler takes the control map, or `AS_INPUT`.
    """

    address: str
    variable: str
    key: SecretStr | None
    control: str = "control_image"


# --- what the models can do -------------------------------------------------------------------------------------------

_hosted = partial(
    Capabilities,
    pose_control=True,
    free_prompt=True,
    ground_truth=False,
    costs_money=True,
    photographic=True,
    control_kinds=("openpose", "depth"),
)
_sold = partial(Description, sold_by_provider=True, price_date="2026-11-29")
_fal = partial(_sold, name="fal", wire="fal")

_FAL = (
    _fal(
        model="fal-ai/flux-general",
        version="flux-general-1",
        capabilities=_hosted(largest_side=2048, control_weight=True, control_span=True, negative_prompt=True),
        licence="FLUX.1-dev",
        price=Decimal("0.075"),
        recommended_scale=0.7,
        prompt_family="flux",
    ),
    _fal(
        model="fal-ai/z-image/turbo/controlnet",
        version="z-image-turbo-controlnet-1",
        capabilities=_hosted(largest_side=2048, control_weight=True, control_span=True),
        licence="Z-Image-Turbo",
        price=Decimal("0.0065"),
        recommended_scale=0.75,
        largest_scale=1.0,
    ),
    _fal(
        model="fal-ai/flux-kontext/dev",
        version="flux-kontext-dev-1",
        capabilities=_hosted(largest_side=1024, references=1),
        licence="FLUX.1-Kontext-dev",
        price=Decimal("0.025"),
        prompt_family="flux",
    ),
)
_ROUTER = tuple(replace(each, name="huggingface", wire="huggingface") for each in reversed(_FAL))
_BFL = _sold(
    name="bfl",
    wire="bfl",
    model="flux-2-pro",
    version="flux-2-pro-1",
    capabilities=_hosted(largest_side=2048, side_multiple=16, references=8),
    licence="flux-2-pro",
    # The first megapixel, and one of the reference image.
    price=Decimal("0.045"),
    # As many as BFL runs at once for one account.
    concurrency=24,
    prompt_family="flux",
)
# Rented by the hour: a call costs nothing more, so that a lost one is made again.
_ENDPOINT = Description(
    name="huggingface-endpoint",
    wire="huggingface-endpoint",
    model="",
    version="endpoint-1",
    capabilities=_hosted(
        largest_side=2048, costs_money=False, control_kinds=("openpose",), references=1, negative_prompt=True
    ),
    on_uncertain="call_again",
)
_OPENAI = _sold(
    name="openai",
    wire="openai",
    model="gpt-image-2",
    version="gpt-image-2-1",
    capabilities=_hosted(largest_side=1536, side_multiple=16, references=16, seeds=False, longest_prompt=32_000),
    licence="gpt-image-2",
    # 1,056 tokens of a square picture of medium quality, at 40 dollars a million.
    price=Decimal("0.042"),
    prompt_family="gpt-image",
)
# Whether a compatible server is a gateway that bills each picture, or runs on machines of the operator's, cannot be
# told from its address: its calls count as billed.
_COMPATIBLE = Description(
    name="openai",
    wire="openai",
    model="",
    version="",
    capabilities=_hosted(largest_side=2048, side_multiple=16, references=1, negative_prompt=True),
)


def describe(wire: str, model: str | None, access: Access) -> Description:
    """What a backend of a wire is unless its operator says otherwise; None as the model stands for the usual one."""
    if wire == "huggingface-endpoint":
        return _endpoint(model or access.address.partition("://")[2].rstrip("/"), access.control)
    usual, *others = WIRES[wire].models
    known = next((each for each in (usual, *others) if each.model == (model or usual.model)), None)
    if known is not None:
        return known
    assert model is not None, "the usual model is known"
    name = model.rpartition("/")[2]
    another = partial(replace, model=model, version=f"{name}-1", licence=name if name in licences() else "")
    if wire == "openai":
        return another(usual) if _is_of_openai(model) else another(_COMPATIBLE)
    return another(usual, price=None, price_date="")


def _endpoint(model: str, control: str) -> Description:
    """A handler that takes the control map in a parameter is a ControlNet; see `Access.control`."""
    if control == AS_INPUT:
        return replace(_ENDPOINT, model=model)
    can = replace(_ENDPOINT.capabilities, control_weight=True, control_span=True, references=0)
    return replace(_ENDPOINT, model=model, capabilities=can)


def _is_of_openai(model: str) -> bool:
    """Whether this is a model of OpenAI's, which takes neither a seed nor a negative prompt.

    Models of compatible servers have other names than `gpt-image-…`.
    """
    return model.startswith("gpt-image-")


def built_in(settings: Settings) -> Iterator[tuple[Description, Access]]:
    """The backends that exist without a file, whether or not their key is set."""
    for wire, kind in WIRES.items():
        address: str | None = getattr(settings, kind.address)
        if address is None:
            continue
        key: SecretStr | None = getattr(settings, kind.key)
        access = Access(address, variable_of(kind.key), key, settings.huggingface_endpoint_control)
        if wire == "openai":
            described = describe(wire, settings.openai_image_model, access)
            yield replace(described, resend_is_safe=settings.openai_honours_idempotency), access
        else:
            yield describe(wire, None, access), access


# --- opening ----------------------------------------------------------------------------------------------------------


def open_wire(description: Description, access: Access, settings: Settings) -> HostedBackend:
    """The client of a backend; it connects nothing until the first request."""
    return WIRES[description.wire].open(description, access, settings)


def _open_fal(description: Description, access: Access, settings: Settings) -> HostedBackend:
    from posegen.backends.wires import fal

    base_url = access.address.rstrip("/")
    # An address of the operator's serves both; fal itself has them on two hosts.
    list_url = fal.LIST_URL if base_url == fal.QUEUE_URL else base_url
    client = _client(access, settings, scheme="Key ", origins=[list_url])
    files = _files(settings, fal.MEDIA_HOSTS, base_url, fal.QUEUE_URL)
    return fal.Fal(description, client, files, base_url, list_url, settings.posegen_backend_seconds)


def _open_bfl(description: Description, access: Access, settings: Settings) -> HostedBackend:
    from posegen.backends.wires import bfl

    base_url = access.address.rstrip("/")
    client = _client(access, settings, header="x-key", scheme="", domain=bfl.DOMAIN)
    return bfl.Bfl(description, client, _files(settings, [bfl.DOMAIN], base_url, bfl.BASE_URL), base_url)


def _open_router(description: Description, access: Access, settings: Settings) -> HostedBackend:
    from posegen.backends.wires import fal, huggingface

    router_url = access.address.rstrip("/")
    files = _files(settings, fal.MEDIA_HOSTS, router_url, huggingface.ROUTER_URL)
    # An address of the operator's serves both; the maker has them on two hosts.
    hub_url = huggingface.HUB_URL if router_url == huggingface.ROUTER_URL else router_url
    client = _client(access, settings, origins=[hub_url])
    return huggingface.behind_router(description, client, files, router_url, hub_url, settings.posegen_backend_seconds)


def _open_endpoint(description: Description, access: Access, settings: Settings) -> HostedBackend:
    from posegen.backends.wires.huggingface import Endpoint

    return Endpoint(description, _client(access, settings), access.address, access.control)


def _open_openai(description: Description, access: Access, settings: Settings) -> HostedBackend:
    from posegen.backends.wires.openai import OF_OPENAI, OF_SERVERS, OpenAI

    told = OF_OPENAI if _is_of_openai(description.model) else OF_SERVERS
    return OpenAI(description, _client(access, settings), access.address.rstrip("/"), told)


def _client(
    access: Access, settings: Settings, *, header: str = "Authorization", scheme: str = "Bearer ", **own: Any
) -> WireClient:
    """A client that sends the key. `own`: further addresses, as `WireClient` takes them."""
    from posegen.backends.wires.http import WireClient

    assert access.key is not None, "a backend without a key is not opened"
    return WireClient(
        auth={header: f"{scheme}{access.key.get_secret_value()}"},
        variable=access.variable,
        base_url=access.address,
        seconds=settings.posegen_backend_seconds,
        **own,
    )


def _files(settings: Settings, hosts: Iterable[str], base_url: str, makers_url: str) -> Fetcher:
    """Reads pictures from the maker's hosts; where the operator has set another address, from there, too."""
    from posegen.fetching.fetcher import Fetcher

    return Fetcher.of(settings, hosts=hosts, origins=[] if base_url == makers_url else [base_url])


@dataclass(frozen=True)
class _Wire:
    """A wire. `key`, `address`: fields of `Settings`; `models`: those that are known, the usual one first."""

    key: str
    address: str
    models: tuple[Description, ...]
    open: Callable[[Description, Access, Settings], HostedBackend]


WIRES: Mapping[str, _Wire] = {
    "fal": _Wire("fal_key", "fal_base_url", _FAL, _open_fal),
    "bfl": _Wire("bfl_api_key", "bfl_base_url", (_BFL,), _open_bfl),
    "huggingface": _Wire("huggingface_api_key", "huggingface_base_url", _ROUTER, _open_router),
    "huggingface-endpoint": _Wire("huggingface_api_key", "huggingface_endpoint_url", (_ENDPOINT,), _open_endpoint),
    "openai": _Wire("openai_api_key", "openai_base_url", (_OPENAI,), _open_openai),
}
"""By name; the backend of a wire that exists without a file has the same one."""
