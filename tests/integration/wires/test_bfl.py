"""Black Forest Labs' far end, step by step as the maker documents it."""

from __future__ import annotations

import base64

import pytest

from tests.control_map_files import map_file
from tests.raw_http import ask
from tests.wires.far_end import FarEnd
from tests.wires.pictures import decoded

MODEL = "flux-2-pro"


@pytest.fixture
def far_end():
    with FarEnd.bfl(seconds=0) as far_end:
        yield far_end


def key(far_end):
    return {"x-key": far_end.key}


def posed(**more):
    reference = base64.b64encode(map_file()).decode()
    return {"prompt": "a woman", "seed": 7, "width": 256, "height": 256, "input_image": reference, **more}


def submit(far_end, body=None, model=MODEL):
    return ask("POST", f"{far_end.base_url}/v1/{model}", body or posed(), key(far_end))


def poll(far_end, body=None):
    return ask("GET", submit(far_end, body).json()["polling_url"], headers=key(far_end)).json()


def test_a_picture_from_the_submission_to_its_file(far_end):
    taken = submit(far_end).json()

    assert taken["polling_url"] == f"{far_end.base_url}/v1/get_result?id={taken['id']}"
    assert (taken["cost"], taken["input_mp"], taken["output_mp"]) == (4.5, 1.0, 1.0)
    ready = ask("GET", taken["polling_url"], headers=key(far_end)).json()
    assert (ready["status"], ready["result"]["seed"], ready["result"]["prompt"]) == ("Ready", 7, "a woman")
    file = ask("GET", ready["result"]["sample"])
    assert (file.status, file.headers["Content-Type"]) == (200, "image/jpeg")
    assert decoded(file.body).shape == (256, 256, 3)
    assert far_end.ledger.paid("seed", "usd") == {(7, 0.045): 1}


def test_a_task_is_pending_first():
    with FarEnd.bfl(seconds=60) as far_end:
        pending = poll(far_end)

        assert (pending["status"], pending["result"]) == ("Pending", None)


def test_an_unknown_task_is_not_found(far_end):
    response = ask("GET", f"{far_end.base_url}/v1/get_result?id=none", headers=key(far_end))

    assert (response.status, response.json()["status"]) == (200, "Task not found")


@pytest.mark.parametrize("given", [{}, {"x-key": "other"}, {"Authorization": "Bearer a-key-of-the-far-end"}])
def test_the_key_is_asked_for(far_end, given):
    response = ask("POST", f"{far_end.base_url}/v1/{MODEL}", posed(), given)

    assert (response.status, response.json()) == (403, {"detail": "Not authenticated"})
    assert far_end.ledger.submissions() == []


@pytest.mark.parametrize(
    ("change", "loc", "kind"),
    [
        ({"control_image": "x"}, ["body", "control_image"], "extra_forbidden"),
        ({"prompt_upsampling": False}, ["body", "prompt_upsampling"], "extra_forbidden"),
        ({"prompt": None}, ["body", "prompt"], "missing"),
        ({"seed": 1.5}, ["body", "seed"], "int_type"),
        ({"width": 250}, ["body", "width"], "multiple_of"),
        ({"safety_tolerance": 6}, ["body", "safety_tolerance"], "less_than_equal"),
        ({"input_image": "AAAA"}, ["body", "input_image"], "value_error"),
    ],
)
def test_what_is_not_documented_is_refused(far_end, change, loc, kind):
    response = submit(far_end, posed(**change))

    assert response.status == 422
    [problem] = response.json()["detail"]
    assert (problem["loc"], problem["type"]) == (loc, kind)
    assert far_end.ledger.submissions() == []


def test_upsampling_can_be_turned_off_where_it_is_on(far_end):
    assert submit(far_end, posed(prompt_upsampling=False), "flux-2-max").status == 200


def test_more_than_24_tasks_at_once_are_too_many():
    with FarEnd.bfl(seconds=60) as far_end:
        statuses = [submit(far_end, {"prompt": "a", "seed": seed}).status for seed in range(25)]

        assert statuses == [200] * 24 + [429]


def test_a_pictures_url_expires():
    with FarEnd.bfl(seconds=0, sample_seconds=-1) as far_end:
        expired = ask("GET", poll(far_end)["result"]["sample"])

        assert (expired.status, b"AuthenticationFailed" in expired.body) == (403, True)


@pytest.mark.parametrize(
    ("kind", "status", "paid"),
    [("policy", "Request Moderated", 0), ("moderated", "Content Moderated", 1), ("failed", "Error", 0)],
)
def test_a_task_ends_without_a_picture(far_end, kind, status, paid):
    far_end.faults.add(kind)

    ended = poll(far_end)

    assert (ended["status"], ended["result"]) == (status, None)
    assert sum(far_end.ledger.paid().values()) == paid


@pytest.mark.parametrize(("kind", "cost"), [("price_zero", 0), ("price_negative", -4.5)])
def test_a_price_can_be_nonsense(far_end, kind, cost):
    far_end.faults.add(kind)

    assert submit(far_end).json()["cost"] == cost


def test_the_key_can_be_checked_without_paying(far_end):
    assert ask("GET", f"{far_end.base_url}/v1/credits", headers=key(far_end)).json() == {"credits": 1000.0}
    assert ask("GET", f"{far_end.base_url}/v1/credits").status == 403


def test_there_is_no_list_and_no_cancelling(far_end):
    taken = submit(far_end).json()

    for method, path in (("GET", "/v1/tasks"), ("DELETE", f"/v1/get_result?id={taken['id']}"), ("POST", "/v1/cancel")):
        assert ask(method, far_end.base_url + path, headers=key(far_end)).status == 404
