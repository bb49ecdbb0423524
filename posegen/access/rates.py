"""How many requests a caller may make: a token bucket for each user, in the memory of one process.

Several processes of the API count on their own: the limit protects each of them, and money is bounded by credits.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from posegen.access.callers import Caller, Kind

REQUESTS_A_MINUTE = 120
AT_ONCE = 40
"""Of a user: two requests a second for good, and a page that opens 40 pictures' data at once."""
MOST_BUCKETS = 20_000
"""Some 5 MB. Beyond it the bucket that was used longest ago is dropped: unused for 20 s, it is as full as a new one."""
_MINUTE = 60.0


@dataclass(frozen=True)
class Allowance:
    """Whether a request may go on.

    Attributes:
        allowed: False for one request too many.
        rate: requests a minute; None without a limit.
        at_once: requests that a rested caller may make at once.
        remaining: requests that may follow at once.
        seconds: until one more is free; 0 while some remain.
    """

    allowed: bool
    rate: int | None = None
    at_once: int = 0
    remaining: int = 0
    seconds: float = 0.0


UNLIMITED = Allowance(True)


@dataclass
class _Bucket:
    tokens: float
    looked_at: float


class Rates:
    """The buckets of all callers of this process; may be used from several threads."""

    def __init__(self, most_buckets: int = MOST_BUCKETS) -> None:
        self._most = most_buckets
        self._lock = Lock()
        # The one that was used longest ago comes first.
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: Caller, now: float) -> Allowance:
        """Count a request of this caller.

        All keys and sessions of a user share a bucket, except those with a rate of their own. Services and admins have
        no limit unless their key says so.

        Args:
            caller: who calls.
            now: seconds of a clock that never goes back, such as `time.monotonic`.
        """
        if caller.rate is None and caller.kind is not Kind.USER:
            return UNLIMITED
        if caller.rate is None:
            name, rate, at_once = f"user:{caller.user_id}", REQUESTS_A_MINUTE, AT_ONCE
        else:
            name, rate, at_once = caller.credential, caller.rate, max(1, caller.rate * AT_ONCE // REQUESTS_A_MINUTE)
        with self._lock:
            return self._take(name, rate, at_once, now)

    def _take(self, name: str, rate: int, at_once: int, now: float) -> Allowance:
        bucket = self._buckets.pop(name, None) or _Bucket(at_once, now)
        bucket.tokens = min(at_once, bucket.tokens + (now - bucket.looked_at) * rate / _MINUTE)
        bucket.looked_at = now
        allowed = bucket.tokens >= 1
        bucket.tokens -= allowed
        self._buckets[name] = bucket
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        wait = max(0.0, 1 - bucket.tokens) * _MINUTE / rate
        return Allowance(allowed, rate, at_once, math.floor(bucket.tokens), wait)

    def __len__(self) -> int:
        return len(self._buckets)
