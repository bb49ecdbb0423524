from __future__ import annotations

import inspect
import multiprocessing
import multiprocessing.util
import tempfile
from pathlib import Path

import pytest
from dagster._cli import api
from dagster._grpc import server

from posegen.errors import PlatformUnusable
from posegen.folders import LONGEST_SOCKET_PATH
from resources import warm_runs
from resources.warm_runs import WarmApiServer


def test_the_code_server_looks_up_its_api_server_where_ours_is_put():
    assert "from dagster._grpc.server import DagsterApiServer" in inspect.getsource(api)


def test_a_dagster_that_starts_its_runs_in_another_way_is_refused(monkeypatch):
    monkeypatch.setattr(server.DagsterApiServer, "__init__", object.__init__)

    with pytest.raises(PlatformUnusable, match=r"uv\.lock"):
        WarmApiServer()


@pytest.mark.parametrize("tmpdir", ["t" * 40, "t" * 120])
def test_the_fork_servers_socket_has_a_short_path_in_every_tmpdir(tmp_path, monkeypatch, tmpdir):
    (tmp_path / tmpdir).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / tmpdir))
    monkeypatch.setattr(multiprocessing.process.current_process(), "_config", {})

    warm_runs._shorten_temporary_folder()
    folder = Path(multiprocessing.util.get_temp_dir())

    assert len(str(folder / "listener-01234567")) <= LONGEST_SOCKET_PATH
    assert tempfile.gettempdir() == str(tmp_path / tmpdir), "other files stay where the operator wants them"
