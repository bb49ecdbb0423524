"""Black Forest Labs' far end: the FLUX.2 endpoints, polling, and the picture at its signed URL, all on one port.

Pages, read 2026-11:

- submit: https://docs.bfl.ai/api-reference/models/generate-or-edit-an-image-with-flux2-[pro], and its siblings
- polling: https://docs.bfl.ai/api-reference/utility/get-result
- errors and states: https://docs.bfl.ai/api_integration/errors
- 24 tasks at once, pictures for 10 minutes: https://docs.bfl.ai/api_integration/integration_guidelines
- prices: https://docs.bfl.ai/quick_start/pricing
- references instead of ControlNets: https://docs.bfl.ai/guides/usecases_editing_controlnets

There is no list, no cancelling and no idempotency key.

Assumed, because no page says it: the sentences in `detail`, the shape of `details`, that a moderated request is billed
when the picture was made and not before, the body of an expired URL, and prices beyond the first megapixel of all
models but [pro].
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from tests.wires.exchange import Refused, Reply, Request
from tests.wires.faults import METADATA_SERVICE, Fault, reported_price, reported_seed
from tests.wires.fields import Field, Fields, Problem, problems
from tests.wires.pictures import Order, decoded
from tests.wires.wire import Call, Wire, isoformat, picture_in

POLL = "/v1/get_result"
CREDITS = "/v1/credits"
REFERENCES = ("input_image", *(f"input_image_{number}" for number in range(2, 9)))
_MEGAPIXEL = 1_048_576
_LARGEST = 4 * _MEGAPIXEL  # https://docs.bfl.ai/flux_2/flux2_overview: up to 4 megapixels

_COMMON: Fields = {
    "prompt": Field("string", required=True),
    **{name: Field("string") for name in REFERENCES},
    "seed": Field("integer"),
    "width": Field("integer", least=0),
    "height": Field("integer", least=0),
    "safety_tolerance": Field("integer", least=0, most=5),
    "output_format": Field("string", choices=("jpeg", "png")),
    "webhook_url": Field("string", most=2083),
    "webhook_secret": Field("string"),
}
_UPSAMPLING: Fields = {"prompt_upsampling": Field("boolean")}
_FLEX: Fields = {"steps": Field("integer", least=1, most=50), "guidance": Field("number", least=1.5, most=10)}

MODELS: Mapping[str, tuple[Fields, float, float, float]] = {
    # Fields; credits for the first megapixel, for each further one, and for each megapixel of the references.
    # Only [max] and [flex] have `prompt_upsampling`, which is on unless it is turned off.
    "flux-2-klein-4b": (_COMMON, 1.4, 0.1, 0.0),
    "flux-2-klein-9b": (_COMMON, 1.5, 0.2, 0.0),
    "flux-2-pro": (_COMMON, 3.0, 1.5, 1.5),
    "flux-2-max": ({**_COMMON, **_UPSAMPLING}, 7.0, 3.0, 0.0),
    "flux-2-flex": ({**_COMMON, **_UPSAMPLING, **_FLEX}, 5.0, 5.0, 0.0),
}

_ERRORS = {
    # https://docs.bfl.ai/api_integration/errors has 400, 402, 403, 422, 429, 500 and 503; the others a proxy may send.
    400: "Bad Request",
    401: "Unauthorized",
    402: "Insufficient credits",
    403: "Not authenticated",
    404: "Not Found",
    409: "Conflict",
    429: "Too many requests: active task limit exceeded",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_ENDS = {"policy": "Request Moderated", "moderated": "Content Moderated", "flagged": "Content Moderated"}


class Bfl(Wire):
    """Black Forest Labs' API.

    Args:
        settings: as in `Wire`.
        active: how many tasks may be open at once; 429 beyond.
        sample_seconds: how long the picture's URL is valid.
    """

    name = "bfl"
    key_variable = "BFL_API_KEY"
    url_variable = "BFL_BASE_URL"

    def __init__(self, *, active: int = 24, sample_seconds: float = 600, **settings: Any) -> None:
        settings.setdefault("concurrency", active)
        super().__init__(**settings)
        self.active = active
        self.sample_seconds = sample_seconds

    def step_of(self, request: Request) -> str | None:
        """A poll is the step `status` until the task has ended, then `result`."""
        path, method = request.path, request.method
        if method == "POST":
            return "submit" if path.removeprefix("/v1/") in MODELS and path.startswith("/v1/") else None
        if method != "GET":
            return None
        if path == POLL:
            call = self.call_in(request)
            return "result" if call and call.ends <= self.now() else "status"
        return "media" if path.startswith("/results/") else "account" if path == CREDITS else None

    def respond(self, step: str, request: Request, fault: Fault | None) -> Reply:
        """One step."""
        if step == "media":
            return self._media(request, fault)
        if request.headers["x-key"] != self.key:  # https://docs.bfl.ai: "x-key header required"
            raise Refused(self.refusal(403))
        if step == "submit":
            return self._submit(request, fault)
        if step == "account":  # https://docs.bfl.ai/api-reference/utility/get-the-users-credits
            return Reply.json(200, {"credits": 1000.0})
        return self._poll(request, fault)

    def refusal(self, status: int, message: str = "") -> Reply:
        """`detail` is a sentence; with 422 it is a list (HTTPValidationError of the OpenAPI page)."""
        if status == 422:
            problem = Problem(("body", "prompt"), message or "Value error", "value_error", None)
            return Reply.json(422, {"detail": [problem.to_json()]})
        return Reply.json(status, {"detail": message or _ERRORS[status]})

    def _submit(self, request: Request, fault: Fault | None) -> Reply:
        """`id`, `polling_url`, `cost` in credits of a cent, `input_mp`, `output_mp`."""
        model = request.path.removeprefix("/v1/")
        order = self._order(request, model)
        now = self.now()
        if sum(now < each.ends for each in self.kept()) >= self.active:
            raise Refused(self.refusal(429))
        read = sum(_megapixels(*decoded(file).shape[:2]) for file in order.maps)
        made = _megapixels(order.width, order.height)
        _, first, further, reference = MODELS[model]
        cost = round(first + further * (made - 1) + reference * read, 4)
        body = request.json()
        call = self.take(
            request,
            model=model,
            order=order,
            seed=body.get("seed"),
            inputs=body,
            usd=cost / 100,
            webhook=body.get("webhook_url"),
        )
        if call.kind in ("policy", "failed"):  # moderated before the run, or failed: nothing is made
            self.ledger.change(call.submission.number, paid=False)
        self.keep(call)
        origin = request.origin
        if fault and fault.kind == "link_local":
            origin = (fault.to or METADATA_SERVICE).rstrip("/")
        return Reply.json(
            200,
            {
                "id": call.id,
                "polling_url": f"{origin}{POLL}?id={call.id}",
                "cost": reported_price(cost, call.kind),
                "input_mp": float(read),
                "output_mp": float(made),
            },
            submission=call.submission.number,
        )

    def _order(self, request: Request, model: str) -> Order:
        try:
            body = request.json()
        except ValueError:
            raise Refused(self.refusal(422, "JSON decode error")) from None
        wrong = list(problems(body, MODELS[model][0]))
        if wrong:
            raise Refused(Reply.json(422, {"detail": [each.to_json() for each in wrong]}))
        maps = []
        for name in REFERENCES:
            if body.get(name):
                try:
                    maps.append(picture_in(body[name]))
                except ValueError as error:
                    problem = Problem(("body", name), f"Value error, {error}", "value_error", body[name])
                    raise Refused(Reply.json(422, {"detail": [problem.to_json()]})) from None
        width, height = (_side(self, body, name) for name in ("width", "height"))
        if width * height > _LARGEST:
            problem = Problem(("body", "width"), "Value error, at most 4 megapixels", "value_error", width)
            raise Refused(Reply.json(422, {"detail": [problem.to_json()]}))
        if not (width and height):
            width, height = decoded(maps[0]).shape[1::-1] if maps else (1024, 1024)
        seed = body["seed"] if body.get("seed") is not None else random.Random().randrange(2**32)
        return Order(body["prompt"], seed, width, height, tuple(maps), body.get("output_format") or "jpeg")

    def _poll(self, request: Request, fault: Fault | None) -> Reply:
        """`id`, `status`, `result`, `progress`, `details`, `preview`; the page documents status 200 for all states."""
        call = self.call_in(request)
        body: dict[str, Any] = {"id": request.one("id"), "status": "Task not found", "result": None, "progress": None}
        body |= {"details": None, "preview": None}
        if call is None or (fault and fault.kind == "unknown_id"):
            return Reply.json(200, body)
        if self.now() < call.ends:
            share = max(0.0, (self.now() - call.starts) / max(call.ends - call.starts, 1e-9))
            return Reply.json(200, {**body, "status": "Pending", "progress": round(share, 2)})
        if call.kind in _ENDS:
            reasons = {"Moderation Reasons": ["Derivative Works Filter"]}
            return Reply.json(200, {**body, "status": _ENDS[call.kind], "progress": 1.0, "details": reasons})
        if call.kind == "failed" or call.kind.isdigit():
            return Reply.json(200, {**body, "status": "Error", "details": {"error": "internal"}})
        result = {
            "sample": self._sample(request, call),
            "seed": reported_seed(call.order.seed, call.kind),
            "prompt": call.order.prompt,
            "start_time": call.starts,
            "end_time": call.ends,
            "duration": round(call.ends - call.starts, 3),
        }
        return Reply.json(200, {**body, "status": "Ready", "progress": 1.0, "result": result})

    def _sample(self, request: Request, call: Call) -> str:
        """A signed URL; `se` is when it expires."""
        if call.kind == "link_local":
            return call.to or METADATA_SERVICE
        expiry = isoformat(call.ends + self.sample_seconds)
        return f"{request.origin}/results/{call.id}/sample.{call.order.format}?se={expiry}&sig=far-end"

    def _media(self, request: Request, fault: Fault | None) -> Reply:
        """The picture; 403 with a page of XML after its time, as the store behind it does."""
        call, kind = self.media_call(request, fault, "x-key")
        if not call or kind == "unknown_id":
            return Reply(404, b"<Error><Code>BlobNotFound</Code></Error>", "application/xml")
        if kind == "expired" or self.now() > call.ends + self.sample_seconds or not request.one("sig"):
            message = b"<Error><Code>AuthenticationFailed</Code><Message>Signature not valid</Message></Error>"
            return Reply(403, message, "application/xml")
        file = call.file()
        return Reply(200, file.data, file.content_type)


def _side(wire: Bfl, body: Mapping[str, Any], name: str) -> int:
    """Width or height; 0 and none are the reference's own. Sides are multiples of 16, from 64 on."""
    side = int(body.get(name) or 0)
    if side and (side < 64 or side % 16):
        problem = Problem(("body", name), "Input should be a multiple of 16, at least 64", "multiple_of", side)
        raise Refused(Reply.json(422, {"detail": [problem.to_json()]}))
    return side


def _megapixels(width: int, height: int) -> int:
    """Megapixels begun."""
    return math.ceil(width * height / _MEGAPIXEL)
