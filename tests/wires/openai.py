"""OpenAI's far end, and servers with the same two routes: images in the response, no queue, no id before the picture.

Pages, read 2026-11:

- generations: https://developers.openai.com/api/reference/resources/images/methods/generate
- edits, multipart or JSON: https://developers.openai.com/api/reference/resources/images/methods/edit
- errors: https://developers.openai.com/docs/guides/error-codes
- X-Client-Request-Id: https://developers.openai.com/api/reference/overview, debugging requests
- models: https://developers.openai.com/api/reference/resources/models/methods/list
- vLLM-Omni: https://docs.vllm.ai/projects/vllm-omni/en/stable/serving/image_generation_api/ and image_edit_api/
- SGLang-Diffusion: the source of its OpenAI routes

OpenAI documents no `Idempotency-Key`; servers behind a gateway may honour one, which is a switch here. Assumed: the
longest side, the type and code of a refusal for its content, the tokens of a picture and their price, the codes of
errors that are on no page, and the fields of SGLang.
"""

from __future__ import annotations

import base64
import random
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.wires.exchange import Refused, Reply, Request
from tests.wires.faults import Fault, reported_price, reported_seed
from tests.wires.fields import Field, Fields, Problem, problems
from tests.wires.pictures import Order, decoded
from tests.wires.wire import Call, Wire, picture_in

GENERATIONS, EDITS, MODELS = "/v1/images/generations", "/v1/images/edits", "/v1/models"
DIALECTS = ("openai", "vllm-omni", "sglang")

_COMMON: Fields = {
    "prompt": Field("string", required=True, most=32_000),
    "model": Field("string"),
    "n": Field("integer", least=1, most=10),
    "size": Field("string"),
    "user": Field("string"),
}
_OPENAI: Fields = {
    **_COMMON,
    "background": Field("string", choices=("transparent", "opaque", "auto")),
    "moderation": Field("string", choices=("low", "auto")),
    "output_compression": Field("integer", least=0, most=100),
    "output_format": Field("string", choices=("png", "jpeg", "webp")),
    "partial_images": Field("integer", least=0, most=3),
    "quality": Field("string", choices=("auto", "low", "medium", "high")),
    "stream": Field("boolean", choices=(False,)),
}
_DIFFUSION: Fields = {
    **_COMMON,
    "response_format": Field("string", choices=("b64_json",)),
    "output_format": Field("string", choices=("png", "jpeg", "webp")),
    "negative_prompt": Field("string"),
    "num_inference_steps": Field("integer", least=1, most=200),
    "guidance_scale": Field("number", least=0, most=20),
    "true_cfg_scale": Field("number", least=0, most=20),
    "seed": Field("integer"),
}
_FIELDS: Mapping[str, Fields] = {
    "openai": _OPENAI,
    "vllm-omni": {
        **_DIFFUSION,
        "lora": Field("object"),
        "extra_params": Field("object"),
        "generator_device": Field("string"),
    },
    "sglang": {**_DIFFUSION, "background": Field("string"), "output_quality": Field("string")},
}
_REFERENCE: Fields = {"image_url": Field("string"), "file_id": Field("string")}
_EDITS: Fields = {"input_fidelity": Field("string", choices=("high", "low"))}

_LONGEST = 3840
_TOKENS = {"low": 272, "medium": 1056, "high": 4160, "auto": 4160}  # of a square picture, by quality
_USD_A_TOKEN = 40 / 1_000_000

_ERRORS = {
    # https://developers.openai.com/docs/guides/error-codes: message; type and code as far as the page has them
    400: ("Invalid request.", "invalid_request_error", "invalid_value"),
    401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    402: ("Payment required.", "invalid_request_error", "billing_hard_limit_reached"),
    403: ("Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"),
    404: ("Invalid URL", "invalid_request_error", None),
    409: ("The resource was updated by another request.", "invalid_request_error", "conflict"),
    422: ("Unprocessable entity.", "invalid_request_error", None),
    429: ("Rate limit reached for images per minute.", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request.", "server_error", None),
    502: ("Bad gateway.", "server_error", None),
    503: ("The engine is currently overloaded, please try again later.", "server_error", "server_is_overloaded"),
    504: ("Gateway timeout.", "server_error", None),
}


class OpenAI(Wire):
    """OpenAI's images.

    Args:
        settings: as in `Wire`.
        dialect: one of `DIALECTS`. The two servers take a seed and a negative prompt, return the seed nowhere but where
            they document it, and want no key.
        honours_idempotency: whether a second request with the same `Idempotency-Key` gets the first one's response.
    """

    name = "openai"
    key_variable = "OPENAI_API_KEY"
    url_variable = "OPENAI_BASE_URL"

    def __init__(self, *, dialect: str = "openai", honours_idempotency: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        if dialect not in DIALECTS:
            raise ValueError(f"the dialect is one of {', '.join(DIALECTS)}, not {dialect!r}")
        self.dialect = dialect
        self.honours_idempotency = honours_idempotency
        self._kept: dict[str, tuple[threading.Lock, list[Reply]]] = {}

    def environment(self, base_url: str) -> dict[str, str]:
        """OPENAI_BASE_URL has the version in it, as OpenAI's own clients read it."""
        return super().environment(f"{base_url}/v1")

    def step_of(self, request: Request) -> str | None:
        """Everything happens within the one request."""
        if request.method == "POST":
            return "submit" if request.path in (GENERATIONS, EDITS) else None
        return "account" if request.method == "GET" and request.path == MODELS else None

    def respond(self, step: str, request: Request, fault: Fault | None) -> Reply:
        """One step."""
        given = request.headers["Authorization"]
        if given != f"Bearer {self.key}" and (self.dialect == "openai" or given):
            raise Refused(self.refusal(401))
        if step == "account":
            model = "gpt-image-2" if self.dialect == "openai" else "Qwen/Qwen-Image"
            return Reply.json(
                200, {"object": "list", "data": [{"id": model, "object": "model", "owned_by": "far-end"}]}
            )
        key = request.headers["Idempotency-Key"]
        if not (self.honours_idempotency and key):
            return self._picture(request)
        with self.lock:
            lock, kept = self._kept.setdefault(key, (threading.Lock(), []))
        with lock:
            kept.extend([] if kept else [self._picture(request)])
            return kept[0]

    def seed_of(self, request: Request) -> int | None:
        """Also of a form."""
        if request.media_type != "multipart/form-data":
            return super().seed_of(request)
        given = [value.decode() for name, _, value in _parts(request) if name == "seed"]
        return int(given[-1]) if given and given[-1].isdigit() else None

    def refusal(self, status: int, message: str = "") -> Reply:
        """`{"error": {message, type, param, code}}`."""
        text, kind, code = _ERRORS[status]
        return _error(status, message or text, kind, None, code)

    def _picture(self, request: Request) -> Reply:
        order, body = self._order(request)
        model = body.get("model") or "gpt-image-2"
        tokens = _TOKENS[body.get("quality") or "auto"] * max(1, order.width * order.height // 1_048_576)
        call = self.take(request, model=model, order=order, seed=body.get("seed"), inputs={}, usd=tokens * _USD_A_TOKEN)
        self.wait_for(call)
        number = call.submission.number
        if call.kind in ("policy", "moderated", "flagged"):
            return replace(_moderated(call), submission=number)
        if call.kind == "failed" or call.kind.isdigit():
            self.ledger.change(number, paid=False)
            return replace(self.refusal(int(call.kind) if call.kind.isdigit() else 500), submission=number)
        return Reply.json(200, self._body(call, body, tokens), {"x-request-id": f"req_{call.id}"}, submission=number)

    def _body(self, call: Call, asked: Mapping[str, Any], tokens: int) -> dict[str, Any]:
        """`created`, `data` with `b64_json`, and what the dialect adds."""
        file = call.file()
        wanted = 2 if call.kind == "two_pictures" else int(asked.get("n") or 1)
        pictures = [{"b64_json": base64.b64encode(file.data).decode()} for _ in range(wanted)]
        body: dict[str, Any] = {"created": int(self.now()), "data": pictures}
        if call.kind == "link_local":
            body["data"] = [{"url": call.to or "http://169.254.169.254/latest/meta-data/"}]
        if self.dialect != "openai":
            # vLLM-Omni and SGLang document no seed in the response; one that is there has to be the one asked for.
            if call.kind.startswith("seed_") or call.kind == "other_seed":
                body["seed"] = reported_seed(call.order.seed, call.kind)
            return body
        read = 194 * len(call.order.maps)
        written = int(reported_price(tokens, call.kind))
        return {
            **body,
            "background": "opaque",
            "output_format": call.order.format,
            "quality": asked.get("quality") or "high",
            "size": f"{file.width}x{file.height}",
            "usage": {
                "input_tokens": read + 20,
                "input_tokens_details": {"image_tokens": read, "text_tokens": 20},
                "output_tokens": written,
                "total_tokens": read + 20 + written,
            },
        }

    def _order(self, request: Request) -> tuple[Order, dict[str, Any]]:
        fields = _FIELDS[self.dialect]
        maps: list[bytes] = []
        if request.path == GENERATIONS:
            body = self._json(request, fields)
        elif request.media_type == "multipart/form-data":
            body, maps = self._multipart(request, {**fields, **_EDITS} if self.dialect == "openai" else fields)
        elif self.dialect == "openai":
            listed = Field("array", required=True, least=1, most=16, fields=_REFERENCE)
            body = self._json(
                request, {**fields, **_EDITS, "images": listed, "mask": Field("object", fields=_REFERENCE)}
            )
            maps = [self._reference(each) for each in body["images"]]
        else:
            raise Refused(self.refusal(422, "Field required: image"))
        self._check_model(body)
        width, height = self._size(body, maps)
        seed = body["seed"] if body.get("seed") is not None else random.Random().randrange(2**32)
        return Order(body["prompt"], seed, width, height, tuple(maps), body.get("output_format") or "png"), body

    def _json(self, request: Request, fields: Fields) -> dict[str, Any]:
        try:
            body = request.json()
        except ValueError:
            raise Refused(self.refusal(400, "We could not parse the JSON body of your request.")) from None
        self._check(body, fields)
        return dict(body)

    def _multipart(self, request: Request, fields: Fields) -> tuple[dict[str, Any], list[bytes]]:
        """Numbers and booleans are text in a form; the files are `image`, `image[]`, and `mask`."""
        body: dict[str, Any] = {}
        maps: list[bytes] = []
        for name, is_file, value in _parts(request):
            if name in ("image", "image[]") and is_file:
                maps.append(self._file(value))
            elif name in ("mask", "mask_image", "reference_image") and is_file:
                self._file(value)
            elif name == "url" and self.dialect == "vllm-omni":
                maps.append(self._data_uri(value.decode()))
            else:
                body[name] = _typed(value.decode(), fields.get(name))
        self._check(body, fields)
        if not maps:
            raise Refused(_error(400, "Missing required parameter: 'image'.", "invalid_request_error", "image", None))
        return body, maps

    def _check(self, body: object, fields: Fields) -> None:
        """The first problem, as OpenAI names it."""
        for problem in problems(body, fields):
            param = ".".join(map(str, problem.loc[1:])) or None
            if self.dialect != "openai":  # FastAPI's form
                raise Refused(Reply.json(422, {"detail": [each.to_json() for each in problems(body, fields)]}))
            raise Refused(_error(400, *_named(problem, param)))

    def _check_model(self, body: Mapping[str, Any]) -> None:
        model = body.get("model") or "gpt-image-2"
        if self.dialect == "openai" and not re.fullmatch(r"gpt-image-[\w.-]+", model):
            message = f"The model '{model}' does not exist."
            raise Refused(_error(404, message, "invalid_request_error", "model", "model_not_found"))

    def _reference(self, reference: Mapping[str, Any]) -> bytes:
        if not reference.get("image_url"):
            raise Refused(_error(400, "No such file.", "invalid_request_error", "images", "file_not_found"))
        return self._data_uri(reference["image_url"])

    def _data_uri(self, text: str) -> bytes:
        try:
            return picture_in(text)
        except ValueError as error:
            raise Refused(self._no_image(str(error))) from None

    def _file(self, data: bytes) -> bytes:
        try:
            decoded(data)
        except ValueError as error:
            raise Refused(self._no_image(str(error))) from None
        return data

    def _no_image(self, why: str) -> Reply:
        return _error(400, f"Invalid image file or mode: {why}", "invalid_request_error", "image", "invalid_image_file")

    def _size(self, body: Mapping[str, Any], maps: list[bytes]) -> tuple[int, int]:
        """`auto` or WxH in multiples of 16."""
        size = body.get("size") or "auto"
        if size == "auto":
            return decoded(maps[-1]).shape[1::-1] if maps else (1024, 1024)
        found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
        if not found or any(int(side) % 16 or int(side) > _LONGEST for side in found.groups()):
            message = f"Invalid value: '{size}'. Sizes are WIDTHxHEIGHT in multiples of 16, up to {_LONGEST}."
            raise Refused(_error(400, message, "invalid_request_error", "size", "invalid_value"))
        return int(found[1]), int(found[2])


def _error(status: int, message: str, kind: str, param: str | None, code: str | None) -> Reply:
    return Reply.json(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})


def _moderated(call: Call) -> Reply:
    """A refusal for the content of prompt or picture; its form is assumed."""
    message = (
        "Your request was rejected by the safety system. If you believe this is an error, contact us at help.openai.com"
        f" and include the request ID req_{call.id}. safety_violations=[sexual]."
    )
    return _error(400, message, "image_generation_user_error", None, "moderation_blocked")


def _named(problem: Problem, param: str | None) -> tuple[str, str, str | None, str | None]:
    """Message, type, param and code of a problem."""
    kind = "invalid_request_error"
    if problem.type == "extra_forbidden":
        return f"Unknown parameter: '{param}'.", kind, param, "unknown_parameter"
    if problem.type == "missing":
        return f"Missing required parameter: '{param}'.", kind, param, "missing_required_parameter"
    code = "invalid_type" if problem.type.endswith("_type") else "invalid_value"
    return f"Invalid {code.removeprefix('invalid_')} for '{param}': {problem.msg}.", kind, param, code


def _parts(request: Request) -> Iterator[tuple[str, bool, bytes]]:
    """Name, whether it is a file, and bytes of each part of a form (RFC 7578)."""
    boundary = str(request.headers.get_param("boundary", "")).encode()
    for part in (b"\r\n" + request.body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'[; ]name="([^"]*)"', head)
        if name:
            yield name[1].decode(), b"filename=" in head, value


def _typed(text: str, field: Field | None) -> object:
    """A form's text as the field's kind, where it is one."""
    kind = field.kind if field else "string"
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text)
    except ValueError:
        return text
    return {"true": True, "false": False}.get(text.lower(), text) if kind == "boolean" else text
