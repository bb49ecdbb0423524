"""The lists of the content policy: the files of `patterns/`, and the operator's own; read and validated.

What a phrase is lives in `phrases`, what follows from a match in `policy`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from posegen.errors import SettingsInvalid
from posegen.policy.phrases import problem_of

LISTS = ("sexual", "suggestive", "minor", "child_abuse", "violence", "hate", "real_person", "harmless")
_WORDS = "words"
_LONGEST_PHRASE = 200
_MOST_PHRASES = 20_000
_LARGEST_BYTES = 2_000_000


@dataclass(frozen=True)
class Lists:
    """Phrases by the name of their list, and the words that `{name}` stands for."""

    phrases: Mapping[str, Sequence[str]]
    words: Mapping[str, Sequence[str]]


def read_lists(file: Path | None) -> Lists:
    """The lists that Posegen brings, joined with those of the operator's file.

    Args:
        file: a TOML file of the operator; None for none.

    Raises:
        SettingsInvalid: names file, line, value and fix of everything that cannot be used.
    """
    folder = resources.files("posegen.policy") / "patterns"
    texts = {shipped.name: shipped.read_text(encoding="utf-8") for shipped in folder.iterdir() if shipped.is_file()}
    if file is not None:
        texts[str(file)] = _text(file)
    tables = {name: _table(name, text) for name, text in sorted(texts.items())}
    words: dict[str, list[str]] = {}
    for table in tables.values():
        for name, listed in _lists_of_words(table).items():
            words.setdefault(name, []).extend(listed if isinstance(listed, list) else ())
    problems = [
        f"{name}, line {_line_of(texts[name], value)}: {value!r}: {problem}."
        for name, table in tables.items()
        for value, problem in _problems(table, words)
    ]
    if problems:
        raise SettingsInvalid(problems)
    return Lists(
        {name: [phrase for table in tables.values() for phrase in table.get(name, [])] for name in LISTS}, words
    )


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise SettingsInvalid([f"{file} has more than {_LARGEST_BYTES:,} bytes. Keep only what is needed."])
        return file.read_text(encoding="utf-8-sig")
    except OSError as unreadable:
        problem = f"cannot be read: {unreadable.strerror}. Correct POSEGEN_POLICY_FILE, or unset it."
    except UnicodeDecodeError:
        problem = "is no UTF-8 text. Save it as UTF-8."
    raise SettingsInvalid([f"{file} {problem}"])


def _table(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        problem = "its lists lie too deep in each other"
    except ValueError as broken:  # TOMLDecodeError, or a number that is too long
        problem = str(broken)
    raise SettingsInvalid([f"{name} is no TOML: {problem}. docs/reference/policy.md shows a file."])


def _lists_of_words(table: Mapping[str, Any]) -> Mapping[str, Any]:
    listed = table.get(_WORDS, {})
    return listed if isinstance(listed, dict) else {}


def _problems(table: Mapping[str, Any], words: Mapping[str, Sequence[str]]) -> Iterator[tuple[object, str]]:
    """Each value that cannot be used, and why, with the fix."""
    for listed in _lists_of_words(table).values():
        yield from _problems_of_list(listed, {})
    for name, listed in table.items():
        if name in LISTS:
            yield from _problems_of_list(listed, words)
        elif name != _WORDS or not isinstance(listed, dict):
            yield name, f"there is no list of this name; known: {', '.join(LISTS)} and the table [{_WORDS}]"


def _problems_of_list(listed: object, words: Mapping[str, Sequence[str]]) -> Iterator[tuple[object, str]]:
    if not isinstance(listed, list):
        yield listed, 'this is no list: write it as ["one phrase", "another"]'
        return
    if len(listed) > _MOST_PHRASES:
        yield listed[0], f"its list has {len(listed):,} phrases; {_MOST_PHRASES:,} are the most"
        return
    for phrase in listed:
        if not isinstance(phrase, str):
            yield phrase, "this is no text: write it between quotation marks"
        elif len(phrase) > _LONGEST_PHRASE:
            yield phrase, f"it has {len(phrase):,} characters; {_LONGEST_PHRASE} are the most"
        elif problem := problem_of(phrase, words):
            yield phrase, problem


def _line_of(text: str, value: object) -> int:
    """The first line that has the value, from 1."""
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return text[: max(0, text.find(written))].count("\n") + 1
