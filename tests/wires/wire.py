"""What the far ends of all wires share: calls under way, the queue before the runners, and the key.

What a maker documents is in that maker's own module.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import heapq
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.wires.exchange import Refused, Reply, Request
from tests.wires.faults import METADATA_SERVICE, Fault, Faults
from tests.wires.ledger import Ledger, Submission
from tests.wires.pictures import File, Order, decoded, file_of

_FOR_EVER = 1e9  # seconds


@dataclass
class Call:
    """A submission that was taken. Times: seconds since the epoch, by the far end's clock.

    `kind`: the fault of its run, "" for none. `failure`: status and JSON body that the model ends with.
    """

    id: str
    model: str
    order: Order
    inputs: Any
    submission: Submission
    submitted: float
    starts: float
    ends: float
    kind: str = ""
    to: str = ""
    failure: tuple[int, dict[str, Any]] | None = None
    cancelled: bool = False
    media_seconds: float | None = None

    def file(self) -> File:
        """The picture, drawn when it is asked for."""
        return file_of(self.order, self.kind)


class Runners:
    """The queue: so many calls at once, each so many seconds; the others wait in order."""

    def __init__(self, seconds: float, concurrency: int) -> None:
        self.seconds = seconds
        self._free = [0.0] * concurrency
        self._lock = threading.Lock()

    def place(self, now: float, *, start_by: float | None = None, attempts: int = 1) -> tuple[float, float] | None:
        """When a call starts and ends; None when it cannot start by that time."""
        with self._lock:
            starts = max(now, self._free[0])
            if start_by is not None and starts > start_by:
                return None
            ends = starts + self.seconds * attempts
            heapq.heapreplace(self._free, ends)
            return starts, ends


class Wire(ABC):
    """The far end of one maker's wire, without its sockets.

    Args:
        seconds: how long a picture takes.
        concurrency: how many are made at once.
        key: the only key that is accepted.
        clock_off: how many seconds the far end's clock is ahead.
        clock: seconds since the epoch; queues and expiry go by it.
    """

    name: ClassVar[str]
    key_variable: ClassVar[str]
    url_variable: ClassVar[str]

    def __init__(
        self,
        *,
        seconds: float = 0.05,
        concurrency: int = 8,
        key: str = "a-key-of-the-far-end",
        clock_off: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key = key
        self._clock = clock
        self.clock_off = clock_off
        self.ledger = Ledger()
        self.faults = Faults()
        self.runners = Runners(seconds, concurrency)
        self.closing = threading.Event()
        self.calls: dict[str, Call] = {}
        self.lock = threading.Lock()

    # --- what each wire defines

    @abstractmethod
    def step_of(self, request: Request) -> str | None:
        """Which of `faults.STEPS` this request is; None for a path that the maker does not have."""

    @abstractmethod
    def respond(self, step: str, request: Request, fault: Fault | None) -> Reply:
        """The reply. Raises `Refused` with another one."""

    @abstractmethod
    def refusal(self, status: int, message: str = "") -> Reply:
        """An error status in the maker's form."""

    def environment(self, base_url: str) -> dict[str, str]:
        """The variables that point a client at this far end."""
        return {self.key_variable: self.key, self.url_variable: base_url}

    # --- what they share

    def now(self) -> float:
        """The far end's clock."""
        return self._clock() + self.clock_off

    def seed_of(self, request: Request) -> int | None:
        """The seed that a request is about: of its call, or in its body."""
        call = self.call_in(request)
        if call is not None:
            return call.order.seed
        if request.media_type != "application/json":
            return None
        try:
            body = request.json()
        except ValueError:
            return None
        for place in (body, body.get("parameters") if isinstance(body, dict) else None):
            if isinstance(place, dict) and isinstance(place.get("seed"), int):
                return int(place["seed"])
        return None

    def call_in(self, request: Request) -> Call | None:
        """The call whose id is in the path or in `?id=`."""
        names = [*request.path.split("/"), request.one("id")]
        return next((self.calls[name] for name in names if name in self.calls), None)

    def take(
        self,
        request: Request,
        *,
        model: str,
        order: Order,
        seed: object,
        inputs: Any,
        usd: float,
        start_by: float | None = None,
        retried: bool = False,
        **facts: Any,
    ) -> Call:
        """Takes a submission: from here on it is paid. Queues then `keep` the call.

        Args:
            request: the submission.
            model: the endpoint.
            order: the picture; its seed is the one that was sent, or one that the far end drew.
            seed: the one that was sent.
            inputs: the body, for lists.
            usd: its price.
            start_by: the time by which it has to start, or it ends as timed out and unpaid.
            retried: whether the maker itself runs it again after 503 and 504.
            facts: for the ledger.
        """
        now = self.now()
        fault, attempts = self._run_fault(order.seed, retried=retried)
        placed = self._placed(now, fault.kind if fault else "", start_by, attempts)
        starts, ends = placed or (start_by or now, start_by or now)
        identity = str(uuid.uuid4())
        submission = self.ledger.take(
            at=now,
            call=identity,
            model=model,
            prompt=order.prompt,
            seed=seed if isinstance(seed, int) else None,
            control=order.control,
            our_id=_our_id(request),
            paid=placed is not None,
            usd=usd,
            facts={**facts, "attempts": attempts},
        )
        call = Call(identity, model, order, inputs, submission, now, starts, ends)
        if fault:
            call.kind, call.to = fault.kind, fault.to or ""
        return call

    def keep(self, call: Call) -> None:
        """Lets a call be found by its id, and in lists."""
        with self.lock:
            self.calls[call.id] = call

    def kept(self) -> list[Call]:
        """All calls that can be found."""
        with self.lock:
            return list(self.calls.values())

    def _placed(self, now: float, kind: str, start_by: float | None, attempts: int) -> tuple[float, float] | None:
        if kind == "no_runner":
            return None if start_by else (now + _FOR_EVER, now + _FOR_EVER)
        placed = self.runners.place(now, start_by=start_by, attempts=attempts)
        return (placed[0], now + _FOR_EVER) if placed and kind == "stuck" else placed

    def _run_fault(self, seed: int, *, retried: bool) -> tuple[Fault | None, int]:
        """The fault of the run, and how often the maker ran it: 10 times at most after 503 and 504."""
        for attempt in range(1, 11):
            fault = self.faults.take("run", seed)
            if not (retried and fault and fault.kind in ("503", "504")):
                return fault, attempt
        return fault, attempt

    def media_call(self, request: Request, fault: Fault | None, key_header: str) -> tuple[Call | None, str]:
        """The call of a picture's URL, and the fault in that URL. Raises `Refused` with a redirect."""
        if request.headers[key_header]:
            self.ledger.note_key_at_media()
        call = self.call_in(request)
        at_media = fault and fault.kind in ("expired", "redirected", "unknown_id")
        kind = fault.kind if fault and at_media else call.kind if call else ""
        if call and kind == "redirected":
            to = (fault.to if fault and at_media else call.to) or METADATA_SERVICE
            raise Refused(Reply(302, headers={"Location": to}))
        return call, kind

    def wait_for(self, call: Call) -> None:
        """Waits until a call has ended, as synchronous wires do."""
        self.closing.wait(min(max(0.0, call.ends - self.now()), threading.TIMEOUT_MAX))


def isoformat(moment: float) -> str:
    """A time as makers write it."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat().replace("+00:00", "Z")


def picture_in(text: str) -> bytes:
    """The file in a data URI or in plain base64.

    Raises:
        ValueError: it is neither, or no picture.
    """
    if text.startswith(("http://", "https://")):
        raise ValueError("this far end downloads nothing: send a data URI")
    payload = text.partition(",")[2] if text.startswith("data:") else text
    try:
        file = base64.b64decode(payload, validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error
    decoded(file)
    return file


def _our_id(request: Request) -> str:
    """The client's id, where a maker documents a place for one: two headers, and the webhook's URL."""
    for name in ("Idempotency-Key", "X-Client-Request-Id"):
        if request.headers[name]:
            return str(request.headers[name])
    return request.one("fal_webhook").rpartition("/")[2]
