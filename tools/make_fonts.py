"""Makes the font files of `posegen` and their index out of published packages, and prints the table of their README.md.

That README.md says how to run it. It needs fonttools, brotli and dpkg-deb, which Posegen does not.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

FONTS_DATA = Path(__file__).parents[1] / "posegen/designs/typesetting/fonts_data"
FACTS = ("version", "package", "treatment", "copyright")
NOTO = "./usr/share/fonts/truetype/noto"
OPENTYPE = "./usr/share/fonts/opentype"
SCRIPTS = (
    *("Hebrew", "Arabic", "Syriac", "Thaana", "NKo", "Thai", "Lao", "Khmer", "Myanmar", "Javanese", "Balinese"),
    *("Sundanese", "Buginese", "Batak", "Tagalog", "Devanagari", "Bengali", "Gujarati", "Gurmukhi", "Tamil", "Telugu"),
    *("Kannada", "Malayalam", "Oriya", "Sinhala", "Tibetan", "Georgian", "Armenian", "Ethiopic", "Tifinagh"),
    *("Cherokee", "CanadianAboriginal", "Mongolian"),
)
BOLD_SCRIPTS = ("Hebrew", "Arabic", "Thai", "Lao")
# Cantonese is written with these as well; they are in none of the standards that the subset follows.
CANTONESE = "嘅喺咗啲嚟冇佢哋嗰嘢唔係咁噉乜嘥攞搵瞓諗睇嬲嘞㗎喎囉咩吖啱冚攰嗌啩揸撳掟嗮晒踎孭瞇"


# Where the font itself does not say all of it.
COPYRIGHTS = {
    "league-spartan-extrabold": "© 2011-2020 Micah Rich, Caroline Hadilaksono, Tyler Finck",
    "lobster-regular": '© 2011 Pablo Impallari, Igino Marini, with Reserved Font Names "Lobster" and "Lobster Two"',
    "dancing-script-bold": "© 2010 Pablo Impallari, Igino Marini, with Reserved Font Name Dancing Script",
}


@dataclass(frozen=True)
class Package:
    """A published package. `download`: the command that fetches it into the current folder."""

    file: str
    sha256: str
    download: str


@dataclass(frozen=True)
class Source:
    """One font file to make. `inside`: path in the package; `treatment`: what is done to it."""

    name: str
    package: str
    inside: str
    treatment: str = "no hints"


PACKAGES = {
    package.file.partition("_")[0].removesuffix("-5.3.2.tgz"): package
    for package in (
        Package(
            "fonts-noto-core_20201225-1_all.deb",
            "58f4f0bb6720f919f92096b3508e1412a0f1544424ade6c5b5bf1eb694dd64ba",
            "apt-get download fonts-noto-core=20201225-1",
        ),
        Package(
            "fonts-noto-mono_20201225-1_all.deb",
            "0807ec6454a6f66892159e7939a5c919ac28332e11d54ea78778577d9c569a59",
            "apt-get download fonts-noto-mono=20201225-1",
        ),
        Package(
            "fonts-noto-cjk_1%3a20220127+repack1-1_all.deb",
            "4a2515eb6db3978b897fef9709ed0d2b1f4c6c4df4d83d6c4ef65f71f1b1f502",
            "apt-get download fonts-noto-cjk=1:20220127+repack1-1",
        ),
        Package(
            "fonts-lobster_2.0-2.1_all.deb",
            "9379824d3f3bc44844aa07cb9ad4e6bfd99a785e34668c5dba410947b715dc1b",
            "apt-get download fonts-lobster=2.0-2.1",
        ),
        Package(
            "fonts-dancingscript_1.2-2_all.deb",
            "987b8182611e1f3d9e7b19a82787614470dd8c4ed894a4dedbebc2308703b216",
            "apt-get download fonts-dancingscript=1.2-2",
        ),
        Package(
            "fonts-league-spartan_2.210-1_all.deb",
            "4d1fc96447aa615855e8b7a0afc534c761446ef2ddc6a6259382ec99f1f8929e",
            "apt-get download fonts-league-spartan=2.210-1",
        ),
        Package(
            "unicode-data_15.0.0-1_all.deb",
            "5efef23bbb1c6a133ecbdd63a2cfa07159ccacf5466a49e2426101c5ecd691fc",
            "apt-get download unicode-data=15.0.0-1",
        ),
        Package(
            "fontsource-noto-color-emoji-5.3.2.tgz",
            "1bd31f2fb1616c9da2892e385ff9a95a446cecbc045e1354e6b8a64389f77b96",
            "npm pack @fontsource/noto-color-emoji@5.3.2",
        ),
    )
}


def _noto(name: str, style: str = "Regular", *, script: bool = False) -> Source:
    family = f"NotoS{'erif' if name in {'Tibetan', 'Serif'} else 'ans'}{name if script else ''}"
    file = f"noto-{'sans' if family.startswith('NotoSans') else 'serif'}{f'-{name.lower()}' if script else ''}"
    return Source(f"{file}-{style.lower()}", "fonts-noto-core", f"{NOTO}/{family}-{style}.ttf")


SOURCES = [
    _noto("Sans"),
    _noto("Sans", "Bold"),
    _noto("Serif"),
    _noto("Serif", "Bold"),
    Source("noto-sans-mono-regular", "fonts-noto-mono", f"{NOTO}/NotoSansMono-Regular.ttf"),
    Source(
        "league-spartan-extrabold",
        "fonts-league-spartan",
        f"{OPENTYPE}/league-spartan/LeagueSpartan-ExtraBold.otf",
        "as it is",
    ),
    Source("lobster-regular", "fonts-lobster", f"{OPENTYPE}/lobster/lobster.otf", "as it is"),
    Source(
        "dancing-script-bold", "fonts-dancingscript", f"{OPENTYPE}/dancingscript/DancingScript-Bold.otf", "as it is"
    ),
    *(_noto(name, script=True) for name in SCRIPTS),
    *(_noto(name, "Bold", script=True) for name in BOLD_SCRIPTS),
    Source(
        "noto-sans-cjk-sc-regular", "fonts-noto-cjk", f"{OPENTYPE}/noto/NotoSansCJK-Regular.ttc", "common ideographs"
    ),
    _noto("Symbols", script=True),
    _noto("Symbols2", script=True),
    _noto("Math", script=True),
    Source(
        "noto-color-emoji",
        "fontsource-noto-color-emoji",
        "package/files/noto-color-emoji-emoji-400-normal.woff2",
        "no SVG",
    ),
]


def main(folder: Path) -> None:
    """Make every font and the index from the packages in `folder`."""
    fonts = {}
    for source in SOURCES:
        package = PACKAGES[source.package]
        data = _member(_verified(folder, package), source.inside)
        font, made = _treated(source.treatment, data)
        packed = lzma.compress(made, preset=9 | lzma.PRESET_EXTREME)
        (FONTS_DATA / f"{source.name}.xz").write_bytes(packed)
        fonts[source.name] = {
            "version": font["name"].getDebugName(5).partition(";")[0].removeprefix("Version").strip(),
            "copyright": COPYRIGHTS.get(source.name, font["name"].getDebugName(0)),
            "package": package.file,
            "treatment": source.treatment,
            "sha256": hashlib.sha256(made).hexdigest(),
            "coverage": _ranges(font.getBestCmap()),
        }
        cells = (f"`{source.name}`", f"{len(font.getBestCmap()):,}", f"{len(packed):,}")
        print("|", " | ".join([*cells, *(fonts[source.name][each] for each in FACTS)]), "|")
    emoji = _member(_verified(folder, PACKAGES["unicode-data"]), "./usr/share/unicode/emoji/emoji-data.txt").decode()
    index = {"fonts": fonts, "emoji_presentation": _ranges(_with_property(emoji, "Emoji_Presentation"))}
    (FONTS_DATA / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n")


def _verified(folder: Path, package: Package) -> Path:
    path = folder / package.file
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.sha256:
        raise SystemExit(f"{path} has SHA-256 {found}, not {package.sha256}: fetch it with `{package.download}`.")
    return path


def _member(package: Path, inside: str) -> bytes:
    if package.suffix == ".deb":
        packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True).stdout
    else:
        packed = package.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        member = files.extractfile(inside)
        assert member is not None, inside
        return member.read()


def _treated(treatment: str, data: bytes) -> tuple[TTFont, bytes]:
    """The font and its bytes. What has a reserved name is left as it is, for a changed one could not keep its name."""
    if treatment == "as it is":
        return TTFont(io.BytesIO(data)), data
    if treatment == "common ideographs":
        return _subset(
            _of_collection(data, "Noto Sans CJK SC"), _common_ideographs(), drop=["vhea", "vmtx", "VORG", "BASE"]
        )
    font = TTFont(io.BytesIO(data), recalcTimestamp=False)
    if treatment == "no SVG":
        font.flavor = None
        del font["SVG "]
        return font, _saved(font)
    return _subset(font, font.getBestCmap())


def _subset(font: TTFont, characters: Iterable[int], drop: Iterable[str] = ()) -> tuple[TTFont, bytes]:
    options = subset.Options()
    options.hinting = False
    options.glyph_names = False
    options.notdef_outline = True
    options.name_IDs = ["*"]
    options.layout_features = ["*"] if not drop else ["kern", "palt", "locl", "ccmp", "calt", "liga", "mark", "mkmk"]
    # Of an ideograph that is written in several ways, the Chinese and the Japanese one.
    options.layout_scripts = ["*"] if not drop else ["latn.dflt", "hang.dflt", "hani.dflt", "hani.JAN", "kana.JAN"]
    options.drop_tables += list(drop)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    return font, _saved(font)


def _saved(font: TTFont) -> bytes:
    font.recalcTimestamp = False
    made = io.BytesIO()
    font.save(made)
    return made.getvalue()


def _of_collection(data: bytes, name: str) -> TTFont:
    for font in TTCollection(io.BytesIO(data)).fonts:
        if font["name"].getDebugName(4) == name:
            alone = io.BytesIO()
            font.recalcTimestamp = False
            font.save(alone)
            return TTFont(alone, recalcTimestamp=False)
    raise SystemExit(f"The collection has no {name}.")


def _common_ideographs() -> set[int]:
    """GB 2312, the first level of Big5, JIS X 0208, the syllables of KS X 1001, and what is written between them."""
    first_level = set(_double_bytes("big5", range(0xA4, 0xC7)))
    hangul = {character for character in _double_bytes("euc_kr", range(0xB0, 0xC9)) if 0xAC00 <= character <= 0xD7A3}
    signs = {*range(0x3000, 0x3130), *range(0x3131, 0x318F), *range(0x31F0, 0x3200), *range(0xFF01, 0xFFEF)}
    all_of_them = {
        *_double_bytes("gb2312", range(0xA1, 0xF8)),
        *_double_bytes("euc_jp", range(0xA1, 0xF5)),
        *map(ord, CANTONESE),
    }
    return {character for character in all_of_them | first_level | hangul | signs if character >= 0x2E80}


def _double_bytes(encoding: str, first_bytes: range) -> Iterable[int]:
    for first in first_bytes:
        for second in range(0x40, 0xFF):
            try:
                yield from map(ord, bytes([first, second]).decode(encoding))
            except UnicodeDecodeError:
                continue


def _with_property(table: str, name: str) -> set[int]:
    found: set[int] = set()
    for line in table.splitlines():
        fields = [field.strip() for field in line.partition("#")[0].split(";")]
        if len(fields) == 2 and fields[1] == name:
            first, _, last = fields[0].partition("..")
            found.update(range(int(first, 16), int(last or first, 16) + 1))
    return found


def _ranges(characters: Iterable[int]) -> str:
    """`20-7e,a0`: code points in hex."""
    runs: list[list[int]] = []
    for character in sorted(characters):
        if runs and runs[-1][1] == character - 1:
            runs[-1][1] = character
        else:
            runs.append([character, character])
    return ",".join(f"{first:x}" if first == last else f"{first:x}-{last:x}" for first, last in runs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
