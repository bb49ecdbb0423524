"""Canaries: credentials that are found nowhere but in signatures, neither in the UI nor in logs nor in run config."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from posegen.database.connection import Database
from posegen.objects import stores
from posegen.settings import PROJECT_ROOT, Settings
from posegen.storage.configuration import BucketConfig
from tests.builders import a_user, claimed, result
from tests.deployments import Deployment
from tests.s3_server import CREDENTIALS

CANARY = "canary-of-storage"
CANARIES = {
    "STORAGE_SIGNING_SECRET": f"{CANARY}-signing-secret",
    "R2_ACCOUNT_ID": "0123456789abcdef0123456789abcdef",
    "R2_BUCKET_NAME": "pictures",
    "R2_ACCESS_KEY_ID": f"{CANARY}-r2-id",
    "R2_SECRET_ACCESS_KEY": f"{CANARY}-r2-secret",
    "S3_BUCKET": "pictures",
    "S3_ACCESS_KEY_ID": f"{CANARY}-s3-id",
    "S3_SECRET_ACCESS_KEY": f"{CANARY}-s3-secret",
    "S3_SESSION_TOKEN": f"{CANARY}-s3-token",
}


def test_what_dagsters_ui_is_told_of_the_code_location_has_no_secret(tmp_path: Path) -> None:
    environment = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STORAGE_", "S3_", "R2_"))
        },
        **CANARIES,
        "STORAGE_MODE": "s3",
        "POSEGEN_HOME": str(tmp_path),
        "DATABASE_URL": "postgresql://user:password@127.0.0.1:9/posegen",
    }
    command = [sys.executable, "-m", "tests.integration.assets.describe_definitions"]

    done = subprocess.run(
        command, env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=180, check=False
    )

    assert done.returncode == 0, done.stderr
    serialized = json.loads(done.stdout)["serialized"]
    assert "generation_requests" in serialized
    assert CANARY not in done.stdout + done.stderr


def told(instance: dg.DagsterInstance, run_id: str) -> str:
    """Everything that the instance keeps of a run."""
    run = instance.get_run_by_id(run_id)
    records = instance.get_records_for_run(run_id, limit=10_000).records
    return "\n".join(dg.serialize_value(each) for each in [run, *(record.event_log_entry for record in records)])


def test_a_run_whose_store_refuses_says_so_without_a_secret(
    database: Database,
    instance: dg.DagsterInstance,
    bucket: BucketConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with database.transaction() as connection:
        stores.register(connection, {"s3": None})
    for name, value in {**CANARIES, "DATABASE_URL": database.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("S3_SESSION_TOKEN")
    settings = Settings(
        posegen_home=tmp_path,
        storage_mode="s3",
        s3_endpoint=bucket.endpoint,
        s3_bucket=bucket.bucket,
        # A key that is known there, with a secret that is not.
        s3_access_key_id=SecretStr(CREDENTIALS.access_key_id),
    )
    monkeypatch.setenv("S3_ACCESS_KEY_ID", CREDENTIALS.access_key_id)
    claim = claimed(database, a_user(database))

    run = Deployment(settings, instance).generate(claim.id, dispatch=claim.dispatch)

    assert not run.succeeded
    said = told(instance, run.result.run_id)
    printed = capfd.readouterr()
    assert "the secret access key is not the one of this access key" in said
    assert CANARY not in said + printed.out + printed.err
    assert CREDENTIALS.secret_access_key not in said + printed.out + printed.err
    assert CANARY not in str(result(database, claim.id))


def test_a_run_that_goes_well_says_nothing_either(
    database: Database,
    instance: dg.DagsterInstance,
    bucket: BucketConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with database.transaction() as connection:
        stores.register(connection, {"s3": None})
    for name, value in {
        "DATABASE_URL": database.url,
        "STORAGE_MODE": "s3",
        "S3_ENDPOINT": bucket.endpoint,
        "S3_BUCKET": bucket.bucket,
        "S3_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
        "S3_SECRET_ACCESS_KEY": CREDENTIALS.secret_access_key,
        "POSEGEN_LOG_LEVEL": "debug",
    }.items():
        monkeypatch.setenv(name, value)
    claim = claimed(database, a_user(database), formats=["tiktok"])

    run = Deployment(Settings(posegen_home=tmp_path), instance).generate(claim.id, dispatch=claim.dispatch)

    assert run.succeeded
    said, printed = told(instance, run.result.run_id), capfd.readouterr()
    assert CREDENTIALS.secret_access_key not in said + printed.out + printed.err
    assert '"uploads skipped"' in said
