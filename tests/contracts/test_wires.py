"""What every wire promises, against a far end that speaks the provider's HTTP and misbehaves on order.

`WIRES` says what each wire has. A case about a step runs on every wire that has the step, marked with `on`.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
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
from tests.concurrency import until
from tests.control_map_files import map_file
from tests.wires.far_end import FarEnd

# How long a client waits for a byte: far longer than any far end takes on a busy machine, unless that is the case.
SECONDS = 30.0
SOON = 0.3
# Of the pictures, in pixels: another one than that of most control maps, and a tenth of the pixels of production.
SIDE = 320
RUNNING = 60.0


@dataclass(frozen=True)
class Has:
    """What a wire has.

    Attributes:
        far_end: starts its far end.
        looks: the steps of a look, each with how long the call still runs at that step; none on a wire whose submit
            returns the picture.
        media: whether the picture lies behind a URL.
        foreign: how the far end can name a URL that is not its own.
        lists: whether lost submits can be searched for.
        cancels: whether a call that waits can be removed.
        seeds: whether the result has the seed.
        flags: whether a flagged picture is delivered with its flag; a far end without flags refuses it.
        policy: how the far end can refuse content; none where the wire has no words for it.
        bills: whether the response to the submit has the price.
        checks: whether the key can be checked for nothing.
        map_side: of the control map, in pixels; as large as the picture where its size follows the map.
        further: variables besides those of the far end.
    """

    far_end: Callable[..., FarEnd]
    looks: Mapping[str, float] = field(default_factory=dict)
    media: bool = False
    foreign: tuple[str, ...] = ()
    lists: bool = False
    cancels: bool = False
    seeds: bool = False
    flags: bool = False
    policy: tuple[str, ...] = ()
    bills: bool = False
    checks: bool = True
    map_side: int = 256
    further: Callable[[FarEnd], dict[str, str]] = lambda far_end: {}  # noqa: ARG005


QUEUE = Has(
    FarEnd.fal,
    looks={"status": 0.0, "result": 0.0},
    media=True,
    foreign=("redirected", "link_local"),
    cancels=True,
    seeds=True,
    flags=True,
    policy=("policy", "moderated"),
)
WIRES: dict[str, Has] = {
    "fal": replace(QUEUE, lists=True),
    # fal's list needs a key of fal's. The picture has the size of the map.
    "huggingface": replace(QUEUE, far_end=partial(FarEnd.huggingface, concurrency=2), map_side=SIDE),
    "bfl": Has(
        FarEnd.bfl,
        # One kind of poll: it is the step `status` while the call runs, and `result` afterwards.
        looks={"status": RUNNING, "result": 0.0},
        media=True,
        foreign=("redirected", "link_local"),
        seeds=True,
        policy=("policy", "moderated", "flagged"),
        bills=True,
    ),
    "openai": Has(FarEnd.openai, foreign=("link_local",), policy=("policy", "moderated", "flagged")),
    "huggingface-endpoint": Has(
        FarEnd.huggingface,
        checks=False,
        further=lambda far_end: {"HUGGINGFACE_ENDPOINT_URL": f"{far_end.base_url}/endpoint"},
    ),
}


def on(has: Callable[[Has], bool]) -> pytest.MarkDecorator:
    """Runs a case on the wires for which this is true."""
    return pytest.mark.parametrize("wire", [name for name, each in WIRES.items() if has(each)], indirect=True)


def on_each(name: str, of: Callable[[Has], Iterable[Any]]) -> pytest.MarkDecorator:
    """Runs a case on each wire with each of its values. `name`: the argument that takes the value."""
    cases = [(wire, value) for wire, has in WIRES.items() for value in of(has)]
    return pytest.mark.parametrize(("wire", name), cases, indirect=["wire"])


ACCEPTS = on(lambda has: bool(has.looks))
DELIVERS_AT_ONCE = on(lambda has: not has.looks)


@dataclass
class Clock:
    """The far end's clock. `ahead`: seconds that have been skipped."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True)
class Wire:
    """A wire between its client and its far end."""

    has: Has
    far_end: FarEnd
    backend: HostedBackend
    clock: Clock

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
            width=SIDE,
            height=SIDE,
            model=description.model,
            control_kind="openpose",
        )
        return Order(uuid4(), recipe, ControlMap(map_file(side=self.has.map_side), "openpose", "0" * 64))

    def submit(self, order: Order | None = None) -> Any:
        return self.backend.submit(order or self.order())

    def accepted(self, order: Order | None = None) -> AcceptedCall:
        """A call that the far end has accepted."""
        order = order or self.order()
        outcome = self.submit(order)
        return AcceptedCall(order.call, outcome.far_id, outcome.urls)

    def accepted_at(self, step: str) -> AcceptedCall:
        """A call whose next look is at this step; `finish` ends it."""
        self.far_end.wire.runners.seconds = self.has.looks[step]
        return self.accepted()

    def finish(self) -> None:
        """The far end ends the calls under way."""
        self.clock.ahead += RUNNING + 1

    def run(self, order: Order | None = None) -> Any:
        """What becomes of an order in the end."""
        order = order or self.order()
        outcome: Any = self.submit(order)
        if isinstance(outcome, Accepted):
            call = AcceptedCall(order.call, outcome.far_id, outcome.urls)
            ends = time.monotonic() + SECONDS
            while isinstance(outcome := self.backend.look(call), Waiting) and time.monotonic() < ends:
                time.sleep(0.02)
        return outcome


@contextmanager
def opened(name: str, seconds: float = SECONDS) -> Iterator[HostedBackend]:
    """The backend as the environment configures it. `seconds`: how long it waits for a byte."""
    backends = Backends.of(Settings(posegen_backend_seconds=seconds))
    yield backends.open_hosted(name)
    backends.close()


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    has, clock = WIRES[request.param], Clock()
    with has.far_end(seconds=0.0, clock=clock) as far_end:
        for name, value in {**far_end.environment(), **has.further(far_end)}.items():
            monkeypatch.setenv(name, value)
        with opened(request.param) as backend:
            yield Wire(has, far_end, backend, clock)


# --- what goes well -----------------------------------------------------------------------------------------------


def test_an_order_becomes_a_picture_of_its_size_that_shows_its_pose(wire):
    delivered = wire.run()

    assert isinstance(delivered, Delivered)
    with Image.open(io.BytesIO(delivered.data)) as picture:
        assert picture.size == (SIDE, SIDE)
        pixels = np.asarray(picture.convert("RGB"))
    assert delivered.seed in (7, None)
    assert not delivered.flagged
    assert len(np.unique(pixels[::8, ::8].reshape(-1, 3), axis=0)) > 100
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


# --- the key ------------------------------------------------------------------------------------------------------


def test_a_key_is_checked_and_nothing_is_paid(wire):
    assert wire.backend.check_key() is wire.has.checks
    assert wire.far_end.ledger.submissions() == []


@on(lambda has: has.checks)
def test_a_wrong_key_names_its_variable(wire):
    wire.far_end.wire.key = "another"
    with pytest.raises(AccountRefused) as refused:
        wire.backend.check_key()
    assert refused.value.variable == wire.far_end.wire.key_variable


@on(lambda has: has.checks)
def test_a_far_end_that_is_away_says_nothing_of_the_key(wire):
    with wire.far_end.away(), pytest.raises(CallNotSent):
        wire.backend.check_key()


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

    with opened(wire.backend.description.name, seconds=SOON) as hurried, pytest.raises(CallUnknown):
        hurried.submit(wire.order())
    assert time.monotonic() - began < SECONDS


def test_a_far_end_that_is_away_got_nothing(wire):
    with wire.far_end.away(), pytest.raises(CallNotSent):
        wire.submit()


def test_a_second_response_on_one_connection_is_no_other_calls_response(wire):
    wire.far_end.faults.add("twice", "submit")

    outcomes = [wire.run(wire.order(seed)) for seed in (1, 2)]

    assert [outcome.seed for outcome in outcomes] in ([1, 2], [None, None])
    assert len({outcome.data for outcome in outcomes}) == 2


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
@on_each("step", lambda has: has.looks)
def test_a_look_that_fails_can_be_repeated(wire, step, fault):
    call = wire.accepted_at(step)
    wire.far_end.faults.add(fault, step)

    seen: Any = None
    try:
        seen = wire.backend.look(call)
    except (CallUnknown, CallNotAccepted, AccountRefused):
        pass
    else:
        assert isinstance(seen, Waiting), seen
    wire.finish()
    assert isinstance(wire.backend.look(call), Delivered)
    assert len(wire.far_end.ledger.submissions()) == 1


@ACCEPTS
def test_a_call_that_runs_is_waited_for(wire):
    wire.far_end.wire.runners.seconds = RUNNING
    call = wire.accepted()

    assert isinstance(wire.backend.look(call), Waiting)
    wire.finish()
    assert isinstance(wire.backend.look(call), Delivered)


@pytest.mark.parametrize("fault", ["500", "503", "reset", "cut", "wrong_type"])
@on(lambda has: has.media)
def test_a_file_that_cannot_be_read_now_is_read_at_the_next_look(wire, fault):
    call = wire.accepted()
    wire.far_end.faults.add(fault, "media")

    with pytest.raises(CallUnknown):
        wire.backend.look(call)
    assert isinstance(wire.backend.look(call), Delivered)


@pytest.mark.parametrize("fault", ["unknown_id", "404"])
@on_each("step", lambda has: has.looks)
def test_an_unknown_id_is_a_call_that_may_have_been_billed(wire, step, fault):
    call = wire.accepted_at(step)
    wire.far_end.faults.add(fault, step)

    seen = wire.backend.look(call)
    assert isinstance(seen, Failed)
    assert seen.billed


@DELIVERS_AT_ONCE
def test_a_wire_that_delivers_at_once_has_nothing_to_look_at(wire):
    call = AcceptedCall(uuid4(), "an id", {})

    with pytest.raises(CallUnknown):
        wire.backend.look(call)
    assert wire.backend.cancel(call) is False


# --- what a far end makes of an order ------------------------------------------------------------------------------


@on_each("fault", lambda has: has.policy)
def test_a_content_refusal_has_its_own_code(wire, fault):
    wire.far_end.faults.add(fault)
    refused = wire.run()
    assert isinstance(refused, Refused)
    assert refused.code is ErrorCode.INAPPROPRIATE_PROMPT


@on(lambda has: has.flags)
def test_a_flagged_picture_says_so(wire):
    wire.far_end.faults.add("flagged")
    delivered = wire.run()
    assert delivered.flagged


@ACCEPTS
def test_a_model_that_fails_is_not_billed(wire):
    wire.far_end.faults.add("failed")
    failed = wire.run()
    assert isinstance(failed, Failed | Refused)
    if isinstance(failed, Failed):
        assert not failed.billed


@DELIVERS_AT_ONCE
def test_a_model_that_fails_within_the_submit_is_unknown(wire):
    wire.far_end.faults.add("failed")
    with pytest.raises(CallUnknown):
        wire.submit()


@on(lambda has: has.bills)
@pytest.mark.parametrize("fault", ["price_zero", "price_negative"])
def test_a_price_that_no_list_can_have_is_no_bill(wire, fault):
    bill = wire.submit().bill
    assert bill.usd == round(bill.usd, 4) > 0
    assert bill.source == "response"

    wire.far_end.faults.add(fault)
    assert wire.submit().bill is None


@on(lambda has: has.seeds)
def test_another_seed_is_passed_on(wire):
    wire.far_end.faults.add("other_seed")
    assert wire.run().seed not in (7, None)


@on(lambda has: has.seeds)
@pytest.mark.parametrize("fault", ["seed_string", "seed_float"])
def test_a_seed_that_is_no_number_is_none(wire, fault):
    wire.far_end.faults.add(fault)
    delivered = wire.run()
    assert delivered.seed is None


@on(lambda has: has.seeds)
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


@on_each("fault", lambda has: has.foreign)
def test_a_result_behind_a_private_address_is_not_read(wire, fault):
    wire.far_end.faults.add(fault)
    with pytest.raises(BackendRejected):
        wire.run()


@on(lambda has: has.media)
def test_an_expired_file_was_billed(wire):
    wire.far_end.faults.add("expired")
    failed = wire.run()
    assert isinstance(failed, Failed)
    assert failed.billed


@ACCEPTS
def test_the_key_is_sent_to_the_wires_own_origin_only(wire):
    wire.run()
    assert wire.far_end.ledger.keys_at_media == 0
    call = wire.accepted()
    foreign = replace(call, urls=dict.fromkeys(call.urls, "http://127.0.0.1:9/x"))
    with pytest.raises(CallUnknown, match="not this wire's"):
        wire.backend.look(foreign)


@ACCEPTS
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


def test_only_a_wire_with_a_list_finds_a_lost_submit(wire):
    assert isinstance(wire.backend.find(lose(wire), frozenset()), Accepted) is wire.has.lists


@on(lambda has: has.lists)
def test_a_search_that_fails_can_be_repeated(wire):
    order = lose(wire)
    for fault in ("500", "html", "other_json", "reset"):
        wire.far_end.faults.add(fault, "list")
        try:
            assert isinstance(wire.backend.find(order, frozenset()), CannotTell)
        except (CallUnknown, CallNotAccepted):
            continue


@pytest.mark.parametrize("seconds", [0.0, 60.0])
@ACCEPTS
def test_cancelling_says_whether_the_call_was_removed(wire, seconds):
    wire.far_end.wire.runners.seconds = seconds

    removed = wire.backend.cancel(wire.accepted())

    assert removed is False, "it has begun, or has ended"


@on(lambda has: has.cancels)
def test_a_call_that_waits_at_the_far_end_is_removed_and_not_billed(wire):
    wire.far_end.wire.runners.seconds = 60.0
    calls = [wire.accepted(wire.order(seed)) for seed in range(4)]

    assert wire.backend.cancel(calls[-1])
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
    until(lambda: wire.far_end.faults.to_json()[0]["happened"])
    wire.backend.abort()
    thread.join(SECONDS / 2)

    assert len(errors) == 1, "broken off, long before its time"
    with pytest.raises(CallNotSent):
        wire.submit()
