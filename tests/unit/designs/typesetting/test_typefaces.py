"""The font files: what is in them, what their page says of them, and which of them draws what."""

from __future__ import annotations

import hashlib
import json
import lzma

import numpy as np
import pytest
import uharfbuzz

from posegen.designs.typesetting.fonts import FONTS
from posegen.designs.typesetting.typefaces import (
    COLOUR_EMOJI,
    FONTS_DATA,
    Typeface,
    open_typeface,
    typeface_for,
    typefaces_of,
)
from tests.documents import Page

INDEX = json.loads((FONTS_DATA / "index.json").read_text(encoding="utf-8"))
PAGE = Page(FONTS_DATA / "README.md", (FONTS_DATA / "README.md").read_text(encoding="utf-8"))
BOLD, PLAIN = FONTS["noto-sans-bold"], FONTS["noto-serif"]
GB_2312_LEVEL_1 = [
    bytes([first, second]).decode("gb2312", "ignore") for first in range(0xB0, 0xD8) for second in range(0xA1, 0xFF)
]


def file_of(character: str, font: str = "noto-sans-bold") -> str | None:
    typeface = typeface_for(character, FONTS[font])
    return None if typeface is None else typeface.file


def test_every_file_is_the_one_that_the_index_and_the_page_describe() -> None:
    files = {path.stem: path for path in FONTS_DATA.glob("*.xz")}
    rows = {row["file"]: row for row in PAGE.rows("file")}

    assert files.keys() == INDEX["fonts"].keys() == rows.keys()
    for name, path in files.items():
        facts = INDEX["fonts"][name]
        assert hashlib.sha256(lzma.decompress(path.read_bytes())).hexdigest() == facts["sha256"]
        assert rows[name]["version"] == facts["version"]
        assert rows[name]["made from"] == facts["package"]
        assert rows[name]["changed"] == facts["treatment"]


def test_all_fonts_together_take_less_than_8_megabytes() -> None:
    assert sum(path.stat().st_size for path in FONTS_DATA.iterdir() if path.is_file()) < 8_000_000


def test_the_licence_of_the_fonts_lies_beside_them() -> None:
    licence = (FONTS_DATA / "OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    assert all(row["copyright"] for row in PAGE.rows("file"))


def test_the_index_says_what_the_fonts_really_have() -> None:
    for font in (BOLD, PLAIN, FONTS["lobster"]):
        for typeface in typefaces_of(font)[:3] + typefaces_of(font)[-1:]:
            ranges = INDEX["fonts"][typeface.file]["coverage"].split(",")
            listed = {
                code
                for first, _, last in (part.partition("-") for part in ranges)
                for code in range(int(first, 16), int(last or first, 16) + 1)
            }
            assert listed == set(open_typeface(typeface).face.unicodes)


@pytest.mark.parametrize(
    ("character", "file"),
    [
        ("a", "noto-sans-bold"),
        ("Ệ", "noto-sans-bold"),
        ("Ж", "noto-sans-bold"),
        ("ب", "noto-sans-arabic-bold"),
        ("ש", "noto-sans-hebrew-bold"),
        ("ไ", "noto-sans-thai-bold"),
        ("ກ", "noto-sans-lao-bold"),
        ("ក", "noto-sans-khmer-regular"),
        ("မ", "noto-sans-myanmar-regular"),
        ("ह", "noto-sans-devanagari-regular"),
        ("த", "noto-sans-tamil-regular"),
        ("ꦲ", "noto-sans-javanese-regular"),
        ("中", "noto-sans-cjk-sc-regular"),
        ("。", "noto-sans-cjk-sc-regular"),
        ("か", "noto-sans-cjk-sc-regular"),
        ("한", "noto-sans-cjk-sc-regular"),
        ("嘅", "noto-sans-cjk-sc-regular"),
        ("😀", "noto-color-emoji"),
        ("☕", "noto-color-emoji"),
        ("❤️", "noto-color-emoji"),
        ("👩‍👩‍👧‍👦", "noto-color-emoji"),
        ("👍🏽", "noto-color-emoji"),
        ("🇮🇩", "noto-color-emoji"),
        ("1️⃣", "noto-color-emoji"),
        ("1", "noto-sans-bold"),
        ("1\ufe0f", "noto-sans-bold"),
        ("❤", "noto-sans-symbols2-regular"),
        ("☕\ufe0e", "noto-sans-symbols2-regular"),
        ("→", "noto-sans-symbols-regular"),
        ("\ufffd", "noto-sans-bold"),
    ],
)
def test_a_character_is_drawn_by_the_font_of_its_script(character: str, file: str) -> None:
    assert file_of(character) == file


@pytest.mark.parametrize("character", ["𓀀", "\U0001fffe", "\ue000", "\u0378"])
def test_a_character_that_no_font_has_is_known_as_such(character: str) -> None:
    assert file_of(character) is None


def test_the_letters_of_a_display_font_come_from_it_and_others_from_its_fallback() -> None:
    assert file_of("e", "lobster") == "lobster-regular"
    assert file_of("ệ", "lobster") == "noto-serif-bold"
    assert file_of("ب", "lobster") == "noto-sans-arabic-bold"


def test_the_common_ideographs_kana_and_syllables_are_there() -> None:
    common = [
        *GB_2312_LEVEL_1,
        *"繁體中文臺灣電話學習",
        *map(chr, range(0x3041, 0x3097)),
        *"가나다라마바사아자차카타파하",
    ]
    assert len(common) > 3755
    assert [character for character in common if character and file_of(character) is None] == []


def test_beside_a_bold_font_everything_but_emoji_is_bold() -> None:
    for typeface in typefaces_of(BOLD)[1:]:
        assert typeface.emboldened or typeface.file.endswith("-bold") or typeface.file == COLOUR_EMOJI
    assert not any(typeface.emboldened or typeface.file.endswith("bold") for typeface in typefaces_of(PLAIN))


def test_an_emboldened_letter_has_more_ink_than_a_plain_one() -> None:
    def ink(typeface: Typeface) -> float:
        font = open_typeface(typeface)
        draw = uharfbuzz.RasterDraw()
        draw.transform = (0.1, 0, 0, 0.1, 0, 0)
        draw.draw_glyph(font, font.get_nominal_glyph(ord("中")))
        return float(np.frombuffer(draw.render().buffer, np.uint8).sum())

    plain = ink(Typeface("noto-sans-cjk-sc-regular"))
    assert 1.2 * plain < ink(Typeface("noto-sans-cjk-sc-regular", emboldened=True)) < 1.8 * plain
