"""Every fault does what its line in the table says, on the wires that it is for."""

from __future__ import annotations

import email.utils
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.control_map_files import data_uri, map_file
from tests.raw_http import ask
from tests.wires.far_end import FarEnd
from tests.wires.faults import METADATA_SERVICE, STATUSES
from tests.wires.pictures import GIANT

SMALL = {"width": 128, "height": 128}
SUBMISSIONS = {
    "fal": ("/fal-ai/flux-general", {"prompt": "a", "seed": 7, "image_size": SMALL}),
    "bfl": ("/v1/flux-2-pro", {"prompt": "a", "seed": 7, **SMALL, "output_format": "png"}),
    "huggingface": ("/endpoint", {"inputs": "a", "parameters": {"seed": 7, **SMALL}}),
    "openai": ("/v1/images/generations", {"prompt": "a", "size": "128x128"}),
}
ROUTER = ("/fal-ai/fal-ai/flux-kontext/dev?_subdomain=queue", {"prompt": "a", "image_url": data_uri(map_file())})


@pytest.fixture(params=SUBMISSIONS)
def far_end(request):
    with getattr(FarEnd, request.param)(seconds=0) as far_end:
        yield far_end


@pytest.fixture
def fal():
    with FarEnd.fal(seconds=0) as far_end:
        yield far_end


@pytest.fixture
def bfl():
    with FarEnd.bfl(seconds=0) as far_end:
        yield far_end


def key(far_end):
    if far_end.wire.name == "bfl":
        return {"x-key": far_end.key}
    return {"Authorization": f"{'Key' if far_end.wire.name == 'fal' else 'Bearer'} {far_end.key}"}


def submit(far_end):
    path, body = SUBMISSIONS[far_end.wire.name]
    return ask("POST", far_end.base_url + path, body, key(far_end))


def get(far_end, url, method="GET"):
    return ask(method, url, headers=key(far_end))


def result(far_end):
    """The result of a new submission, with fal or Black Forest Labs."""
    taken = submit(far_end).json()
    if far_end.wire.name == "bfl":
        return get(far_end, taken["polling_url"]).json()["result"]
    return get(far_end, taken["response_url"]).json()


def picture_url(far_end):
    found = result(far_end)
    return found["sample"] if far_end.wire.name == "bfl" else found["images"][0]["url"]


def paid(far_end):
    return sum(far_end.ledger.paid().values())


def hanging(far_end):
    """A client that is waiting for its response: the list that its error gets into, and its thread."""
    failed = []

    def wait():
        try:
            submit(far_end)
        except ConnectionError as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while not far_end.ledger.submissions():
        time.sleep(0.01)
    return failed, thread


# --- statuses


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_has_the_makers_form_and_takes_nothing(far_end, status):
    far_end.faults.add(str(status))

    refused = submit(far_end)

    assert refused.status == status
    field = {"fal": "detail", "bfl": "detail", "huggingface": "error", "openai": "error"}[far_end.wire.name]
    assert refused.json()[field]
    assert far_end.ledger.submissions() == []
    assert submit(far_end).status == 200


@pytest.mark.parametrize("asked", ["7", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_429_can_say_when_to_come_back(far_end, asked):
    far_end.faults.add("429", retry_after=asked)
    far_end.faults.add("429", nth=2)

    assert submit(far_end).headers["Retry-After"] == asked
    assert submit(far_end).headers["Retry-After"] is None


def test_a_status_can_come_from_a_proxy_after_the_submission_was_taken(far_end):
    far_end.faults.add("502", taken=True)

    assert submit(far_end).status == 502
    assert [(each.paid, each.response) for each in far_end.ledger.submissions()] == [(True, "502")]


@pytest.mark.parametrize("step", ["status", "result", "cancel", "list", "media"])
def test_a_status_can_happen_at_every_later_step(fal, step):
    taken = submit(fal).json()
    image = get(fal, taken["response_url"]).json()["images"][0]["url"]
    fal.faults.add("503", step)
    method, url = {
        "status": ("GET", taken["status_url"]),
        "result": ("GET", taken["response_url"]),
        "cancel": ("PUT", taken["cancel_url"]),
        "list": ("GET", f"{fal.base_url}/v1/models/requests/by-endpoint?endpoint_id=fal-ai/flux-general"),
        "media": ("GET", image),
    }[step]

    assert get(fal, url, method).status == 503
    assert get(fal, url, method).status != 503


def test_a_known_task_is_unknown_for_once(bfl):
    url = submit(bfl).json()["polling_url"]
    bfl.faults.add("unknown_id", "result")

    assert [get(bfl, url).json()["status"] for _ in range(2)] == ["Task not found", "Ready"]


@pytest.mark.parametrize("step", ["status", "result", "cancel"])
def test_a_known_request_is_unknown_for_once(fal, step):
    taken = submit(fal).json()
    fal.faults.add("unknown_id", step)
    name = {"status": "status_url", "result": "response_url", "cancel": "cancel_url"}[step]

    assert get(fal, taken[name], "PUT" if step == "cancel" else "GET").status == 404


def test_a_cancellation_comes_too_late():
    with FarEnd.fal(seconds=60) as far_end:
        url = submit(far_end).json()["cancel_url"]
        far_end.faults.add("cancel_too_late")

        assert get(far_end, url, "PUT").json() == {"status": "ALREADY_COMPLETED"}
        assert get(far_end, url, "PUT").json() == {"status": "CANCELLATION_REQUESTED"}


def test_a_fault_is_for_one_seed(fal):
    fal.faults.add("500", seed=8)

    assert submit(fal).status == 200
    fal.faults.add("500", seed=7)
    assert submit(fal).status == 500


# --- the connection


def test_a_reset_before_the_submission_takes_nothing(far_end):
    far_end.faults.add("reset")

    with pytest.raises(ConnectionResetError):
        submit(far_end)
    assert far_end.ledger.submissions() == []


def test_a_lost_response_is_paid(far_end):
    far_end.faults.add("lost")

    with pytest.raises(ConnectionResetError):
        submit(far_end)
    assert [(each.paid, each.response) for each in far_end.ledger.submissions()] == [(True, "lost")]
    submit(far_end)
    assert list(far_end.ledger.paid_twice("prompt").values()) == [2]


def test_a_cut_response_is_paid_and_half_of_it_missing(far_end):
    far_end.faults.add("cut")

    with pytest.raises(http.client.IncompleteRead):
        submit(far_end)
    assert paid(far_end) == 1


def test_a_slow_response_comes_after_its_time(far_end):
    far_end.faults.add("slow", seconds=0.1)

    began = time.monotonic()
    assert submit(far_end).status == 200
    assert time.monotonic() - began >= 0.1


def test_a_hanging_connection_is_reset_when_the_faults_are_cleared(far_end):
    far_end.faults.add("hang")
    failed, thread = hanging(far_end)
    assert thread.is_alive()
    far_end.faults.clear()
    thread.join(20)

    assert (len(failed), paid(far_end)) == (1, 1)


def test_a_far_end_that_closes_lets_hanging_clients_go():
    with FarEnd.fal() as far_end:
        far_end.faults.add("hang")
        failed, thread = hanging(far_end)
    thread.join(20)

    assert len(failed) == 1


def test_html_with_status_200(far_end):
    far_end.faults.add("html")

    page = submit(far_end)

    assert (page.status, page.headers.get_content_type()) == (200, "text/html")
    assert paid(far_end) == 1


def test_json_of_another_shape(far_end):
    far_end.faults.add("other_json")

    assert submit(far_end).json() == {"outcome": ["fine"], "id": 7}


def test_two_responses_for_one_request(far_end):
    far_end.faults.add("twice")
    path, body = SUBMISSIONS[far_end.wire.name]
    sent = json.dumps(body).encode()
    head = {"Host": "x", "Content-Type": "application/json", "Content-Length": len(sent), **key(far_end)}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "Connection: close"]

    with socket.create_connection(("127.0.0.1", far_end.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + sent)
        received = b""
        while piece := connection.recv(65536):
            received += piece

    assert received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert paid(far_end) == 1


def test_the_far_end_takes_one_request_twice(fal):
    fal.faults.add("duplicated")
    submit(fal)

    url = f"{fal.base_url}/v1/models/requests/by-endpoint?endpoint_id=fal-ai/flux-general"
    assert (len(get(fal, url).json()["items"]), paid(fal)) == (2, 2)


def test_the_clock_of_one_response_is_a_day_ahead(far_end):
    far_end.faults.add("clock")

    ahead, right = (email.utils.parsedate_to_datetime(submit(far_end).headers["Date"]) for _ in range(2))

    assert 86_000 < (ahead - right).total_seconds() < 87_000


def test_a_far_ends_clock_is_a_day_ahead_everywhere():
    with FarEnd.fal(seconds=0, clock_off=86_400.0) as far_end:
        date = email.utils.parsedate_to_datetime(submit(far_end).headers["Date"]).timestamp()
        url = f"{far_end.base_url}/v1/models/requests/by-endpoint?endpoint_id=fal-ai/flux-general"

        assert date - time.time() > 80_000
        assert len(get(far_end, url).json()["items"]) == 1


def test_a_far_end_that_is_away_refuses_connections_and_comes_back(far_end):
    kept = http.client.HTTPConnection("127.0.0.1", far_end.port, timeout=20)
    kept.request("GET", "/__ledger")
    kept.getresponse().read()

    with far_end.away():
        with pytest.raises(ConnectionRefusedError):
            submit(far_end)
        assert kept.sock.recv(1) == b""
    kept.close()

    assert submit(far_end).status == 200


# --- results and pictures


@pytest.mark.parametrize("wire", ["fal", "bfl"])
@pytest.mark.parametrize(
    ("kind", "seed"),
    [("other_seed", 8), ("seed_string", "7"), ("seed_float", 7.5), ("seed_huge", 2**53 + 8)],
)
def test_the_seed_in_a_result(wire, kind, seed, request):
    far_end = request.getfixturevalue(wire)
    far_end.faults.add(kind)

    found = result(far_end)["seed"]

    assert (found, type(found)) == (seed, type(seed))


def test_a_flagged_picture_is_black_and_says_so(fal):
    fal.faults.add("flagged")

    found = result(fal)

    assert found["has_nsfw_concepts"] == [True]
    assert paid(fal) == 1


@pytest.mark.parametrize(("kind", "category"), [("policy", "sexual"), ("moderated", "model_moderated")])
def test_a_refusal_of_the_model_for_the_content_is_billed(fal, kind, category):
    fal.faults.add(kind)
    refused = get(fal, submit(fal).json()["response_url"])

    [problem] = refused.json()["detail"]
    assert (refused.status, problem["type"]) == (422, "content_policy_violation")
    assert problem["categories"] == [category]
    assert paid(fal) == 1


def test_a_failure_of_the_model_is_not_billed(fal):
    fal.faults.add("failed")

    assert get(fal, submit(fal).json()["response_url"]).status == 500
    assert paid(fal) == 0


@pytest.mark.parametrize(("kind", "state"), [("stuck", "IN_PROGRESS"), ("no_runner", "IN_QUEUE")])
def test_a_request_never_ends(fal, kind, state):
    fal.faults.add(kind)

    assert get(fal, submit(fal).json()["status_url"]).json()["status"] == state


def test_a_result_with_two_pictures(fal):
    fal.faults.add("two_pictures")

    assert len(result(fal)["images"]) == 2


@pytest.mark.parametrize("wire", ["fal", "bfl"])
@pytest.mark.parametrize("kind", ["truncated", "animated", "bomb", "giant", "wrong_format", "other_size"])
def test_a_picture_is_spoilt(wire, kind, request):
    far_end = request.getfixturevalue(wire)
    good = ask("GET", picture_url(far_end)).body
    far_end.faults.add(kind)

    spoilt = ask("GET", picture_url(far_end)).body

    assert spoilt != good
    assert (len(spoilt) > GIANT) == (kind == "giant")


def test_a_picture_has_the_wrong_content_type(fal):
    url = picture_url(fal)
    fal.faults.add("wrong_type", to="image/svg+xml")

    assert ask("GET", url).headers["Content-Type"] == "image/svg+xml"


@pytest.mark.parametrize("wire", ["fal", "bfl"])
@pytest.mark.parametrize("step", ["run", "media"])
def test_a_pictures_url_redirects_and_expires(wire, step, request):
    far_end = request.getfixturevalue(wire)
    far_end.faults.add("redirected", step)
    far_end.faults.add("expired", step, nth=2)

    redirected, expired = (ask("GET", picture_url(far_end)) for _ in range(2))

    assert (redirected.status, redirected.headers["Location"]) == (302, METADATA_SERVICE)
    assert expired.status == (404 if wire == "fal" else 403)


@pytest.mark.parametrize("wire", ["fal", "bfl"])
def test_urls_in_responses_lead_to_a_link_local_address(wire, request):
    far_end = request.getfixturevalue(wire)
    far_end.faults.add("link_local", "submit")
    taken = submit(far_end).json()
    far_end.faults.add("link_local")

    urls = {name: value for name, value in taken.items() if name.endswith("_url")}
    assert {urlsplit(url).hostname for url in urls.values()} == {"169.254.169.254"}
    assert picture_url(far_end) == METADATA_SERVICE


def test_a_synchronous_picture_is_spoilt_too():
    for name in ("huggingface", "openai"):
        with getattr(FarEnd, name)(seconds=0) as far_end:
            good = submit(far_end).body
            far_end.faults.add("animated")

            assert submit(far_end).body != good


def test_the_router_has_the_queues_faults():
    with FarEnd.huggingface(seconds=0) as far_end:
        path, body = ROUTER
        far_end.faults.add("lost")

        with pytest.raises(ConnectionResetError):
            ask("POST", far_end.base_url + path, body, key(far_end))
        assert far_end.ledger.submissions()[0].response == "lost"


# --- the harness


def test_faults_and_ledger_over_http(far_end):
    base = far_end.base_url
    added = ask("POST", f"{base}/__faults", [{"kind": "lost"}, {"kind": "429", "nth": 2, "times": None}])

    assert (added.status, [each["kind"] for each in added.json()]) == (200, ["lost", "429"])
    with pytest.raises(ConnectionResetError):
        submit(far_end)
    assert submit(far_end).status == 429
    assert [each["happened"] for each in ask("GET", f"{base}/__faults").json()] == [1, 1]
    assert ask("DELETE", f"{base}/__faults").json() == []
    submit(far_end)
    ledger = ask("GET", f"{base}/__ledger?by=prompt").json()
    assert ledger["paid_twice"] == [{"prompt": "a", "paid": 2}]
    assert (ledger["paid"], len(ledger["submissions"])) == (2, 2)


@pytest.mark.parametrize(
    "line", [{"kind": "teapot"}, {"kind": "lost", "often": 3}, "lost", {"kind": "flagged", "step": "list"}]
)
def test_a_line_that_is_no_fault_is_refused(fal, line):
    refused = ask("POST", f"{fal.base_url}/__faults", line)

    assert refused.status == 400
    assert refused.json()["error"]


def test_many_calls_at_once_are_all_counted():
    with FarEnd.fal(seconds=0, concurrency=24) as far_end:
        threads = [threading.Thread(target=submit, args=[far_end]) for _ in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert len({each.call for each in far_end.ledger.submissions()}) == 60


def test_the_far_ends_share_no_code_with_the_clients():
    program = "import sys, tests.wires.far_end, tests.wires.__main__; print(*sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "tests.wires.far_end" in modules
    assert [name for name in modules if name.startswith(("posegen.backends", "posegen.fetching", "httpx"))] == []
