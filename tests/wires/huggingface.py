"""Hugging Face's far end: the router's door to fal's queue, and an own inference endpoint, on one port.

- The router: https://huggingface.co/docs/inference-providers/providers/fal-ai, and huggingface_hub's client of it
  (`inference/_providers/fal_ai.py`), the only place where `?_subdomain=queue` is written down. The router passes fal's
  response on unchanged: its URLs lead to queue.fal.run, which does not accept tokens of Hugging Face. That client takes
  the path of `response_url`, and puts the router's address, `/fal-ai` and the query around it. Without the query the
  router calls fal.run: synchronous, the model's result is the response.
- An own endpoint: https://huggingface.co/docs/inference-endpoints/guides/test_endpoint and
  https://huggingface.co/docs/inference-providers/tasks/text-to-image: `{"inputs", "parameters"}`, the response is the
  picture.
- The token: https://huggingface.co/docs/hub/api#get-apiwhoami-v2

Assumed: the sentences in `error`, that the router passes a cancellation on, and the price of an own endpoint's picture,
which is billed by the hour.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.wires.exchange import Refused, Reply, Request
from tests.wires.fal import Fal
from tests.wires.faults import Fault
from tests.wires.fields import Field, problems
from tests.wires.pictures import Order
from tests.wires.wire import Call, picture_in

DOOR = "/fal-ai"
ENDPOINT = "/endpoint"
WHOAMI = "/api/whoami-v2"

TEXT_TO_IMAGE: Mapping[str, Field] = {
    # https://huggingface.co/docs/inference-providers/tasks/text-to-image#request
    "guidance_scale": Field("number"),
    "negative_prompt": Field("string"),
    "num_inference_steps": Field("integer", least=1),
    "width": Field("integer", least=1, most=2048),  # the page has no bound; a handler's memory has
    "height": Field("integer", least=1, most=2048),
    "scheduler": Field("string"),
    "seed": Field("integer"),
    # https://huggingface.co/docs/inference-providers/tasks/image-to-image#request
    "prompt": Field("string"),
    "target_size": Field(
        "object",
        fields={
            "width": Field("integer", required=True, least=1, most=2048),
            "height": Field("integer", required=True, least=1, most=2048),
        },
    ),
}
CONTROL_FIELDS: Mapping[str, Field] = {
    "control_image": Field("string"),
    "controlnet_conditioning_scale": Field("number"),
    "control_guidance_start": Field("number"),
    "control_guidance_end": Field("number"),
}
"""What a handler of an operator takes besides; each handler has its own names."""

_ERRORS = {
    400: "Bad request",
    401: "Invalid username or password.",
    402: "You have exceeded your monthly included credits for Inference Providers.",
    403: "This authentication method does not have sufficient permissions to call Inference Providers.",
    404: "Not Found",
    409: "Conflict",
    422: "Unprocessable entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class HuggingFace(Fal):
    """The router and an own endpoint.

    Args:
        settings: as in `Fal`.
        urls_of: what the URLs of the queue begin with: "fal" as the router passes them on, or "router".
        handler_fields: the parameters that the own endpoint's handler takes besides the documented ones.
        sleeping: whether the own endpoint is scaled to zero.
    """

    name = "huggingface"
    key_variable = "HUGGINGFACE_API_KEY"
    url_variable = "HUGGINGFACE_BASE_URL"

    def __init__(
        self,
        *,
        urls_of: str = "fal",
        handler_fields: Mapping[str, Field] = CONTROL_FIELDS,
        sleeping: bool = False,
        **settings: Any,
    ) -> None:
        settings.setdefault("key", "hf_a_token_of_the_far_end")
        settings.setdefault("concurrency", 8)
        super().__init__(**settings)
        if urls_of not in ("fal", "router"):
            raise ValueError(f"urls_of is 'fal' or 'router', not {urls_of!r}")
        self.urls_of = urls_of
        self.handler_fields = {**TEXT_TO_IMAGE, **handler_fields}
        self.sleeping = sleeping

    def step_of(self, request: Request) -> str | None:
        """fal's steps behind the door; the own endpoint's only one."""
        if request.path == WHOAMI:
            return "account"
        if request.path.startswith(f"{DOOR}/"):
            step = super().step_of(_behind_the_door(request))
            is_queue = request.one("_subdomain") == "queue"
            return step if step == "submit" or (step in ("status", "result", "cancel") and is_queue) else None
        if request.path.startswith("/files/"):
            return "media"
        return "submit" if request.method == "POST" and request.path in ("/", ENDPOINT) else None

    def respond(self, step: str, request: Request, fault: Fault | None) -> Reply:
        """One step."""
        if step == "account":
            self.authenticate(request)
            return Reply.json(200, {"type": "user", "name": "far-end", "auth": {"type": "access_token"}})
        if step == "submit" and not request.path.startswith(f"{DOOR}/"):
            self.authenticate(request)
            return self._endpoint(request)
        if step == "submit" and request.one("_subdomain") != "queue":
            self.authenticate(request)
            return self._synchronous(_behind_the_door(request))
        return super().respond(step, _behind_the_door(request), fault)

    def authenticate(self, request: Request) -> None:
        """`Authorization: Bearer hf_...`: https://huggingface.co/docs/inference-providers/index#authentication"""
        if request.headers["Authorization"] != f"Bearer {self.key}":
            raise Refused(self.refusal(401))

    def refusal(self, status: int, message: str = "") -> Reply:
        """Hugging Face's form, which huggingface_hub reads: `{"error": ...}`."""
        return Reply.json(status, {"error": message or _ERRORS[status]})

    def origin(self, request: Request) -> str:
        """fal's own host, unless the far end is told to be friendlier than the router."""
        return f"{request.origin}{DOOR}" if self.urls_of == "router" else "https://queue.fal.run"

    def urls(self, call: Call, origin: str) -> dict[str, str]:
        """fal's URLs; with `urls_of="router"` they have the query, too."""
        urls = super().urls(call, origin)
        query = "?_subdomain=queue" if self.urls_of == "router" else ""
        return {name: value + query if name.endswith("_url") else value for name, value in urls.items()}

    def _synchronous(self, request: Request) -> Reply:
        """fal.run: https://fal.ai/docs/documentation/model-apis/inference/synchronous"""
        try:
            call = self.take_call(request, request.json())
        except ValueError:
            raise Refused(self.refusal(400, "The body is no JSON.")) from None
        self.wait_for(call)
        return replace(self.outcome(request, call), submission=call.submission.number)

    def _endpoint(self, request: Request) -> Reply:
        """The picture itself, or `{"error": ...}`."""
        if self.sleeping:
            # https://huggingface.co/docs/inference-endpoints/autoscaling#scaling-to-0
            return self.refusal(503, "503 Service Unavailable")
        order, seed = self._order(request)
        call = self.take(
            request,
            model="endpoint",
            order=order,
            seed=seed,
            inputs={},
            usd=0.01,
        )
        self.wait_for(call)
        if call.kind in ("policy", "moderated", "failed") or call.kind.isdigit():
            return replace(
                self.refusal(int(call.kind) if call.kind.isdigit() else 400 if call.kind == "policy" else 500),
                submission=call.submission.number,
            )
        file = call.file()
        return Reply(200, file.data, file.content_type, submission=call.submission.number)

    def _order(self, request: Request) -> tuple[Order, int | None]:
        """The picture, and the seed that was sent."""
        try:
            body = request.json()
        except ValueError:
            raise Refused(self.refusal(400, "The body is no JSON.")) from None
        outer = {
            "inputs": Field("string", required=True),
            "parameters": Field("object", fields=self.handler_fields),
        }
        wrong = [f"{'.'.join(map(str, each.loc[1:]))}: {each.msg}" for each in problems(body, outer)]
        if wrong:
            raise Refused(self.refusal(400, "; ".join(wrong)))
        given = body.get("parameters") or {}
        try:
            maps = [picture_in(given["control_image"])] if given.get("control_image") else []
            if given.get("prompt") is not None:  # image to image: the inputs are the picture
                maps.append(picture_in(body["inputs"]))
        except ValueError as error:
            raise Refused(self.refusal(400, f"cannot load the image: {error}")) from None
        size = given.get("target_size") or given
        prompt = body["inputs"] if given.get("prompt") is None else given["prompt"]
        seed = given.get("seed")
        drawn = random.Random().randrange(2**32) if seed is None else seed
        return Order(prompt, drawn, size.get("width") or 1024, size.get("height") or 1024, tuple(maps)), seed


def _behind_the_door(request: Request) -> Request:
    """The request as fal would see it."""
    return replace(request, path=request.path.removeprefix(DOOR)) if request.path.startswith(f"{DOOR}/") else request
