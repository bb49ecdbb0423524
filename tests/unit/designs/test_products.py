"""What designs are printed on."""

from __future__ import annotations

import pytest

from posegen.designs.products import PRODUCTS, product_named
from posegen.designs.typesetting.colours import contrast, parse_colour
from posegen.errors import UnknownName


def test_every_product_has_colours_that_can_be_read_on_each_other() -> None:
    for product in PRODUCTS.values():
        assert contrast(parse_colour(product.ink), parse_colour(product.ground)) > 3, product.name


def test_no_print_takes_more_than_a_small_process_has() -> None:
    for product in PRODUCTS.values():
        pixels = (product.width + 2 * product.bleed) * (product.height + 2 * product.bleed) * (300 / 25.4) ** 2
        assert pixels * 3 < 60_000_000, product.name


def test_an_unknown_product_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownName, match=r"no product type 'submarine'; known: t-shirt, .*mug"):
        product_named("submarine")
