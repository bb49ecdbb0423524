"""The plots of a report, drawn by matplotlib: as SVG for the page, as PNG where only pictures can be shown."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from posegen.reports.forecast import MonthAhead

INK, SOFT, LINE = "#24303a", "#6b7780", "#dde3e7"
BLUE, ORANGE, GREEN = "#2f6f9f", "#e08a3c", "#4f9d69"
SHOWN_WIDTH = 640
_WIDE, _HALF = (9.6, 2.6), (4.7, 2.9)
_STYLE: Any = {
    "font.family": "sans-serif", "font.size": 9, "axes.edgecolor": LINE, "axes.labelcolor": SOFT, "text.color": INK,
    "xtick.color": SOFT, "ytick.color": SOFT, "axes.spines.top": False, "axes.spines.right": False,
    "axes.spines.left": False, "axes.grid": True, "axes.grid.axis": "y", "grid.color": LINE, "axes.axisbelow": True,
    "svg.fonttype": "none", "svg.hashsalt": "posegen",
}  # fmt: skip


def days(table: pd.DataFrame) -> Figure:
    """Poses and credits of each day. `table`: `days` of a report."""

    def draw(axes: Axes) -> None:
        axes.bar(table["day"], table["poses_completed"], color=BLUE, width=0.8, label="poses")
        axes.set_ylabel("poses")
        credits = axes.twinx()
        credits.plot(table["day"], table["credits_used"], color=ORANGE, linewidth=1.6, label="credits used")
        credits.set_ylabel("credits used", color=ORANGE)
        credits.set_ylim(bottom=0)
        credits.grid(visible=False)
        axes.xaxis.set_major_formatter(DateFormatter("%d %b"))  # type: ignore[no-untyped-call]

    return _figure(_WIDE, draw)


def phases(table: pd.DataFrame) -> Figure:
    """How long the parts of a generation take: the middle, and what one in twenty takes longer than."""
    parts = table[table["phase"] != "duration"]

    def draw(axes: Axes) -> None:
        places = range(len(parts))
        axes.barh([place + 0.2 for place in places], parts["p50"], 0.36, color=BLUE, label="p50")
        axes.barh([place - 0.2 for place in places], parts["p95"], 0.36, color=ORANGE, label="p95")
        axes.set_yticks(list(places), list(parts["phase"]))
        axes.invert_yaxis()
        axes.set_xlabel("seconds")
        axes.grid(axis="x")
        axes.legend(frameon=False)

    return _figure(_HALF, draw)


def bars(table: pd.DataFrame, label: str, value: str, *, most: int = 10, color: str = BLUE) -> Figure:
    """The longest rows of a table, one bar each."""
    shown = table.head(most)

    def draw(axes: Axes) -> None:
        axes.barh(range(len(shown)), shown[value], color=color)
        axes.set_yticks(range(len(shown)), list(shown[label]))
        axes.invert_yaxis()
        axes.set_xlabel(value.replace("_", " "))
        axes.grid(axis="x")

    return _figure(_HALF, draw)


def ahead(months: Sequence[MonthAhead], *, begin: float, unit: str) -> Figure:
    """What is expected, with its range. `begin`: what is there today."""

    def draw(axes: Axes) -> None:
        x = [0, *(each.month for each in months)]
        axes.fill_between(
            x, [begin, *(begin + each.low for each in months)], [begin, *(begin + each.high for each in months)],
            color=BLUE, alpha=0.2, linewidth=0,
        )  # fmt: skip
        axes.plot(x, [begin, *(begin + each.expected for each in months)], color=BLUE, linewidth=1.8)
        axes.set_xlabel("months from now")
        axes.set_ylabel(unit)
        axes.set_ylim(bottom=0)

    return _figure(_HALF, draw)


def as_svg(figure: Figure) -> str:
    """The drawing as an element to put into a page."""
    written = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(written, format="svg", metadata={"Date": None})
    text = written.getvalue()
    return text[text.index("<svg") :]


def as_png(figure: Figure) -> bytes:
    """The drawing as a picture, at most as wide as Dagster's pages show it without cutting it off."""
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=min(96, SHOWN_WIDTH / figure.get_figwidth()))
    return written.getvalue()


def _figure(size: tuple[float, float], draw: Callable[[Axes], None]) -> Figure:
    # Without pyplot: it keeps every figure for ever, and a global state that threads would share.
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        return figure
