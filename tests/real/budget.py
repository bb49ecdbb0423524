"""What a run against the makers' own servers may pay for: computed from the price lists before anything is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

MOST_USD = Decimal("0.50")
STEPS = ("picture", "mirror", "again", "cancel")
"""What each wire is asked for, one call each: the most important first."""


@dataclass(frozen=True)
class Plan:
    """The calls of a run. `calls`: wire and step; `usd`: of all of them together."""

    calls: frozenset[tuple[str, str]]
    usd: Decimal


def planned(prices: Mapping[str, Decimal], steps: Mapping[str, Collection[str]], most: Decimal = MOST_USD) -> Plan:
    """The calls that fit: each step of all wires before the next step.

    Args:
        prices: US dollars for one picture, by wire.
        steps: those that a wire has.
        most: US dollars for the whole run.

    >>> planned({"a": Decimal("0.2")}, {"a": ["picture", "mirror", "again"]}).usd
    Decimal('0.4')
    """
    calls: set[tuple[str, str]] = set()
    usd = Decimal(0)
    for step in STEPS:
        for wire, price in prices.items():
            if step in steps[wire] and usd + price <= most:
                calls.add((wire, step))
                usd += price
    return Plan(frozenset(calls), usd)


@dataclass
class Purse:
    """Lets each call of a plan be paid for once."""

    plan: Plan
    _paid: set[tuple[str, str]] = field(default_factory=set)

    def pay(self, wire: str, step: str) -> None:
        """Before a submit. Raises `RuntimeError` for a call that is not planned, or was paid for before."""
        call = (wire, step)
        if call not in self.plan.calls or call in self._paid:
            raise RuntimeError(f"The call {step} of {wire} is not planned, or was made: nothing is sent.")
        self._paid.add(call)
