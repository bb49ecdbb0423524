"""fal's far end, step by step as the maker documents it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.control_map_files import data_uri, map_file
from tests.raw_http import ask
from tests.wires.far_end import FarEnd
from tests.wires.pictures import decoded

ENDPOINT = "fal-ai/flux-general"
LIST = "/v1/models/requests/by-endpoint"


@dataclass
class Clock:
    """A clock that a test moves."""

    moment: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.moment


@pytest.fixture
def far_end():
    with FarEnd.fal(seconds=0) as far_end:
        yield far_end


def key(far_end):
    return {"Authorization": f"Key {far_end.key}"}


def posed(seed=7, **more):
    control = {"control_image_url": data_uri(map_file()), "control_mode": "pose", "conditioning_scale": 0.7}
    unions = [{"path": "Shakker-Labs/FLUX.1-dev-ControlNet-Union-Pro", "controls": [control]}]
    size = {"width": 256, "height": 256}
    return {"prompt": "a woman", "seed": seed, "image_size": size, "controlnet_unions": unions, **more}


def submit(far_end, body=None, endpoint=ENDPOINT, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = ask("POST", f"{far_end.base_url}/{endpoint}", body or posed(), {**key(far_end), **named})
    assert response.status == 200, response.body
    return response.json()


def get(far_end, url):
    return ask("GET", url, headers=key(far_end))


def test_a_picture_from_the_submission_to_its_file(far_end):
    taken = submit(far_end)

    assert taken["status"] == "IN_QUEUE"
    assert taken["status_url"] == f"{far_end.base_url}/{ENDPOINT}/requests/{taken['request_id']}/status"
    status = get(far_end, taken["status_url"])
    assert (status.status, status.json()["status"]) == (200, "COMPLETED")
    result = get(far_end, taken["response_url"]).json()
    assert (result["seed"], result["has_nsfw_concepts"], result["prompt"]) == (7, [False], "a woman")
    [image] = result["images"]
    assert (image["width"], image["height"], image["content_type"]) == (256, 256, "image/png")
    file = ask("GET", image["url"])
    assert (file.status, file.headers["Content-Type"]) == (200, "image/png")
    assert decoded(file.body).shape == (256, 256, 3)
    assert far_end.ledger.paid("seed", "usd") == {(7, 0.075): 1}


def test_requests_wait_in_the_queue_and_are_then_in_progress():
    with FarEnd.fal(seconds=60, concurrency=1) as far_end:
        first, second = submit(far_end), submit(far_end, posed(8))

        running, waiting = (get(far_end, taken["status_url"]) for taken in (first, second))

        assert (running.status, running.json()["status"]) == (202, "IN_PROGRESS")
        assert (waiting.status, waiting.json()["status"], waiting.json()["queue_position"]) == (202, "IN_QUEUE", 0)
        early = get(far_end, first["response_url"])
        assert (early.status, early.json()["detail"]) == (400, "Request is still in progress")


def test_urls_have_owner_and_app_without_the_endpoints_path(far_end):
    body = {"prompt": "a", "image_url": data_uri(map_file()), "preprocess": "none", "control_scale": 0.75}
    taken = submit(far_end, body, "fal-ai/z-image/turbo/controlnet")

    assert f"/fal-ai/z-image/requests/{taken['request_id']}" in taken["response_url"]
    longer = taken["response_url"].replace("z-image", "z-image/turbo/controlnet")
    assert get(far_end, longer).status == 404
    assert get(far_end, taken["response_url"].replace("z-image", "flux-general")).status == 404


@pytest.mark.parametrize(
    "given", [{}, {"Authorization": "Key other"}, {"Authorization": "Bearer a-key-of-the-far-end"}]
)
@pytest.mark.parametrize("path", [f"/{ENDPOINT}", LIST])
def test_the_key_is_asked_for(far_end, given, path):
    response = ask("GET" if path == LIST else "POST", far_end.base_url + path, None if path == LIST else posed(), given)

    assert response.status == 401
    assert "Authentication" in response.json()["detail"]
    assert far_end.ledger.submissions() == []


@pytest.mark.parametrize(
    ("change", "loc", "kind"),
    [
        ({"negativ_prompt": "x"}, ["body", "negativ_prompt"], "extra_forbidden"),
        ({"prompt": None}, ["body", "prompt"], "missing"),
        ({"seed": "7"}, ["body", "seed"], "int_type"),
        ({"image_size": "huge"}, ["body", "image_size"], "literal_error"),
        ({"controlnet_unions": [{"path": "x", "controls": [{"control_mode": "pose"}]}]}, None, "missing"),
        ({"reference_image_url": "http://127.0.0.1/map.png"}, ["body", "reference_image_url"], "file_download_error"),
        ({"reference_image_url": "data:image/png;base64,AAAA"}, ["body", "reference_image_url"], "image_load_error"),
    ],
)
def test_what_the_model_does_not_take_is_its_result_and_costs_nothing(far_end, change, loc, kind):
    taken = submit(far_end, posed(**change))

    status = get(far_end, taken["status_url"]).json()
    result = get(far_end, taken["response_url"])

    assert (status["status"], status["error_type"]) == ("COMPLETED", "model_error")
    assert result.status == 422
    [problem] = result.json()["detail"]
    assert problem["type"] == kind
    assert problem["url"] == f"https://docs.fal.ai/errors#{kind}"
    assert loc in (None, problem["loc"])
    assert sum(far_end.ledger.paid().values()) == 0


def test_a_body_that_is_no_json_is_refused(far_end):
    response = ask("POST", f"{far_end.base_url}/{ENDPOINT}", b"{", key(far_end))

    assert (response.status, response.json()["error_type"]) == (400, "bad_request")
    assert response.headers["X-Fal-Error-Type"] == "bad_request"


@pytest.mark.parametrize("path", ["/fal-ai/no-such-app", f"/{ENDPOINT}/requests/none/status", "/nothing"])
def test_unknown_paths_and_ids_are_not_found(far_end, path):
    assert get(far_end, far_end.base_url + path).status == 404


def test_a_request_is_cancelled_in_the_queue_in_progress_and_too_late():
    clock = Clock()
    with FarEnd.fal(seconds=10, concurrency=1, clock=clock) as far_end:
        first, second = submit(far_end), submit(far_end, posed(8))

        removed = ask("PUT", second["cancel_url"], headers=key(far_end))
        signalled = ask("PUT", first["cancel_url"], headers=key(far_end))
        clock.moment += 10
        late = ask("PUT", first["cancel_url"], headers=key(far_end))

        assert (removed.status, removed.json()) == (200, {"status": "OK"})
        assert (signalled.status, signalled.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
        assert (late.status, late.json()) == (400, {"status": "ALREADY_COMPLETED"})
        assert get(far_end, first["response_url"]).status == 200
        assert get(far_end, second["status_url"]).json()["error_type"] == "client_cancelled"
        assert far_end.ledger.paid("seed") == {(7,): 1}


def test_an_unknown_request_cannot_be_cancelled(far_end):
    response = ask("PUT", f"{far_end.base_url}/{ENDPOINT}/requests/none/cancel", headers=key(far_end))

    assert (response.status, response.json()) == (404, {"status": "NOT_FOUND"})


def test_an_app_that_stops_on_a_signal_ends_the_request():
    with FarEnd.fal(seconds=60, stops_when_cancelled=True) as far_end:
        taken = submit(far_end)

        ask("PUT", taken["cancel_url"], headers=key(far_end))

        assert get(far_end, taken["response_url"]).status == 499


def test_a_request_that_cannot_start_in_time_ends_and_is_not_paid():
    clock = Clock()
    with FarEnd.fal(seconds=60, concurrency=1, clock=clock) as far_end:
        submit(far_end)
        late = submit(far_end, posed(8), X_Fal_Request_Timeout="20")
        assert get(far_end, late["status_url"]).json()["status"] == "IN_QUEUE"

        clock.moment += 20
        result = get(far_end, late["response_url"])

        assert (result.status, result.headers["X-Fal-Request-Timeout-Type"]) == (504, "user")
        assert far_end.ledger.paid("seed") == {(7,): 1}


def test_the_maker_runs_a_request_again_after_503_unless_it_is_told_not_to(far_end):
    far_end.faults.add("503", "run", times=3)
    again = submit(far_end)
    far_end.faults.add("503", "run")
    once = submit(far_end, posed(8), x_fal_no_retry="1")

    assert get(far_end, again["response_url"]).status == 200
    failed = get(far_end, once["response_url"])
    assert (failed.status, failed.json()["error_type"]) == (503, "runner_scheduling_failure")
    assert [each.facts["attempts"] for each in far_end.ledger.submissions()] == [4, 1]
    assert far_end.ledger.paid("seed") == {(7,): 1}


def test_the_list_has_ended_requests_with_their_inputs(far_end):
    taken = submit(far_end)
    submit(far_end, {"prompt": "other", "image_urls": [data_uri(map_file())]}, "fal-ai/flux-2/edit")

    bare = get(far_end, f"{far_end.base_url}{LIST}?endpoint_id={ENDPOINT}").json()
    whole = get(far_end, f"{far_end.base_url}{LIST}?endpoint_id={ENDPOINT}&expand=payloads").json()

    assert [each["request_id"] for each in bare["items"]] == [taken["request_id"]]
    assert (bare["has_more"], bare["next_cursor"]) == (False, None)
    assert "json_input" not in bare["items"][0]
    [item] = whole["items"]
    assert item["json_input"] == posed()
    assert (item["json_output"]["seed"], item["status_code"], item["endpoint_id"]) == (7, 200, ENDPOINT)


def test_the_list_leaves_out_what_has_not_ended():
    with FarEnd.fal(seconds=60) as far_end:
        submit(far_end)

        assert get(far_end, f"{far_end.base_url}{LIST}?endpoint_id={ENDPOINT}").json()["items"] == []


def test_the_list_has_pages_times_and_states(far_end):
    for seed in range(5):
        submit(far_end, posed(seed))
    submit(far_end, posed(seed="wrong"))
    url = f"{far_end.base_url}{LIST}?endpoint_id={ENDPOINT}&expand=payloads"

    first = get(far_end, f"{url}&status=success&limit=3").json()
    second = get(far_end, f"{url}&status=success&limit=3&cursor={first['next_cursor']}").json()

    seeds = [[each["json_input"]["seed"] for each in page["items"]] for page in (first, second)]
    assert seeds == [[4, 3, 2], [1, 0]]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert [each["status_code"] for each in get(far_end, f"{url}&status=user_error").json()["items"]] == [422]
    assert get(far_end, f"{url}&start=2999-01-01T00:00:00Z").json()["items"] == []
    assert get(far_end, f"{url}&end=2020-01-01").json()["items"] == []
    assert get(far_end, f"{url}&limit=101").json()["error"]["type"] == "validation_error"


def test_a_file_is_gone_after_the_time_that_the_submission_names(far_end):
    taken = submit(far_end, X_Fal_Object_Lifecycle_Preference='{"expiration_duration_seconds": 0}')
    [image] = get(far_end, taken["response_url"]).json()["images"]

    assert ask("GET", image["url"]).status == 404


def test_a_synchronous_result_is_a_data_uri_and_not_in_the_list(far_end):
    taken = submit(far_end, posed(sync_mode=True))

    [image] = get(far_end, taken["response_url"]).json()["images"]
    listed = get(far_end, f"{far_end.base_url}{LIST}?endpoint_id={ENDPOINT}&expand=payloads").json()["items"]

    assert image["url"].startswith("data:image/png;base64,")
    assert "json_output" not in listed[0]


def test_a_key_that_is_sent_to_a_files_url_is_noted(far_end):
    [image] = get(far_end, submit(far_end)["response_url"]).json()["images"]
    ask("GET", image["url"])
    assert far_end.ledger.keys_at_media == 0

    get(far_end, image["url"])

    assert far_end.ledger.keys_at_media == 1


def test_the_variables_point_a_client_at_it(far_end):
    assert far_end.environment() == {"FAL_KEY": far_end.key, "FAL_BASE_URL": far_end.base_url}
