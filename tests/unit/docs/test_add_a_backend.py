"""The wire that `docs/how-to/add-a-backend.md` shows does what the page says."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

from posegen.backends.hosted import AcceptedCall, CannotTell, ControlMap, Failed, NotThere, Order, Refused, Waiting
from posegen.backends.protocol import Recipe
from posegen.backends.wires.catalogue import models_of
from posegen.backends.wires.http import Response, WireClient
from posegen.errors import CallUnknown
from posegen.poses.avatar import Avatar
from posegen.poses.library import LIBRARY
from tests.documents import page

(CODE,) = [block.text for block in page("docs/how-to/add-a-backend.md").blocks() if block.language == "python"]
URL = "https://api.replicate.com"
MODULE: Any = ModuleType("replicate_of_the_page")
sys.modules[MODULE.__name__] = MODULE  # dataclasses look their module up
exec(compile(CODE, "add-a-backend.md", "exec", dont_inherit=True), vars(MODULE))


@dataclass
class Client:
    """Returns the prepared responses, and notes what was sent."""

    responses: list[Any]
    sent: list[tuple[str, str, Any]] = field(default_factory=list)

    def send(self, method: str, url: str, *, once: bool = False, json: Any = None, **_: Any) -> Response:
        assert once is (method == "POST" and url.endswith("/predictions"))
        self.sent.append((method, url, json))
        return self.responses.pop(0)

    def is_own(self, url: str) -> bool:
        return url.startswith(URL)

    def raise_for_status(self, response: Response) -> None:
        WireClient.raise_for_status(None, response)  # type: ignore[arg-type]


def said(**body: Any) -> Response:
    return Response(200, {}, json.dumps(body).encode())


def wire(*responses: Response) -> Any:
    return MODULE.Replicate(replace(models_of("fal")[0], model="owner/model"), Client(list(responses)), None, URL)


@pytest.fixture
def order() -> Order:
    pose = LIBRARY[0]
    recipe = Recipe("replicate", "1", pose.specification, pose.slug, Avatar(), "a woman", 7)
    return Order(uuid4(), recipe, ControlMap(b"png", "openpose", "0" * 64))


def call(accepted: Any) -> AcceptedCall:
    return AcceptedCall(uuid4(), accepted.far_id, accepted.urls)


def test_a_submit_uses_own_urls_only(order):
    backend = wire(said(id="p1", urls={"get": "https://elsewhere.example/p1", "cancel": f"{URL}/stop/p1"}))

    accepted = backend.submit(order)

    assert accepted.urls == {"get": f"{URL}/v1/predictions/p1", "cancel": f"{URL}/stop/p1"}
    (method, url, body) = backend.client.sent[0]
    assert (method, url) == ("POST", f"{URL}/v1/models/owner/model/predictions")
    assert body["input"]["control_image"] == "data:image/png;base64,cG5n"


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ({"status": "starting"}, Waiting()),
        ({"status": "failed", "error": "NSFW content detected"}, Refused),
        ({"status": "canceled"}, True),
        ({"status": "aborted"}, False),
        ({"status": "succeeded", "output": None}, CallUnknown),
        ({"status": "exploded"}, CallUnknown),
    ],
)
def test_a_look_says_what_became_of_a_prediction(order, prediction, expected):
    backend = wire(said(id="p1"), said(**prediction))
    accepted = call(backend.submit(order))
    if expected is CallUnknown:
        with pytest.raises(CallUnknown):
            backend.look(accepted)
        return
    seen = backend.look(accepted)
    if isinstance(expected, bool):
        assert isinstance(seen, Failed)
        assert seen.billed is expected
    else:
        assert isinstance(seen, expected) if isinstance(expected, type) else seen == expected


def test_a_lost_submit_is_found_by_its_inputs(order):
    inputs = wire()._input(order)
    listed = [{"id": "other", "input": {}}, {"id": "known", "input": inputs}, {"id": "p9", "input": inputs}]

    assert wire(said(results=listed)).find(order, frozenset(["known"])).far_id == "p9"
    assert isinstance(wire(said(results=[])).find(replace(order, age=1.0), frozenset()), CannotTell)
    assert isinstance(wire(said(results=[])).find(replace(order, age=90.0), frozenset()), NotThere)
