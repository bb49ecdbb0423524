"""What stores charge: dated data from `prices.toml`, each with the page that it was read on."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Price:
    """One store's prices in US dollars.

    `gb_month`: 10^9 bytes kept for a month; `write_million`, `read_million`: a million operations; `egress_gb`: 10^9
    bytes sent out. `free_gb_months`, `free_writes`, `free_reads`: what each month has free. `whole_units`: what is over
    that is rounded up to whole GB-months and millions. `read_on`: the day on which `source` was read.
    """

    store: str
    name: str
    source: str
    read_on: date
    gb_month: Decimal
    write_million: Decimal
    read_million: Decimal
    egress_gb: Decimal
    free_gb_months: Decimal = Decimal(0)
    free_writes: int = 0
    free_reads: int = 0
    whole_units: bool = False


_AMOUNTS = {field.name for field in fields(Price) if field.type == "Decimal"}


def price_list(*, local_gb_month: Decimal = Decimal(0)) -> dict[str, Price]:
    """The price of every store that we know, by its name. `local_gb_month`: what the own disk costs."""
    prices = _read()
    return {**prices, "local": replace(prices["local"], gb_month=local_gb_month)}


@cache
def _read() -> dict[str, Price]:
    text = (resources.files("posegen.reports") / "prices.toml").read_text(encoding="utf-8")
    return {store: _price(store, values) for store, values in tomllib.loads(text).items()}


def _price(store: str, values: dict[str, object]) -> Price:
    # Amounts are written as text, because a float has no exact cents.
    exact = {
        name: Decimal(value) if isinstance(value, str) and name in _AMOUNTS else value for name, value in values.items()
    }
    return Price(store=store, **exact)  # type: ignore[arg-type]
