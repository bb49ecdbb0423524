from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from posegen.errors import UnknownName
from posegen.platforms import platform as platforms
from posegen.platforms.platform import MEGABYTE, PLATFORMS, platform_named, reserved_bytes

SIZES = {
    "instagram_post": (1080, 1080),
    "instagram_story": (1080, 1920),
    "instagram_reel": (1080, 1920),
    "tiktok": (1080, 1920),
    "shopee": (1000, 1000),
    "tokopedia": (1000, 1000),
    "lazada": (1000, 1000),
    "facebook": (1200, 630),
    "twitter": (1200, 675),
    "linkedin": (1200, 627),
    "print_letter": (2550, 3300),
    "print_tabloid": (3300, 5100),
}


def test_there_are_the_twelve_platforms_with_their_sizes():
    assert {name: (platform.width, platform.height) for name, platform in PLATFORMS.items()} == SIZES


@pytest.mark.parametrize("name", ["shopee", "tokopedia", "lazada"])
def test_marketplaces_take_at_most_a_megabyte_on_white(name):
    assert PLATFORMS[name].max_bytes == MEGABYTE
    assert PLATFORMS[name].background == "#ffffff"


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
def test_every_rule_says_where_and_when_it_was_read(platform):
    assert platform.source
    assert re.fullmatch(r"20\d\d-[01]\d", platform.read_on)


def test_platforms_of_one_kind_share_their_encoding():
    assert PLATFORMS["instagram_story"].encoding == PLATFORMS["tiktok"].encoding
    assert PLATFORMS["shopee"].encoding == PLATFORMS["lazada"].encoding
    assert PLATFORMS["facebook"].encoding != PLATFORMS["linkedin"].encoding


def test_equal_files_are_reserved_once():
    assert reserved_bytes(["tiktok", "instagram_reel"]) == PLATFORMS["tiktok"].reserve_bytes
    assert reserved_bytes(["tiktok", "facebook"]) == (
        PLATFORMS["tiktok"].reserve_bytes + PLATFORMS["facebook"].reserve_bytes
    )


def test_an_unknown_format_is_named_together_with_those_that_exist():
    with pytest.raises(UnknownName, match=r"'myspace'.*known: instagram_post, .*print_tabloid"):
        platform_named("myspace")


def test_the_documented_example_holds():
    assert doctest.testmod(platforms).attempted == 1
    assert doctest.testmod(platforms).failed == 0


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
def test_the_reference_says_what_the_table_holds(platform):
    limit = "none" if platform.max_bytes is None else f"{platform.max_bytes:,}"
    row = (
        f"| `{platform.name}` | {platform.width}x{platform.height} | {platform.fit} | {platform.background} "
        f"| {limit} | {platform.reserve_bytes:,} | {platform.dpi} |"
    )
    reference = Path(__file__).parents[3] / "docs" / "reference" / "platforms.md"

    assert row in reference.read_text(encoding="utf-8")
