"""The resources of a deployment: configuration in, domain objects out, and manifests that are nothing but JSON."""

from __future__ import annotations

import json
import os
import pickle

import dagster as dg
import pytest
from psycopg_pool import PoolClosed

from posegen.errors import DatabaseUnusable, StoreMistaken
from posegen.settings import Settings
from posegen.storage.keys import STORE_MARKER_KEY, manifest_key
from posegen.storage.local import LocalStore
from resources.database import DatabaseResource
from resources.environment import deployment_resources
from resources.manifest_io_manager import ManifestIOManager
from tests.builders import execute, rows, value
from tests.deployments import QUIET


@dg.asset(io_manager_key="manifests")
def upstream() -> dict[str, object]:
    return {"generation": "g1", "poses": [{"seed": 7, "name": "Füße"}]}


@dg.asset
def downstream(upstream: dict[str, object]) -> None:
    assert upstream["poses"] == [{"seed": 7, "name": "Füße"}]


@pytest.fixture
def manifests(tmp_path):
    return ManifestIOManager(Settings(posegen_home=tmp_path))


def materialize(manifests, *, only, **options):
    return dg.materialize(
        [upstream, downstream],
        resources={"manifests": manifests, "io_manager": manifests},
        selection=only,
        run_config=QUIET,
        **options,
    )


# --- manifests ----------------------------------------------------------------------------------------------------


def test_a_manifest_goes_through_the_store_as_json(manifests, store):
    materialize(manifests, only="*")

    assert json.loads(store.get(manifest_key("upstream", None)))["generation"] == "g1"


def test_a_second_run_replaces_the_manifest_of_the_first(manifests, store):
    store.put(manifest_key("upstream", None), b'{"generation": "older"}', content_type="application/json")

    materialize(manifests, only="*")

    assert json.loads(store.get(manifest_key("upstream", None)))["generation"] == "g1"


def test_what_somebody_else_has_written_there_is_read_and_never_run(manifests, store, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    store.put(manifest_key("upstream", None), pickle.dumps(Trap()), content_type="application/json")

    assert not materialize(manifests, only=[downstream], raise_on_error=False).success
    assert not (tmp_path / "sprung").exists()


def test_an_upstream_asset_that_was_never_made_is_named(manifests):
    run = materialize(manifests, only=[downstream], raise_on_error=False)

    error = next(event.step_failure_data.error for event in run.all_events if event.is_step_failure)
    assert "manifests/upstream.json" in str(error.cause)


# --- what is opened -----------------------------------------------------------------------------------------------


def test_the_studio_is_opened_with_the_settings_and_closed_with_the_run(database, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database.url)
    settings = Settings(
        posegen_home=tmp_path, posegen_render_threads=3, posegen_lease_seconds=7, posegen_max_attempts=2
    )

    with dg.build_resources(deployment_resources(settings)) as resources, resources.studio.open() as studio:
        assert (studio.render_threads, studio.lease_seconds, studio.retry_rule.most_attempts) == (3, 7, 2)
        assert studio.store.public_url("poses/a/b.png") == "/media/poses/a/b.png"
        assert studio.open_backend("mannequin").name == "mannequin"
        assert value(studio.database, "select count(*) > 0 from library_poses") is True

    with pytest.raises(PoolClosed):
        value(studio.database, "select 1")


def test_putting_resources_together_opens_nothing(tmp_path):
    deployment_resources(Settings(posegen_home=tmp_path / "home", database_url="postgresql://u:p@127.0.0.1:9/x"))

    assert not (tmp_path / "home").exists()


def test_a_database_url_that_is_not_set_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    studio = deployment_resources(Settings(posegen_home=tmp_path))["studio"]

    with pytest.raises(DatabaseUnusable, match="DATABASE_URL"), studio.open():
        pass


def test_a_resource_gives_what_the_domain_knows(database):
    with DatabaseResource(url=database.url).open() as opened:
        assert value(opened, "select 1") == 1


def test_a_studio_is_not_opened_on_a_store_of_another_database(database, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database.url)
    resources = deployment_resources(Settings(posegen_home=tmp_path))
    LocalStore(tmp_path / "storage", base_url="/media").put(
        STORE_MARKER_KEY, b'{"identity": "somebody else"}', content_type="application/json"
    )

    with (
        dg.build_resources(resources) as opened,
        pytest.raises(StoreMistaken, match="another Posegen database"),
        opened.studio.open(),
    ):
        pass


# --- what stores were asked for -------------------------------------------------------------------------------------


@pytest.fixture
def open_studio(database, tmp_path, monkeypatch):
    """The studio of a deployment, to be opened."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    with dg.build_resources(deployment_resources(Settings(posegen_home=tmp_path))) as opened:
        yield opened.studio.open


def put(studio, name):
    studio.store.put(f"poses/g/{name}-0123456789ab.png", b"picture", content_type="image/png")


def written(database):
    """Operations and bytes of the puts that are written down, a row for each store and day."""
    found = rows(database, "select operations, bytes from store_traffic where operation = 'write' order by day")
    return [(each["operations"], each["bytes"]) for each in found]


def test_what_the_stores_were_asked_for_is_written_down_when_the_studio_is_closed(database, open_studio):
    with open_studio() as studio:  # finds a new store, and marks it
        marker = studio.store.traffic().written
    with open_studio() as studio:
        put(studio, "one")
        put(studio, "one")
        put(studio, "two")
        assert written(database) == [(1, marker.bytes)]

    assert written(database) == [(3, marker.bytes + 14)]
    skipped = rows(database, "select * from store_traffic where operation = 'skipped'")
    assert [(each["store"], each["operations"], each["bytes"], each["errors"]) for each in skipped] == [
        ("local", 1, 7, 0)
    ]
    assert skipped[0]["seconds"] > 0
    assert skipped[0]["day"] == value(database, "select (now() at time zone 'utc')::date")


def test_yesterdays_row_stays_as_it_is(database, open_studio):
    execute(database, "insert into store_traffic values ('local', current_date - 1, 'write', 5, 50)")

    with open_studio() as studio:
        put(studio, "one")

    assert written(database)[0] == (5, 50)
    assert len(written(database)) == 2


def test_what_was_done_before_a_failure_counts_and_the_failure_is_the_one_that_is_told(database, open_studio):
    def fail_after_a_put():
        with open_studio() as studio:
            put(studio, "one")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_a_put()

    assert [operations for operations, _ in written(database)] == [2]  # with the marker of a new store


def test_that_it_cannot_be_written_down_is_not_the_works_failure(database, open_studio):
    execute(database, "alter table store_traffic rename to put_away")
    try:
        with open_studio() as studio:
            put(studio, "one")
        with pytest.raises(ZeroDivisionError), open_studio():
            raise ZeroDivisionError
        with pytest.raises(DatabaseUnusable), open_studio():
            raise DatabaseUnusable("it is away")
    finally:
        execute(database, "alter table put_away rename to store_traffic")

    assert written(database) == []
