"""Setting up a bucket and looking after it: what object data never needs, through boto3. Imported where it is needed.

Objects themselves are read and written by `s3.py`.
"""

from __future__ import annotations

import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from posegen.errors import StoreDenied, StoreUnavailable
from posegen.proxies import is_this_machine, open_url
from posegen.storage.configuration import R2, BucketConfig, Credentials
from posegen.storage.protocol import ObjectStore, Unfinished

_ABORT_RULE = "posegen-abort-incomplete-uploads"
_ABORT_DAYS = 7
_PROBE_SECONDS = 15
# Replies to a token that may only touch objects, and of a server without such a call.
_NOT_FOR_US = {"AccessDenied", "NotImplemented", "MethodNotAllowed", "Forbidden", "403", "501"}


@dataclass(frozen=True)
class SetupStep:
    """One part of a bucket. `good`: as it should be; `detail`: what was found or done, or what has to be done."""

    part: str
    good: bool
    detail: str


class BucketAdministration:
    """One bucket, as its operator manages it."""

    def __init__(self, config: BucketConfig, credentials: Callable[[], Credentials]) -> None:
        found = credentials()
        self._config = config
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=config.endpoint,
            region_name=config.region,
            aws_access_key_id=found.access_key_id,
            aws_secret_access_key=found.secret_access_key,
            aws_session_token=found.session_token,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                # Without it, boto3 reads the environment.
                proxies={} if is_this_machine(config.endpoint) else None,
                connect_timeout=5,
                read_timeout=30,
                retries={"mode": "standard", "max_attempts": 4},
                # R2 knows neither checksums in trailers nor the aws-chunked encoding that carries them.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def make_bucket(self) -> SetupStep:
        """Makes the bucket where there is none."""
        name = self._config.bucket
        with self._asking("look at the bucket"):
            try:
                self._client.head_bucket(Bucket=name)
                return SetupStep("bucket", True, f"{name} is there")
            except ClientError as refused:
                if _code(refused) not in {"404", "NoSuchBucket"}:
                    raise
        elsewhere = self._config.region not in {"us-east-1", "auto"}
        configuration = {"CreateBucketConfiguration": {"LocationConstraint": self._config.region}} if elsewhere else {}
        with self._asking("make the bucket"):
            self._client.create_bucket(Bucket=name, **configuration)
        return SetupStep("bucket", True, f"{name} was made")

    def allow_origins(self) -> SetupStep:
        """Lets pages of `cors_origins` read and upload, and no other pages."""
        origins = list(self._config.cors_origins)
        if not origins:
            return SetupStep("CORS", True, "no origin is named in CORS_ORIGINS: browsers cannot upload")
        rule = {
            "AllowedOrigins": origins,
            "AllowedMethods": ["GET", "HEAD", "PUT"],
            "AllowedHeaders": ["content-type", "content-length", "if-none-match", "range"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 3600,
        }
        return self._configured(
            "CORS",
            f"{', '.join(origins)} may read and upload",
            lambda: self._client.put_bucket_cors(Bucket=self._config.bucket, CORSConfiguration={"CORSRules": [rule]}),
        )

    def abort_incomplete_uploads(self) -> SetupStep:
        """Lets the server drop, after a week, the parts of uploads that were never completed. Other rules stay."""

        def configure() -> None:
            rules = [rule for rule in self._lifecycle() if rule.get("ID") != _ABORT_RULE]
            ours = {
                "ID": _ABORT_RULE,
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_DAYS},
            }
            self._client.put_bucket_lifecycle_configuration(
                Bucket=self._config.bucket, LifecycleConfiguration={"Rules": [*rules, ours]}
            )

        return self._configured("lifecycle", f"incomplete uploads are dropped after {_ABORT_DAYS} days", configure)

    def check_privacy(self, store: ObjectStore) -> list[SetupStep]:
        """Whether strangers see what they should: an object is put where pictures are, and asked for unsigned.

        Raises `StoreDenied` when the bucket shows to anybody what it should not.
        """
        probe = f"poses/probe/{secrets.token_hex(8)}.txt"
        store.put(probe, b"posegen asks whether anybody may read this", content_type="text/plain")
        try:
            base = f"{self._config.endpoint}/{self._config.bucket}"
            readable, listable = _answers_strangers(f"{base}/{probe}"), _answers_strangers(f"{base}?list-type=2")
            steps = [self._judged(readable=readable, listable=listable)]
            url = store.public_url(probe)
            if url is not None:
                seen = _answers_strangers(url)
                detail = f"{self._config.public_url} shows the bucket" if seen else f"{url} does not show a new object"
                steps.append(SetupStep("public URL", seen, detail))
            return steps
        finally:
            store.delete(probe)

    def list_unfinished(self) -> Iterator[Unfinished]:
        """The multipart uploads that were begun and neither completed nor aborted."""
        with self._asking("list incomplete uploads"):
            for page in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._config.bucket):
                for upload in page.get("Uploads", []):
                    yield Unfinished(upload["UploadId"], upload["Key"], None, upload["Initiated"])

    def delete_unfinished(self, unfinished: Unfinished) -> None:
        """Aborts an upload, and with it drops its parts."""
        with self._asking("abort an incomplete upload"):
            try:
                self._client.abort_multipart_upload(
                    Bucket=self._config.bucket, Key=unfinished.key, UploadId=unfinished.reference
                )
            except ClientError as refused:
                if _code(refused) != "NoSuchUpload":
                    raise

    def _judged(self, *, readable: bool, listable: bool) -> SetupStep:
        if self._config.anybody_may_read:
            if listable:
                return SetupStep("privacy", False, "anybody can list the bucket: take s3:ListBucket from everybody")
            return SetupStep("privacy", readable, "public" if readable else "reading needs a signature")
        if readable or listable:
            raise StoreDenied(
                f"Anybody can {'read' if readable else 'list'} the bucket {self._config.bucket}, which should be "
                "private: take public access away, or set S3_PUBLIC_BUCKET=true if that is meant.",
                store=self._config.name,
            )
        return SetupStep("privacy", True, "only signed requests are served")

    def _lifecycle(self) -> list[dict[str, Any]]:
        try:
            found = self._client.get_bucket_lifecycle_configuration(Bucket=self._config.bucket)
        except ClientError as refused:
            if _code(refused) == "NoSuchLifecycleConfiguration":
                return []
            raise
        rules: list[dict[str, Any]] = found.get("Rules", [])
        return rules

    def _configured(self, part: str, wanted: str, configure: Callable[[], object]) -> SetupStep:
        """Applies a configuration that object data can do without: a refusal is reported and stops nothing."""
        with self._asking(f"configure {part}"):
            try:
                configure()
            except ClientError as refused:
                if _code(refused) not in _NOT_FOR_US:
                    raise
                return SetupStep(
                    part, False, f"not set ({_code(refused)}): set it in the provider's console, so that {wanted}"
                )
        return SetupStep(part, True, wanted)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        store = self._config.name
        try:
            yield
        except ClientError as refused:
            said = refused.response.get("Error", {}).get("Message", "").rstrip(".")
            raise StoreDenied(f"May not {what}: {_code(refused)} {said}.", store=store) from None
        except BotoCoreError as failure:
            raise StoreUnavailable(f"Could not {what}: {failure}", store=store) from None


def needed_policy(config: BucketConfig) -> str:
    """What the credentials of Posegen must be allowed, in the words of the provider."""
    if config.name == R2:
        return (
            f"An R2 API token with the permission `Object Read & Write`, applied to the bucket {config.bucket} only.\n"
            "(`posegen storage init` itself needs `Admin Read & Write` once, for the bucket, CORS and lifecycle.)"
        )
    return _AWS_POLICY.replace("BUCKET", config.bucket)


_AWS_POLICY = """\
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
      "Resource": "arn:aws:s3:::BUCKET/*"
    },
    {
      "Effect": "Allow",
      "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"],
      "Resource": "arn:aws:s3:::BUCKET"
    }
  ]
}"""


def _answers_strangers(url: str) -> bool:
    """Whether the URL can be read without a signature."""
    try:
        with open_url(urllib.request.Request(url), seconds=_PROBE_SECONDS):
            return True
    except (urllib.error.URLError, TimeoutError, ValueError):
        return False


def _code(refused: ClientError) -> str:
    return str(refused.response.get("Error", {}).get("Code", ""))
