"""Text in two directions: the Unicode bidirectional algorithm (UAX #9), from characters to levels to visual order.

Lines are broken in `line_breaking`; HarfBuzz mirrors glyphs and joins letters, in `runs`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from posegen.designs.typesetting.bidi_sequences import ISOLATES, resolve

_DEEPEST = 125
_EMBEDDINGS = {"LRE": ("L", False), "RLE": ("R", False), "LRO": ("L", True), "RLO": ("R", True)}
_REMOVED = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "BN"})


@dataclass(frozen=True)
class Embedding:
    """A paragraph's levels. `base`: 0 for left to right, 1 for right to left; `levels`: one for each character."""

    base: int
    levels: list[int]


def embed(paragraph: str, base: int | None = None) -> Embedding:
    """The level of every character of one paragraph: even ones run to the right, odd ones to the left.

    `base`: given, or else that of the first strong letter. A character that the algorithm takes out has the level of
    the one before it.

    >>> embed("abc אבג").levels
    [0, 0, 0, 0, 1, 1, 1]
    """
    classes = [_class_of(character) for character in paragraph]
    matches = _isolate_matches(classes)
    if base is None:
        base = _first_strong(classes, 0, len(classes), matches)
    explicit, overridden = _explicit(classes, matches, base)
    levels = list(explicit)
    for sequence in _isolating_run_sequences(classes, explicit, matches):
        resolved = _resolve(paragraph, classes, overridden, explicit, sequence, base)
        for index, level in zip(sequence, resolved, strict=True):
            levels[index] = level
    _inherit_removed(classes, levels, base)
    _reset_trailing(classes, levels, base)
    return Embedding(base, levels)


def visual_order(levels: Sequence[int]) -> list[int]:
    """The indices of the parts of one line, from left to right. `levels`: that of each part, in reading order (L2).

    >>> visual_order([0, 1, 1, 0])
    [0, 2, 1, 3]
    """
    order = list(range(len(levels)))
    odd = [level for level in levels if level % 2]
    if not odd:
        return order
    for level in range(max(levels), min(odd) - 1, -1):
        start = 0
        while start < len(order):
            if levels[order[start]] < level:
                start += 1
                continue
            end = start
            while end < len(order) and levels[order[end]] >= level:
                end += 1
            order[start:end] = reversed(order[start:end])
            start = end
    return order


def _class_of(character: str) -> str:
    return unicodedata.bidirectional(character) or "L"


def _isolate_matches(classes: Sequence[str]) -> dict[int, int]:
    """The closing character of each isolate that has one (BD9), and the other way round."""
    matches: dict[int, int] = {}
    opened: list[int] = []
    for index, kind in enumerate(classes):
        if kind in ISOLATES:
            opened.append(index)
        elif kind == "PDI" and opened:
            opening = opened.pop()
            matches[opening] = index
            matches[index] = opening
        elif kind == "B":
            opened.clear()
    return matches


def _first_strong(classes: Sequence[str], start: int, end: int, matches: dict[int, int]) -> int:
    """P2 and P3."""
    index = start
    while index < end:
        kind = classes[index]
        if kind in {"L", "R", "AL"}:
            return int(kind != "L")
        index = matches.get(index, end) + 1 if kind in ISOLATES else index + 1
    return 0


class _Status:
    """The stack of X1: the level that holds, the class that an override imposes, and what did not fit on the stack."""

    def __init__(self, base: int) -> None:
        self._stack: list[tuple[int, str | None, bool]] = [(base, None, False)]
        self._lost_isolates = self._lost_embeddings = self._isolates = 0

    @property
    def level(self) -> int:
        return self._stack[-1][0]

    @property
    def override(self) -> str | None:
        return self._stack[-1][1]

    def embed(self, direction: str, *, overrides: bool) -> None:
        """X2 to X5."""
        if not self._push(direction, direction if overrides else None, isolate=False) and not self._lost_isolates:
            self._lost_embeddings += 1

    def isolate(self, direction: str) -> None:
        """X5a to X5c."""
        if self._push(direction, None, isolate=True):
            self._isolates += 1
        else:
            self._lost_isolates += 1

    def end_isolate(self) -> None:
        """X6a."""
        if self._lost_isolates:
            self._lost_isolates -= 1
        elif self._isolates:
            self._lost_embeddings = 0
            while not self._stack[-1][2]:
                self._stack.pop()
            self._stack.pop()
            self._isolates -= 1

    def end_embedding(self) -> None:
        """X7."""
        if self._lost_isolates:
            return
        if self._lost_embeddings:
            self._lost_embeddings -= 1
        elif not self._stack[-1][2] and len(self._stack) > 1:
            self._stack.pop()

    def _push(self, direction: str, override: str | None, *, isolate: bool) -> bool:
        deeper = (self.level + 1) | 1 if direction == "R" else (self.level + 2) & ~1
        if deeper > _DEEPEST or self._lost_isolates or self._lost_embeddings:
            return False
        self._stack.append((deeper, override, isolate))
        return True


def _explicit(classes: list[str], matches: dict[int, int], base: int) -> tuple[list[int], list[str]]:
    """X1 to X8: levels, and classes as directional overrides change them."""
    levels, overridden = [], list(classes)
    status = _Status(base)
    for index, kind in enumerate(classes):
        if kind == "PDI":
            status.end_isolate()
        if kind not in _REMOVED and kind != "B":
            overridden[index] = status.override or kind
        levels.append(base if kind == "B" else status.level)
        if kind in _EMBEDDINGS:
            direction, overrides = _EMBEDDINGS[kind]
            status.embed(direction, overrides=overrides)
        elif kind in ISOLATES:
            status.isolate(_isolate_direction(classes, index, matches))
        elif kind == "PDF":
            status.end_embedding()
    return levels, overridden


def _isolate_direction(classes: Sequence[str], index: int, matches: dict[int, int]) -> str:
    if classes[index] != "FSI":
        return "R" if classes[index] == "RLI" else "L"
    return "R" if _first_strong(classes, index + 1, matches.get(index, len(classes)), matches) else "L"


def _isolating_run_sequences(classes: Sequence[str], levels: Sequence[int], matches: dict[int, int]) -> list[list[int]]:
    """BD13: runs of one level, an isolate's opening joined to what follows its closing; removed characters left out."""
    runs: list[list[int]] = []
    for index, kind in enumerate(classes):
        if kind in _REMOVED:
            continue
        if runs and levels[runs[-1][-1]] == levels[index]:
            runs[-1].append(index)
        else:
            runs.append([index])
    run_of_start = {run[0]: run for run in runs}
    sequences = []
    for run in runs:
        if classes[run[0]] == "PDI" and run[0] in matches:
            continue
        sequence = list(run)
        while classes[sequence[-1]] in ISOLATES and sequence[-1] in matches:
            sequence += run_of_start[matches[sequence[-1]]]
        sequences.append(sequence)
    return sequences


def _resolve(
    text: str, classes: list[str], overridden: list[str], levels: list[int], sequence: list[int], base: int
) -> list[int]:
    """X10: the levels of one isolating run sequence, by what stands on both sides of it."""
    level = levels[sequence[0]]
    before = _level_beside(classes, levels, sequence[0], -1, base)
    ends_open = classes[sequence[-1]] in ISOLATES
    after = base if ends_open else _level_beside(classes, levels, sequence[-1], 1, base)
    return resolve(
        [text[index] for index in sequence],
        [classes[index] for index in sequence],
        [overridden[index] for index in sequence],
        level=level,
        start="R" if max(level, before) % 2 else "L",
        end="R" if max(level, after) % 2 else "L",
    )


def _level_beside(classes: Sequence[str], levels: Sequence[int], index: int, step: int, base: int) -> int:
    index += step
    while 0 <= index < len(classes):
        if classes[index] not in _REMOVED:
            return levels[index]
        index += step
    return base


def _inherit_removed(classes: Sequence[str], levels: list[int], base: int) -> None:
    for index, kind in enumerate(classes):
        if kind in _REMOVED:
            levels[index] = levels[index - 1] if index else base


def _reset_trailing(classes: Sequence[str], levels: list[int], base: int) -> None:
    """L1: separators, and white space before them or at the end."""
    trailing = True
    for index in range(len(classes) - 1, -1, -1):
        kind = classes[index]
        if kind in {"B", "S"}:
            trailing = True
        elif kind not in _REMOVED and kind not in {"WS", *ISOLATES, "PDI"}:
            trailing = False
        if trailing:
            levels[index] = base
