"""The wires: what a backend of each is unless its operator says otherwise, and how it is opened.

The models are in `models.toml`, the backends of a deployment in `registry`. Opening a wire imports its HTTP client;
describing it does not.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, partial
from importlib import resources
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

_PHOTOGRAPHS = {"pose_control": True, "free_prompt": True, "ground_truth": False, "photographic": True}


@cache
def models_of(wire: str) -> tuple[Description, ...]:
    """What is known of the models of a wire, the usual one first; one without a name stands for all others."""
    text = (resources.files("posegen.backends.wires") / "models.toml").read_text(encoding="utf-8")
    return tuple(_described(wire, entry) for entry in tomllib.loads(text)["model"] if wire in entry.pop("wires"))


def _described(wire: str, entry: dict[str, Any]) -> Description:
    can = {**_PHOTOGRAPHS, "costs_money": True, "control_kinds": ("openpose", "depth"), **entry.pop("capabilities")}
    can["control_kinds"] = tuple(can["control_kinds"])
    price = None if "price" not in entry else Decimal(entry.pop("price"))
    given = {"sold_by_provider": True, "price": price, **entry}
    return Description(name=wire, wire=wire, capabilities=Capabilities(**can), **given)


def describe(wire: str, model: str | None, access: Access) -> Description:
    """What a backend of a wire is unless its operator says otherwise.

    Args:
        wire: its name.
        model: as the provider names it; None for the usual one.
        access: of the backend.
    """
    usual, *others = models_of(wire)
    if wire == "huggingface-endpoint":
        return _endpoint(replace(usual, model=model or access.address.partition("://")[2].rstrip("/")), access)
    if model is None or model == usual.model:
        return usual
    for known in others:
        if known.model == model:
            return known
    name = model.rpartition("/")[2]
    another = partial(replace, model=model, version=f"{model}-1", licence=name if name in licences() else "")
    if wire == "openai":
        return another(usual if is_of_openai(model) else others[-1])
    return another(usual, price=None, price_date="")


def _endpoint(usual: Description, access: Access) -> Description:
    """A handler that takes the control map in a parameter is a ControlNet; any other edits an image."""
    if access.control != AS_INPUT:
        return usual
    can = replace(usual.capabilities, control_weight=False, control_span=False, references=1)
    return replace(usual, capabilities=can)


def is_of_openai(model: str) -> bool:
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

    told = OF_OPENAI if is_of_openai(description.model) else OF_SERVERS
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
    """A wire. `key`, `address`: fields of `Settings`."""

    key: str
    address: str
    open: Callable[[Description, Access, Settings], HostedBackend]


WIRES: Mapping[str, _Wire] = {
    "fal": _Wire("fal_key", "fal_base_url", _open_fal),
    "bfl": _Wire("bfl_api_key", "bfl_base_url", _open_bfl),
    "huggingface": _Wire("huggingface_api_key", "huggingface_base_url", _open_router),
    "huggingface-endpoint": _Wire("huggingface_api_key", "huggingface_endpoint_url", _open_endpoint),
    "openai": _Wire("openai_api_key", "openai_base_url", _open_openai),
}
"""By name; the backend of a wire that exists without a file has the same one."""
