"""Statements that ask for designs and delete them, through the doors of foreign backends; and the lists to ask from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from posegen.database.connection import Connection
from posegen.database.rows import changed
from posegen.designs.products import PRODUCTS
from posegen.designs.typesetting.fonts import FONTS
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused

_RANGES = {
    "design_project_length": "the project id must be 1 to 200 characters long",
    "design_text_storable": "the text must be at most 100,000 characters long to be stored, and 500 to be accepted",
    "design_font_length": "the font's name must be 1 to 100 characters long",
    "design_size_in_range": "the size must be 1 to 2000 points",
    "design_text_colour_length": "the text's colour must be 1 to 100 characters long",
    "design_ground_colour_length": "the ground's colour must be 1 to 100 characters long",
    "design_product_length": "the product type must be 1 to 100 characters long",
    "design_watermark_storable": "the watermark must be 1 to 10,000 characters long, and at most 60 to be accepted",
}
"""What the constraints of `design_requests` say, by their names."""


def seed_design_lists(connection: Connection) -> None:
    """Write what can be printed on, and with which fonts; twice is the same as once."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into product_types (name, title, width, height, bleed, ground, ink, position)
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (name) do update set title = excluded.title, width = excluded.width, height = excluded.height,
                bleed = excluded.bleed, ground = excluded.ground, ink = excluded.ink, position = excluded.position
                where product_types is distinct from excluded
            """,
            [
                (each.name, each.title, each.width, each.height, each.bleed, each.ground, each.ink, position)
                for position, each in enumerate(PRODUCTS.values())
            ],
        )
        cursor.executemany(
            """
            insert into design_fonts (name, title, fallback, position) values (%s, %s, %s, %s)
            on conflict (name) do update set title = excluded.title, fallback = excluded.fallback,
                position = excluded.position where design_fonts is distinct from excluded
            """,
            [(each.name, each.title, each.fallback, position) for position, each in enumerate(FONTS.values())],
        )


def insert_design_request(connection: Connection, user_id: UUID, values: Mapping[str, Any]) -> UUID:
    """Ask for a design with these columns; those that are None have their defaults.

    Raises `RequestRefused` (invalid_request) for what the database refuses at once.
    """
    given = {"user_id": user_id, **{name: value for name, value in values.items() if value is not None}}
    statement = sql.SQL("insert into design_requests ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, given)), sql.SQL(", ").join(sql.Placeholder() * len(given))
    )
    try:
        with connection.transaction():
            (design,) = connection.execute(statement, list(given.values())).fetchall()
    except (psycopg.errors.CheckViolation, psycopg.DataError) as refused:
        said = refused.diag.message_primary or str(refused)
        raise RequestRefused(ErrorCode.INVALID_REQUEST, _RANGES.get(refused.diag.constraint_name or "", said)) from None
    return UUID(str(design["id"]))


def delete_design(connection: Connection, design_id: UUID) -> bool:
    """Take a design and its request out of the tables; its bytes are noted for deletion. False when there is none."""
    return changed(connection, "delete from design_requests where id = %s", [design_id]) == 1
