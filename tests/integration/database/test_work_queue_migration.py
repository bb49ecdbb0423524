"""Migration 0010 on a database of an earlier version, with designs and image requests in every state of their work."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from posegen.database.connection import Database
from posegen.designs import kind as designs
from posegen.designs.work import DESIGNS
from posegen.settings import Settings
from posegen.upkeep.preparing import prepare_database
from posegen.variants import work as variant_requests
from posegen.variants.work import VARIANTS
from posegen.work.tick import Launch, Run, WorkKind, tick
from tests.builders import rows
from tests.conftest import BASE_URL
from tests.migrations import upgrade_to

PAST = """
insert into users (id, name) values ('a0000000-0000-4000-8000-000000000001', 'Ayu');
insert into design_requests (user_id, text, product_type)
    select 'a0000000-0000-4000-8000-000000000001', name, 'sticker'
    from unnest(array['waits', 'claimed', 'rendering']) name;
update designs set claim = 1, claimed_at = now() - interval '1 min'
    where id = (select id from design_requests where text = 'claimed');
update designs set status = 'rendering', claim = 2, run_id = 'old run', lease_expires_at = now() - interval '1 s'
    where id = (select id from design_requests where text = 'rendering');
insert into image_requests (user_id, tool, source)
    select 'a0000000-0000-4000-8000-000000000001', name, 'poses/x.png'
    from unnest(array['waits', 'claimed', 'running']) name;
update image_variants set status = 'dispatched', claim = gen_random_uuid(), dispatched_at = now() - interval '1 min'
    where id = (select id from image_requests where tool = 'claimed');
update image_variants set status = 'dispatched', claim = gen_random_uuid(), dispatched_at = now() - interval '1 min'
    where id = (select id from image_requests where tool = 'running');
update image_variants set status = 'running', lease_expires_at = now() - interval '1 s'
    where id = (select id from image_requests where tool = 'running');
"""


class NoRuns:
    """An orchestrator that knows no run."""

    def run_with_key(self, run_key: str) -> Run | None:
        return None

    def fail(self, run_id: str, reason: str) -> None:
        raise AssertionError("no run is to be ended")


@pytest.fixture
def upgraded(empty_database_url: str) -> Iterator[Database]:
    upgrade_to(empty_database_url, "0009")
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(PAST)
    with Database(empty_database_url) as database:
        prepare_database(database, base_urls={"local": BASE_URL})
        yield database


def launched(database: Database, kind: WorkKind) -> list[Launch]:
    return tick(database, kind, NoRuns())


def test_designs_go_on_from_where_they_stood(upgraded: Database) -> None:
    before = rows(upgraded, "select text, status from design_results order by created_at, text")
    assert {each["text"]: each["status"] for each in before} == {
        "waits": "draft",
        "claimed": "draft",
        "rendering": "rendering",
    }

    found = launched(upgraded, designs.kind(Settings(posegen_max_running=2)))

    claims = {each.id: each.dispatch for launch in found for each in launch.claims}
    texts = {each["id"]: each["text"] for each in rows(upgraded, "select id, text from design_requests")}
    assert {texts[each]: dispatch for each, dispatch in claims.items()} == {"waits": 1, "claimed": 1, "rendering": 3}
    with upgraded.transaction() as connection:
        leases = DESIGNS.queue.start(
            connection, [each for launch in found for each in launch.claims], run_id="new", lease_seconds=60
        )
    assert min(lease.token for lease in leases) > 0


def test_the_worker_of_before_writes_nothing_any_more(upgraded: Database) -> None:
    launched(upgraded, designs.kind(Settings(posegen_max_running=2)))

    tokens = {each["token"] for each in rows(upgraded, "select token from designs where run_id = 'old run'")}

    assert tokens == {3}, "its claim 2 was its token"


def test_image_requests_go_on_from_where_they_stood(upgraded: Database) -> None:
    found = launched(upgraded, variant_requests.kind(Settings()))

    again, new = found
    tools = {each["id"]: each["tool"] for each in rows(upgraded, "select id, tool from image_requests")}
    assert [tools[each.id] for each in again.claims] == ["claimed"]
    assert sorted(tools[each.id] for each in new.claims) == ["running", "waits"]
    with upgraded.transaction() as connection:
        assert again.claims[0].batch is not None
        assert VARIANTS.queue.claims_in(connection, again.claims[0].batch) == list(again.claims)
