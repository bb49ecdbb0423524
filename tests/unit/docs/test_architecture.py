"""The page on the architecture names what there is, and its table of owners is true."""

from __future__ import annotations

import re

from tests.documents import ROOT, page

PAGE = page("docs/architecture.md")
HOMES = {row["home"].rstrip("/"): re.findall(r"\w+", row["tables"]) for row in PAGE.rows("home")}
OWNER = {table: home for home, tables in HOMES.items() for table in tables}
WRITES = re.compile(r"\b(?:insert into|update|delete from)\s+(\w+)")
# Written with the row of another home in one transaction, by that home's own statement.
ALLOWED = {
    ("posegen/accounts", "generations"),  # the space that a generation reserves is part of the quota
    ("posegen/generations", "library_poses"),  # adopted pictures bring poses that the library does not have
    ("posegen/generations", "pose_categories"),
}


def test_every_path_that_it_names_exists() -> None:
    text = PAGE.path.read_text("utf-8")
    named = re.findall(r"`((?:posegen|posegen_assets|sensors|resources|docs)/[\w./-]*)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert len(named) > 40


def test_every_table_has_one_owner() -> None:
    schema = (ROOT / "posegen/database/schema.sql").read_text("utf-8")
    tables = re.findall(r"^CREATE TABLE (?:public\.)?(\w+)", schema, re.MULTILINE)
    assert sorted(table for tables in HOMES.values() for table in tables) == sorted(tables)


def test_tables_are_written_by_their_owners_and_by_upkeep() -> None:
    found = {
        (_home(str(path.relative_to(ROOT))), table)
        for path in (ROOT / "posegen").rglob("*.py")
        if "migrations" not in path.parts
        for table in WRITES.findall(path.read_text("utf-8"))
        if table in OWNER
    }
    strangers = {(home, table) for home, table in found if home not in {OWNER[table], "posegen/upkeep"}}
    assert strangers == ALLOWED
    assert len(found) > len(OWNER) / 2


def test_every_layer_of_the_contract_is_on_the_page() -> None:
    contract = (ROOT / "pyproject.toml").read_text("utf-8").partition('name = "doors, upkeep')[2]
    layers = set(re.findall(r"\w+", contract.partition("layers = [")[2].partition("]")[0]))
    on_page = {
        re.sub(r"\.py$|/$", "", name)
        for row in PAGE.rows("layer")
        for name in re.findall(r"posegen/([\w.]+/?)", row["folders"])
    }
    assert on_page <= layers
    assert layers - on_page <= {
        "running_platform", "logs", "file_locks", "folders", "graphemes", "operator_files", "proxies", "redaction",
        "states", "errors", "error_codes", "setting_names",
    }  # fmt: skip


def _home(path: str) -> str:
    return "/".join(path.split("/")[:2])
