"""The wire of fal: a durable queue. An order is submitted, looked at, and its file is read from fal's media host.

Source: fal's documentation of the queue, of cancelling, of the list of requests, and of each model's input. The router
of Hugging Face passes the same queue on; what differs there is a parameter of `Fal`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from posegen.backends.description import Description
from posegen.backends.hosted import (
    Accepted,
    AcceptedCall,
    CannotTell,
    Delivered,
    Failed,
    NotThere,
    Order,
    Refused,
    Waiting,
)
from posegen.backends.wires.files import FileGone, read_file, seed_in
from posegen.backends.wires.http import Response, WireClient
from posegen.error_codes import ErrorCode
from posegen.errors import CallUnknown
from posegen.fetching.fetcher import Fetcher

QUEUE_URL = "https://queue.fal.run"
LIST_URL = "https://api.fal.ai"
MEDIA_HOSTS = ("fal.media", "fal.ai", "fal.run")

_KEPT_SECONDS = 3600
_LONGEST_LIST = 30_000_000
_CONTROL_UNION = "Shakker-Labs/FLUX.1-dev-ControlNet-Union-Pro"
_POLICY = "content_policy_violation"
_ENDED_BEFORE = timedelta(days=2)
_PAGE = 100
_CANCELLED = 499
_MOST_PAGES = 20
_NO_SUCH_REQUEST = (400, 404, 422)


def flux_general(order: Order, scale: float) -> dict[str, Any]:
    """FLUX.1-dev with a union ControlNet, as `fal-ai/flux-general` takes it."""
    given = _common(order)
    if order.control is not None:
        control = {
            "control_image_url": _data_uri(order.control.data),
            "control_mode": "pose" if order.control.kind == "openpose" else order.control.kind,
            "conditioning_scale": scale,
            **_given(start_percentage=order.recipe.control_start, end_percentage=order.recipe.control_end),
        }
        given["controlnet_unions"] = [{"path": _CONTROL_UNION, "controls": [control]}]
    if order.recipe.negative_prompt is not None:
        given |= {"negative_prompt": order.recipe.negative_prompt, "use_real_cfg": True}
    return given | _given(num_inference_steps=order.recipe.steps, guidance_scale=order.recipe.guidance)


def z_image(order: Order, scale: float) -> dict[str, Any]:
    """Z-Image-Turbo with a ControlNet, as `fal-ai/z-image/turbo/controlnet` takes it."""
    given = _common(order)
    if order.control is not None:
        given |= {"image_url": _data_uri(order.control.data), "preprocess": "none", "control_scale": scale}
        given |= _given(control_start=order.recipe.control_start, control_end=order.recipe.control_end)
    return given | _given(num_inference_steps=order.recipe.steps)


def kontext(order: Order, scale: float) -> dict[str, Any]:  # noqa: ARG001 - a reference image has no scale
    """FLUX.1 Kontext, as `fal-ai/flux-kontext/dev` takes it: the picture has the size of its reference image."""
    given = _unsized(order)
    if order.control is not None:
        given |= {"image_url": _data_uri(order.control.data), "resolution_mode": "match_input"}
    return given | _given(num_inference_steps=order.recipe.steps, guidance_scale=order.recipe.guidance)


def _given(**fields: float | None) -> dict[str, float]:
    """The fields that have a value; without one the model has its own."""
    return {name: value for name, value in fields.items() if value is not None}


def _common(order: Order) -> dict[str, Any]:
    recipe = order.recipe
    return {**_unsized(order), "image_size": {"width": recipe.width, "height": recipe.height}}


def _unsized(order: Order) -> dict[str, Any]:
    return {
        "prompt": order.recipe.prompt,
        "seed": order.recipe.seed,
        "num_images": 1,
        "output_format": "png",
        "enable_safety_checker": True,
    }


INPUTS: Mapping[str, Callable[[Order, float], dict[str, Any]]] = {
    "fal-ai/flux-general": flux_general,
    "fal-ai/z-image/turbo/controlnet": z_image,
    "fal-ai/flux-kontext/dev": kontext,
}
"""How each model takes an order; the second argument is the control scale."""


@dataclass(frozen=True)
class Fal:
    """One model behind fal's queue; see `posegen.backends.hosted.HostedBackend`.

    Attributes:
        description: of the backend.
        client: sends requests to the queue and the list.
        files: fetches pictures from fal's media hosts.
        queue_url: where the queue is.
        list_url: where the list of ended requests is; None where our key does not read it.
        call_seconds: after which a call is overdue. A call may wait for 0.4 of it to be started, and run for 0.4.
        query: that every URL of the queue ends in, such as `?_subdomain=queue`.
        account_url: a free page that needs the key; None where the queue itself tells a wrong key from an unknown id.
    """

    description: Description
    client: WireClient
    files: Fetcher
    queue_url: str
    list_url: str | None
    call_seconds: float
    query: str = ""
    account_url: str | None = None

    def submit(self, order: Order) -> Accepted:
        response = self.client.send(
            "POST",
            f"{self.queue_url}/{self.description.model}{self.query}",
            once=True,
            json=self._input(order),
            headers={
                # Their own repeats would be calls that no row knows of.
                "x-fal-no-retry": "1",
                "X-Fal-Request-Timeout": f"{self._queue_seconds:g}",
                "X-Fal-Object-Lifecycle-Preference": f'{{"expiration_duration_seconds": {_KEPT_SECONDS}}}',
            },
        )
        self.client.raise_for_status(response)
        accepted = response.json()
        far_id = accepted.get("request_id")
        if not isinstance(far_id, str) or not far_id:
            raise CallUnknown(f"The response to the submit has no request_id: {response.shown()}")
        named = {name: accepted.get(f"{name}_url") for name in ("status", "response", "cancel")}
        urls = {name: url for name, url in named.items() if isinstance(url, str) and self.client.is_own(url)}
        return Accepted(far_id, self._urls(far_id) | urls, kept_seconds=_KEPT_SECONDS)

    def look(self, call: AcceptedCall) -> Waiting | Delivered | Refused | Failed:
        status = self.client.send("GET", call.urls["status"])
        if status.status == 404:
            return Failed(f"fal does not know the request {call.far_id} any more.", billed=True)
        self.client.raise_for_status(status)
        state = status.json()
        if state.get("request_id") not in (None, call.far_id):
            raise CallUnknown(f"The status is that of the request {state.get('request_id')}, not of {call.far_id}.")
        if state.get("status") != "COMPLETED":
            position = state.get("queue_position")
            return Waiting(position if isinstance(position, int) else None)
        response = self.client.send("GET", call.urls["response"], once=True)
        if (refused := _refusal(response)) is not None:
            return refused
        if response.status == 404:
            return Failed("fal does not have the result any more.", billed=True)
        if response.status == _CANCELLED or (response.status >= 500 and state.get("error_type")):
            # Not billed, by fal's page on errors of requests.
            return Failed(f"fal ended the request with {response.status}: {response.shown()}")
        self.client.raise_for_status(response)
        try:
            return self._delivered(response.json(), state)
        except FileGone as gone:
            return Failed(str(gone), billed=True)

    def find(self, order: Order, recorded: frozenset[str]) -> Accepted | NotThere | CannotTell:
        if order.sent_at is None:
            return NotThere()
        if self.list_url is None:
            return CannotTell()
        wanted = self._input(order)
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._listed(order, cursor)
            for item in page.get("items") or ():
                far_id = item.get("request_id") if isinstance(item, dict) else None
                if isinstance(far_id, str) and far_id not in recorded and _is_same(item.get("json_input"), wanted):
                    return Accepted(far_id, self._urls(far_id), kept_seconds=_KEPT_SECONDS)
            cursor = page.get("next_cursor")
            if not cursor:
                # The list has ended requests only: one that is not on it may still wait or run.
                return NotThere() if order.age >= 2 * self._queue_seconds else CannotTell()
        return CannotTell()

    def cancel(self, call: AcceptedCall) -> bool:
        response = self.client.send("PUT", call.urls["cancel"])
        # 202 only asks the runner to stop, which may finish and be billed; 400 and 404: it has ended.
        if response.status in (202, 400, 404):
            return False
        self.client.raise_for_status(response)
        return True

    def check_key(self) -> bool:
        if self.account_url is None:
            self.client.check_key(self._urls(str(uuid4()))["status"], good=_NO_SUCH_REQUEST)
        else:
            self.client.check_key(self.account_url)
        return True

    def abort(self) -> None:
        self.client.abort()

    def close(self) -> None:
        self.client.close()

    @property
    def _queue_seconds(self) -> float:
        return max(1.0, round(0.4 * self.call_seconds))

    def _input(self, order: Order) -> dict[str, Any]:
        scale = self.description.recommended_scale * order.recipe.control_weight
        return INPUTS[self.description.model](order, scale)

    def _urls(self, far_id: str) -> dict[str, str]:
        """For a request whose own URLs are not known or not ours: these paths have the owner and the app only."""
        app = "/".join(self.description.model.split("/")[:2])
        url = f"{self.queue_url}/{app}/requests/{far_id}"
        paths = {"status": f"{url}/status", "response": url, "cancel": f"{url}/cancel"}
        return {name: path + self.query for name, path in paths.items()}

    def _listed(self, order: Order, cursor: str | None) -> dict[str, Any]:
        assert order.sent_at is not None, "only a call that was sent is searched for"
        asked = {
            "endpoint_id": self.description.model,
            # Wide, because the far end's clock may be another one.
            "start": (order.sent_at - _ENDED_BEFORE).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "expand": "payloads",
            "limit": _PAGE,
        }
        query = urlencode(asked | ({"cursor": cursor} if cursor else {}))
        response = self.client.send(
            "GET", f"{self.list_url}/v1/models/requests/by-endpoint?{query}", most_bytes=_LONGEST_LIST
        )
        self.client.raise_for_status(response)
        return response.json()

    def _delivered(self, result: Mapping[str, Any], state: Mapping[str, Any]) -> Delivered:
        images = result.get("images")
        image = images[0] if isinstance(images, list) and images else None
        url = image.get("url") if isinstance(image, dict) else None
        if not isinstance(url, str):
            raise CallUnknown("The result names no picture.")
        flags = result.get("has_nsfw_concepts")
        seed, facts = seed_in(result)
        return Delivered(
            read_file(self.files, url),
            seed=seed,
            flagged=isinstance(flags, list) and any(flag is True for flag in flags),
            facts={
                "host": urlsplit(url).hostname,
                "timings": result.get("timings"),
                "metrics": state.get("metrics"),
                **facts,
            },
        )


def _refusal(response: Response) -> Refused | None:
    """What 422 means: the model's own validation, or its content policy."""
    if response.status != 422:
        return None
    detail = response.json().get("detail")
    problems = detail if isinstance(detail, list) else []
    against_policy = any(isinstance(each, dict) and each.get("type") == _POLICY for each in problems)
    code = ErrorCode.INAPPROPRIATE_PROMPT if against_policy else ErrorCode.BACKEND_REJECTED
    return Refused(code, f"fal refuses the order: {response.shown()}")


def _is_same(found: Any, wanted: Mapping[str, Any]) -> bool:
    """Whether a listed input is ours. The list may add defaults, so only what we have sent is compared."""
    return isinstance(found, dict) and all(found.get(name) == value for name, value in wanted.items())


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
