"""What storing costs: a store's price applied to what was kept, written, read and sent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from posegen.reports.prices import Price

GB = 10**9
MILLION = 10**6


@dataclass(frozen=True)
class Consumption:
    """What one month used. `byte_months`: bytes times the part of the month for which they were kept."""

    byte_months: int = 0
    writes: int = 0
    reads: int = 0
    egress_bytes: int = 0


@dataclass(frozen=True)
class Cost:
    """US dollars of one month, unrounded."""

    storage: Decimal
    writes: Decimal
    reads: Decimal
    egress: Decimal

    @property
    def total(self) -> Decimal:
        """All of it."""
        return self.storage + self.writes + self.reads + self.egress


@dataclass(frozen=True)
class PoseFootprint:
    """What a pose with its thumbnail and exports comes to, on average: bytes kept, writes, reads and bytes sent."""

    stored_bytes: int
    writes: int
    reads: int
    egress_bytes: int


def monthly_cost(price: Price, used: Consumption) -> Cost:
    """What a store charges for a month."""
    kept = Decimal(used.byte_months) / GB
    return Cost(
        storage=_billed(kept, price.free_gb_months, price) * price.gb_month,
        writes=_billed(Decimal(used.writes) / MILLION, Decimal(price.free_writes) / MILLION, price)
        * price.write_million,
        reads=_billed(Decimal(used.reads) / MILLION, Decimal(price.free_reads) / MILLION, price) * price.read_million,
        egress=Decimal(used.egress_bytes) / GB * price.egress_gb,
    )


def cost_of_poses(price: Price, poses: int, footprint: PoseFootprint) -> Cost:
    """What a month costs in which so many poses are made and downloaded, and all of them kept."""
    return monthly_cost(
        price,
        Consumption(
            byte_months=poses * footprint.stored_bytes,
            writes=poses * footprint.writes,
            reads=poses * footprint.reads,
            egress_bytes=poses * footprint.egress_bytes,
        ),
    )


def _billed(units: Decimal, free: Decimal, price: Price) -> Decimal:
    over = max(units - free, Decimal(0))
    return over.to_integral_value(ROUND_CEILING) if price.whole_units else over
