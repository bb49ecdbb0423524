"""A pooler between Posegen and its server: session mode works, the other modes are refused with the direct address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from posegen.database.fitness import transactions_are_pooled
from posegen.database.server import DatabaseUrls, open_server
from posegen.errors import DatabaseUnusable
from posegen.settings import Settings
from tests.poolers import PGBOUNCER, pgbouncer

needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")


def settings(url: str) -> Settings:
    return Settings(posegen_home=Path("/nonexistent"), database_url=url, dagster_database="dagster")


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_shares_backends_is_refused_with_the_address_behind_it(postgres: DatabaseUrls, mode: str) -> None:
    with (
        pgbouncer(postgres.application, mode=mode) as url,
        pytest.raises(DatabaseUnusable, match="pooler in transaction mode") as refused,
        open_server(settings(url)),
    ):
        pass

    direct = urlsplit(postgres.application)
    assert f"127.0.0.1, port {urlsplit(url).port}" in str(refused.value)
    assert f"listens at 127.0.0.1, port {direct.port}" in str(refused.value)
    assert str(direct.password) not in str(refused.value)


@needs_pgbouncer
def test_a_pooler_in_session_mode_is_taken(postgres: DatabaseUrls) -> None:
    with pgbouncer(postgres.application, mode="session") as url, open_server(settings(url)) as urls:
        assert urlsplit(urls.application).port == urlsplit(url).port


@pytest.mark.parametrize(
    ("ones", "others", "pooled"),
    [
        ([7, 7, 7], [8, 8, 8], False),
        ([7, 7, 7], [7, 7, 7], True),
        ([7, 7, 7], [8, 8, 7], True),
        ([7, 9, 7], [8, 8, 8], True),
        ([7, 7, 7], [8, 8, 9], True),
        ([7, 8, 7], [8, 7, 8], True),
    ],
)
def test_sessions_that_share_or_change_their_backend_are_pooled(
    ones: list[int], others: list[int], pooled: bool
) -> None:
    one, other = iter(ones), iter(others)

    assert transactions_are_pooled(lambda: next(one), lambda: next(other)) is pooled
