"""What may be shown of a value that is about to be logged: no secret, and no customer's prompt.

Two nets: the name of a field, and patterns in text for what has got into a message, a URL or a traceback.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

HIDDEN = "***"
_DEEPEST = 8

_SECRET_NAME = re.compile(
    r"secret|passw|passphrase|credential|authorization|cookie|signature|api_?key|access_?key|private_?key|key_?id", re.I
)
_TOKEN_NAME = re.compile(r"token", re.I)
_PROMPT_NAME = re.compile(r"(?:^|_)prompts?(?:_|$)", re.I)

_QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_WORD = (
    r"(?:secret|passw|passphrase|credential|signature|api_?key|access_?key|private_?key|key_?id|token(?!=\d+\b))"
    r"[\w-]{0,40}"
)
_COLON = r"""["']\s{0,4}:\s{0,4}[bu]?"""


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.I | re.S)


# Beside each pattern what a text must contain to be worth searching. No pattern begins or goes on with an unbounded
# run that the next one could begin in too: long texts have to stay cheap.
_SECRET_TEXTS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (("://",), _pattern(r"(://[^\s:/@]*:)[^\s/]*@"), rf"\1{HIDDEN}@"),
    (("=",), _pattern(rf"""({_WORD}=)(?:{_QUOTED}|[^\s&,;'")]+)"""), rf"\1{HIDDEN}"),
    (("'", '"'), _pattern(rf"({_WORD}{_COLON}){_QUOTED}"), rf"\1{HIDDEN}"),
    (
        ("authorization",),
        _pattern(r"""(authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:(?:bearer|basic|token)\s{1,4})?)[^\s"',]+"""),
        rf"\1{HIDDEN}",
    ),
    # A key, a login link and a share link of ours: the id of a key stays, to tell which one it is.
    (("psg_",), _pattern(r"(psg_[0-9a-z]{12}_)[0-9a-z]{8,}"), rf"\1{HIDDEN}"),
    (("/login/",), _pattern(r"(/login/)[0-9a-z]{8,}"), rf"\1{HIDDEN}"),
    (("/shared/",), _pattern(r"(/shared/)[0-9a-z]{8,}"), rf"\1{HIDDEN}"),
    (("bearer",), _pattern(r"(\bbearer\s{1,4})[\w.~+/=-]{8,}"), rf"\1{HIDDEN}"),
)
_PROMPT_TEXT = _pattern(rf"(prompt\w{{0,40}}(?:=|{_COLON})){_QUOTED}")


def redacted(fields: Mapping[str, object], *, with_prompts: bool) -> dict[str, object]:
    """The fields as they may be logged: plain values only, secrets hidden, prompts left out unless asked for.

    A number named `token` is a fencing token and stays; a text of that name is a secret.

    >>> redacted({"url": "postgresql://app:hunter2@db/posegen", "prompt": "a red dress"}, with_prompts=False)
    {'url': 'postgresql://app:***@db/posegen'}
    """
    return _mapping(fields, with_prompts, depth=0)


def _mapping(fields: Mapping[str, object], with_prompts: bool, depth: int) -> dict[str, object]:
    return {
        str(name): HIDDEN if _is_secret(str(name), value) else _value(value, with_prompts, depth)
        for name, value in fields.items()
        if with_prompts or not _is_prompt(str(name), value)
    }


def _value(value: object, with_prompts: bool, depth: int) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth < _DEEPEST and isinstance(value, Mapping):
        return _mapping(value, with_prompts, depth + 1)
    if depth < _DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
        return [_value(one, with_prompts, depth + 1) for one in value]
    return _text(str(value), with_prompts)


def _text(text: str, with_prompts: bool) -> str:
    lower = text.lower()
    for needles, pattern, replacement in _SECRET_TEXTS:
        if any(needle in lower for needle in needles):
            text = pattern.sub(replacement, text)
    if not with_prompts and "prompt" in lower:
        text = _PROMPT_TEXT.sub(rf"\1{HIDDEN}", text)
    return text


def _is_secret(name: str, value: object) -> bool:
    if value is None or isinstance(value, bool):  # that a secret is missing is often the reason of the line
        return False
    kind = _kind(name)
    return kind == "secret" or (kind == "token" and not isinstance(value, (int, float)))


def _is_prompt(name: str, value: object) -> bool:
    return _kind(name) == "prompt" and value is not None and not isinstance(value, (bool, int, float))


@lru_cache(maxsize=1024)
def _kind(name: str) -> Literal["secret", "token", "prompt", "plain"]:
    if _SECRET_NAME.search(name.replace("-", "_")):
        return "secret"
    if _TOKEN_NAME.search(name):
        return "token"
    return "prompt" if _PROMPT_NAME.search(name) else "plain"
