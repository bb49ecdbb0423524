"""The protocol of hosted backends: an order is submitted, looked at, found again after a lost response, or cancelled.

A wire speaks one provider's HTTP interface. It knows no database, retries nothing, and decodes no picture; when a call
is made again is decided in `posegen.generations.calling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol
from uuid import UUID

from posegen.backends.description import Description
from posegen.backends.protocol import Recipe
from posegen.error_codes import ErrorCode
from posegen.errors import CallUnknown
from posegen.poses.control_maps import MapKind

_LONGEST_TEXT = 2_000
UNREADABLE_SEED = "unreadable_seed"
"""The fact that holds a seed which is no whole number below 2^64."""
BillSource = Literal["response", "invoice", "price_list"]


@dataclass(frozen=True)
class ControlMap:
    """The picture that shows a model the pose.

    `data`: a PNG; `kind`: `openpose` or `depth`, None for the mannequin in the pose, which only reference images are.
    """

    data: bytes
    kind: MapKind | None
    sha256: str


@dataclass(frozen=True)
class Order:
    """What a backend is asked for in one call.

    Attributes:
        call: our id of the call.
        recipe: what determines the picture.
        control: shows the pose; None for a model that takes none.
        sent_at: when the call was committed as sent; None before.
        age: seconds since then.
    """

    call: UUID
    recipe: Recipe
    control: ControlMap | None = None
    sent_at: datetime | None = None
    age: float = 0.0


@dataclass(frozen=True)
class AcceptedCall:
    """A call that the far end has taken. `far_id`: its id there; `urls`: where it is looked at, read and cancelled."""

    call: UUID
    far_id: str
    urls: Mapping[str, str]


@dataclass(frozen=True)
class Bill:
    """What the far end asks for a call, in US dollars."""

    usd: Decimal
    source: BillSource


@dataclass(frozen=True)
class Accepted:
    """The far end has the order.

    Attributes:
        far_id: its id there.
        urls: where it is looked at, read and cancelled.
        bill: where the response to the submit says it.
        kept_seconds: how long the file can be read once it is made; None for days.

    Raises:
        CallUnknown: the id, or a URL, is no plain text of a usual length, which no row could keep.
    """

    far_id: str
    urls: Mapping[str, str] = field(default_factory=dict)
    bill: Bill | None = None
    kept_seconds: float | None = None

    def __post_init__(self) -> None:
        for text in (self.far_id, *self.urls.values()):
            if not (text.isascii() and text.isprintable() and 0 < len(text) <= _LONGEST_TEXT):
                raise CallUnknown(f"The far end's id or a URL cannot be kept: {text[:100]!r}.")


@dataclass(frozen=True)
class Waiting:
    """The far end has not finished. `position`: of its queue, from 0, where it says so."""

    position: int | None = None


@dataclass(frozen=True)
class Delivered:
    """The file as it came, undecoded, with what the far end says of it.

    Attributes:
        data: the bytes of the file.
        seed: that the picture was made with; None where the far end does not say.
        flagged: whether the far end's safety checker flagged it.
        bill: what it cost, where the response says it.
        facts: anything else worth keeping: timings, revision, request ids. Plain JSON.
    """

    data: bytes
    seed: int | None = None
    flagged: bool = False
    bill: Bill | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """The far end makes no picture of this order, now and always.

    `code`: `inappropriate_prompt` or `backend_rejected`; `detail`: its words.
    """

    code: ErrorCode
    detail: str
    bill: Bill | None = None


@dataclass(frozen=True)
class Failed:
    """The far end has ended the call without a picture, or its picture cannot be read any more.

    `billed`: whether it may have been billed; of one that certainly was not, another call may be made.
    """

    detail: str
    billed: bool = False


@dataclass(frozen=True)
class NotThere:
    """The far end never got the order, and will not get it any more unless its sender still lives."""


@dataclass(frozen=True)
class CannotTell:
    """The far end cannot say yet, or ever, whether it got the order."""


class HostedBackend(Protocol):
    """Sends orders to one provider's model. Threads share it.

    What every method raises:
        CallNotSent: no byte has reached the far end.
        CallNotAccepted: the far end documents this response as "not accepted".
        CallUnknown: whether the far end got the request cannot be told from what came back.
        AccountRefused: the far end refuses our key, or the account has no money.
        BackendRejected: the far end refuses this order, now and always.
    """

    @property
    def description(self) -> Description: ...

    def submit(self, order: Order) -> Accepted | Delivered | Refused | Failed:
        """Send an order. It may cost money: at most one request leaves."""

    def look(self, call: AcceptedCall) -> Waiting | Delivered | Refused | Failed:
        """The state of an accepted call, with the file once it is made. Costs nothing, and may be repeated."""

    def find(self, order: Order, recorded: frozenset[str]) -> Accepted | NotThere | CannotTell:
        """Look for an order whose submit got no response. Costs nothing, and may be repeated.

        `recorded`: the far end's ids that belong to other calls.
        """

    def cancel(self, call: AcceptedCall) -> bool:
        """Ask the far end to stop; True when it says that the call was removed before it began, so is never billed.

        Otherwise `look` tells what becomes of it.
        """

    def check_key(self) -> bool:
        """Ask for something that needs the key and costs nothing; False where the far end has nothing of the kind."""

    def abort(self) -> None:
        """Break off all requests under way: each raises `CallUnknown` in its own thread within moments."""

    def close(self) -> None:
        """Close the connections."""
