"""`posegen/database/schema.sql` is what an upgrade makes, and changed definitions have a number of their own."""

from __future__ import annotations

import re

import pytest

from posegen.database import definitions
from tests.schema_file import COMMAND, EDITION_FILE, REPEATABLE, SCHEMA_FILE, schema_text


@pytest.fixture(scope="module")
def text(upgraded_url: str) -> str:
    return schema_text(upgraded_url)


def test_the_schema_file_is_what_the_migrations_and_the_repeatable_files_make(text):
    assert SCHEMA_FILE.read_text() == text, f"{SCHEMA_FILE} is out of date; run `{COMMAND}`"


def test_changed_views_and_functions_have_a_new_edition_number():
    _, numbered = EDITION_FILE.read_text().split()

    assert numbered == definitions.digest(REPEATABLE), (
        f"a view or function changed since {EDITION_FILE} was written; run `{COMMAND}`"
    )


def test_the_schema_file_has_nothing_that_differs_from_run_to_run_or_between_servers(text):
    noise = r"^(\\|SET |SELECT pg_catalog|-- Dumped|ALTER .* OWNER|GRANT |REVOKE |.*\bpublic\.|.*postgres).*"

    assert [found[0] for found in re.finditer(noise, text, re.MULTILINE)] == []
