"""Keeping the file that a call has brought: it is stored as it came before anything looks into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial

from posegen.backends.description import Description
from posegen.backends.hosted import Bill, Delivered
from posegen.database.connection import Connection
from posegen.errors import ImageInvalid, StorageError
from posegen.generations.calling import rows
from posegen.generations.calling.rows import Call
from posegen.generations.calling.telling import lock_generation
from posegen.images.headers import format_of
from posegen.objects import rows as objects
from posegen.storage.keys import UNKNOWN_CONTENT_TYPE, original_key
from posegen.storage.protocol import ObjectInfo
from posegen.studio import Studio

_MOST_FACTS = 20_000


def keep_file(studio: Studio, call: Call, data: bytes, *, again: Callable[[], bool] = lambda: False) -> ObjectInfo:
    """Store and verify a delivered file.

    Args:
        studio: whose store takes it.
        call: that brought it.
        data: the file as it came, which may be anything.
        again: asked after the store has failed, whether it is to be tried again.

    Raises:
        StorageError: the store does not take it.
    """
    content_type = _content_type_of(data)
    key = partial(original_key, call.generation_id, call.id, content_type=content_type, private=call.private)
    while True:
        try:
            return studio.put_verified(key, data, content_type)
        except StorageError:
            if not again():
                raise


def record_delivery(
    connection: Connection,
    studio: Studio,
    description: Description,
    call: Call,
    stored: ObjectInfo,
    delivered: Delivered,
) -> None:
    """Note the stored file and what the far end says of it; it takes the space of a user once a pose uses it.

    Where no response has said what the call costs, the price list of the backend does.
    """
    lock_generation(connection, call.id)
    listed = None if description.price is None else Bill(description.price, "price_list")
    object_id, _ = objects.register(connection, studio.store.name, stored, generation_id=None)
    rows.deliver(connection, call.id, object_id=object_id, facts=_facts(delivered), bill=delivered.bill or listed)


def _facts(delivered: Delivered) -> dict[str, object]:
    return {**_readable(delivered.facts), "seed": delivered.seed, "flagged": delivered.flagged}


def _readable(facts: Mapping[str, object]) -> Mapping[str, object]:
    """What a far end says beside its file, unless PostgreSQL cannot keep it: that must not cost a picture."""
    try:
        text = json.dumps(facts, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, TypeError, RecursionError):
        return {"left_out": "no JSON"}
    if len(text) > _MOST_FACTS or "\\u0000" in text:
        return {"left_out": f"{len(text):,} characters, or a NUL"}
    return facts


def _content_type_of(data: bytes) -> str:
    try:
        return f"image/{format_of(data).lower()}"
    except ImageInvalid:
        return UNKNOWN_CONTENT_TYPE
