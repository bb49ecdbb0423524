"""OpenAI's far end and its dialects: the picture is in the response."""

from __future__ import annotations

import base64

import pytest

from tests.control_map_files import data_uri, map_file
from tests.raw_http import ask, form
from tests.wires.far_end import FarEnd
from tests.wires.pictures import decoded

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"


@pytest.fixture
def far_end():
    with FarEnd.openai(seconds=0) as far_end:
        yield far_end


@pytest.fixture
def vllm():
    with FarEnd.openai(seconds=0, dialect="vllm-omni") as far_end:
        yield far_end


def key(far_end):
    return {"Authorization": f"Bearer {far_end.key}"}


def post(far_end, path, body, **headers):
    return ask("POST", far_end.base_url + path, body, {**key(far_end), **headers})


def picture(response):
    assert response.status == 200, response.body
    return decoded(base64.b64decode(response.json()["data"][0]["b64_json"]))


def test_a_generation_is_a_picture_with_its_usage(far_end):
    body = {"model": "gpt-image-2", "prompt": "a woman", "size": "1024x1536", "quality": "low"}
    response = post(far_end, GENERATIONS, body)

    assert picture(response).shape == (1536, 1024, 3)
    usage = response.json()["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert (response.json()["size"], response.json()["output_format"]) == ("1024x1536", "png")
    assert far_end.ledger.paid("prompt") == {("a woman",): 1}


def test_an_edit_as_json_draws_the_reference(far_end):
    references = [{"image_url": data_uri(map_file())}]
    response = post(far_end, EDITS, {"prompt": "a woman", "images": references, "size": "256x256"})

    assert picture(response).shape == (256, 256, 3)
    assert far_end.ledger.submissions()[0].control


@pytest.mark.parametrize("name", ["image", "image[]"])
def test_an_edit_as_a_form_draws_the_reference(far_end, name):
    fields = [("prompt", "a woman"), ("size", "256x256"), ("n", "1"), (name, map_file()), ("input_fidelity", "high")]
    body, headers = form(fields)

    as_form = picture(post(far_end, EDITS, body, **headers))

    assert as_form.shape == (256, 256, 3)
    assert far_end.ledger.submissions()[0].control


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer other"}, {"x-api-key": "a-key-of-the-far-end"}])
def test_the_key_is_asked_for(far_end, given):
    response = ask("POST", far_end.base_url + GENERATIONS, {"prompt": "x"}, given)

    assert (response.status, response.json()["error"]["code"]) == (401, "invalid_api_key")
    assert far_end.ledger.submissions() == []


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"seed": 7}, "seed", "unknown_parameter"),
        ({"negative_prompt": "x"}, "negative_prompt", "unknown_parameter"),
        ({"response_format": "b64_json"}, "response_format", "unknown_parameter"),
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"n": "2"}, "n", "invalid_type"),
        ({"quality": "best"}, "quality", "invalid_value"),
        ({"size": "1000x1000"}, "size", "invalid_value"),
    ],
)
def test_what_is_not_documented_is_refused(far_end, change, param, code):
    response = post(far_end, GENERATIONS, {"prompt": "x", **change})

    assert response.status == 400
    error = response.json()["error"]
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
    assert far_end.ledger.submissions() == []


def test_an_unknown_model_is_not_found(far_end):
    response = post(far_end, GENERATIONS, {"prompt": "x", "model": "flux"})

    assert (response.status, response.json()["error"]["code"]) == (404, "model_not_found")


def test_an_edit_without_a_picture_and_with_a_broken_one_are_refused(far_end):
    without, headers = form([("prompt", "x")])
    broken, _ = form([("prompt", "x"), ("image", b"no picture")])

    assert post(far_end, EDITS, without, **headers).json()["error"]["param"] == "image"
    assert post(far_end, EDITS, broken, **headers).json()["error"]["code"] == "invalid_image_file"


@pytest.mark.parametrize("kind", ["policy", "moderated"])
def test_a_refusal_for_the_content_is_named(far_end, kind):
    far_end.faults.add(kind)
    error = post(far_end, GENERATIONS, {"prompt": "x"}).json()["error"]

    assert (error["code"], error["type"]) == ("moderation_blocked", "image_generation_user_error")


def test_an_idempotency_key_is_ignored_as_documented(far_end):
    for _ in range(2):
        post(far_end, GENERATIONS, {"prompt": "x", "size": "64x64"}, **{"Idempotency-Key": "ours"})

    assert far_end.ledger.paid_twice("our_id") == {("ours",): 2}


def test_a_server_that_honours_the_key_returns_the_first_response_again():
    with FarEnd.openai(seconds=0, honours_idempotency=True) as far_end:
        far_end.faults.add("lost")
        with pytest.raises(ConnectionError):
            post(far_end, GENERATIONS, {"prompt": "x", "size": "64x64"}, **{"Idempotency-Key": "ours"})
        again = post(far_end, GENERATIONS, {"prompt": "x", "size": "64x64"}, **{"Idempotency-Key": "ours"})

        assert picture(again).shape == (64, 64, 3)
        assert far_end.ledger.paid("our_id") == {("ours",): 1}


def test_vllm_omni_takes_a_seed_and_a_negative_prompt_and_wants_no_key(vllm):
    body = {"prompt": "x", "seed": 7, "negative_prompt": "blurred", "true_cfg_scale": 4.0, "size": "64x64"}

    one, two = (ask("POST", vllm.base_url + GENERATIONS, body) for _ in range(2))

    assert (picture(one) == picture(two)).all()
    assert vllm.ledger.paid("seed") == {(7,): 2}


def test_vllm_omni_edits_a_form_with_a_seed(vllm):
    body, headers = form([("prompt", "x"), ("seed", "7"), ("size", "256x256"), ("image", map_file())])

    assert picture(post(vllm, EDITS, body, **headers)).shape == (256, 256, 3)
    assert vllm.ledger.submissions()[0].seed == 7


def test_vllm_omni_refuses_in_the_form_of_fastapi(vllm):
    response = post(vllm, GENERATIONS, {"prompt": "x", "moderation": "low"})

    assert (response.status, response.json()["detail"][0]["type"]) == (422, "extra_forbidden")


def test_the_key_can_be_checked_without_paying(far_end):
    assert ask("GET", f"{far_end.base_url}/v1/models", headers=key(far_end)).json()["data"]
    assert ask("GET", f"{far_end.base_url}/v1/models").status == 401


@pytest.mark.parametrize(("kind", "sign"), [("price_zero", 0), ("price_negative", -1)])
def test_the_usage_can_be_nonsense(far_end, kind, sign):
    far_end.faults.add(kind)
    tokens = post(far_end, GENERATIONS, {"prompt": "x", "size": "64x64"}).json()["usage"]["output_tokens"]

    assert (tokens > 0) - (tokens < 0) == sign


def test_the_base_url_has_the_version_in_it(far_end):
    assert far_end.environment()["OPENAI_BASE_URL"] == f"{far_end.base_url}/v1"
