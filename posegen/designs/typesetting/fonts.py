"""The fonts that customers choose by name, and which one stands in where a font lacks letters.

The files of fonts, and the typefaces for characters of other scripts, are in `typefaces`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from posegen.errors import UnknownName


@dataclass(frozen=True)
class DesignFont:
    """A font that can be asked for. `file`: in `fonts_data`; `fallback`: the font for letters that it lacks."""

    name: str
    title: str
    file: str
    bold: bool
    fallback: str


FONTS = MappingProxyType(
    {
        font.name: font
        for font in (
            DesignFont("noto-sans", "Noto Sans", "noto-sans-regular", False, "noto-sans"),
            DesignFont("noto-sans-bold", "Noto Sans Bold", "noto-sans-bold", True, "noto-sans-bold"),
            DesignFont("noto-serif", "Noto Serif", "noto-serif-regular", False, "noto-serif"),
            DesignFont("noto-serif-bold", "Noto Serif Bold", "noto-serif-bold", True, "noto-serif-bold"),
            DesignFont("noto-sans-mono", "Noto Sans Mono", "noto-sans-mono-regular", False, "noto-sans"),
            DesignFont(
                "league-spartan", "League Spartan ExtraBold", "league-spartan-extrabold", True, "noto-sans-bold"
            ),
            DesignFont("lobster", "Lobster", "lobster-regular", True, "noto-serif-bold"),
            DesignFont("dancing-script", "Dancing Script Bold", "dancing-script-bold", True, "noto-serif-bold"),
        )
    }
)
"""By name. Every one of them is under the SIL Open Font License 1.1."""


def font_named(name: str) -> DesignFont:
    """The font of this name. Raises `UnknownName`."""
    try:
        return FONTS[name]
    except KeyError:
        raise UnknownName("font", name, list(FONTS)) from None
