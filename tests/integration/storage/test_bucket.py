"""Setting up a bucket: made once, checked every time, and refused when strangers can look into it."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace

import pytest

from posegen.errors import StoreDenied
from posegen.storage.bucket import BucketAdministration, needed_policy
from posegen.storage.configuration import BucketConfig, Credentials
from posegen.storage.s3 import BucketStore
from tests.fault_proxy_http import HttpFaultProxy
from tests.s3_server import CREDENTIALS, S3Server


def administration(place: BucketConfig) -> BucketAdministration:
    return BucketAdministration(place, lambda: CREDENTIALS)


def open_to_everybody(place: BucketConfig, *actions: str) -> None:
    """Lets strangers do these things."""
    resources = [f"arn:aws:s3:::{place.bucket}", f"arn:aws:s3:::{place.bucket}/*"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": resources}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    administration(place)._client.put_bucket_policy(Bucket=place.bucket, Policy=policy)


@pytest.fixture
def fresh(s3_server: S3Server) -> BucketConfig:
    return s3_server.new_bucket()


def test_a_bucket_is_made_once(s3_server: S3Server) -> None:
    place = s3_server.place(f"made-{secrets.token_hex(4)}")

    assert administration(place).make_bucket().detail.endswith("was made")
    assert administration(place).make_bucket().detail.endswith("is there")
    assert BucketStore(place).health().store == "s3"


def test_the_origins_that_are_named_may_read_and_upload(fresh: BucketConfig) -> None:
    place = replace(fresh, cors_origins=("https://app.example.com", "https://b.example.com"))

    assert administration(place).allow_origins().good

    rules = administration(place)._client.get_bucket_cors(Bucket=place.bucket)["CORSRules"]
    assert rules[0]["AllowedOrigins"] == ["https://app.example.com", "https://b.example.com"]
    assert set(rules[0]["AllowedMethods"]) == {"GET", "HEAD", "PUT"}


def test_without_origins_there_is_nothing_to_allow(fresh: BucketConfig) -> None:
    step = administration(fresh).allow_origins()

    assert (step.good, "CORS_ORIGINS" in step.detail) == (True, True)


def test_uploads_that_are_never_completed_go_after_a_week_and_other_rules_stay(fresh: BucketConfig) -> None:
    client = administration(fresh)._client
    other = {"ID": "old-logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}
    client.put_bucket_lifecycle_configuration(Bucket=fresh.bucket, LifecycleConfiguration={"Rules": [other]})

    for _ in range(2):
        assert administration(fresh).abort_incomplete_uploads().good

    rules = client.get_bucket_lifecycle_configuration(Bucket=fresh.bucket)["Rules"]
    ours = [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule]
    assert [rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] for rule in ours] == [7]
    assert [rule["ID"] for rule in rules if rule not in ours] == ["old-logs"]


# --- privacy -------------------------------------------------------------------------------------------------------


def test_a_private_bucket_answers_signed_requests_only(fresh: BucketConfig) -> None:
    (step,) = administration(fresh).check_privacy(BucketStore(fresh))

    assert (step.part, step.good) == ("privacy", True)
    assert list(BucketStore(fresh).list()) == []


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:ListBucket"])
def test_a_bucket_that_should_be_private_and_is_not_is_refused(fresh: BucketConfig, action: str) -> None:
    open_to_everybody(fresh, action)

    with pytest.raises(StoreDenied, match=r"which should be private: take public access away, or set S3_PUBLIC_BUCKET"):
        administration(fresh).check_privacy(BucketStore(fresh))

    assert list(BucketStore(fresh).list()) == []


def test_a_domain_before_a_bucket_does_not_make_the_bucket_itself_public(fresh: BucketConfig) -> None:
    """A CDN reads with rights of its own."""
    open_to_everybody(fresh, "s3:GetObject")
    place = replace(fresh, public_url="https://cdn.example")

    with pytest.raises(StoreDenied):
        administration(place).check_privacy(BucketStore(place))


def test_a_public_bucket_is_read_by_anybody_at_its_public_url(fresh: BucketConfig) -> None:
    open_to_everybody(fresh, "s3:GetObject")
    place = replace(fresh, anybody_may_read=True, public_url=f"{fresh.endpoint}/{fresh.bucket}")

    steps = administration(place).check_privacy(BucketStore(place))

    assert [(step.part, step.good) for step in steps] == [("privacy", True), ("public URL", True)]


def test_a_public_bucket_that_can_be_listed_has_something_to_do(fresh: BucketConfig) -> None:
    open_to_everybody(fresh, "s3:GetObject", "s3:ListBucket")
    place = replace(fresh, anybody_may_read=True)

    (step,) = administration(place).check_privacy(BucketStore(place))

    assert (step.good, "s3:ListBucket" in step.detail) == (False, True)


def test_a_public_url_that_shows_nothing_has_something_to_do(fresh: BucketConfig) -> None:
    place = replace(fresh, public_url="http://127.0.0.1:9")

    steps = administration(place).check_privacy(BucketStore(place))

    assert [(step.part, step.good) for step in steps] == [("privacy", True), ("public URL", False)]


# --- refusals ------------------------------------------------------------------------------------------------------


def test_a_wrong_secret_is_told(fresh: BucketConfig) -> None:
    stranger = BucketAdministration(fresh, lambda: Credentials(CREDENTIALS.access_key_id, "wrong"))

    with pytest.raises(StoreDenied, match="look at the bucket") as raised:
        stranger.make_bucket()

    assert raised.value.store == "s3"


def test_a_token_that_may_only_touch_objects_is_told_what_is_left_to_do(
    place: BucketConfig, proxy: HttpFaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = administration(replace(place, cors_origins=("https://app.example.com",)))

    def refused(**_: object) -> None:
        from botocore.exceptions import ClientError

        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutBucketCors")

    monkeypatch.setattr(bucket._client, "put_bucket_cors", refused)

    step = bucket.allow_origins()

    assert (step.good, "provider's console" in step.detail) == (False, True)


def test_the_policy_names_the_bucket_and_no_more() -> None:
    policy = json.loads(needed_policy(BucketConfig("s3", "https://s3", "pictures", "us-east-1", None)))

    assert {resource for each in policy["Statement"] for resource in [each["Resource"]]} == {
        "arn:aws:s3:::pictures",
        "arn:aws:s3:::pictures/*",
    }
    assert not any("*" in action for each in policy["Statement"] for action in each["Action"])
    r2 = needed_policy(BucketConfig("r2", "https://r2", "pictures", "auto", None))
    assert "Object Read & Write" in r2
    assert "pictures" in r2
