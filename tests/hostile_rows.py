"""Rows as a foreign backend or an operator may write them, with any value that PostgreSQL takes in any column.

The tables come from the grants of `docs/how-to/database-roles.md`, the columns from the catalogue: a new column is
written as soon as it is there, and a type without hostile values ends the run.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.documents import page

OPERATORS_TABLES = ("library_poses", "pose_categories", "platforms")
"""What docs/how-to/add-a-library-pose.md and docs/reference/platforms.md let operators write, beside their own file."""

Value = object
NAMES = ("star-jump", "yoga", "tiktok", "mannequin", "editor", "noto-sans-bold", "sticker", "easy", "#ff0000", "red")
TEXTS = (
    *(
        "",
        " ",
        "\t\n",
        "\x01\x02",
        "\x1b[2J\x1b]0;owned\x07",
        "\x7f\x9b31m",
        "nul \0 inside",
        "\u202egpj.exe",
        "\u2028\u2029",
    ),
    *(
        "\u200b\u200d\ufeff",
        "e" + "\u0301" * 500,
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\ufffe\uffff",
        "\ue000",
    ),
    *(
        "\U0010ffff",
        "العربية",
        "한국어",
        "ﷺ" * 300,
        "[/red]",
        "[bold]x[/bold][link=http://x]y",
        "$\\frac{",
        "%s %(x)s {0}",
    ),
    *(
        "'; drop table users; --",
        "../../etc/passwd",
        "https://127.0.0.1/",
        "C:\\NUL",
        "null",
        "NaN",
        "1e999",
        "-1",
        "{}",
    ),
    *("x" * 63, "x" * 64, "x" * 200, "x" * 201, "x" * 2000, "x" * 2001, "x" * 99_999, "x" * 100_001, "\n" * 500),
)
NUMBERS = (
    0,
    1,
    -1,
    2,
    15,
    16,
    50,
    51,
    72,
    2001,
    8192,
    32767,
    -32768,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**32,
    2**63 - 1,
    -(2**63),
)
FLOATS = ("0", "1", "-1", "0.5", "2", "2000", "NaN", "Infinity", "-Infinity", "1e308", "-1e308", "5e-324", "1e-400")
TIMES = (
    *("now", "infinity", "-infinity", "4713-01-01 00:00:00+00 BC", "0001-01-01 00:00:00+00", "1999-12-31 23:59:59+00"),
    *("2000-01-01 00:00:00+00", "2999-12-31 23:59:59+00", "9999-12-31 23:59:59+00", "10000-01-01 00:00:00+00"),
    *("294276-12-31 23:59:59+00", "2026-03-29 02:30:00+01", "1970-01-01 00:00:00+15:59"),
)
_POSE_FIELDS = ("angles", "root", "lift", "hands", "props", "expression", "gaze", "camera")
_AVATAR_FIELDS = ("skin", "hair", "setting", "age_group", "body_type", "wings")


@dataclass(frozen=True)
class Column:
    """A column of the catalogue. `kind`: its type, such as `text[]`."""

    table: str
    name: str
    kind: str


@dataclass(frozen=True)
class HostileRow:
    """A row to insert. `values`: of the columns that are named; `hostile`: which of them are not as they should be."""

    table: str
    values: Mapping[str, tuple[str, Value]]
    hostile: Sequence[str] = field(default=())

    def insert(self, connection: psycopg.Connection[dict[str, object]]) -> bool:
        """Insert it, if PostgreSQL takes it."""
        statement = sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(self.table),
            sql.SQL(", ").join(map(sql.Identifier, self.values)),
            sql.SQL(", ").join(sql.SQL("%s::" + kind) for kind, _ in self.values.values()),  # type: ignore[arg-type]
        )
        try:
            with connection.transaction():
                connection.execute(statement, [value for _, value in self.values.values()])
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded):
            return False
        except psycopg.errors.StatementTooComplex:  # JSON that is nested deeper than the server's own stack
            return False
        return True


class HostileRows:
    """An endless source of rows, the same for the same seed.

    Args:
        connection: of a database with the schema, whose catalogue says what can be written.
        users: who rows may be of; other rows are of users that are not there.
        seed: of all chance.
    """

    def __init__(self, connection: psycopg.Connection[object], users: Sequence[UUID], seed: int) -> None:
        self._chance = random.Random(seed)
        self._users = users
        self._columns = writable_columns(connection)
        self._turn = seed * 10_000_000

    @property
    def columns(self) -> list[Column]:
        """Every column that is written."""
        return [column for columns in self._columns.values() for column in columns]

    def __iter__(self) -> Iterator[HostileRow]:
        tables = list(self._columns)
        while True:
            # What customers write most comes most.
            yield self.row(self._chance.choice([*tables, "generation_requests", "generation_requests"]))

    def row(self, table: str) -> HostileRow:
        """A row that is good but for one to three columns, each of which has any value of its type."""
        self._turn += 1
        good = self._good(table)
        columns = self._columns[table]
        hostile = self._chance.sample(columns, self._chance.choice([1, 1, 1, 2, 3]))
        values = {c.name: (c.kind, good[c.name]) for c in columns if c.name in good}
        values |= {c.name: (c.kind, self.value(c.kind)) for c in hostile}
        return HostileRow(table, values, [c.name for c in hostile])

    def value(self, kind: str) -> Value:
        """Any value of a type, null among them; one that only PostgreSQL itself can refuse."""
        chance = self._chance
        if chance.random() < 0.05:
            return None
        if kind == "text":
            return self._text()
        if kind == "text[]":
            return self._texts()
        if kind == "jsonb":
            return self._json()
        if kind == "uuid":
            return chance.choice([*self._users, UUID(int=0), UUID(int=chance.getrandbits(128))])
        if kind in {"smallint", "integer", "bigint"}:
            return str(chance.choice(NUMBERS))
        if kind in {"double precision", "real", "numeric"}:
            return chance.choice(FLOATS)
        if kind == "boolean":
            return chance.random() < 0.5
        if kind == "timestamp with time zone":
            return chance.choice(TIMES)
        raise AssertionError(f"there are no hostile values of the type {kind}: write some")

    def _good(self, table: str) -> dict[str, Value]:
        user, name = self._chance.choice(self._users), f"hostile{self._turn}"
        return {
            "users": {"name": "Ayu"},
            "generation_requests": {"user_id": user, "poses": ["star-jump"]},
            "image_requests": {"user_id": user, "tool": "editor", "source": "poses/x.png"},
            "design_requests": {"user_id": user, "text": "Be kind", "product_type": "sticker"},
            "pose_categories": {"slug": name, "name": "Mine"},
            "library_poses": {
                "slug": name, "name": "Mine", "category": "yoga", "description": "as I like it", "difficulty": "easy",
                "specification": "{}",
            },
            "platforms": {
                "name": name, "width": "400", "height": "400", "content_type": "image/jpeg", "dpi": "72",
                "source": "mine", "read_on": "2026-11", "reserve_bytes": "300000",
            },
        }[table]  # fmt: skip

    def _text(self) -> str:
        chance = self._chance
        if chance.random() < 0.5:
            return chance.choice(TEXTS)
        if chance.random() < 0.3:
            return chance.choice(NAMES)
        points = [chance.choice([chance.randrange(0x20, 0x7F), chance.randrange(0x3000), chance.randrange(0x110000)])]
        points += [chance.randrange(0x3000) for _ in range(chance.randrange(40))]
        return "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)

    def _texts(self) -> list[object]:
        chance = self._chance
        return chance.choice(
            [
                [], [None], [None, "star-jump"], [["star-jump"], ["tiktok"]], [[None], [None]], ["star-jump"] * 1000,
                ["x" * 200] * 1000, ["star-jump"] * 1001, [self._text() for _ in range(chance.randrange(1, 6))],
                [self._text()], [chance.choice(NAMES)], [["a", "b"], ["c", None]],
            ]
        )  # fmt: skip

    def _json(self) -> str:
        chance = self._chance
        name = chance.choice([*_POSE_FIELDS, *_AVATAR_FIELDS])
        depth = chance.choice([15, 17, 99, 102, 2000])
        return chance.choice(
            [
                "{}", "[]", "null", "1", '"text"', '{"\\u0000": 1}', '{"": {}}',
                f'{{"{name}": 1e5000}}', f'{{"{name}": {"9" * 4301}}}', f'{{"{name}": -1e400}}',
                f'{{"{name}": 1e-16000}}', f'{{"{name}": {"9" * 310}}}', f'{{"{name}": [{"9" * 290}, 1, 1]}}',
                f'{{"{name}": {"[" * depth}{"]" * depth}}}', '{"a":' * depth + "1" + "}" * depth,
                json.dumps({name: self._json_value(3)}), json.dumps({name: "x" * 20_001}),
                json.dumps({f"key{number}": number for number in range(2000)}),
                json.dumps({"props": [{"kind": "ball", "at": "left_hand"}] * chance.choice([1, 33, 5000])}),
                json.dumps({each: self._json_value(2) for each in _POSE_FIELDS}),
                json.dumps({"skin": chance.choice(["tan", ["tan"], {"tan": 1}, None, 7, True])}),
            ]
        )  # fmt: skip

    def _json_value(self, levels: int) -> object:
        chance = self._chance
        if levels and chance.random() < 0.5:
            if chance.random() < 0.5:
                return [self._json_value(levels - 1) for _ in range(chance.randrange(4))]
            return {chance.choice(["neck", "kind", "at", "size", "x"]): self._json_value(levels - 1) for _ in range(2)}
        return chance.choice([None, True, 0, -1, 1e308, 1.5, 10**299, self._text().replace("\0", ""), "relaxed"])


def writable_columns(connection: psycopg.Connection[object]) -> dict[str, list[Column]]:
    """The columns of every table that a foreign backend or an operator may write, by table."""
    (grants,) = [block.text for block in page("docs/how-to/database-roles.md").blocks() if block.note == "web"]
    granted = re.findall(r"grant select, insert(?:, delete)? on ([\w, ]+) to", grants)
    tables = [*re.findall(r"\w+", " ".join(granted)), *OPERATORS_TABLES]
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            """
            select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as kind
            from pg_attribute a join pg_class c on c.oid = a.attrelid
            where c.relnamespace = 'public'::regnamespace and c.relname = any(%s)
                and a.attnum > 0 and not a.attisdropped
            order by c.relname, a.attnum
            """,
            [tables],
        ).fetchall()
    columns: dict[str, list[Column]] = {table: [] for table in tables}
    for row in found:
        columns[row["table"]].append(Column(**row))
    assert all(columns.values()), columns
    return columns


def drop_bounds(connection: psycopg.Connection[object]) -> int:
    """Take away what holds for new rows only, so that rows can be written as they are from before; how many bounds."""
    bounds = connection.execute(
        "select conrelid::regclass::text, conname from pg_constraint where contype = 'c' and not convalidated"
    ).fetchall()
    for table, name in bounds:  # type: ignore[misc]
        connection.execute(
            sql.SQL("alter table {} drop constraint {}").format(sql.Identifier(table), sql.Identifier(name))
        )
    connection.execute("drop trigger guard_library_pose on library_poses")
    return len(bounds) + 1
