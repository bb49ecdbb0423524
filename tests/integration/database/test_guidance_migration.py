"""Migration 0013 on a database of the version before, with work in every state: it goes on as it was asked for."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import psycopg
import pytest

from posegen.database.connection import Database
from posegen.database.server import DatabaseUrls
from posegen.errors import CallUnknown
from posegen.generations.asking import claims
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from posegen.upkeep.preparing import prepare_database
from posegen.upkeep.verification import verify
from tests import hosted
from tests.backends import PaintedBackend
from tests.builders import (
    SLUGS,
    a_request,
    a_user,
    expire_lease,
    queued,
    row,
    rows,
    running,
    started,
    status,
    sweep,
    take_in,
    value,
    work,
)
from tests.conftest import BASE_URL
from tests.servers import fresh_database

# What the migration and later ones add, taken away: the rows are those of the version before.
BEFORE_0013 = """
drop view pose_results cascade;
drop view generation_results cascade;
drop function own_pose cascade;
drop function own_event cascade;
drop function own_export cascade;
alter table exports drop column user_id;
drop index designs_by_time, image_variants_by_time, uploads_by_user, uploads_by_time, users_by_time;
drop table library_previews;
drop index generations_by_project, generations_by_time, generated_poses_by_time, generated_poses_without_picture;
alter table generation_requests drop column retry_of, drop column group_name, drop column private;
alter table generations drop column group_name, drop column private;
alter table generated_poses drop column user_id, drop column project_id;
alter table events drop column user_id, drop column position;
drop table api_keys, sessions, login_links, stream_tickets, share_links, answered_requests;
drop view object_sources cascade;
drop function submit_generation;
drop table control_images;
alter table generation_requests drop column negative_prompt, drop column allow_degraded, drop column control_kind,
    drop column control_image, drop column control_start, drop column control_end;
alter table generated_poses drop column negative_prompt, drop column control_kind, drop column control_start,
    drop column control_end, drop column degraded;
delete from error_codes where code = 'control_unusable';
update alembic_version set version_num = '0012';
update definitions_version set edition = 4, migration = '0012';
"""


def test_what_waits_runs_or_was_called_for_goes_on(postgres: DatabaseUrls, tmp_path, monkeypatch) -> None:
    hosted.short_pauses(monkeypatch)
    far_end = hosted.FarEndInProcess()
    with fresh_database(postgres) as url, Database(url) as database:
        prepare_database(database, base_urls={"local": BASE_URL})
        studio = Studio(
            database=database,
            store=LocalStore(tmp_path / "storage", base_url=BASE_URL),
            open_backend=lambda _: PaintedBackend(),
            open_hosted=lambda _: far_end,
            describe=lambda name: far_end.description if name == hosted.NAME else None,
        )
        user = a_user(database)
        called = _left_while_waiting(studio, far_end, user)
        works = running(database, user, poses=SLUGS[:2], control_weight=0.5).id
        waits = queued(database, user, backend=hosted.NAME, poses=SLUGS[2:3], control_weight=1.5)
        new = a_request(database, user, poses=SLUGS[1:2], control_weight=0.5)
        planned = row(database, "select recipe, recipe_hash from backend_calls")

        with psycopg.connect(url) as owner:
            owner.execute(BEFORE_0013)
        prepare_database(database, base_urls={"local": BASE_URL})

        take_in(database)
        for generation in (called, works):
            expire_lease(database, generation)
        assert {each.id for each in sweep(database)} == {called, works}
        for claim in claims.claim_next(database, most_running=1000):
            work(studio, started(database, claim))

        assert [status(database, each) for each in (called, works, waits, new)] == ["completed"] * 4
        assert set(far_end.paid().values()) == {1}
        assert len(far_end.orders) == 2
        (used,) = rows(database, "select recipe, recipe_hash from backend_calls where generation_id = %s", called)
        assert used == planned
        made = row(database, "select recipe_hash, degraded from generated_poses where generation_id = %s", called)
        assert made == {"recipe_hash": planned["recipe_hash"], "degraded": []}
        assert {order.control.kind for order in far_end.orders if order.control} == {"openpose"}
        assert all(order.control for order in far_end.orders)
        assert not [each for each in verify(database, [studio.store]) if each.violations]
        assert value(database, "select count(*) from error_codes where code = 'control_unusable'") == 1


def _left_while_waiting(studio: Studio, far_end: hosted.FarEndInProcess, user: UUID) -> UUID:
    """A generation whose call was accepted when its worker was lost."""

    def lost(name: str, _: object) -> None:
        if name == "look":
            raise CallUnknown("no word")

    lease = running(studio.database, user, backend=hosted.NAME, control_weight=0.5)
    far_end.before = lost
    impatient = replace(studio, backend_rule=replace(studio.backend_rule, call_seconds=0.2))
    with pytest.raises(Exception, match="no word"):
        work(impatient, lease)
    far_end.before = lambda *_: None
    assert [each["state"] for each in rows(studio.database, "select state from backend_calls")] == ["accepted"]
    return lease.id
