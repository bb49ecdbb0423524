"""The wires that a deployment can speak: which exist as soon as their key is set, and how each is opened.

Opening a wire imports its HTTP client; describing it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from posegen.backends.description import Description
from posegen.backends.hosted import HostedBackend
from posegen.backends.protocol import Capabilities
from posegen.settings import Settings, variable_of

if TYPE_CHECKING:
    from posegen.backends.wires.http import WireClient
    from posegen.fetching.fetcher import Fetcher


@dataclass(frozen=True)
class Wire:
    """A configured backend of a provider. `open`: connects nothing until the first request."""

    description: Description
    open: Callable[[], HostedBackend]


def wires_of(settings: Settings) -> Mapping[str, Wire]:
    """Every hosted backend whose key is set, by its name."""
    return {
        description.name: Wire(description, partial(opened, description, settings))
        for description, opened in _configured(settings)
    }


_Open = Callable[[Description, Settings], HostedBackend]


def _configured(settings: Settings) -> Iterator[tuple[Description, _Open]]:
    if settings.fal_key is not None:
        yield FAL, _open_fal
    if settings.bfl_api_key is not None:
        yield BFL, _open_bfl
    if settings.huggingface_api_key is not None:
        yield HUGGINGFACE, _open_router
        if settings.huggingface_endpoint_url is not None:
            yield _endpoint(settings.huggingface_endpoint_url, settings.huggingface_endpoint_control), _open_endpoint
    if settings.openai_api_key is not None:
        yield _openai(settings), _open_openai


AS_INPUT = "inputs"
"""The control map is an endpoint's input picture, and the prompt a parameter: the task image-to-image."""

# --- descriptions -----------------------------------------------------------------------------------------------------

_HOSTED = partial(
    Capabilities, pose_control=True, free_prompt=True, ground_truth=False, costs_money=True, photographic=True
)

FAL = Description(
    name="fal",
    wire="fal",
    model="fal-ai/flux-general",
    version="flux-general-1",
    capabilities=_HOSTED(
        largest_side=2048,
        control_kinds=("openpose", "depth"),
        control_weight=True,
        control_span=True,
        negative_prompt=True,
    ),
    licence="FLUX.1-dev",
    price=Decimal("0.075"),
    price_date="2026-11-29",
    recommended_scale=0.7,
    prompt_family="flux",
)

BFL = Description(
    name="bfl",
    wire="bfl",
    model="flux-2-pro",
    version="flux-2-pro-1",
    capabilities=_HOSTED(largest_side=2048, control_kinds=("openpose", "depth"), references=8),
    licence="flux-2-pro",
    # The first megapixel, and one of the reference image.
    price=Decimal("0.045"),
    price_date="2026-11-29",
    # As many as BFL runs at once for one account.
    concurrency=24,
    prompt_family="flux",
)

HUGGINGFACE = Description(
    name="huggingface",
    wire="fal",
    model="fal-ai/flux-kontext/dev",
    version="flux-kontext-dev-1",
    capabilities=_HOSTED(largest_side=1024, control_kinds=("openpose", "depth"), references=1),
    licence="FLUX.1-Kontext-dev",
    price=Decimal("0.025"),
    price_date="2026-11-29",
    prompt_family="flux",
)


def _endpoint(url: str, control: str) -> Description:
    """An endpoint is rented by the hour: a call costs nothing more, so that a lost one is made again.

    `control`: the parameter that its handler takes the control map in, or `AS_INPUT`.
    """
    guided = control != AS_INPUT
    return Description(
        name="huggingface-endpoint",
        wire="huggingface-endpoint",
        model=url.partition("://")[2].rstrip("/"),
        version="endpoint-1",
        capabilities=_HOSTED(
            largest_side=2048,
            costs_money=False,
            control_kinds=("openpose",),
            control_weight=guided,
            control_span=guided,
            references=0 if guided else 1,
            negative_prompt=True,
        ),
        on_uncertain="call_again",
    )


def _openai(settings: Settings) -> Description:
    """OpenAI's own models are those named `gpt-image-…`; any other is one of a compatible server.

    Whether a compatible server is a gateway that bills each picture, or runs on machines of the operator's, cannot be
    told from here: its calls count as billed.
    """
    model = settings.openai_image_model
    described = partial(
        Description,
        name="openai",
        wire="openai",
        model=model,
        version=f"{model}-1",
        resend_is_safe=settings.openai_honours_idempotency,
    )
    if not _is_of_openai(model):
        return described(
            capabilities=_HOSTED(
                largest_side=2048, control_kinds=("openpose", "depth"), references=1, negative_prompt=True
            )
        )
    return described(
        capabilities=_HOSTED(
            largest_side=1536, control_kinds=("openpose", "depth"), references=16, seeds=False, longest_prompt=32_000
        ),
        licence=model,
        prompt_family="gpt-image",
        # 1,056 tokens of a square picture of medium quality, at 40 dollars a million.
        price=Decimal("0.042"),
        price_date="2026-11-29",
    )


def _is_of_openai(model: str) -> bool:
    """Whether this is a model of OpenAI's, which takes neither a seed nor a negative prompt."""
    return model.startswith("gpt-image-")


# --- opening ----------------------------------------------------------------------------------------------------------


def _open_fal(description: Description, settings: Settings) -> HostedBackend:
    from posegen.backends.wires import fal

    base_url = settings.fal_base_url.rstrip("/")
    # An address of the operator's serves both; fal itself has them on two hosts.
    list_url = fal.LIST_URL if base_url == fal.QUEUE_URL else base_url
    client = _client(settings, "fal_key", base_url, scheme="Key ", origins=[list_url])
    files = _files(settings, fal.MEDIA_HOSTS, base_url, fal.QUEUE_URL)
    return fal.Fal(description, client, files, base_url, list_url, settings.posegen_backend_seconds)


def _open_bfl(description: Description, settings: Settings) -> HostedBackend:
    from posegen.backends.wires import bfl

    base_url = settings.bfl_base_url.rstrip("/")
    client = _client(settings, "bfl_api_key", base_url, header="x-key", scheme="", domain=bfl.DOMAIN)
    return bfl.Bfl(description, client, _files(settings, [bfl.DOMAIN], base_url, bfl.BASE_URL), base_url)


def _open_router(description: Description, settings: Settings) -> HostedBackend:
    from posegen.backends.wires import fal, huggingface

    router_url = settings.huggingface_base_url.rstrip("/")
    client = _client(settings, "huggingface_api_key", router_url)
    files = _files(settings, fal.MEDIA_HOSTS, router_url, huggingface.ROUTER_URL)
    return huggingface.behind_router(description, client, files, router_url, settings.posegen_backend_seconds)


def _open_endpoint(description: Description, settings: Settings) -> HostedBackend:
    from posegen.backends.wires.huggingface import Endpoint

    url = settings.huggingface_endpoint_url
    assert url is not None, "this backend exists once its endpoint is set"
    client = _client(settings, "huggingface_api_key", url)
    return Endpoint(description, client, url, settings.huggingface_endpoint_control)


def _open_openai(description: Description, settings: Settings) -> HostedBackend:
    from posegen.backends.wires.openai import OF_OPENAI, OF_SERVERS, OpenAI

    base_url = settings.openai_base_url.rstrip("/")
    told = OF_OPENAI if _is_of_openai(description.model) else OF_SERVERS
    return OpenAI(description, _client(settings, "openai_api_key", base_url), base_url, told)


def _client(
    settings: Settings, key: str, base_url: str, *, header: str = "Authorization", scheme: str = "Bearer ", **own: Any
) -> WireClient:
    """A client that sends the key in a field of `settings`. `own`: further addresses, as `WireClient` takes them."""
    from posegen.backends.wires.http import WireClient

    return WireClient(
        auth={header: f"{scheme}{getattr(settings, key).get_secret_value()}"},
        variable=variable_of(key),
        base_url=base_url,
        seconds=settings.posegen_backend_seconds,
        **own,
    )


def _files(settings: Settings, hosts: Iterable[str], base_url: str, makers_url: str) -> Fetcher:
    """Reads pictures from the maker's hosts; where the operator has set another address, from there, too."""
    from posegen.fetching.fetcher import Fetcher

    return Fetcher.of(settings, hosts=hosts, origins=[] if base_url == makers_url else [base_url])
