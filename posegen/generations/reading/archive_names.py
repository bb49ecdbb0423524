"""Names inside archives that every system can unpack, and that no two files share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from posegen.graphemes import cut_bytes

LONGEST_BYTES = 120
"""Of one part of a path, as UTF-8: short enough for three of them on any file system."""

_FORBIDDEN = frozenset('<>:"/\\|?*')
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Devices on Windows, whatever the suffix.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?:\.|$)", re.IGNORECASE)


def safe_part(text: str) -> str:
    """The text as one part of a path: never empty, never a way out of the folder, never an option of a command.

    >>> safe_part("../Sommer: 50%"), safe_part("  "), safe_part("nul.jpg")
    ('_Sommer_ 50%', '_', '_nul.jpg')
    """
    plain = unicodedata.normalize("NFC", text)
    kept = "".join(
        "_" if each in _FORBIDDEN else each for each in plain if unicodedata.category(each) not in _INVISIBLE
    )
    # A dot in front hides a file, a dash makes it an option; Windows drops dots and spaces at the end.
    named = cut_bytes(kept.lstrip(" .-").rstrip(" ."), LONGEST_BYTES).rstrip(" .") or "_"
    return f"_{named}" if _DEVICE.match(named) else named


def unique_paths(paths: Iterable[str]) -> list[str]:
    """The same paths, told apart by a number before the suffix where a system that ignores case would mix them up.

    >>> unique_paths(["a/one.jpg", "a/One.jpg", "b/one.jpg"])
    ['a/one.jpg', 'a/One-2.jpg', 'b/one.jpg']
    """
    wanted = list(paths)
    taken = {_folded(path) for path in wanted}
    given: set[str] = set()
    unique = []
    for path in wanted:
        candidate, number = path, 2
        while _folded(candidate) in given or (candidate != path and _folded(candidate) in taken):
            candidate, number = _numbered(path, number), number + 1
        given.add(_folded(candidate))
        unique.append(candidate)
    return unique


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path.casefold())


def _numbered(path: str, number: int) -> str:
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    return f"{folder}{slash}{stem}-{number}{dot}{suffix}"
