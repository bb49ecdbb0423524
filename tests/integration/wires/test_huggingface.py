"""Hugging Face's far end: the router to fal's queue, and an own endpoint."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

import pytest

from tests.control_map_files import data_uri, map_file
from tests.raw_http import ask
from tests.wires.far_end import FarEnd
from tests.wires.pictures import decoded

MODEL = "fal-ai/flux-kontext/dev"


@pytest.fixture
def far_end():
    with FarEnd.huggingface(seconds=0) as far_end:
        yield far_end


def key(far_end):
    return {"Authorization": f"Bearer {far_end.key}"}


def edited(**more):
    return {"prompt": "a woman", "seed": 7, "image_url": data_uri(map_file()), **more}


def submit(far_end, query="?_subdomain=queue", **more):
    return ask("POST", f"{far_end.base_url}/fal-ai/{MODEL}{query}", edited(**more), key(far_end))


def through_the_router(far_end, url):
    """As huggingface_hub does it: the router, `/fal-ai`, the path, the query."""
    return f"{far_end.base_url}/fal-ai{urlsplit(url).path}?_subdomain=queue"


def test_a_picture_through_the_router(far_end):
    taken = submit(far_end).json()

    assert taken["status_url"].startswith("https://queue.fal.run/fal-ai/flux-kontext/requests/")
    status = ask("GET", through_the_router(far_end, taken["status_url"]), headers=key(far_end))
    assert (status.status, status.json()["status"]) == (200, "COMPLETED")
    result = ask("GET", through_the_router(far_end, taken["response_url"]), headers=key(far_end)).json()
    file = ask("GET", result["images"][0]["url"])
    assert decoded(file.body).shape == (256, 256, 3)
    assert (result["seed"], sum(far_end.ledger.paid().values())) == (7, 1)


def test_the_router_cancels():
    with FarEnd.huggingface(seconds=60, concurrency=1) as far_end:
        submit(far_end)
        url = through_the_router(far_end, submit(far_end, seed=8).json()["cancel_url"])

        assert ask("PUT", url, headers=key(far_end)).json() == {"status": "OK"}


def test_a_friendlier_router_gives_its_own_urls():
    with FarEnd.huggingface(seconds=0, urls_of="router") as far_end:
        taken = submit(far_end).json()

        assert taken["status_url"].startswith(far_end.base_url)
        assert ask("GET", taken["status_url"], headers=key(far_end)).status == 200


def test_without_the_query_the_result_is_the_response(far_end):
    result = submit(far_end, query="")

    assert (result.status, result.json()["seed"]) == (200, 7)
    assert ask("GET", result.json()["images"][0]["url"]).status == 200


def test_the_models_refusal_comes_through_the_router(far_end):
    taken = submit(far_end, controlnet_unions=[]).json()

    result = ask("GET", through_the_router(far_end, taken["response_url"]), headers=key(far_end))

    assert (result.status, result.json()["detail"][0]["type"]) == (422, "extra_forbidden")


@pytest.mark.parametrize("path", [f"/fal-ai/{MODEL}?_subdomain=queue", "/endpoint", "/api/whoami-v2"])
def test_the_token_is_asked_for(far_end, path):
    method = "GET" if "whoami" in path else "POST"
    response = ask(method, far_end.base_url + path, {} if method == "POST" else None, {"Authorization": "Key fal"})

    assert (response.status, response.json()) == (401, {"error": "Invalid username or password."})


def test_the_list_of_fal_is_not_behind_the_router(far_end):
    path = "/v1/models/requests/by-endpoint?endpoint_id=x&_subdomain=queue"

    assert ask("GET", f"{far_end.base_url}/fal-ai{path}", headers=key(far_end)).status == 404
    assert ask("GET", far_end.base_url + path, headers=key(far_end)).status == 404


def test_an_own_endpoint_returns_the_picture(far_end):
    control = base64.b64encode(map_file()).decode()
    parameters = {"seed": 7, "width": 320, "height": 256, "negative_prompt": "blurred", "control_image": control}

    response = ask(
        "POST", f"{far_end.base_url}/endpoint", {"inputs": "a woman", "parameters": parameters}, key(far_end)
    )

    assert (response.status, response.headers["Content-Type"]) == (200, "image/png")
    assert decoded(response.body).shape == (256, 320, 3)
    assert far_end.ledger.paid("prompt", "seed") == {("a woman", 7): 1}
    assert far_end.ledger.submissions()[0].control


def test_an_own_endpoint_takes_a_picture_as_its_input(far_end):
    body = {"inputs": base64.b64encode(map_file()).decode(), "parameters": {"prompt": "a woman", "seed": 1}}

    assert ask("POST", f"{far_end.base_url}/", body, key(far_end)).status == 200
    assert far_end.ledger.submissions()[0].prompt == "a woman"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"prompt": "x"}, "prompt: Extra inputs"),
        ({"inputs": "x", "parameters": {"strength": 1}}, "parameters.strength: Extra inputs"),
        ({"inputs": "x", "parameters": {"seed": "1"}}, "parameters.seed: Input should be a valid integer"),
        ({"inputs": "x", "parameters": {"control_image": "AAAA"}}, "cannot load the image"),
    ],
)
def test_an_own_endpoint_refuses_what_its_handler_does_not_take(far_end, body, words):
    response = ask("POST", f"{far_end.base_url}/endpoint", body, key(far_end))

    assert response.status == 400
    assert words in response.json()["error"]
    assert far_end.ledger.submissions() == []


def test_an_endpoint_that_sleeps_is_unavailable_and_takes_nothing():
    with FarEnd.huggingface(sleeping=True) as far_end:
        response = ask("POST", f"{far_end.base_url}/endpoint", {"inputs": "x"}, key(far_end))

        assert (response.status, far_end.ledger.submissions()) == (503, [])
