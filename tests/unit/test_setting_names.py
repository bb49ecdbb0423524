"""Settings that operators bring along under other names, and settings that are missing."""

from __future__ import annotations

import os

import pytest

from posegen.errors import SettingsInvalid
from posegen.setting_names import OTHER_NAMES, name_in_use, values_by_other_names
from posegen.settings import Settings, load_settings, variable_of

ACCOUNT = "0123456789abcdef0123456789abcdef"
R2 = {
    "R2_ACCOUNT_ID": ACCOUNT,
    "R2_ACCESS_KEY_ID": "key-id",
    "R2_SECRET_ACCESS_KEY": "secret",
    "R2_BUCKET_NAME": "pictures",
}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {*OTHER_NAMES, *(other for others in OTHER_NAMES.values() for other in others), "USE_LOCAL_STORAGE"}
    for name in [*names, "S3_ENDPOINT", "S3_PUBLIC_BUCKET", "CORS_ORIGINS", "STORAGE_SIGNING_SECRET"]:
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


# --- other names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "other"), [(name, other) for name, others in OTHER_NAMES.items() for other in others])
def test_another_name_counts_where_ours_is_not_set(name: str, other: str) -> None:
    assert values_by_other_names({other: "brought along"}) == {name: "brought along"}
    assert values_by_other_names({other: "brought along", name: "ours"}) == {}


def test_of_two_other_names_the_first_counts() -> None:
    assert values_by_other_names({"UPLOAD_DIR": "/b", "UPLOAD_PATH": "/a"}) == {"STORAGE_LOCAL_PATH": "/a"}


def test_a_key_of_ours_is_never_mixed_with_somebody_elses_secret_or_token() -> None:
    environment = {
        "S3_ACCESS_KEY_ID": "ours",
        "AWS_ACCESS_KEY_ID": "theirs",
        "AWS_SECRET_ACCESS_KEY": "theirs",
        "AWS_SESSION_TOKEN": "theirs",
        "AWS_REGION": "eu-west-1",
    }

    assert values_by_other_names(environment) == {"S3_REGION": "eu-west-1"}


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ({"USE_LOCAL_STORAGE": "true"}, "local"),
        ({"USE_LOCAL_STORAGE": "1", "R2_BUCKET_NAME": "b"}, "local"),
        ({"USE_LOCAL_STORAGE": "false", "CLOUDFLARE_R2_BUCKET_NAME": "b"}, "r2"),
        ({"USE_LOCAL_STORAGE": "False", "S3_BUCKET": "b"}, "s3"),
        ({"USE_LOCAL_STORAGE": "false", "STORAGE_MODE": "local"}, None),
        ({"USE_LOCAL_STORAGE": "true", "STORAGE_TYPE": "s3"}, "s3"),
        ({"USE_LOCAL_STORAGE": ""}, None),
    ],
)
def test_use_local_storage_says_which_mode(environment: dict[str, str], mode: str | None) -> None:
    assert values_by_other_names(environment).get("STORAGE_MODE") == mode


def test_a_whole_environment_that_was_brought_along(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(
        monkeypatch,
        {
            "STORAGE_TYPE": "R2",
            **{f"CLOUDFLARE_{name}": value for name, value in R2.items()},
            "CLOUDFLARE_R2_PUBLIC_URL": "https://pictures.example.com",
            "UPLOAD_DIR": "/srv/uploads",
        },
    )

    settings = load_settings()

    assert (settings.storage_mode, settings.r2_bucket_name, settings.r2_account_id) == ("r2", "pictures", ACCOUNT)
    assert settings.r2_secret_access_key is not None
    assert settings.r2_secret_access_key.get_secret_value() == "secret"
    assert str(settings.storage_path) == "/srv/uploads"


def test_a_secret_can_be_handed_on_by_the_name_that_it_came_under(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert variable_of("s3_secret_access_key") == "AWS_SECRET_ACCESS_KEY"

    monkeypatch.setenv("s3_secret_access_key", "secret")
    assert variable_of("s3_secret_access_key") == "s3_secret_access_key"
    assert name_in_use("R2_BUCKET_NAME", dict(os.environ)) == "R2_BUCKET_NAME"


# --- what is wrong or missing --------------------------------------------------------------------------------------


def problems(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> list[str]:
    set_all(monkeypatch, values)
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    return [problem.partition(" ")[0] for problem in refused.value.problems]


def test_everything_that_r2_needs_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(monkeypatch, {"STORAGE_MODE": "r2"}) == list(R2)


def test_what_is_wrong_and_what_is_missing_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(
        monkeypatch,
        {
            "STORAGE_MODE": "r2",
            "R2_ACCOUNT_ID": "my account",
            "R2_JURISDICTION": "mars",
            "CORS_ORIGINS": "app.example.com",
            "S3_ACCESS_KEY_ID": "key-id",
            "S3_BUCKET": "Pictures!",
            "S3_ENDPOINT": "127.0.0.1:8333",
            "STORAGE_SIGNING_SECRET": "short",
            "POSEGEN_RENDER_THREADS": "0",
        },
    )

    assert sorted(found) == sorted(
        [
            "R2_ACCOUNT_ID",
            "R2_JURISDICTION",
            "R2_ACCESS_KEY_ID",
            "R2_SECRET_ACCESS_KEY",
            "R2_BUCKET_NAME",
            "CORS_ORIGINS",
            "S3_SECRET_ACCESS_KEY",
            "S3_BUCKET",
            "S3_ENDPOINT",
            "STORAGE_SIGNING_SECRET",
            "POSEGEN_RENDER_THREADS",
        ]
    )


def test_a_bucket_that_is_named_needs_the_rest_whatever_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(monkeypatch, {"R2_BUCKET_NAME": "pictures"}) == list(R2)[:-1]


def test_s3_needs_no_key_but_a_key_needs_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"STORAGE_MODE": "s3", "S3_BUCKET": "pictures"})
    assert load_settings().s3_access_key_id is None

    assert problems(monkeypatch, {"S3_SECRET_ACCESS_KEY": "secret"}) == ["S3_ACCESS_KEY_ID"]


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:8333", "https://s3.example/", "https://project.supabase.co/storage/v1/s3"]
)
def test_an_endpoint_may_have_a_port_and_a_path(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("S3_ENDPOINT", endpoint)

    assert load_settings().s3_endpoint == endpoint


@pytest.mark.parametrize("endpoint", ["s3.example", "ftp://s3.example", "https://user:pass@s3.example", "https://"])
def test_an_endpoint_is_an_address_and_no_more(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    assert problems(monkeypatch, {"S3_ENDPOINT": endpoint}) == ["S3_ENDPOINT"]


def test_no_secret_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"STORAGE_SIGNING_SECRET": "canary", "R2_SECRET_ACCESS_KEY": "canary", "STORAGE_MODE": "r2"})

    with pytest.raises(SettingsInvalid) as refused:
        load_settings()

    assert "canary" not in str(refused.value)


def test_no_secret_is_in_what_a_log_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    canaries = {name: f"canary-{name}" for name in ("R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "S3_ACCESS_KEY_ID")}
    set_all(monkeypatch, {**R2, **canaries, "S3_SECRET_ACCESS_KEY": "canary-0", "S3_SESSION_TOKEN": "canary-1"})

    assert "canary" not in repr(Settings())
    assert "canary" not in str(Settings().model_dump())
