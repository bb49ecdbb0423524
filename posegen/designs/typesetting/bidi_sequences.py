"""One stretch of text in a single direction level: its neutral and weak characters resolved (UAX #9, W1 to I2).

The stretches and their levels are computed in `bidi`.
"""

from __future__ import annotations

from collections.abc import Sequence

ISOLATES = frozenset({"LRI", "RLI", "FSI"})
_MOST_BRACKETS = 63
_NEUTRAL = frozenset({"B", "S", "WS", "ON", "PDI", *ISOLATES})
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


def resolve(
    characters: Sequence[str], classes: Sequence[str], kinds: list[str], *, level: int, start: str, end: str
) -> list[int]:
    """The level of each character of one isolating run sequence.

    `classes`: as the characters have them; `kinds`: as overrides have changed them, resolved in place; `start`, `end`:
    L or R, the direction of what is around the sequence.
    """
    embedding = "R" if level % 2 else "L"
    _weak(kinds, start)
    _brackets(characters, classes, kinds, embedding, start)
    _neutrals(kinds, embedding, start, end)
    if level % 2:
        return [level + (kind in {"L", "EN", "AN"}) for kind in kinds]
    return [level + {"R": 1, "EN": 2, "AN": 2}.get(kind, 0) for kind in kinds]


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
            kinds[index] = "ON" if before in ISOLATES or before == "PDI" else before
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


def _brackets(characters: Sequence[str], classes: Sequence[str], kinds: list[str], embedding: str, start: str) -> None:
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


def _bracket_pairs(characters: Sequence[str], kinds: list[str]) -> list[tuple[int, int]]:
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
