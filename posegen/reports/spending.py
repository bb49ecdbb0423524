"""What a period has cost and earned: each store's price for what was kept and moved, backends against credits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from posegen.reports.cost import GB, Consumption, Cost, PoseFootprint, cost_of_poses, monthly_cost
from posegen.reports.prices import Price
from posegen.reports.usage import Usage

DAYS_A_MONTH = 30
POSE_COUNTS = (10_000, 30_000, 100_000, 300_000, 1_000_000)


@dataclass(frozen=True)
class Economy:
    """What only an operator can know.

    `credit_value`: US dollars that a customer pays for a credit. `backend_cost`: US dollars that a backend asks for a
    pose, by its name. `downloads`: how often what was made is sent out, on average. `move_bytes`, `move_poses`: from
    where on another store than the own disk pays.
    """

    credit_value: Decimal = Decimal(0)
    backend_cost: Mapping[str, Decimal] | None = None
    downloads: Decimal = Decimal(1)
    move_bytes: int = 10 * GB
    move_poses: int = 10_000


@dataclass(frozen=True)
class StoreCost:
    """What a store would have asked for a period, in US dollars; `is_used`: whether it held something."""

    price: Price
    is_used: bool
    cost: Cost
    per_generation: Decimal | None
    per_pose: Decimal | None
    per_export: Decimal | None


@dataclass(frozen=True)
class Margin:
    """US dollars of a period.

    Attributes:
        earned: what customers paid for credits that were used and not refunded.
        billed: what the calls of hosted backends have cost, as their rows say.
        estimated: what the settings say that other poses cost, and pictures of calls without a bill.
    """

    earned: Decimal
    billed: Decimal
    estimated: Decimal

    @property
    def spent(self) -> Decimal:
        """What backends asked for."""
        return self.billed + self.estimated

    @property
    def margin(self) -> Decimal:
        """What is left."""
        return self.earned - self.spent


def consumption(usage: Usage, economy: Economy) -> Consumption:
    """What all stores together had to keep and to move in a period, as one month's worth of a store."""
    traffic = usage.tables["traffic"].groupby("operation")["operations"].sum()
    added = int(usage.tables["storage"]["bytes_added"].sum())
    objects = int(usage.tables["storage"]["objects_added"].sum())
    return Consumption(
        byte_months=int(usage.tables["kept"]["byte_days"].sum()) // DAYS_A_MONTH,
        writes=int(traffic.get("write", 0)),
        reads=int(traffic.get("read", 0)) + int(objects * economy.downloads),
        egress_bytes=int(added * economy.downloads),
    )


def store_costs(usage: Usage, prices: Mapping[str, Price], economy: Economy) -> list[StoreCost]:
    """What each store would have asked for this period, the cheapest first."""
    used = consumption(usage, economy)
    holding = set(usage.tables["kept"]["store"])
    exports = int(usage.tables["formats"]["completed"].sum())
    costs = []
    for price in prices.values():
        cost = monthly_cost(price, used)
        costs.append(
            StoreCost(
                price=price,
                is_used=price.store in holding,
                cost=cost,
                per_generation=_each(cost.total, usage.headline.generations),
                per_pose=_each(cost.total, usage.headline.poses_completed),
                per_export=_each(cost.total, exports),
            )
        )
    return sorted(costs, key=lambda each: (each.cost.total, each.price.store))


def footprint(usage: Usage, economy: Economy) -> PoseFootprint | None:
    """What a pose comes to on average; None when none was made."""
    poses = usage.headline.poses_completed
    if not poses:
        return None
    used = consumption(usage, economy)
    return PoseFootprint(
        stored_bytes=int(usage.tables["storage"]["bytes_added"].sum()) // poses,
        writes=-(-used.writes // poses),
        reads=-(-used.reads // poses),
        egress_bytes=used.egress_bytes // poses,
    )


def cost_table(
    prices: Mapping[str, Price], of_a_pose: PoseFootprint, counts: Sequence[int] = POSE_COUNTS
) -> pd.DataFrame:
    """US dollars of a month in which so many poses are made: a row for each number, a column for each store."""
    rows = [
        {"poses": number}
        | {price.name: float(cost_of_poses(price, number, of_a_pose).total) for price in prices.values()}
        for number in counts
    ]
    return pd.DataFrame(rows)


def margin(usage: Usage, economy: Economy) -> Margin:
    """Credits earned against what backends asked for.

    A backend that makes calls has asked for what their rows say. Of the others a failed pose is taken to have been paid
    for, too.
    """
    costs = economy.backend_cost or {}
    calls, backends = usage.tables["calls"], usage.tables["backends"]
    drawn = backends[~backends["backend"].isin(calls["backend"])]
    pictures = [(row.backend, row.completed + row.failed) for row in drawn.itertuples()]
    pictures += [(row.backend, row.without_bill) for row in calls.itertuples()]
    kept = usage.headline.credits_used - usage.headline.credits_refunded
    return Margin(
        earned=economy.credit_value * kept,
        billed=sum((_exact(usd) for usd in calls["usd"]), Decimal(0)),
        estimated=sum((costs.get(backend, Decimal(0)) * int(number) for backend, number in pictures), Decimal(0)),
    )


def _exact(usd: float) -> Decimal:
    """The amount that a column of floats holds: bills have six decimals."""
    return Decimal(usd).quantize(Decimal("0.000001"))


def reason_to_move(usage: Usage, economy: Economy) -> str | None:
    """Why the own disk has had its time, in a sentence; None while it has not."""
    local = usage.tables["storage"].query("store == 'local'")
    stored = int(local["bytes"].sum())
    poses = int(local.query("kind == 'poses'")["objects"].sum())
    if stored < economy.move_bytes and poses < economy.move_poses:
        return None
    return (
        f"The local store holds {stored / GB:,.1f} GB and {poses:,} poses; from {economy.move_bytes / GB:,.0f} GB or "
        f"{economy.move_poses:,} poses on another store pays. `posegen storage migrate --to r2` moves it while it runs."
    )


def _each(total: Decimal, number: int) -> Decimal | None:
    return total / number if number else None
