"""The wire of OpenAI's images, which vLLM-Omni and SGLang-Diffusion speak, too: the picture is in the response.

Without a control map an order goes to `/images/generations`; with one to `/images/edits`, as a form whose picture is
the map: all three servers take that form. There is no id before the picture, so a lost response is never found again.

Source: OpenAI's API reference of both routes and of the list of models, and its page on errors; vLLM-Omni's and
SGLang's pages on their image API.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from posegen.backends.description import Description
from posegen.backends.hosted import Delivered, Order, Refused
from posegen.backends.wires.files import LONGEST_FILE, seed_in
from posegen.backends.wires.http import Response, WireClient
from posegen.backends.wires.synchronous import Synchronous
from posegen.error_codes import ErrorCode
from posegen.errors import BackendRejected, CallUnknown, ResponseTooLong

OF_OPENAI = {"quality": "medium", "moderation": "auto"}
"""What OpenAI's own models are told. The price follows the quality, which by default the model chooses."""
OF_SERVERS = {"response_format": "b64_json"}
"""What compatible servers are told, because some of them return a URL by default."""

_LONGEST_RESPONSE = LONGEST_FILE * 4 // 3 + 1_000_000
_POLICY = ("moderation_blocked", "content_policy_violation")
# OpenAI sends them with 400 and 429, which otherwise mean something else.
_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached")
_NO_MODEL = "model_not_found"
# A compatible server need not list its models.
_NO_LIST = (404, 405, 501)


@dataclass(frozen=True)
class OpenAI(Synchronous):
    """One model behind OpenAI's two routes; see `posegen.backends.hosted.HostedBackend`.

    Attributes:
        description: of the backend. A seed and a negative prompt are sent only to a model that takes them.
        client: sends requests to the server.
        base_url: of the API, with its version.
        told: fields of every order: `OF_OPENAI` or `OF_SERVERS`.
    """

    description: Description
    client: WireClient
    base_url: str
    told: Mapping[str, str]

    def submit(self, order: Order) -> Delivered | Refused:
        fields, control = self._fields(order), order.control
        if control is None:
            route, body = "generations", {"json": fields}
        else:
            form = {name: str(value) for name, value in fields.items()}
            route, body = "edits", {"data": form, "files": {"image": ("pose.png", control.data, "image/png")}}
        # The second header is the one by which OpenAI's support finds a request.
        headers = dict.fromkeys(("Idempotency-Key", "X-Client-Request-Id"), str(order.call))
        try:
            response = self.client.send(
                "POST",
                f"{self.base_url}/images/{route}",
                once=True,
                headers=headers,
                most_bytes=_LONGEST_RESPONSE,
                **body,
            )
        except ResponseTooLong as error:
            raise BackendRejected(f"The picture is too large. {error}") from error
        if (refused := self._refusal(response)) is not None:
            return refused
        self.client.raise_for_status(response)
        return _delivered(response)

    def check_key(self) -> bool:
        response = self.client.send("GET", f"{self.base_url}/models")
        if response.status in _NO_LIST:
            return False
        self.client.raise_for_status(response)
        response.json()
        return True

    def _fields(self, order: Order) -> dict[str, Any]:
        recipe, can = order.recipe, self.description.capabilities
        fields: dict[str, Any] = {
            "model": self.description.model,
            "prompt": recipe.prompt,
            "n": 1,
            "size": f"{recipe.width}x{recipe.height}",
            "output_format": "png",
            **self.told,
        }
        if can.seeds:
            fields["seed"] = recipe.seed
        if can.negative_prompt and recipe.negative_prompt is not None:
            fields["negative_prompt"] = recipe.negative_prompt
        # OpenAI's own models take neither, and their description names none.
        fields |= {
            name: value
            for name, value in (("num_inference_steps", recipe.steps), ("guidance_scale", recipe.guidance))
            if value is not None
        }
        return fields

    def _refusal(self, response: Response) -> Refused | None:
        """What the code of an error says beyond its status.

        Raises:
            AccountRefused: the account has no money.
            BackendRejected: the server does not have the model.
        """
        error = _error_in(response)
        code = error.get("code")
        if code in _NO_MONEY:
            raise self.client.account_refused(response)
        if code == _NO_MODEL:
            raise BackendRejected(f"The server has no model {self.description.model!r}: set OPENAI_IMAGE_MODEL.")
        if code in _POLICY:
            return Refused(ErrorCode.INAPPROPRIATE_PROMPT, f"The far end refuses the order: {error.get('message')}")
        return None


def _error_in(response: Response) -> Mapping[str, Any]:
    """The error of a response in OpenAI's form; empty where there is none."""
    if 400 <= response.status < 500:
        with suppress(CallUnknown):
            error = response.json().get("error")
            return error if isinstance(error, dict) else {}
    return {}


def _delivered(response: Response) -> Delivered:
    body = response.json()
    pictures = body.get("data")
    picture = pictures[0] if isinstance(pictures, list) and pictures else None
    if not isinstance(picture, dict):
        raise CallUnknown(f"The response has no picture: {response.shown()}")
    encoded: Any = picture.get("b64_json")
    if encoded is None and picture.get("url") is not None:
        raise BackendRejected("The server returns a URL instead of the picture: it has to return b64_json.")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise CallUnknown("The picture in the response is not in base64.") from None
    seed, facts = seed_in(body)
    told = {"usage": body.get("usage"), "request_id": response.headers.get("x-request-id")}
    return Delivered(
        data, seed=seed, facts={**{name: fact for name, fact in told.items() if fact is not None}, **facts}
    )
