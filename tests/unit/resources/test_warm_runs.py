from __future__ import annotations

import inspect

import pytest
from dagster._cli import api
from dagster._grpc import server

from posegen.errors import PlatformUnusable
from resources.warm_runs import WarmApiServer


def test_the_code_server_looks_up_its_api_server_where_ours_is_put():
    assert "from dagster._grpc.server import DagsterApiServer" in inspect.getsource(api)


def test_a_dagster_that_starts_its_runs_in_another_way_is_refused(monkeypatch):
    monkeypatch.setattr(server.DagsterApiServer, "__init__", object.__init__)

    with pytest.raises(PlatformUnusable, match=r"uv\.lock"):
        WarmApiServer()
