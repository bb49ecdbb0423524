"""What is particular to one wire; what all of them promise is in `tests/contracts/test_wires.py`."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest

from posegen.backends.hosted import AcceptedCall, ControlMap, Delivered, HostedBackend, Order
from posegen.backends.protocol import Recipe
from posegen.backends.registry import Backends
from posegen.backends.wires import fal, http
from posegen.backends.wires.catalogue import models_of
from posegen.backends.wires.http import Response
from posegen.error_codes import ErrorCode
from posegen.errors import AccountRefused, BackendRejected, CallUnknown
from posegen.images.validation import open_image
from posegen.poses.avatar import Avatar
from posegen.poses.library import LIBRARY
from posegen.settings import Settings
from tests.control_map_files import data_uri, map_file
from tests.wires.far_end import FarEnd

SIDE = 256


@contextmanager
def opened(far_end: FarEnd, name: str, **settings: object) -> Iterator[HostedBackend]:
    backends = Backends.of(Settings(**{**_settings(far_end), "posegen_backend_seconds": 10.0, **settings}))
    yield backends.open_hosted(name)
    backends.close()


def _settings(far_end: FarEnd) -> dict[str, str]:
    return {name.lower(): value for name, value in far_end.environment().items()}


def order_for(backend: HostedBackend, *, control: bool = True, **recipe: object) -> Order:
    description, pose = backend.description, LIBRARY[0]
    given = {
        "prompt": "a woman in a red coat",
        "seed": 7,
        "width": SIDE,
        "height": SIDE,
        "model": description.model,
        **recipe,
    }
    made = Recipe(description.name, description.version, pose.specification, pose.slug, Avatar(), **given)
    return Order(uuid4(), made, ControlMap(map_file(), "openpose", "0" * 64) if control else None)


def map_uri() -> str:
    return data_uri(map_file())


def pixels_at(uri: str) -> bytes:
    return open_image(base64.b64decode(uri.partition(",")[2])).tobytes()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The bodies of all requests."""
    bodies: list[dict[str, object]] = []
    send = http.WireClient.send

    def noted(self, method, url, **more):
        bodies.append({"url": url, **{name: more[name] for name in ("json", "data", "headers") if name in more}})
        return send(self, method, url, **more)

    monkeypatch.setattr(http.WireClient, "send", noted)
    return bodies


# --- fal --------------------------------------------------------------------------------------------------------------


def test_flux_is_sent_the_negative_prompt_the_scale_and_the_span(sent):
    with FarEnd.fal(seconds=0) as far_end, opened(far_end, "fal") as backend:
        order = order_for(
            backend,
            negative_prompt="hats",
            control_weight=0.5,
            control_start=0.1,
            control_end=0.6,
            steps=12,
            guidance=3.0,
        )
        backend.submit(order)

        given = sent[0]["json"]
        (control,) = given["controlnet_unions"][0]["controls"]
        assert (control["conditioning_scale"], control["control_mode"]) == (0.35, "pose")
        assert (control["start_percentage"], control["end_percentage"]) == (0.1, 0.6)
        assert (given["negative_prompt"], given["use_real_cfg"]) == ("hats", True)
        assert (given["num_inference_steps"], given["guidance_scale"]) == (12, 3.0)
        assert pixels_at(control["control_image_url"]) == pixels_at(map_uri())
        # The far end refuses what the maker does not document.
        assert len(far_end.ledger.submissions()) == 1


def test_flux_is_sent_nothing_that_was_not_asked_for(sent):
    with FarEnd.fal(seconds=0) as far_end, opened(far_end, "fal") as backend:
        backend.submit(order_for(backend))

        given = sent[0]["json"]
        assert {"negative_prompt", "use_real_cfg", "num_inference_steps", "guidance_scale"}.isdisjoint(given)
        assert {"start_percentage", "end_percentage"}.isdisjoint(given["controlnet_unions"][0]["controls"][0])
        assert far_end.ledger.submissions()[0].control != ""


def test_z_image_has_its_own_names_for_the_span(sent):
    with FarEnd.fal(seconds=0) as far_end, opened(far_end, "fal") as backend:
        model = "fal-ai/z-image/turbo/controlnet"
        backend = replace(backend, description=replace(backend.description, model=model, recommended_scale=0.75))
        backend.submit(order_for(backend, control_weight=0.5, control_start=0.1, control_end=0.6, steps=8))

        given = sent[0]["json"]
        assert (given["control_scale"], given["control_start"], given["control_end"]) == (0.375, 0.1, 0.6)
        assert given["num_inference_steps"] == 8
        assert pixels_at(given["image_url"]) == pixels_at(map_uri())
        assert len(far_end.ledger.submissions()) == 1


# --- Black Forest Labs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["flux-2-klein-4b", "flux-2-pro", "flux-2-max", "flux-2-flex"])
def test_bfl_never_rewrites_the_prompt(sent, model):
    with FarEnd.bfl(seconds=0) as far_end, opened(far_end, "bfl") as backend:
        backend = replace(backend, description=replace(backend.description, model=model))

        backend.submit(order_for(backend))

        rewrites = model in ("flux-2-max", "flux-2-flex")
        assert sent[0]["json"].get("prompt_upsampling", "left out") == (False if rewrites else "left out")
        assert far_end.ledger.submissions()[0].prompt == "a woman in a red coat"


def test_bfl_bills_what_the_response_says():
    with FarEnd.bfl(seconds=0) as far_end, opened(far_end, "bfl") as backend:
        accepted = backend.submit(order_for(backend))

        # One megapixel made, and one of the reference.
        assert accepted.bill.usd == backend.description.price
        assert float(accepted.bill.usd) == far_end.ledger.submissions()[0].usd
        assert accepted.kept_seconds == 600


def test_bfl_is_not_asked_for_a_size_that_it_does_not_make(sent):
    with FarEnd.bfl(seconds=0) as far_end, opened(far_end, "bfl") as backend:
        with pytest.raises(BackendRejected, match="multiples of 16 pixels, not 250x256"):
            backend.submit(order_for(backend, width=250))
        assert sent == []


# --- Hugging Face -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("urls_of", ["fal", "router"])
def test_everything_goes_through_the_router(sent, urls_of):
    with FarEnd.huggingface(seconds=0, urls_of=urls_of) as far_end, opened(far_end, "huggingface") as backend:
        order = order_for(backend)
        accepted = backend.submit(order)
        call = AcceptedCall(order.call, accepted.far_id, accepted.urls)

        assert isinstance(backend.look(call), Delivered)
        assert backend.cancel(call) is False
        door = f"{far_end.base_url}/fal-ai/fal-ai/flux-kontext"
        assert all(each["url"].startswith(door) and each["url"].endswith("?_subdomain=queue") for each in sent)


def test_a_refused_token_is_named_by_the_variable_that_it_came_from(monkeypatch):
    with FarEnd.huggingface(seconds=0) as far_end:
        monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
        monkeypatch.setenv("HUGGINGFACE_BASE_URL", far_end.base_url)
        backends = Backends.of(Settings())
        backend = backends.open_hosted("huggingface")

        with pytest.raises(AccountRefused, match="Check HF_TOKEN") as refused:
            backend.submit(order_for(backend))
        assert refused.value.variable == "HF_TOKEN"
        assert "hf_of_somebody_else" not in str(refused.value)
        backends.close()


def test_an_endpoint_takes_the_map_where_its_handler_wants_it(sent):
    with FarEnd.huggingface(seconds=0) as far_end:
        url = f"{far_end.base_url}/endpoint"
        for control in ("control_image", "inputs"):
            with opened(
                far_end, "huggingface-endpoint", huggingface_endpoint_url=url, huggingface_endpoint_control=control
            ) as backend:
                order = order_for(
                    backend, negative_prompt="blurred", control_weight=0.5, control_start=0.1, control_end=0.6
                )
                delivered = backend.submit(order)
                assert isinstance(delivered, Delivered)

        as_parameter, as_input = (each["json"] for each in sent)
        assert as_parameter["parameters"]["controlnet_conditioning_scale"] == 0.5
        assert as_parameter["parameters"]["control_guidance_start"] == 0.1
        assert as_parameter["parameters"]["control_guidance_end"] == 0.6
        assert not [name for name in as_input["parameters"] if name.startswith("control")]
        assert as_parameter["inputs"] == as_input["parameters"]["prompt"] == "a woman in a red coat"
        assert as_input["inputs"] == as_parameter["parameters"]["control_image"]
        assert as_input["parameters"]["target_size"] == {"width": SIDE, "height": SIDE}
        assert [each["parameters"]["negative_prompt"] for each in (as_parameter, as_input)] == ["blurred"] * 2
        assert [each.control != "" for each in far_end.ledger.submissions()] == [True, True]


def test_an_endpoint_draws_without_a_map():
    with FarEnd.huggingface(seconds=0) as far_end:
        url = f"{far_end.base_url}/endpoint"
        with opened(far_end, "huggingface-endpoint", huggingface_endpoint_url=url) as backend:
            assert isinstance(backend.submit(order_for(backend, control=False)), Delivered)


def test_an_endpoint_that_returns_a_page_has_delivered_nothing():
    with FarEnd.huggingface(seconds=0) as far_end:
        far_end.faults.add("wrong_type", "submit")
        url = f"{far_end.base_url}/endpoint"
        with (
            opened(far_end, "huggingface-endpoint", huggingface_endpoint_url=url) as backend,
            pytest.raises(CallUnknown, match="text/html"),
        ):
            backend.submit(order_for(backend))


# --- OpenAI and compatible servers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("control", [True, False])
def test_openai_is_sent_neither_seed_nor_negative_prompt(sent, control):
    with FarEnd.openai(seconds=0) as far_end, opened(far_end, "openai") as backend:
        order = order_for(backend, control=control, negative_prompt="blurred")
        delivered = backend.submit(order)

        fields = sent[0]["data" if control else "json"]
        assert {"seed", "negative_prompt"}.isdisjoint(fields)
        assert delivered.seed is None
        assert delivered.bill is None
        assert delivered.facts["usage"]["output_tokens"] == 1056
        assert json.dumps(delivered.facts)
        assert far_end.ledger.submissions()[0].our_id == str(order.call)
        assert (far_end.ledger.submissions()[0].control != "") is control
        assert float(backend.description.price) == pytest.approx(far_end.ledger.submissions()[0].usd, rel=0.02)


@pytest.mark.parametrize("control", [True, False])
@pytest.mark.parametrize("dialect", ["vllm-omni", "sglang"])
def test_a_compatible_server_is_sent_both(dialect, control, sent):
    with (
        FarEnd.openai(seconds=0, dialect=dialect) as far_end,
        opened(far_end, "openai", openai_image_model="Qwen/Qwen-Image-Edit-2511") as backend,
    ):
        delivered = backend.submit(order_for(backend, control=control, negative_prompt="blurred"))

        fields = sent[0]["data" if control else "json"]
        assert fields["negative_prompt"] == "blurred"
        assert isinstance(delivered, Delivered)
        assert delivered.seed is None
        (submission,) = far_end.ledger.submissions()
        assert (submission.seed, submission.model) == (7, "Qwen/Qwen-Image-Edit-2511")


@pytest.mark.parametrize(("fault", "seed"), [("other_seed", 8), ("seed_string", None)])
def test_a_seed_that_a_compatible_server_returns_is_passed_on(fault, seed):
    with (
        FarEnd.openai(seconds=0, dialect="sglang") as far_end,
        opened(far_end, "openai", openai_image_model="a-model") as backend,
    ):
        far_end.faults.add(fault)
        assert backend.submit(order_for(backend)).seed == seed


@pytest.mark.parametrize("honours", [True, False])
def test_a_lost_call_is_sent_again_only_to_a_server_that_is_said_to_honour_the_key(honours):
    with (
        FarEnd.openai(seconds=0, honours_idempotency=honours) as far_end,
        opened(far_end, "openai", openai_honours_idempotency=honours) as backend,
    ):
        order = order_for(backend)
        far_end.faults.add("lost", "submit")
        with pytest.raises(CallUnknown):
            backend.submit(order)

        assert backend.description.resend_is_safe is honours
        if honours:
            assert isinstance(backend.submit(order), Delivered)
        assert len(far_end.ledger.submissions()) == 1


def test_a_model_that_openai_does_not_have_names_the_setting():
    with FarEnd.openai(seconds=0) as far_end, opened(far_end, "openai") as backend:
        backend = replace(backend, description=replace(backend.description, model="dall-e-9"))
        with pytest.raises(BackendRejected, match="set OPENAI_IMAGE_MODEL"):
            backend.submit(order_for(backend))


@pytest.mark.parametrize(
    ("status", "code"), [(429, "insufficient_quota"), (400, "billing_hard_limit_reached"), (402, None)]
)
def test_an_account_without_money_is_named_whatever_the_status(monkeypatch, status, code):
    with FarEnd.openai(seconds=0) as far_end, opened(far_end, "openai") as backend:
        body = json.dumps({"error": {"message": "You exceeded your quota.", "code": code}}).encode()
        monkeypatch.setattr(http.WireClient, "send", lambda *_, **__: Response(status, {}, body))

        with pytest.raises(AccountRefused, match="You exceeded your quota"):
            backend.submit(order_for(backend))


def test_an_error_without_a_body_of_openais_has_the_meaning_of_its_status(monkeypatch):
    with FarEnd.openai(seconds=0) as far_end, opened(far_end, "openai") as backend:
        for body in (b"no JSON", b'{"error": "words"}', b"[]", b'{"error": {"code": {}}}'):
            monkeypatch.setattr(http.WireClient, "send", lambda *_, body=body, **__: Response(400, {}, body))
            with pytest.raises(BackendRejected) as refused:
                backend.submit(order_for(backend))
            assert refused.value.code is ErrorCode.BACKEND_REJECTED


@pytest.mark.parametrize("data", [[], [7], [{}], [{"b64_json": 7}], [{"b64_json": "no base64!"}], {}, None])
def test_a_response_of_openai_without_a_picture_is_unknown(monkeypatch, data):
    with FarEnd.openai(seconds=0) as far_end, opened(far_end, "openai") as backend:
        body = json.dumps({"data": data}).encode()
        monkeypatch.setattr(http.WireClient, "send", lambda *_, **__: Response(200, {}, body))
        with pytest.raises(CallUnknown):
            backend.submit(order_for(backend))


def test_a_refusal_of_a_compatible_server_does_not_repeat_the_prompt():
    with (
        FarEnd.openai(seconds=0, dialect="vllm-omni") as far_end,
        opened(far_end, "openai", openai_image_model="a-model") as backend,
    ):
        order = order_for(backend, prompt="a secret prompt" * 3000)
        with pytest.raises(BackendRejected) as refused:
            backend.submit(order)

        assert "422" in str(refused.value)
        assert "secret" not in str(refused.value)


# --- all of them ------------------------------------------------------------------------------------------------------


def test_reading_the_descriptions_imports_no_http_client():
    code = (
        "from posegen.backends.registry import Backends; from posegen.settings import Settings; import sys\n"
        "keys = dict.fromkeys(['fal_key', 'bfl_api_key', 'huggingface_api_key', 'openai_api_key'], 'x')\n"
        "found = Backends.of(Settings(**keys, huggingface_endpoint_url='https://e.example/')).descriptions\n"
        "sys.exit(len(found) != 6 or 'httpx2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_model_of_fals_queue_has_its_input():
    keys = dict.fromkeys(["fal_key", "bfl_api_key", "huggingface_api_key", "openai_api_key"], "x")
    descriptions = Backends.of(Settings(**keys)).descriptions.values()
    assert {each.model for each in descriptions if each.wire in ("fal", "huggingface")} <= set(fal.INPUTS)
    assert {each.model for each in models_of("fal")} == set(fal.INPUTS)
