"""What every wire promises, against a far end that speaks the provider's HTTP and misbehaves on order."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from posegen.backends.hosted import (
    Accepted,
    AcceptedCall,
    CannotTell,
    ControlMap,
    Delivered,
    Failed,
    HostedBackend,
    NotThere,
    Order,
    Refused,
    Waiting,
)
from posegen.backends.protocol import Recipe
from posegen.backends.registry import Backends
from posegen.error_codes import ErrorCode
from posegen.errors import (
    AccountRefused,
    BackendRejected,
    CallNotAccepted,
    CallNotSent,
    CallUnknown,
)
from posegen.poses.avatar import Avatar
from posegen.poses.library import LIBRARY
from posegen.settings import Settings
from tests.control_map_files import map_file
from tests.wires.far_end import FarEnd

SECONDS = 2.0


@dataclass(frozen=True)
class Wire:
    """A wire between its client and its far end."""

    far_end: FarEnd
    backend: HostedBackend

    def order(self, seed: int = 7, prompt: str = "a woman in a red coat") -> Order:
        description = self.backend.description
        pose = LIBRARY[0]
        recipe = Recipe(
            backend=description.name,
            backend_version=description.version,
            specification=pose.specification,
            pose=pose.slug,
            avatar=Avatar(),
            prompt=prompt,
            seed=seed,
            model=description.model,
            control_kind="openpose",
        )
        return Order(uuid4(), recipe, ControlMap(map_file(), "openpose", "0" * 64))

    def submit(self, order: Order | None = None) -> Any:
        return self.backend.submit(order or self.order())

    def run(self, order: Order | None = None) -> Any:
        """What becomes of an order in the end."""
        order = order or self.order()
        outcome: Any = self.submit(order)
        if isinstance(outcome, Accepted):
            call = AcceptedCall(order.call, outcome.far_id, outcome.urls)
            ends = time.monotonic() + 10
            while isinstance(outcome := self.backend.look(call), Waiting) and time.monotonic() < ends:
                time.sleep(0.02)
        return outcome


FAR_ENDS: dict[str, Callable[..., FarEnd]] = {"fal": FarEnd.fal}


@pytest.fixture(params=FAR_ENDS)
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    with FAR_ENDS[request.param](seconds=0.0) as far_end:
        for name, value in far_end.environment().items():
            monkeypatch.setenv(name, value)
        backends = Backends.of(Settings(posegen_backend_seconds=SECONDS))
        yield Wire(far_end, backends.open_hosted(request.param))
        backends.close()


# --- what goes well -----------------------------------------------------------------------------------------------


def test_an_order_becomes_a_picture_of_its_size_that_shows_its_pose(wire):
    delivered = wire.run()

    assert isinstance(delivered, Delivered)
    with Image.open(io.BytesIO(delivered.data)) as picture:
        assert picture.size == (1024, 1024)
        pixels = np.asarray(picture.convert("RGB"))
    assert delivered.seed in (7, None)
    assert not delivered.flagged
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
    (submission,) = wire.far_end.ledger.submissions()
    assert submission.prompt == "a woman in a red coat"
    assert submission.control, "the far end got the control map"


def test_one_submit_is_one_request(wire):
    wire.run()
    assert len(wire.far_end.ledger.submissions()) == 1


def test_the_same_order_can_be_sent_from_several_threads(wire):
    outcomes = []
    threads = [
        threading.Thread(target=lambda seed=seed: outcomes.append(wire.run(wire.order(seed)))) for seed in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(outcome) for outcome in outcomes] == [Delivered] * 6


# --- a submit without a usable response ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("400", BackendRejected),
        ("401", AccountRefused),
        ("402", AccountRefused),
        ("403", AccountRefused),
        ("404", CallUnknown),
        ("409", BackendRejected),
        ("422", BackendRejected),
        ("429", CallNotAccepted),
        ("500", CallUnknown),
        ("502", CallUnknown),
        ("503", CallNotAccepted),
        ("504", CallUnknown),
        ("reset", CallUnknown),
        ("lost", CallUnknown),
        ("cut", CallUnknown),
        ("html", CallUnknown),
        ("other_json", CallUnknown),
    ],
)
def test_what_a_response_to_a_submit_means(wire, fault, expected):
    wire.far_end.faults.add(fault, "submit")

    with pytest.raises(expected):
        wire.submit()


def test_a_far_end_that_does_not_respond_in_time_is_unknown(wire):
    wire.far_end.faults.add("hang", "submit", seconds=60)
    began = time.monotonic()

    with pytest.raises(CallUnknown):
        wire.submit()
    assert time.monotonic() - began < SECONDS + 3


def test_a_far_end_that_is_away_got_nothing(wire):
    with wire.far_end.away(), pytest.raises(CallNotSent):
        wire.submit()


def test_a_slow_response_is_waited_for(wire):
    wire.far_end.faults.add("slow", "submit", seconds=0.5)
    assert isinstance(wire.run(), Delivered)


def test_the_pause_that_a_far_end_asks_for_is_passed_on(wire):
    wire.far_end.faults.add("429", "submit", retry_after="7")
    with pytest.raises(CallNotAccepted) as refused:
        wire.submit()
    assert refused.value.retry_after == 7


def test_a_refused_key_names_its_variable(wire):
    wire.far_end.faults.add("401", "submit")
    with pytest.raises(AccountRefused) as refused:
        wire.submit()
    assert refused.value.variable in wire.far_end.environment()
    assert wire.far_end.key not in str(refused.value)


# --- looking ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["401", "429", "500", "502", "503", "504", "reset", "cut", "html", "other_json"])
@pytest.mark.parametrize("step", ["status", "result"])
def test_a_look_that_fails_can_be_repeated(wire, step, fault):
    order = wire.order()
    accepted = wire.submit(order)
    call = AcceptedCall(order.call, accepted.far_id, accepted.urls)
    wire.far_end.faults.add(fault, step)

    seen: Any = None
    try:
        seen = wire.backend.look(call)
    except (CallUnknown, CallNotAccepted, AccountRefused):
        pass
    else:
        assert isinstance(seen, Waiting), seen
    assert isinstance(wire.backend.look(call), Delivered)
    assert len(wire.far_end.ledger.submissions()) == 1


@pytest.mark.parametrize("fault", ["500", "503", "reset", "cut", "wrong_type"])
def test_a_file_that_cannot_be_read_now_is_read_at_the_next_look(wire, fault):
    order = wire.order()
    accepted = wire.submit(order)
    call = AcceptedCall(order.call, accepted.far_id, accepted.urls)
    wire.far_end.faults.add(fault, "media")

    with pytest.raises(CallUnknown):
        wire.backend.look(call)
    assert isinstance(wire.backend.look(call), Delivered)


def test_an_unknown_id_is_a_call_that_may_have_been_billed(wire):
    order = wire.order()
    accepted = wire.submit(order)
    wire.far_end.faults.add("unknown_id", "status")

    seen = wire.backend.look(AcceptedCall(order.call, accepted.far_id, accepted.urls))
    assert isinstance(seen, Failed)
    assert seen.billed


# --- what a far end makes of an order ------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["policy", "moderated"])
def test_a_content_refusal_has_its_own_code(wire, fault):
    wire.far_end.faults.add(fault)
    refused = wire.run()
    assert isinstance(refused, Refused)
    assert refused.code is ErrorCode.INAPPROPRIATE_PROMPT


def test_a_flagged_picture_says_so(wire):
    wire.far_end.faults.add("flagged")
    delivered = wire.run()
    assert delivered.flagged


def test_a_model_that_fails_is_not_billed(wire):
    wire.far_end.faults.add("failed")
    failed = wire.run()
    assert isinstance(failed, Failed | Refused)
    if isinstance(failed, Failed):
        assert not failed.billed


def test_another_seed_is_passed_on(wire):
    wire.far_end.faults.add("other_seed")
    assert wire.run().seed not in (7, None)


@pytest.mark.parametrize("fault", ["seed_string", "seed_float"])
def test_a_seed_that_is_no_number_is_none(wire, fault):
    wire.far_end.faults.add(fault)
    delivered = wire.run()
    assert delivered.seed is None


def test_a_seed_beyond_53_bits_is_passed_on_as_it_came(wire):
    wire.far_end.faults.add("seed_huge")
    assert wire.run().seed > 2**53


@pytest.mark.parametrize("fault", ["price_zero", "price_negative", "two_pictures", "other_size", "clock"])
def test_what_is_odd_about_a_result_does_not_hide_the_picture(wire, fault):
    wire.far_end.faults.add(fault)
    delivered = wire.run()
    assert isinstance(delivered, Delivered)
    assert delivered.bill is None or delivered.bill.usd >= 0


@pytest.mark.parametrize("fault", ["truncated", "animated", "bomb", "wrong_format"])
def test_a_broken_file_is_delivered_undecoded(wire, fault):
    wire.far_end.faults.add(fault)
    assert isinstance(wire.run(), Delivered)


def test_a_giant_file_is_refused(wire):
    wire.far_end.faults.add("giant")
    with pytest.raises(BackendRejected):
        wire.run()


@pytest.mark.parametrize("fault", ["redirected", "link_local"])
def test_a_result_behind_a_private_address_is_not_read(wire, fault):
    wire.far_end.faults.add(fault)
    with pytest.raises(BackendRejected):
        wire.run()


def test_an_expired_file_was_billed(wire):
    wire.far_end.faults.add("expired")
    failed = wire.run()
    assert isinstance(failed, Failed)
    assert failed.billed


def test_the_key_is_sent_to_the_wires_own_origin_only(wire):
    wire.run()
    assert wire.far_end.ledger.keys_at_media == 0
    order = wire.order()
    accepted = wire.submit(order)
    foreign = AcceptedCall(order.call, accepted.far_id, dict.fromkeys(accepted.urls, "http://127.0.0.1:9/x"))
    with pytest.raises(CallUnknown, match="not this wire's"):
        wire.backend.look(foreign)


def test_urls_of_a_response_that_lead_elsewhere_are_not_used(wire):
    wire.far_end.faults.add("link_local", "submit")
    assert isinstance(wire.run(), Delivered)


# --- a lost submit, and cancelling --------------------------------------------------------------------------------


def lose(wire: Wire) -> Order:
    order = wire.order()
    wire.far_end.faults.add("lost", "submit")
    with pytest.raises(CallUnknown):
        wire.submit(order)
    return replace(order, sent_at=datetime.now(UTC), age=0.1)


def test_a_lost_submit_is_found_again_or_cannot_be_told(wire):
    order = lose(wire)

    found = wire.backend.find(order, frozenset())

    if isinstance(found, Accepted):
        assert isinstance(wire.backend.look(AcceptedCall(order.call, found.far_id, found.urls)), Delivered)
        assert isinstance(wire.backend.find(order, frozenset([found.far_id])), NotThere | CannotTell)
    else:
        assert isinstance(found, CannotTell)


def test_an_order_that_never_arrived_is_not_found_before_its_time(wire):
    order = replace(wire.order(), sent_at=datetime.now(UTC), age=0.1)
    assert isinstance(wire.backend.find(order, frozenset()), CannotTell)


def test_a_search_that_fails_can_be_repeated(wire):
    order = lose(wire)
    for fault in ("500", "html", "other_json", "reset"):
        wire.far_end.faults.add(fault, "list")
        try:
            assert isinstance(wire.backend.find(order, frozenset()), CannotTell)
        except (CallUnknown, CallNotAccepted):
            continue


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_cancelling_says_whether_the_call_was_removed(wire, seconds):
    wire.far_end.wire.runners.seconds = seconds
    order = wire.order()
    accepted = wire.submit(order)

    removed = wire.backend.cancel(AcceptedCall(order.call, accepted.far_id, accepted.urls))

    assert removed is False, "it has begun, or has ended"


def test_a_call_that_waits_at_the_far_end_is_removed_and_not_billed(wire):
    wire.far_end.wire.runners.seconds = 60.0
    orders = [wire.order(seed) for seed in range(4)]
    accepted = [wire.submit(order) for order in orders]
    last = AcceptedCall(orders[-1].call, accepted[-1].far_id, accepted[-1].urls)

    assert wire.backend.cancel(last)
    assert not wire.far_end.ledger.submissions()[-1].paid


# --- stopping -----------------------------------------------------------------------------------------------------


def test_requests_under_way_are_broken_off(wire):
    wire.far_end.faults.add("hang", "submit", seconds=60)
    errors = []

    def submit() -> None:
        try:
            wire.submit()
        except CallUnknown as error:
            errors.append(error)

    thread = threading.Thread(target=submit)
    thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    wire.backend.abort()
    thread.join(5)

    assert time.monotonic() - began < 0.5
    assert len(errors) == 1
    with pytest.raises(CallNotSent):
        wire.submit()
