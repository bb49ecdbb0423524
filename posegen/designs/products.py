"""What a design is printed on, as data: the size of its print in millimetres, its bleed, and its colours."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from posegen.errors import UnknownName


@dataclass(frozen=True)
class Product:
    """A product type. `width`, `height`: of the finished print; `bleed`: what is cut off on each side; millimetres.

    `ground`, `ink`: the colours of a request that names none.
    """

    name: str
    title: str
    width: float
    height: float
    bleed: float
    ground: str
    ink: str


PRODUCTS = MappingProxyType(
    {
        product.name: product
        for product in (
            Product("t-shirt", "T-shirt, front", 300, 400, 0, "#1f2933", "#ffffff"),
            Product("hoodie", "Hoodie, front", 280, 350, 0, "#3b3f45", "#ffffff"),
            Product("tote-bag", "Tote bag", 280, 320, 0, "#efe6d5", "#2b2622"),
            Product("cap", "Cap, front", 120, 60, 0, "#16324f", "#ffffff"),
            Product("mug", "Mug, all around", 200, 90, 2, "#ffffff", "#22303c"),
            Product("poster", "Poster, A3", 297, 420, 3, "#f6c945", "#1d1d1b"),
            Product("postcard", "Postcard, A6 across", 148, 105, 3, "#ffffff", "#7a1f3d"),
            Product("sticker", "Sticker, square", 80, 80, 2, "#e4572e", "#ffffff"),
            Product("phone-case", "Phone case", 75, 155, 3, "#0f766e", "#ffffff"),
        )
    }
)
"""By name."""


def product_named(name: str) -> Product:
    """The product type of this name. Raises `UnknownName`."""
    try:
        return PRODUCTS[name]
    except KeyError:
        raise UnknownName("product type", name, list(PRODUCTS)) from None
