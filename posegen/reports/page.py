"""The monthly report as one page of HTML that needs nothing else: figures, plots, tables, costs and what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from importlib import resources

import jinja2
import pandas as pd

from posegen.reports import plots
from posegen.reports.forecast import MonthAhead
from posegen.reports.prices import Price
from posegen.reports.spending import Economy, cost_table, footprint, margin, reason_to_move, store_costs
from posegen.reports.usage import Usage

GB = 10**9
_IN_USE = " (in use)"


@dataclass(frozen=True)
class Month:
    """What the page tells of. `before`: the period before it; `poses_ahead`, `bytes_ahead`: the forecasts."""

    title: str
    usage: Usage
    before: Usage
    prices: Mapping[str, Price]
    economy: Economy
    poses_ahead: Sequence[MonthAhead]
    bytes_ahead: Sequence[MonthAhead]
    made: datetime


@dataclass(frozen=True)
class Card:
    """A figure at the top. `change`: against the period before; `way`: whether that is good (`up`) or bad (`down`)."""

    name: str
    value: str
    change: str = ""
    way: str = ""


@dataclass(frozen=True)
class Box:
    """A plot, a table or both.

    `otherwise`: what is said when there is neither; `is_wide`: takes the whole line; `is_money`: decimals of the table
    are US dollars; `marked`: first cell of the row that stands out.
    """

    title: str
    plot: str = ""
    table: pd.DataFrame | None = None
    is_money: bool = False
    marked: str = ""
    note: str = ""
    otherwise: str = "Nothing in this period."
    is_wide: bool = False


@dataclass(frozen=True)
class Pair:
    """Boxes side by side under one heading."""

    title: str
    boxes: list[Box] = field(default_factory=list)


def render(month: Month) -> str:
    """The page."""
    text = (resources.files("posegen.reports") / "page.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["shown"] = _text
    template = environment.from_string(text)
    move = reason_to_move(month.usage, month.economy)
    return template.render(
        title=month.title,
        period=str(month.usage.period),
        made=f"{month.made:%Y-%m-%d %H:%M} UTC",
        alerts=[] if move is None else [move],
        cards=_cards(month),
        plots={"days": plots.as_svg(plots.days(month.usage.tables["days"]))},
        pairs=[_quality(month.usage), _demand(month.usage), _storage(month), _money(month)],
    )


def _cards(month: Month) -> list[Card]:
    now, before = month.usage.headline, month.before.headline
    earned = margin(month.usage, month.economy)
    cards = [
        Card("generations", f"{now.generations:,}", *_change(now.generations, before.generations)),
        Card("poses", f"{now.poses_completed:,}", *_change(now.poses_completed, before.poses_completed)),
        Card("succeeded", _percent(now.success_rate), *_points(now.success_rate, before.success_rate)),
        Card("credits used", f"{now.credits_used:,}", *_change(now.credits_used, before.credits_used)),
        Card("refunded", _percent(now.refund_rate), *_points(now.refund_rate, before.refund_rate, good=-1)),
        Card("from asked to done, p50", _seconds(now.duration_p50)),
        Card("p95", _seconds(now.duration_p95)),
        Card("in the stores", _bytes(now.stored_bytes), *_change(now.stored_bytes, before.stored_bytes, good=0)),
        Card("users", f"{now.users:,}", *_change(now.users, before.users)),
    ]
    if earned.spent:
        before_spent = margin(month.before, month.economy).spent
        cards.append(Card("paid to backends", f"${earned.spent:,.2f}", *_change(earned.spent, before_spent, good=0)))
    if month.economy.credit_value:
        cards.append(Card("margin after backends", f"${earned.margin:,.2f}"))
    return cards


def _quality(usage: Usage) -> Pair:
    errors = usage.tables["errors"]
    phases = usage.tables["phases"]
    return Pair(
        "How well",
        [
            Box("Where the time goes", plots.as_svg(plots.phases(phases)) if len(phases) else ""),
            Box("In seconds", table=phases),
            Box(
                "Errors, and what was refunded for them",
                table=errors,
                otherwise="No error in this period.",
                is_wide=True,
            ),
            Box("Backends", table=usage.tables["backends"], is_wide=True),
            Box("Formats", table=usage.tables["formats"], is_wide=True),
        ],
    )


def _demand(usage: Usage) -> Pair:
    poses, categories = usage.tables["poses"], usage.tables["categories"]
    return Pair(
        "For whom, and what",
        [
            Box("Most popular poses", _bars(poses, "library_pose", "poses", plots.BLUE)),
            Box("Categories", _bars(categories, "category", "poses", plots.GREEN)),
            Box("Top users", table=usage.tables["users"].head(10), is_wide=True),
            Box("Refused by the content policy", table=usage.tables["refusals"].head(10), is_wide=True),
            Box("Space by user", table=usage.tables["storage_users"].head(10), is_wide=True),
        ],
    )


def _storage(month: Month) -> Pair:
    usage = month.usage
    stored = usage.headline.stored_bytes
    dedupe = usage.headline.dedupe_rate
    ahead = month.bytes_ahead
    last = (
        f"In twelve months {_bytes(int(stored + ahead[-1].low))} to {_bytes(int(stored + ahead[-1].high))}."
        if ahead
        else ""
    )
    in_gb = [MonthAhead(each.month, each.low / GB, each.expected / GB, each.high / GB) for each in ahead]
    return Pair(
        "Storage",
        [
            Box(
                "What is kept",
                table=usage.tables["storage"],
                is_wide=True,
                note="" if dedupe is None else f"{dedupe:.1f} % of what was to be stored was there already.",
            ),
            Box(
                "Forecast of the next twelve months",
                plots.as_svg(plots.ahead(in_gb, begin=stored / GB, unit="GB")) if in_gb else "",
                note=last + " The range holds 80 of 100 outcomes if the days go on as those before; it knows no growth."
                if ahead else "",
                otherwise="With less than 14 days of history there is none.",
            ),
            Box("Operations", table=usage.tables["traffic"]),
        ],
    )  # fmt: skip


def _money(month: Month) -> Pair:
    costs = store_costs(month.usage, month.prices, month.economy)
    each = footprint(month.usage, month.economy)
    read_on = ", ".join(f"{cost.price.name} {cost.price.read_on}" for cost in costs)
    asked = pd.DataFrame(
        {
            "store": cost.price.name + (_IN_USE if cost.is_used else ""),
            "storage": float(cost.cost.storage),
            "operations": float(cost.cost.writes + cost.cost.reads),
            "egress": float(cost.cost.egress),
            "all": float(cost.cost.total),
            "a generation": _dollars(cost.per_generation),
            "a pose": _dollars(cost.per_pose),
            "an export": _dollars(cost.per_export),
        }
        for cost in costs
    )
    boxes = [
        *_calls(month),
        Box(
            "What each store asks for this period",
            table=asked,
            is_money=True,
            marked=next((cost.price.name + _IN_USE for cost in costs if cost.is_used), ""),
            is_wide=True,
            note=f"What was made is taken to be sent out {month.economy.downloads} times. Prices compared: {read_on}.",
        ),
    ]
    if each is not None:
        boxes.append(
            Box(
                "A month with so many poses",
                table=cost_table(month.prices, each),
                is_money=True,
                is_wide=True,
                note=f"At {_bytes(each.stored_bytes)} a pose with its exports, as in this period.",
            )
        )
    return Pair("What it costs", boxes)


def _calls(month: Month) -> list[Box]:
    """What hosted backends have billed, and what the settings add to it; nothing where neither is."""
    calls, spent = month.usage.tables["calls"], margin(month.usage, month.economy)
    estimate = f"By POSEGEN_BACKEND_COSTS other pictures cost ${spent.estimated:,.2f}." if spent.estimated else ""
    if calls.empty:
        return [Box("What backends ask for this period", note=estimate, otherwise="")] if estimate else []
    names = {
        "used": "used for a pose",
        "unused": "billed, not used",
        "usd_response": "by responses",
        "usd_invoice": "by invoices",
        "usd_price_list": "by price lists",
        "usd": "all calls",
        "usd_a_pose": "a pose",
    }
    without = int(calls["without_bill"].sum())
    notes = [
        "Sums of the calls that were planned in this period; a pose costs all calls of its backend over those used.",
        "Uncertain calls may be billed and are in no sum." if calls["uncertain"].sum() else "",
        f"{without} pictures came without a bill." if without else "",
        estimate,
    ]
    shown = calls[["backend", "calls", "used", "unused", "uncertain", "open", *list(names)[2:]]].rename(columns=names)
    note = " ".join(filter(None, notes))
    return [Box("What hosted backends ask for this period", table=shown, is_money=True, is_wide=True, note=note)]


def _dollars(amount: Decimal | None) -> float:
    return float("nan") if amount is None else float(amount)


def _bars(table: pd.DataFrame, label: str, value: str, color: str) -> str:
    return plots.as_svg(plots.bars(table, label, value, color=color)) if len(table) else ""


def _text(value: object, name: str, *, money: bool) -> str:
    """A value of the column `name`, as people read it."""
    if value is None or value != value:  # NaN is not equal to itself
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(each)[:8] for each in value)
    if "bytes" in name and isinstance(value, (int, float)):
        return _bytes(int(value))
    if isinstance(value, float):
        # Of one thing, of bills in fractions of a cent, or of all.
        digits = 5 if name.startswith(("a ", "an ")) else 4 if name.startswith(("by ", "all calls")) else 2
        return f"${value:,.{digits}f}" if money else f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _change(now: float | Decimal, before: float | Decimal, *, good: int = 1) -> tuple[str, str]:
    if not before:
        return "", ""
    change = 100 * (float(now) - float(before)) / float(before)
    return f"{change:+.0f} %", _way(change, good)


def _points(now: float | None, before: float | None, *, good: int = 1) -> tuple[str, str]:
    if now is None or before is None:
        return "", ""
    return f"{now - before:+.1f} points", _way(now - before, good)


def _way(change: float, good: int) -> str:
    if not good or abs(change) < 0.05:
        return ""
    return "up" if change * good > 0 else "down"


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1f} %"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:,.1f} s"


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(amount) < 1000:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"
