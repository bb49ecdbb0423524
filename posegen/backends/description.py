"""Descriptions of backends: what each is and can do, read without opening any of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from posegen.backends.protocol import Capabilities
from posegen.poses.control_maps import MapKind

DRAWING = "drawing"
OnUncertain = Literal["fail", "call_again"]
Reference = Literal["map", "mannequin"]


@dataclass(frozen=True)
class Description:
    """A backend as operators configure it.

    Attributes:
        name: in requests, recipes and settings.
        wire: the provider's interface that it speaks, or `drawing` for a backend of our own.
        model: as the provider names it.
        version: of recipes: changes whenever the same recipe would give another picture.
        capabilities: what it can do.
        sold_by_provider: a provider sells the use of its pictures, whatever the licence of the weights.
        licence: the entry of the licence list for this model; empty where none is recorded.
        price: US dollars for one picture by the provider's price list; None when nothing is billed or it is on no list.
        price_date: when that list was read, as YYYY-MM-DD.
        concurrency: calls that may be out at once, over all workers.
        on_uncertain: what follows when it cannot be told whether a call was made: the pose fails, or another call.
        resend_is_safe: the far end knows our id of a call, and makes it once however often it is sent.
        recommended_scale: the control scale that the model's maker recommends, which a control weight of 1 stands for.
        largest_scale: the largest one that the model takes; None for one that takes every scale of a control weight.
        prompt_family: whose template prompts follow: `flux`, `gpt-image`, `sdxl` or `other`.
        revision: of the model, for recipes; empty where its maker names none.
        steps: that the model is asked for; None for its default.
        guidance: that the model is asked for; None for its default.
        reference: what shows the pose to a model that takes it as a reference image: a control map, or the picture that
            the mannequin makes of it.
    """

    name: str
    wire: str
    model: str
    version: str
    capabilities: Capabilities
    licence: str = ""
    sold_by_provider: bool = False
    price: Decimal | None = None
    price_date: str = ""
    concurrency: int = 8
    on_uncertain: OnUncertain = "fail"
    resend_is_safe: bool = False
    recommended_scale: float = 1.0
    largest_scale: float | None = None
    prompt_family: str = "other"
    revision: str = ""
    steps: int | None = None
    guidance: float | None = None
    reference: Reference = "map"

    @property
    def is_by_reference(self) -> bool:
        """Whether its model takes the pose as a reference image."""
        return bool(self.capabilities.references and self.capabilities.control_kinds)

    @property
    def shows_mannequin(self) -> bool:
        """Whether its model is shown the mannequin in the pose."""
        return self.is_by_reference and self.reference == "mannequin"

    @property
    def map_kinds(self) -> tuple[MapKind, ...]:
        """The maps that requests may choose from, the preferred one first; none where the mannequin is shown."""
        return () if self.shows_mannequin else self.capabilities.control_kinds

    @property
    def is_billed(self) -> bool:
        """Whether a call costs money, by its provider or by the operator's own price."""
        return self.capabilities.costs_money or self.price is not None

    @property
    def is_hosted(self) -> bool:
        """Whether another machine makes its pictures."""
        return self.wire != DRAWING
