"""A hosted backend for tests: the far end of the wire, in this process, which counts what it is paid for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from posegen.backends.breaker import BackendRule
from posegen.backends.description import Description
from posegen.backends.hosted import (
    Accepted,
    AcceptedCall,
    Bill,
    CannotTell,
    Delivered,
    NotThere,
    Order,
    Refused,
    Waiting,
)
from posegen.backends.protocol import Capabilities
from posegen.generations.calling import collecting, sending, worker
from posegen.images.png import encode_png
from posegen.studio import Studio
from tests.backends import painted

NAME = "studio"
PRICE = Decimal("0.075")
DESCRIPTION = Description(
    name=NAME,
    wire="test",
    model="test/photographs",
    version="photographs-1",
    capabilities=Capabilities(
        largest_side=1024,
        pose_control=True,
        free_prompt=True,
        ground_truth=False,
        costs_money=True,
        photographic=True,
        control_kinds=("openpose",),
        control_weight=True,
    ),
    licence="test",
    price=PRICE,
)


def drawn(order: Order) -> bytes:
    """A PNG that is the same for the same seed and pose."""
    return encode_png(painted(order.recipe.seed, order.recipe.width, order.recipe.height, order.recipe.pose)).data


def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers look and search without the pauses that a real far end is left."""
    monkeypatch.setattr(worker, "STEP_SECONDS", 0.02)
    monkeypatch.setattr(sending, "_SEARCH_SECONDS", 0.02)
    for name in ("_FIRST_LOOK", "_LONGEST_LOOK"):
        monkeypatch.setattr(collecting, name, 0.02)


@dataclass
class FarEndInProcess:
    """Takes orders as a queue does.

    `looks`: how often a call is looked at before it is finished; `before`: called before each request is taken, with
    its name and the call's id; let it raise. `after_submit`: called when an order is taken, before the response
    arrives. `finds`: whether it can tell what became of a submit; `picture`: makes the file of an order.
    """

    description: Description = DESCRIPTION
    looks: int = 0
    finds: bool = True
    before: Callable[[str, Any], object] = lambda *_: None
    after_submit: Callable[[Order], object] = lambda _: None
    picture: Callable[[Order], bytes] = drawn
    facts: Mapping[str, Any] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    aborted: bool = False
    _left: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def paid(self) -> Counter[str]:
        """How often each pose was paid for, by its slug and seed."""
        return Counter(f"{order.recipe.pose} {order.recipe.seed}" for order in self.orders)

    def finish(self) -> None:
        """Every call that is out has its picture at the next look."""
        with self._lock:
            self._left.update({far_id: -left for far_id, left in self._left.items() if left > 0})

    def submit(self, order: Order) -> Accepted | Delivered | Refused:
        self.before("submit", order.call)
        with self._lock:
            self.orders.append(order)
            far_id = f"far-{len(self.orders)}"
            self._left[far_id] = self.looks
        self.after_submit(order)
        return Accepted(far_id, {"status": f"https://far.example/{far_id}"})

    def look(self, call: AcceptedCall) -> Waiting | Delivered | Refused:
        self.before("look", call.call)
        with self._lock:
            self._left[call.far_id] -= 1
            if self._left[call.far_id] >= 0:
                return Waiting()
        order = self.orders[int(call.far_id.removeprefix("far-")) - 1]
        return Delivered(
            self.picture(order), **{"seed": order.recipe.seed, "bill": Bill(PRICE, "response"), **self.facts}
        )

    def find(self, order: Order, recorded: frozenset[str]) -> Accepted | NotThere | CannotTell:
        self.before("find", order.call)
        if not self.finds:
            return CannotTell()
        for number, each in enumerate(self.orders, start=1):
            if each.recipe == order.recipe and f"far-{number}" not in recorded:
                return Accepted(f"far-{number}", {"status": f"https://far.example/far-{number}"})
        return NotThere()

    def cancel(self, call: AcceptedCall) -> bool:
        self.before("cancel", call.call)
        self.cancelled.append(call.far_id)
        return self._left[call.far_id] > 0

    def check_key(self) -> bool:
        self.before("check_key", None)
        return True

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        """Nothing is open."""


def photographing(studio: Studio, far_end: FarEndInProcess, *, call_seconds: float = 1.0) -> Studio:
    """The studio with this far end as its hosted backend, which it waits so long for."""
    return replace(
        studio,
        open_hosted=lambda _: far_end,
        describe=lambda name: far_end.description if name == NAME else None,
        backend_rule=BackendRule(
            attempts=3, call_seconds=call_seconds, first_pause=0.02, longest_pause=0.05, failures=1000
        ),
    )
