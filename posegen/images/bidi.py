"""Text in two directions: the Unicode bidirectional algorithm (UAX #9), from characters to levels to visual order.

Lines are broken elsewhere; mirrored glyphs and joined letters are the shaper's business.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_DEEPEST = 125
_MOST_BRACKETS = 63
_ISOLATES = frozenset({"LRI", "RLI", "FSI"})
_EMBEDDINGS = {"LRE": ("L", False), "RLE": ("R", False), "LRO": ("L", True), "RLO": ("R", True)}
_REMOVED = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "BN"})
_NEUTRAL = frozenset({"B", "S", "WS", "ON", "LRI", "RLI", "FSI", "PDI"})
_RIGHT_IN_PAIRS = {"R": "R", "AL": "R", "EN": "R", "AN": "R", "L": "L"}
# BidiBrackets.txt of Unicode 15: openings, each followed by its closing.
_PAIRS = (
    "()[]{}\u0f3a\u0f3b\u0f3c\u0f3d\u169b\u169c\u2045\u2046\u207d\u207e\u208d\u208e\u2308\u2309\u230a\u230b\u2329\u232a"
    "\u2768\u2769\u276a\u276b\u276c\u276d\u276e\u276f\u2770\u2771\u2772\u2773\u2774\u2775\u27c5\u27c6\u27e6\u27e7"
    "\u27e8\u27e9\u27ea\u27eb\u27ec\u27ed\u27ee\u27ef\u2983\u2984\u2985\u2986\u2987\u2988\u2989\u298a\u298b\u298c"
    "\u298d\u2990\u298f\u298e\u2991\u2992\u2993\u2994\u2995\u2996\u2997\u2998\u29d8\u29d9\u29da\u29db\u29fc\u29fd"
    "\u2e22\u2e23\u2e24\u2e25\u2e26\u2e27\u2e28\u2e29\u2e55\u2e56\u2e57\u2e58\u2e59\u2e5a\u2e5b\u2e5c\u3008\u3009"
    "\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011\u3014\u3015\u3016\u3017\u3018\u3019\u301a\u301b\ufe59\ufe5a"
    "\ufe5b\ufe5c\ufe5d\ufe5e\uff08\uff09\uff3b\uff3d\uff5b\uff5d\uff5f\uff60\uff62\uff63"
)
_CLOSING = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))
_OPENINGS = frozenset(_CLOSING)
_CLOSINGS = frozenset(_CLOSING.values())
# The two pairs of angle brackets are canonically the same.
_SAME_CLOSING = {"\u232a": "\u3009"}


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
        if kind in _ISOLATES:
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
        index = matches.get(index, end) + 1 if kind in _ISOLATES else index + 1
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
        elif kind in _ISOLATES:
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
        while classes[sequence[-1]] in _ISOLATES and sequence[-1] in matches:
            sequence += run_of_start[matches[sequence[-1]]]
        sequences.append(sequence)
    return sequences


def _resolve(
    text: str, classes: list[str], overridden: list[str], levels: list[int], sequence: list[int], base: int
) -> list[int]:
    """W1 to W7, N0 to N2, I1 and I2: the levels of one isolating run sequence."""
    level = levels[sequence[0]]
    before = _level_beside(classes, levels, sequence[0], -1, base)
    ends_open = classes[sequence[-1]] in _ISOLATES
    after = base if ends_open else _level_beside(classes, levels, sequence[-1], 1, base)
    start = "R" if max(level, before) % 2 else "L"
    end = "R" if max(level, after) % 2 else "L"
    embedding = "R" if level % 2 else "L"
    kinds = [overridden[index] for index in sequence]
    _weak(kinds, start)
    _brackets([text[index] for index in sequence], [classes[index] for index in sequence], kinds, embedding, start)
    _neutrals(kinds, embedding, start, end)
    if level % 2:
        return [level + (kind in {"L", "EN", "AN"}) for kind in kinds]
    return [level + {"R": 1, "EN": 2, "AN": 2}.get(kind, 0) for kind in kinds]


def _level_beside(classes: Sequence[str], levels: Sequence[int], index: int, step: int, base: int) -> int:
    index += step
    while 0 <= index < len(classes):
        if classes[index] not in _REMOVED:
            return levels[index]
        index += step
    return base


def _weak(kinds: list[str], start: str) -> None:
    _marks_and_numbers(kinds, start)
    _separators(kinds)
    _terminators(kinds)
    strong = start
    for index, kind in enumerate(kinds):
        if kind in {"ES", "ET", "CS"}:  # W6
            kinds[index] = "ON"
        elif kind in {"L", "R"}:
            strong = kind
        elif kind == "EN" and strong == "L":  # W7
            kinds[index] = "L"


def _marks_and_numbers(kinds: list[str], start: str) -> None:
    """W1 to W3."""
    before = start
    for index, kind in enumerate(kinds):
        if kind == "NSM":
            kinds[index] = "ON" if before in _ISOLATES or before == "PDI" else before
        before = kinds[index]
    strong = start
    for index, kind in enumerate(kinds):
        if kind in {"L", "R", "AL"}:
            strong = kind
        elif kind == "EN" and strong == "AL":
            kinds[index] = "AN"
    for index, kind in enumerate(kinds):
        if kind == "AL":
            kinds[index] = "R"


def _separators(kinds: list[str]) -> None:
    """W4: one separator between two numbers of one kind belongs to them."""
    for index in range(1, len(kinds) - 1):
        left, kind, right = kinds[index - 1 : index + 2]
        if left == right and ((kind in {"ES", "CS"} and left == "EN") or (kind == "CS" and left == "AN")):
            kinds[index] = left


def _terminators(kinds: list[str]) -> None:
    """W5: signs beside a European number belong to it."""
    index = 0
    while index < len(kinds):
        if kinds[index] != "ET":
            index += 1
            continue
        end = index
        while end < len(kinds) and kinds[end] == "ET":
            end += 1
        if (index > 0 and kinds[index - 1] == "EN") or (end < len(kinds) and kinds[end] == "EN"):
            kinds[index:end] = ["EN"] * (end - index)
        index = end


def _brackets(characters: list[str], classes: list[str], kinds: list[str], embedding: str, start: str) -> None:
    """N0: a pair of brackets goes with what it holds, or with what stands before it."""
    for opening, closing in _bracket_pairs(characters, kinds):
        inside = {_RIGHT_IN_PAIRS[kind] for kind in kinds[opening + 1 : closing] if kind in _RIGHT_IN_PAIRS}
        if embedding in inside:
            direction = embedding
        elif inside:
            context = next((_RIGHT_IN_PAIRS[k] for k in reversed(kinds[:opening]) if k in _RIGHT_IN_PAIRS), start)
            direction = context if context != embedding else embedding
        else:
            continue
        for bracket in (opening, closing):
            kinds[bracket] = direction
            for following in range(bracket + 1, len(kinds)):
                if classes[following] != "NSM":
                    break
                kinds[following] = direction


def _bracket_pairs(characters: list[str], kinds: list[str]) -> list[tuple[int, int]]:
    """BD16, in the order of the openings."""
    opened: list[tuple[str, int]] = []
    pairs = []
    for index, character in enumerate(characters):
        if kinds[index] != "ON":
            continue
        if character in _OPENINGS:
            if len(opened) == _MOST_BRACKETS:
                return []
            opened.append((_SAME_CLOSING.get(_CLOSING[character], _CLOSING[character]), index))
        elif character in _CLOSINGS:
            closing = _SAME_CLOSING.get(character, character)
            for place in range(len(opened) - 1, -1, -1):
                if opened[place][0] == closing:
                    pairs.append((opened[place][1], index))
                    del opened[place:]
                    break
    return sorted(pairs)


def _neutrals(kinds: list[str], embedding: str, start: str, end: str) -> None:
    """N1 and N2."""
    index = 0
    while index < len(kinds):
        if kinds[index] not in _NEUTRAL:
            index += 1
            continue
        stop = index
        while stop < len(kinds) and kinds[stop] in _NEUTRAL:
            stop += 1
        before = _RIGHT_IN_PAIRS[kinds[index - 1]] if index else start
        after = _RIGHT_IN_PAIRS[kinds[stop]] if stop < len(kinds) else end
        kinds[index:stop] = [before if before == after else embedding] * (stop - index)
        index = stop


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
        elif kind not in _REMOVED and kind not in {"WS", *_ISOLATES, "PDI"}:
            trailing = False
        if trailing:
            levels[index] = base
