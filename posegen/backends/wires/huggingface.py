"""The wires of Hugging Face: fal's queue behind its router, and inference endpoints of the operator's own.

The router passes fal's responses on as they are: their URLs lead to fal's own host, where a token of Hugging Face is
worth nothing, so they are built anew from the id. An endpoint returns the picture in its response; there is no id
before it, so a lost response is never found again. The two are separate backends, `huggingface` and
`huggingface-endpoint`: an operator may have both.

Source: huggingface_hub's client of fal, the only place where `?_subdomain=queue` is written down; Hugging Face's pages
on testing an endpoint, on the tasks text-to-image and image-to-image, and on `whoami-v2`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from posegen.backends.description import Description
from posegen.backends.hosted import Delivered, Order
from posegen.backends.wires.catalogue import AS_INPUT
from posegen.backends.wires.fal import Fal
from posegen.backends.wires.files import LONGEST_FILE
from posegen.backends.wires.http import WireClient
from posegen.backends.wires.synchronous import Synchronous
from posegen.errors import BackendRejected, CallUnknown, ResponseTooLong
from posegen.fetching.fetcher import Fetcher

ROUTER_URL = "https://router.huggingface.co"
HUB_URL = "https://huggingface.co"

_DOOR = "/fal-ai"
_QUEUE = "?_subdomain=queue"


def behind_router(
    description: Description, client: WireClient, files: Fetcher, router_url: str, hub_url: str, call_seconds: float
) -> Fal:
    """One model of fal's behind the router. fal's list of ended requests needs a key of fal's, so nothing is found."""
    account_url = f"{hub_url}/api/whoami-v2"
    return Fal(description, client, files, f"{router_url}{_DOOR}", None, call_seconds, _QUEUE, account_url)


@dataclass(frozen=True)
class Endpoint(Synchronous):
    """An inference endpoint of the operator's; see `posegen.backends.hosted.HostedBackend`.

    Attributes:
        description: of the backend.
        client: sends requests to the endpoint.
        url: of the endpoint.
        control: the parameter in which its handler takes the control map, or `AS_INPUT`.
    """

    description: Description
    client: WireClient
    url: str
    control: str

    def submit(self, order: Order) -> Delivered:
        try:
            response = self.client.send(
                "POST",
                self.url,
                once=True,
                json=self._input(order),
                headers={"Accept": "image/png"},
                most_bytes=LONGEST_FILE,
            )
        except ResponseTooLong as error:
            raise BackendRejected(f"The picture is too large. {error}") from error
        self.client.raise_for_status(response)
        content_type = response.headers.get("content-type", "")
        if not content_type.startswith("image/"):
            raise CallUnknown(f"The response is {content_type or 'of no type'} instead of a picture.")
        return Delivered(response.body, facts={"content_type": content_type})

    def check_key(self) -> bool:
        """Any request may wake the endpoint, which is billed by the hour."""
        return False

    def _input(self, order: Order) -> dict[str, Any]:
        recipe = order.recipe
        size = {"width": recipe.width, "height": recipe.height}
        parameters: dict[str, Any] = {"seed": recipe.seed}
        if recipe.negative_prompt is not None:
            parameters["negative_prompt"] = recipe.negative_prompt
        # The names of diffusers' pipelines, which handlers pass on.
        optional = {"num_inference_steps": recipe.steps, "guidance_scale": recipe.guidance}
        if order.control is not None and self.control != AS_INPUT:
            optional |= {"control_guidance_start": recipe.control_start, "control_guidance_end": recipe.control_end}
        parameters |= {name: value for name, value in optional.items() if value is not None}
        if order.control is None:
            return {"inputs": recipe.prompt, "parameters": parameters | size}
        control = base64.b64encode(order.control.data).decode()
        if self.control == AS_INPUT:
            return {"inputs": control, "parameters": parameters | {"prompt": recipe.prompt, "target_size": size}}
        parameters |= {
            self.control: control,
            "controlnet_conditioning_scale": self.description.recommended_scale * recipe.control_weight,
        }
        return {"inputs": recipe.prompt, "parameters": parameters | size}
