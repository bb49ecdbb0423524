"""Types of what comes in: texts that PostgreSQL can store, and lists in a query."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

_SURROGATES = re.compile("[\ud800-\udfff]")


def _storable(text: str) -> str:
    for character in ("\x00", *_SURROGATES.findall(text)):
        if character in text:
            named = f"U+{ord(character):04X}"
            raise PydanticCustomError("unstorable", "Text must not contain the character {named}", {"named": named})
    return text


Text = Annotated[str, StringConstraints(max_length=100_000), AfterValidator(_storable)]
"""Any text. What its length may be is judged by the service, whose sentence names the value."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_storable)]
"""A name or id of 1 to 200 characters."""


Words = Annotated[list[Text] | None, Query(max_length=100)]
"""A parameter that may be repeated, and may hold several values with commas."""


def listed(values: list[str] | None) -> list[str]:
    """The values of a parameter that may be repeated or hold several with commas.

    >>> listed(["tiktok,image", "instagram_post"])
    ['tiktok', 'image', 'instagram_post']
    """
    return [each.strip() for value in values or [] for each in value.split(",") if each.strip()]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
