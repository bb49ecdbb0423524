"""The script of faults: what goes wrong at which step, from which request on, and how often.

What a fault does to a picture is in `pictures`, what it does to a maker's JSON is in that maker's module.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tests.wires.exchange import Reply

STEPS = ("submit", "run", "status", "result", "media", "cancel", "list", "account")
"""`run` is the far end's own work on a submission; its faults are drawn when the submission is taken."""

STATUSES = (400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503, 504)
DAY = 86_400.0
METADATA_SERVICE = "http://169.254.169.254/latest/meta-data/"

KINDS: dict[str, tuple[str, str]] = {
    **{str(status): ("submit", f"status {status} in the maker's form") for status in STATUSES},
    "slow": ("submit", "the response comes after `seconds`"),
    "hang": ("submit", "no response until the faults are cleared; then the connection is reset"),
    "reset": ("submit", "the connection is reset before the request is looked at"),
    "lost": ("submit", "the request is carried out, then the connection is reset"),
    "cut": ("submit", "the connection ends after half of the body"),
    "html": ("submit", "status 200 with a page of HTML"),
    "other_json": ("submit", "status 200 with JSON of another shape"),
    "wrong_type": ("media", "another Content-Type header: `to`, or text/html"),
    "twice": ("submit", "two whole responses on one connection"),
    "clock": ("submit", "the Date header is `seconds` ahead, or a day"),
    "duplicated": ("submit", "the far end takes the one request twice, under two ids"),
    "unknown_id": ("status", "the id is unknown"),
    "cancel_too_late": ("cancel", "it has ended already"),
    "policy": ("run", "refused for its content"),
    "moderated": ("run", "the picture is withheld by the maker's moderation"),
    "failed": ("run", "the model fails"),
    "stuck": ("run", "it stays in progress"),
    "no_runner": ("run", "it stays in the queue, or for as long as the submission allows"),
    "flagged": ("run", "a black picture with the safety flag, where the wire has one"),
    "other_seed": ("run", "the seed in the result is another one"),
    "seed_string": ("run", "the seed in the result is a string"),
    "seed_float": ("run", "the seed in the result is a fraction"),
    "seed_huge": ("run", "the seed in the result is beyond 2^53"),
    "price_zero": ("run", "the price, or the usage, is zero"),
    "price_negative": ("run", "the price, or the usage, is negative"),
    "two_pictures": ("run", "the result has two pictures"),
    "other_size": ("run", "the picture is half as wide and high"),
    "truncated": ("run", "the last third of the file is missing"),
    "animated": ("run", "the file has two frames"),
    "giant": ("run", "the file has 64 MiB"),
    "bomb": ("run", "a small file that decodes to 900 million pixels"),
    "wrong_format": ("run", "the file is a GIF and named a PNG or JPEG"),
    "expired": ("run", "the picture's URL has expired"),
    "redirected": ("run", "the picture's URL redirects to `to`, or to a link-local address"),
    "link_local": ("run", "the URL in the response is `to`, or a link-local address"),
}
"""Each kind with the step at which it happens unless another one is named, and what it does."""

_ANY_STEP = {"slow", "hang", "reset", "lost", "cut", "html", "other_json", "wrong_type", "twice", "clock"}
_NOT_TAKEN = {"reset", *map(str, STATUSES)}
_IN_THE_RUN = {kind for kind, (step, _) in KINDS.items() if step == "run"}
_OTHER_STEPS = {
    **{str(status): set(STEPS) for status in STATUSES},
    **{kind: set(STEPS) - {"run"} for kind in _ANY_STEP},
    **{kind: {"run"} for kind in _IN_THE_RUN},
    "unknown_id": {"status", "result", "media", "cancel"},
    "cancel_too_late": {"cancel"},
    "duplicated": {"submit"},
    "expired": {"run", "media"},
    "redirected": {"run", "media"},
    "link_local": {"run", "submit"},
}


@dataclass(frozen=True)
class Fault:
    """One line of the script.

    Args:
        kind: a key of `KINDS`.
        step: one of `STEPS`; left out, the kind's own.
        nth: the first matching request that it happens to; 1 is the next one.
        times: how many requests from there on; None for all.
        seed: only requests about this seed.
        seconds: for `slow` and `clock`; for `hang` the longest wait.
        retry_after: the Retry-After header of a status.
        taken: whether the far end carries the request out all the same, which counts as paid. Left out: no for
            `reset` and statuses, yes for others.
        to: a URL, or a content type for `wrong_type`.
    """

    kind: str
    step: str = ""
    nth: int = 1
    times: int | None = 1
    seed: int | None = None
    seconds: float | None = None
    retry_after: str | None = None
    taken: bool | None = None
    to: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no fault {self.kind!r}; there are {', '.join(KINDS)}")
        if self.at not in _OTHER_STEPS[self.kind]:
            steps = ", ".join(sorted(_OTHER_STEPS[self.kind]))
            raise ValueError(f"the fault {self.kind!r} cannot happen at {self.step!r}; it can at {steps}")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise ValueError(f"nth and times begin at 1; they are {self.nth} and {self.times}")

    @property
    def at(self) -> str:
        """The step."""
        return self.step or KINDS[self.kind][0]

    @property
    def status(self) -> int | None:
        """The status to send, where the kind is one."""
        return int(self.kind) if self.kind.isdigit() else None

    @property
    def is_taken(self) -> bool:
        """Whether the request is carried out."""
        return self.kind not in _NOT_TAKEN if self.taken is None else self.taken


@dataclass
class _Armed:
    fault: Fault
    seen: int = 0
    happened: int = 0

    def takes(self, step: str, seed: int | None) -> bool:
        """Counts a request; whether the fault applies to it."""
        if self.fault.at != step or self.fault.seed not in (None, seed):
            return False
        self.seen += 1
        return self.seen >= self.fault.nth and (
            self.fault.times is None or self.seen < self.fault.nth + self.fault.times
        )


@dataclass
class Faults:
    """The script of one far end; safe to use from several threads."""

    _armed: list[_Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    def add(self, kind: str, step: str = "", **more: Any) -> Fault:
        """Adds a fault to the script; arguments as in `Fault`."""
        fault = Fault(kind, step, **more)
        self.extend([fault])
        return fault

    def extend(self, faults: Iterable[Fault]) -> None:
        """Adds faults. Of several that apply to a request the earliest happens; all of them count it."""
        with self._lock:
            self._released.clear()
            self._armed += [_Armed(fault) for fault in faults]

    def clear(self) -> None:
        """Forgets all faults; connections that hang are reset."""
        with self._lock:
            self._armed.clear()
            self._released.set()

    def take(self, step: str, seed: int | None) -> Fault | None:
        """The fault that happens to this request."""
        with self._lock:
            applying = [armed for armed in self._armed if armed.takes(step, seed)]
            if not applying:
                return None
            applying[0].happened += 1
            return applying[0].fault

    def wait(self, seconds: float | None) -> None:
        """Waits until the faults are cleared, or for some seconds."""
        self._released.wait(seconds)

    def to_json(self) -> list[dict[str, Any]]:
        """Every fault, with how often it has happened."""
        with self._lock:
            return [
                {**asdict(armed.fault), "step": armed.fault.at, "happened": armed.happened} for armed in self._armed
            ]


def disturbed(reply: Reply, fault: Fault | None) -> Reply:
    """The reply as a proxy or a broken server would send it."""
    kind = fault.kind if fault else ""
    if kind == "html":
        page = b"<!doctype html><html><head><title>Just a moment...</title></head><body>Checking.</body></html>"
        return replace(reply, status=200, body=page, content_type="text/html; charset=utf-8")
    if kind == "other_json":
        return replace(reply, status=200, body=b'{"outcome": ["fine"], "id": 7}', content_type="application/json")
    if fault and kind == "wrong_type":
        return replace(reply, content_type=fault.to or "text/html; charset=utf-8")
    return reply


def reported_seed(seed: int, kind: str) -> object:
    """The seed as the result gives it."""
    changed: dict[str, object] = {
        "other_seed": seed + 1,
        "seed_string": str(seed),
        "seed_float": seed + 0.5,
        "seed_huge": 2**53 + seed + 1,
    }
    return changed.get(kind, seed)


def reported_price(price: float, kind: str) -> float:
    """The price or the usage as the response gives it."""
    return {"price_zero": 0 * price, "price_negative": -price}.get(kind, price)
