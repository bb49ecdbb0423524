"""The wire of Black Forest Labs: an order is submitted and polled, and its file is read from a URL that soon expires.

Source: BFL's API reference of each model, of `get_result` and of the credits, its page on errors and states, and its
integration guide.
There is no list of requests, no cancelling and no idempotency key.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from posegen.backends.description import Description
from posegen.backends.hosted import (
    Accepted,
    AcceptedCall,
    Bill,
    CannotTell,
    Delivered,
    Failed,
    Order,
    Refused,
    Waiting,
)
from posegen.backends.wires.files import FileGone, read_file, seed_in
from posegen.backends.wires.http import WireClient
from posegen.error_codes import ErrorCode
from posegen.errors import BackendRejected, CallUnknown
from posegen.fetching.fetcher import Fetcher

BASE_URL = "https://api.bfl.ai"
DOMAIN = "bfl.ai"
"""Polling URLs and files lie on regional hosts of it."""

_FILE_SECONDS = 600
_CREDITS_A_DOLLAR = 100
_MOST_CREDITS = 10_000
# These two rewrite the prompt unless that is turned off; the others do not have the field.
_REWRITING = ("flux-2-flex", "flux-2-max")
_MODERATED = ("Request Moderated", "Content Moderated")
_UNKNOWN_ID = "Task not found"


@dataclass(frozen=True)
class Bfl:
    """One model of BFL's; see `posegen.backends.hosted.HostedBackend`.

    Attributes:
        description: of the backend.
        client: sends requests to the API.
        files: fetches pictures from BFL's hosts.
        base_url: of the API, without its version.
    """

    description: Description
    client: WireClient
    files: Fetcher
    base_url: str

    def submit(self, order: Order) -> Accepted:
        response = self.client.send(
            "POST", f"{self.base_url}/v1/{self.description.model}", once=True, json=self._input(order)
        )
        self.client.raise_for_status(response)
        accepted = response.json()
        far_id, polling_url = accepted.get("id"), accepted.get("polling_url")
        if not isinstance(far_id, str) or not far_id:
            raise CallUnknown(f"The response to the submit has no id: {response.shown()}")
        if not isinstance(polling_url, str) or not self.client.is_own(polling_url):
            polling_url = f"{self.base_url}/v1/get_result?{urlencode({'id': far_id})}"
        return Accepted(far_id, {"polling": polling_url}, _bill(accepted.get("cost")), kept_seconds=_FILE_SECONDS)

    def look(self, call: AcceptedCall) -> Waiting | Delivered | Refused | Failed:
        response = self.client.send("GET", call.urls["polling"])
        if response.status == 404:
            return Failed(f"BFL does not know the task {call.far_id} any more.", billed=True)
        self.client.raise_for_status(response)
        task = response.json()
        status = task.get("status")
        if status == "Pending":
            return Waiting()
        if status in _MODERATED:
            return Refused(ErrorCode.INAPPROPRIATE_PROMPT, f"BFL refuses the order: {status}. {_reasons(task)}".strip())
        if status == _UNKNOWN_ID:
            return Failed(f"BFL does not know the task {call.far_id} any more.", billed=True)
        if status == "Error":
            return Failed(f"BFL ended the task with an error: {response.shown()}")
        if status != "Ready":
            raise CallUnknown(f"The response to the poll has no known status: {response.shown()}")
        try:
            return self._delivered(task)
        except FileGone as gone:
            return Failed(str(gone), billed=True)

    def find(self, order: Order, recorded: frozenset[str]) -> CannotTell:  # noqa: ARG002 - there is no list
        return CannotTell()

    def cancel(self, call: AcceptedCall) -> bool:  # noqa: ARG002 - there is no cancelling
        return False

    def check_key(self) -> bool:
        self.client.check_key(f"{self.base_url}/v1/credits")
        return True

    def abort(self) -> None:
        self.client.abort()

    def close(self) -> None:
        self.client.close()

    def _input(self, order: Order) -> dict[str, Any]:
        recipe, multiple = order.recipe, self.description.capabilities.side_multiple
        if recipe.width % multiple or recipe.height % multiple:
            raise BackendRejected(
                f"{self.description.model} makes sides in multiples of {multiple} pixels, not "
                f"{recipe.width}x{recipe.height}: ask for another size."
            )
        given = {
            "prompt": recipe.prompt,
            "seed": recipe.seed,
            "width": recipe.width,
            "height": recipe.height,
            "output_format": "png",
        }
        if order.control is not None:
            given["input_image"] = base64.b64encode(order.control.data).decode()
        if self.description.model in _REWRITING:
            given["prompt_upsampling"] = False
        return given

    def _delivered(self, task: Mapping[str, Any]) -> Delivered:
        result = task.get("result")
        url = result.get("sample") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(url, str):
            raise CallUnknown("The result names no picture.")
        seed, facts = seed_in(result)
        return Delivered(
            read_file(self.files, url),
            seed=seed,
            facts={"host": urlsplit(url).hostname, "duration": result.get("duration"), **facts},
        )


def _bill(cost: object) -> Bill | None:
    """The cost in credits as a bill; None for one that no price list can have, such as zero or a negative one."""
    if not isinstance(cost, int | float) or isinstance(cost, bool) or not 0 < cost < _MOST_CREDITS:
        return None
    return Bill(Decimal(str(cost)) / _CREDITS_A_DOLLAR, "response")


def _reasons(task: Mapping[str, Any]) -> str:
    details = task.get("details")
    reasons = details.get("Moderation Reasons") if isinstance(details, dict) else None
    return ", ".join(map(str, reasons)) if isinstance(reasons, list) else ""
