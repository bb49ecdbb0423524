"""Reading the pages under `docs/` as data: their tables, their code blocks, their links.

A comment such as `<!-- test: the pictures are made -->` before a block tells a test what to do there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"(?:<!-- test: (?P<note>[^>]+?) -->\n\n?)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
_HEADING = re.compile(r"^#{1,4} (?P<heading>.+)$", re.M)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_TABLE = re.compile(r"(?:^\|.*\n)+", re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block. `note`: what the test comment before it says."""

    language: str
    text: str
    note: str


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path
    text: str

    def blocks(self) -> list[Block]:
        """The fenced blocks, in order."""
        return [Block(found["language"], found["text"], found["note"] or "") for found in _BLOCK.finditer(self.text)]

    def headings(self) -> list[str]:
        """All headings, in order."""
        return [found["heading"] for found in _HEADING.finditer(_BLOCK.sub("", self.text))]

    def section(self, heading: str) -> str:
        """What stands under a heading, up to the next one of any depth."""
        found = {match["heading"]: match for match in _HEADING.finditer(self.text)}[heading]
        following = _HEADING.search(self.text, found.end())
        return self.text[found.end() : following.start() if following else None]

    def rows(self, first_column: str) -> list[dict[str, str]]:
        """The rows of all tables whose first column has this title; code marks are taken off."""
        found = []
        for table in _TABLE.findall(_BLOCK.sub("", self.text)):
            titles, _, *rows = [_cells(line) for line in table.splitlines()]
            if titles[0] == first_column:
                found += [dict(zip(titles, row, strict=True)) for row in rows]
        assert found, f"{self.path.name} has no table whose first column is {first_column!r}"
        return found

    def links(self) -> list[str]:
        """The targets of all links."""
        return [found["target"] for found in _LINK.finditer(_BLOCK.sub("", self.text))]


def page(path: Path | str) -> Page:
    """A page by its path, relative to the checkout."""
    return Page(ROOT / path, (ROOT / path).read_text("utf-8"))


def pages() -> list[Page]:
    """Every Markdown file that a reader may open."""
    return [page(path) for path in sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])]


def anchor(heading: str) -> str:
    """What a link to a heading ends in, by the rules of the usual Markdown viewers."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def names_in(cell: str) -> list[str]:
    """The names of a cell that holds a list: "`a`, `b`" after its code marks are gone."""
    return [name.strip() for name in cell.split(",")]


def answer_differs(documented: str, found: list[dict[str, Any]]) -> str:
    """What is wrong with a documented answer of psql; empty when it holds. An ellipsis stands for anything."""
    wanted = _psql_records(documented)
    if len(wanted) != len(found):
        return f"{len(wanted)} rows are documented, {len(found)} were found: {found}"
    for number, (row, seen) in enumerate(zip(wanted, found, strict=True), 1):
        shown = {name: _as_psql_shows(value) for name, value in seen.items()}
        if list(row) != list(shown):
            return f"the columns are {list(shown)}, not {list(row)}"
        for name, text in row.items():
            if not re.fullmatch(".*".join(map(re.escape, text.split("…"))), shown[name], re.S):
                return f"row {number}, {name}: {shown[name]!r} was found, {text!r} is documented"
    return ""


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return [cell.replace("\\|", "|").replace("`", "").strip() for cell in cells]


def _psql_records(text: str) -> list[Mapping[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not re.fullmatch(r"\(\d+ rows?\)", line)]
    if lines and lines[0].startswith("-[ RECORD"):
        records: list[dict[str, str]] = []
        for line in lines:
            if line.startswith("-[ RECORD"):
                records.append({})
            else:
                name, _, value = line.partition("|")
                records[-1][name.strip()] = value.strip()
        return list(records)
    header, _, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [dict(zip(header, row, strict=True)) for row in rows]


def _as_psql_shows(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, list):
        return "{" + ",".join(map(_as_psql_shows, value)) + "}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f'"{key}": {_as_json_shows(item)}' for key, item in value.items()) + "}"
    return str(value)


def _as_json_shows(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_json_shows, value)) + "]"
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else str(value)
