"""A bucket of a real S3 server behind a proxy that sees and breaks requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from posegen.storage.configuration import BucketConfig
from tests.fault_proxy_http import HttpFaultProxy
from tests.s3_server import HOST, S3Server


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[HttpFaultProxy]:
    with HttpFaultProxy(lambda: (HOST, s3_server.port)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> BucketConfig:
    """A private bucket for the tests of one module."""
    return s3_server.new_bucket()


@pytest.fixture
def place(bucket: BucketConfig, proxy: HttpFaultProxy) -> BucketConfig:
    """The bucket, reached through the proxy."""
    return replace(bucket, endpoint=proxy.url)
