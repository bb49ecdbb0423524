"""No body makes a far end fail: each is taken, or refused in the maker's form."""

from __future__ import annotations

import itertools
import json
from email.message import Message

import pytest

from tests.wires import bfl, fal_models, huggingface, openai
from tests.wires.exchange import Refused, Request
from tests.wires.fal import Fal

VALUES = [None, 0, -1, 1.5, 2**70, True, "", "x", "data:image/png;base64,AAAA", [], [None], [{}], ["x"], {}, {"a": 1}]
WHOLE = [*VALUES, {"prompt": "x"}, {"inputs": "x"}, {"inputs": "x", "parameters": None}]

WIRES = {
    "fal": (Fal, {f"/{name}": model.fields for name, model in fal_models.MODELS.items()}),
    "bfl": (bfl.Bfl, {f"/v1/{name}": fields for name, (fields, *_) in bfl.MODELS.items()}),
    "huggingface": (huggingface.HuggingFace, {huggingface.ENDPOINT: huggingface.TEXT_TO_IMAGE}),
    "openai": (
        openai.OpenAI,
        {path: {**openai._OPENAI, "images": None} for path in (openai.GENERATIONS, openai.EDITS)},
    ),
}
KEYS = {"fal": ("Authorization", "Key {}"), "bfl": ("x-key", "{}")}


def request(wire, path, body):
    headers = Message()
    name, form = KEYS.get(wire.name, ("Authorization", "Bearer {}"))
    headers[name] = form.format(wire.key)
    headers["Content-Type"] = "application/json"
    headers["Host"] = "127.0.0.1:1"
    return Request("POST", path, {}, headers, json.dumps(body).encode())


@pytest.mark.parametrize("name", WIRES)
def test_a_body_is_taken_or_refused(name):
    make, paths = WIRES[name]
    wire = make(seconds=0)
    for path, fields in paths.items():
        changed = [{"prompt": "x", field: value} for field, value in itertools.product(fields, VALUES)]
        if name == "huggingface":
            changed = [{"inputs": "x", "parameters": parameters} for parameters in (*changed, *VALUES)]
        for body in [*WHOLE, *changed]:
            asked = request(wire, path, body)
            step = wire.step_of(asked)
            try:
                wire.seed_of(asked)
                status = wire.respond(step, asked, None).status
            except Refused as refused:
                status = refused.reply.status
            assert step == "submit"
            assert status in (200, 400, 404, 422, 429), body
