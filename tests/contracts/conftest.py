"""The stores that the contract suites run on: empty for each test, with a public URL and a secret to sign with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from posegen.storage.configuration import BucketConfig
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectStore
from posegen.storage.s3 import BucketStore
from tests.s3_server import S3Server
from tests.stores import PUBLIC_URL, SIGNING_SECRET, STORES, empty


@pytest.fixture(scope="session")
def contract_bucket(s3_server: S3Server) -> BucketConfig:
    """One bucket for all contract tests of a session, since making one takes longer than most of them."""
    return replace(s3_server.new_bucket(), public_url=PUBLIC_URL)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "local":
        yield LocalStore(tmp_path / "store", base_url=PUBLIC_URL, signing_secret=lambda: SIGNING_SECRET)
        return
    bucket = request.getfixturevalue("contract_bucket")
    empty(BucketStore(bucket, spool_folder=tmp_path))  # by a store of its own: the deletions count as its traffic
    yield BucketStore(bucket, spool_folder=tmp_path)
