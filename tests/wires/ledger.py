"""The ledger: every submission that a far end has taken, and which of them it bills.

It is what a harness compares with the client's rows: what a client has seen of a response changes nothing in it.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

PICTURE = ("model", "prompt", "seed", "control")
"""What makes two submissions the same picture."""


@dataclass(frozen=True)
class Submission:
    """A submission that was taken.

    Args:
        number: 0 is the first one.
        at: when it was taken, seconds since the epoch.
        call: the far end's id.
        model: the endpoint or model.
        prompt: as it was sent.
        seed: as it was sent; None without one.
        control: the first 12 hex digits of the SHA-256 of the control map or reference, "" without one.
        our_id: the client's own id, where the request had one.
        paid: whether it is billed; not when it was withdrawn before it started, refused, or failed.
        usd: what it is billed with.
        response: "sent", or the fault that happened to the response.
        facts: what else a harness may ask for, such as headers of the platform.
    """

    number: int
    at: float
    call: str
    model: str
    prompt: str
    seed: int | None
    control: str = ""
    our_id: str = ""
    paid: bool = True
    usd: float = 0.0
    response: str = "sent"
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Ledger:
    """All submissions of one far end, in the order of their arrival; safe to use from several threads."""

    _submissions: list[Submission] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _keys_at_media: int = 0

    def take(self, **facts: Any) -> Submission:
        """Records a submission; arguments as in `Submission`, without its number."""
        with self._lock:
            submission = Submission(number=len(self._submissions), **facts)
            self._submissions.append(submission)
            return submission

    def change(self, number: int, **facts: Any) -> None:
        """Records what became of a submission."""
        with self._lock:
            self._submissions[number] = replace(self._submissions[number], **facts)

    def note_key_at_media(self) -> None:
        """Counts a request for a picture that carried the key, which no picture's URL may get."""
        with self._lock:
            self._keys_at_media += 1

    @property
    def keys_at_media(self) -> int:
        """How many requests for pictures carried the key."""
        return self._keys_at_media

    def submissions(self) -> list[Submission]:
        """All of them."""
        with self._lock:
            return list(self._submissions)

    def paid(self, *by: str) -> Counter[tuple[Any, ...]]:
        """How many paid submissions there are for each combination of these columns; by default for each picture."""
        columns = by or PICTURE
        return Counter(tuple(getattr(each, column) for column in columns) for each in self.submissions() if each.paid)

    def paid_twice(self, *by: str) -> dict[tuple[Any, ...], int]:
        """The combinations with more than one paid submission."""
        return {key: count for key, count in self.paid(*by).items() if count > 1}

    def to_json(self, *by: str) -> dict[str, Any]:
        """The ledger as `GET /__ledger` returns it."""
        columns = by or PICTURE
        submissions = self.submissions()
        return {
            "submissions": [asdict(each) for each in submissions],
            "paid": sum(each.paid for each in submissions),
            "usd": round(sum(each.usd for each in submissions if each.paid), 6),
            "keys_at_media": self.keys_at_media,
            "paid_twice": [
                {**dict(zip(columns, key, strict=True)), "paid": count} for key, count in self.paid_twice(*by).items()
            ],
        }
