"""`deploy/dagster.yaml`: what runs print goes to the bucket, and Dagster reads it from there on another machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._serdes import ConfigurableClassData
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

from posegen.settings import PROJECT_ROOT
from posegen.storage.configuration import BucketConfig
from posegen.storage.keys import is_registered
from posegen.storage.s3 import BucketStore
from tests.fault_proxy_http import HttpFaultProxy
from tests.s3_server import CREDENTIALS, REGION

RUN = "9d2c755b-9fef-41b2-b18b-9fb957355e34"
LOG_KEY = [RUN, "compute_logs", "abcdefgh"]


def document(path: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((PROJECT_ROOT / path).read_text())
    return found


@pytest.fixture
def machine(place: BucketConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which one machine keeps what waits to be uploaded; the environment is the file's."""
    for name, value in {
        "POSEGEN_LOGS_BUCKET": place.bucket,
        "POSEGEN_LOGS_ENDPOINT": place.endpoint,
        "POSEGEN_DAGSTER_COMPUTE_LOGS": str(tmp_path / "compute_logs"),
        "AWS_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "compute_logs"


def manager() -> S3ComputeLogManager:
    """As Dagster opens it from the file."""
    section = document("deploy/dagster.yaml")["compute_logs"]
    assert isinstance(section, dict)
    data = ConfigurableClassData(section["module"], section["class"], yaml.dump(section["config"]))
    return data.rehydrate(as_type=S3ComputeLogManager)


def test_all_else_is_as_in_the_checkout() -> None:
    ours, deployed = document("dagster.yaml"), document("deploy/dagster.yaml")

    assert {**deployed, "compute_logs": None} == {**ours, "compute_logs": None}


def test_what_a_run_prints_is_read_on_another_machine(
    machine: Path, bucket: BucketConfig, proxy: HttpFaultProxy
) -> None:
    with manager().capture_logs(LOG_KEY):
        print("the first pose is stored")
        print("a warning", file=sys.stderr)
    shutil.rmtree(machine)

    there = manager()

    assert b"the first pose is stored" in read(there, ComputeIOType.STDOUT)
    assert b"a warning" in read(there, ComputeIOType.STDERR)
    keys = [entry.key for entry in BucketStore(bucket).list("compute-logs/")]
    assert sorted(key.rpartition(".")[2] for key in keys) == ["err", "out"]
    assert not any(map(is_registered, keys))
    for request in proxy.seen:
        assert "aws-chunked" not in request.headers.get("content-encoding", "")
        assert "x-amz-acl" not in request.headers


def read(there: S3ComputeLogManager, kind: ComputeIOType) -> bytes:
    if kind is ComputeIOType.STDOUT:
        return there.get_log_data(LOG_KEY).stdout or b""
    return there.get_log_data(LOG_KEY).stderr or b""
