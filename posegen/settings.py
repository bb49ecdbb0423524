"""The one place that reads the environment: every setting, its type, its default, and what is wrong with it.

Nothing else in Posegen looks at environment variables. `load_settings()` validates all of them at once and names each
variable that cannot be used.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from posegen.errors import SettingsInvalid, UnknownName
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.setting_names import USE_LOCAL, name_in_use, values_by_other_names

LONGEST_GRACE_HOURS = 87_600
"""3,650 days: what `delete_images` allows at most, so that every date that follows can be read and shown."""
PROJECT_ROOT = Path(__file__).resolve().parents[1]
_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
_URL = r"^https?://[^\s/@?#]+(/[^\s?#]*)?$"
_ENDPOINT = r"^https?://[^\s/@?#]+(/[^\s?#]*)?$"
_CDN = r"^(https://)?[^\s/:@?#]+/?$"
_PROXY = r"http://[^\s/?#]+/?"
_WEBHOOK = r"https?://[^\s/?#]+([/?][^\s#]*)?"
_ORIGIN = r"\*|https?://[^\s/@?#,]+"
_SHORTEST_SECRET = 16
_LONGEST_SHOWN = 200
# Bounds that keep every sum and product of what follows within a timestamp, an interval, a bigint and a float.
LONGEST_SECONDS = 31_536_000
LONGEST_DAYS = 36_500
MOST_TRIES = 1_000_000
MOST_ROWS = 1_000_000_000
MOST_CREDITS = 1_000_000_000
MOST_DOLLARS = 1_000_000
_NEEDED = {
    "r2": ("r2_account_id", "r2_access_key_id", "r2_secret_access_key", "r2_bucket_name"),
    "s3": ("s3_bucket",),
}
_FILES = ("posegen_platforms_file", "posegen_backends_file", "posegen_policy_file")
# What a variable's name holds whose value is never shown.
_SECRETS = ("DATABASE_URL", "SECRET", "KEY", "TOKEN", "WEBHOOK", "PROXY")


class Settings(BaseSettings):
    """The settings of one process. Field `storage_mode` is the variable `STORAGE_MODE`, and so on."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, allow_inf_nan=False)

    posegen_home: Path = Field(
        default=PROJECT_ROOT / ".posegen", description="Folder of everything that Posegen keeps on this machine."
    )
    database_url: str | None = Field(
        default=None, description="PostgreSQL server and application database; without it an embedded server is used."
    )
    dagster_database: str = Field(
        default="dagster", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="Name of Dagster's database on that server."
    )

    storage_mode: Literal["local", "r2", "s3"] = Field(default="local", description="Which store takes new objects.")
    storage_local_path: Path | None = Field(
        default=None, description="Root folder of the local store; by default `storage` in POSEGEN_HOME."
    )
    storage_base_url: str = Field(
        default="/media", description="What the URLs of local objects begin with; the default is served by `up`."
    )
    storage_local_private: bool = Field(
        default=False, description="Show objects of the local store by signed URLs only."
    )
    storage_signing_secret: SecretStr | None = Field(
        default=None, description="Signs URLs of the local store; by default a secret that is kept in POSEGEN_HOME."
    )
    r2_account_id: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{32}$", description="Cloudflare's id of the account: 32 hex digits."
    )
    r2_access_key_id: SecretStr | None = Field(default=None, description="Access key of the R2 token.")
    r2_secret_access_key: SecretStr | None = Field(default=None, description="Secret of the R2 token.")
    r2_bucket_name: str | None = Field(default=None, pattern=_BUCKET, description="The R2 bucket.")
    r2_public_url: str | None = Field(
        default=None,
        pattern=_URL,
        description="What public URLs of the R2 bucket begin with; none for a private one.",
    )
    r2_jurisdiction: Literal["default", "eu", "us"] = Field(
        default="default", description="Jurisdiction that the R2 bucket was made in."
    )
    s3_endpoint: str | None = Field(
        default=None, pattern=_ENDPOINT, description="URL of the S3 API; without it AWS, in S3_REGION."
    )
    s3_region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$", description="Region of the S3 bucket.")
    s3_bucket: str | None = Field(default=None, pattern=_BUCKET, description="The S3 bucket.")
    s3_access_key_id: SecretStr | None = Field(
        default=None, description="Access key for S3; without it AWS's default credential chain is asked."
    )
    s3_secret_access_key: SecretStr | None = Field(default=None, description="Secret of the access key for S3.")
    s3_session_token: SecretStr | None = Field(default=None, description="Session token of temporary credentials.")
    s3_public_bucket: bool = Field(default=False, description="Whether anybody may read from the S3 bucket itself.")
    cdn_domain: str | None = Field(
        default=None, pattern=_CDN, description="Domain that shows the S3 bucket to the public."
    )
    cors_origins: str | None = Field(
        default=None, description="Origins whose pages may read and upload, with commas between them."
    )

    posegen_platforms_file: Path | None = Field(
        default=None, description="A TOML file with platforms of your own; docs/reference/platforms.md shows one."
    )
    posegen_backends_file: Path | None = Field(
        default=None,
        description="A TOML file with hosted backends of your own; docs/reference/backends.md shows one.",
    )
    posegen_policy_file: Path | None = Field(
        default=None,
        description="A TOML file with names and words that prompts may not have; docs/reference/policy.md shows one.",
    )
    posegen_photos_of_minors: bool = Field(
        default=False, description="Whether backends that make photographs may show children and teens."
    )
    posegen_backend: str = Field(default="mannequin", description="Backend of requests that name none.")
    posegen_backends_offered: str = Field(
        default="",
        max_length=1000,
        description="Hosted backends that requests may name, with commas; besides POSEGEN_BACKEND and `mannequin`.",
    )
    fal_key: SecretStr | None = Field(default=None, description="Key of fal; with it the backend `fal` exists.")
    fal_base_url: str = Field(
        default="https://queue.fal.run", pattern=_URL, description="Where fal's queue is, or one that speaks like it."
    )
    bfl_api_key: SecretStr | None = Field(
        default=None, description="Key of Black Forest Labs; with it the backend `bfl` exists."
    )
    bfl_base_url: str = Field(
        default="https://api.bfl.ai", pattern=_URL, description="Where the API of Black Forest Labs is."
    )
    huggingface_api_key: SecretStr | None = Field(
        default=None, description="Token of Hugging Face; with it the backend `huggingface` exists."
    )
    huggingface_base_url: str = Field(
        default="https://router.huggingface.co", pattern=_URL, description="Where Hugging Face's router is."
    )
    huggingface_endpoint_url: str | None = Field(
        default=None,
        pattern=_URL,
        description="An inference endpoint of yours; with it and the token the backend `huggingface-endpoint` exists.",
    )
    huggingface_endpoint_control: str = Field(
        default="control_image",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="Parameter in which the endpoint's handler takes the control map; `inputs` for image-to-image.",
    )
    openai_api_key: SecretStr | None = Field(
        default=None, description="Key of OpenAI or of a compatible server; with it the backend `openai` exists."
    )
    openai_base_url: str = Field(
        default="https://api.openai.com/v1",
        pattern=_URL,
        description="Where OpenAI's API is, or a server that speaks like it, with the version.",
    )
    openai_image_model: str = Field(
        default="gpt-image-2", min_length=1, max_length=200, description="The model that the backend `openai` uses."
    )
    openai_honours_idempotency: bool = Field(
        default=False, description="Whether that server makes a call once however often its Idempotency-Key is sent."
    )
    posegen_credits_per_pose: int = Field(
        default=30, ge=0, le=MOST_CREDITS, description="Price of one pose in credits."
    )
    posegen_credits_hosted_backend: int = Field(
        default=0, ge=0, le=MOST_CREDITS, description="Credits more for a pose whose backend bills us for each call."
    )
    posegen_credits_print_format: int = Field(
        default=0, ge=0, le=MOST_CREDITS, description="Credits more for a pose and each print format of it."
    )
    posegen_credits_strict_pose: int = Field(
        default=0, ge=0, le=MOST_CREDITS, description="Credits more for a pose with a control weight above 1."
    )
    posegen_max_running: int = Field(
        default_factory=lambda: max(1, min(os.cpu_count() or 1, 8)),
        ge=1,
        le=1000,
        description="Runs that may be under way at once; by default one for each core, eight at most.",
    )
    posegen_max_waiting: int = Field(
        default=16,
        ge=1,
        le=1000,
        description="Runs that may be under way beside them because they mostly wait for a hosted backend.",
    )
    posegen_render_threads: int = Field(default=2, ge=1, le=64, description="Poses rendered at once in one run.")
    posegen_lease_seconds: float = Field(
        default=60, gt=0, le=LONGEST_SECONDS, description="How long a worker may be silent."
    )
    posegen_max_attempts: int = Field(
        default=3, ge=1, le=MOST_TRIES, description="Attempts before a generation is poisoned."
    )
    posegen_max_lost_leases: int = Field(
        default=5, ge=1, le=MOST_TRIES, description="Lost workers before a generation is poisoned."
    )
    posegen_stall_seconds: float = Field(
        default=1800,
        gt=0,
        le=LONGEST_SECONDS,
        description="Without progress for so long, a generation goes on from its checkpoint.",
    )
    posegen_time_limit_seconds: float = Field(
        default=7200,
        gt=0,
        le=LONGEST_SECONDS,
        description="So long after its start a generation ends; outages of its backend left out.",
    )
    posegen_max_queued: int = Field(
        default=100_000, ge=0, le=MOST_ROWS, description="Generations that may wait; 0 for no limit."
    )
    posegen_max_queued_per_user: int = Field(
        default=2_000, ge=0, le=MOST_ROWS, description="Generations of one user that may wait; 0 for no limit."
    )
    posegen_max_running_per_user: int = Field(
        default=0, ge=0, le=1000, description="Generations of one user that are under way at once; 0 for no limit."
    )
    posegen_poses_per_hour: int = Field(
        default=5_000,
        ge=0,
        le=MOST_ROWS,
        description="Poses of one user that are accepted in any hour; 0 for no limit.",
    )
    posegen_backend_attempts: int = Field(
        default=4, ge=1, le=100, description="Calls for one pose to a backend that responds to other calls."
    )
    posegen_backend_seconds: float = Field(
        default=300, gt=0, le=LONGEST_SECONDS, description="How long a backend may take for one picture."
    )
    posegen_quality_retries: int = Field(
        default=2, ge=0, le=10, description="Pictures with another seed for a pose whose picture did not pass."
    )
    posegen_paid_retries: int = Field(
        default=1,
        ge=0,
        le=10,
        description="Further pictures of a hosted backend that may be paid for when one did not pass.",
    )
    posegen_control_missing: Literal["fail", "drop"] = Field(
        default="fail",
        description="What follows when a control map cannot be read: its poses fail, or it is left out and named.",
    )
    posegen_thumbnails: str = Field(
        default="400.webp",
        max_length=200,
        description="Thumbnails of each pose, with commas; the first is that of `thumbnail_url`.",
    )
    posegen_breaker_failures: int = Field(
        default=3,
        ge=1,
        le=MOST_TRIES,
        description="Calls without a response, one after the other, before the breaker of a backend opens.",
    )
    posegen_breaker_seconds: float = Field(
        default=15,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long it stays open at first; doubled each time, 10 minutes at most.",
    )
    posegen_outage_seconds: float = Field(
        default=86_400,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long a generation waits for a backend whose breaker is open.",
    )
    posegen_listen_seconds: float = Field(
        default=3.0,
        ge=0,
        le=15,
        description="Seconds that the request sensor waits for a notification before its tick ends.",
    )
    posegen_keep_images_days: float = Field(
        default=90,
        gt=0,
        le=LONGEST_DAYS,
        description="Days after which images that were neither downloaded nor marked as favourite are deleted.",
    )
    posegen_keep_traces_days: float = Field(
        default=7,
        gt=0,
        le=LONGEST_DAYS,
        description="Days after which events, partitions and runs of ended work go; its rows stay.",
    )
    posegen_delete_grace_hours: float = Field(
        default=24,
        ge=0,
        le=LONGEST_GRACE_HOURS,
        description="Hours in which images that were deleted can be had back; ten years at most.",
    )
    posegen_credit_value: Decimal = Field(
        default=Decimal(0),
        ge=0,
        le=MOST_DOLLARS,
        description="US dollars that a customer pays for a credit; 0 shows no margin.",
    )
    posegen_backend_costs: Annotated[dict[str, Annotated[Decimal, Field(ge=0, le=MOST_DOLLARS)]], NoDecode] = Field(
        default_factory=dict,
        max_length=1000,
        description='US dollars that backends ask for a pose, such as {"fal": 0.03}.',
    )
    posegen_local_gb_month: Decimal = Field(
        default=Decimal(0),
        ge=0,
        le=MOST_DOLLARS,
        description="US dollars that a GB on the own disk costs a month, for reports.",
    )
    posegen_downloads: Decimal = Field(
        default=Decimal(1),
        ge=0,
        le=MOST_ROWS,
        description="How often what was made is sent out, on average, for reports.",
    )
    posegen_move_gb: Decimal = Field(
        default=Decimal(10),
        gt=0,
        le=MOST_ROWS,
        description="GB in the local store from which on reports say that moving pays.",
    )
    posegen_move_poses: int = Field(
        default=10_000,
        ge=1,
        le=MOST_ROWS,
        description="Poses in the local store from which on reports say that moving pays.",
    )
    posegen_alert_webhook: SecretStr | None = Field(
        default=None, description="Where incidents are sent to, as JSON; without it they are only written down."
    )
    posegen_alert_error_share: float = Field(
        default=0.05, ge=0, le=1, description="Share of failed generations in an hour that is always too much."
    )
    posegen_alert_error_factor: float = Field(
        default=3.0, ge=1, le=1000, description="Times the share of the 7 days before that is too much."
    )
    posegen_alert_fewest_ended: int = Field(
        default=20, ge=1, le=MOST_ROWS, description="Generations in an hour without which no share of them is judged."
    )
    posegen_alert_queue_seconds: float = Field(
        default=900.0, gt=0, le=LONGEST_SECONDS, description="How long the oldest generation may wait."
    )
    posegen_alert_breaker_seconds: float = Field(
        default=120.0, ge=0, le=LONGEST_SECONDS, description="How long a breaker may stay open."
    )
    posegen_alert_disk_free: float = Field(
        default=0.1, ge=0, le=1, description="Share of the local store's disk that should be free."
    )
    posegen_alert_account_share: float = Field(
        default=0.95, ge=0.5, le=1, description="Share of its space from which on an account counts as nearly full."
    )
    posegen_fetch_proxy: SecretStr | None = Field(
        default=None, description="Proxy that foreign URLs are fetched through; it has to refuse private addresses."
    )
    posegen_api_url: str | None = Field(
        default=None, pattern=_URL, description="URL of the HTTP API as its clients see it, for absolute links."
    )
    posegen_api_threads: int = Field(
        default=16, ge=1, le=200, description="Requests that the API serves at once, each with a connection."
    )
    posegen_log_format: Literal["console", "json"] = Field(default="console", description="How log lines look.")
    posegen_log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important level that is logged."
    )
    posegen_kill_at: str | None = Field(
        default=None,
        pattern=r"^((before|after) (upload|verify|capture|release|commit|finish|giving back)|after (plan|mark|submit|"
        r"accept|delivery)|before store|while waiting)(:[1-9][0-9]{0,5})?$",
        description="For fault tests: a worker dies at this commit point, such as `before commit:3`, the third one.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no file is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the caller gives, then the environment by our names, then by other names. No file."""
        return init_settings, env_settings, _OtherNames(settings_cls)

    @field_validator("posegen_thumbnails")
    @classmethod
    def _known_sizes(cls, written: str) -> str:
        try:
            thumbnail_sizes(written)
        except UnknownName as unknown:
            raise ValueError(str(unknown)) from None
        return written

    @field_validator("posegen_backend_costs", mode="before")
    @classmethod
    def _read_json(cls, written: object) -> object:
        if not isinstance(written, str):
            return written
        try:
            return json.loads(written)
        except (ValueError, RecursionError):
            raise ValueError("is no JSON object") from None

    @model_validator(mode="wrap")
    @classmethod
    def _complete(cls, values: dict[str, Any], handler: ModelWrapValidatorHandler[Settings]) -> Settings:
        """Finds what is missing even when something is wrong, so that an operator hears of all of it at once."""
        problems: list[InitErrorDetails] = []
        settings = None
        try:
            settings = handler(values)
        except ValidationError as invalid:
            problems = [
                InitErrorDetails(
                    type=PydanticCustomError("wrong", "{said}", {"said": error["msg"].removeprefix("Value error, ")}),
                    loc=error["loc"],
                    input=error["input"],
                )
                for error in invalid.errors()
            ]
        problems += [
            InitErrorDetails(type=PydanticCustomError("missing", "{said}", {"said": why}), loc=(name,), input=None)
            for name, why in _missing(values)
        ]
        if problems or settings is None:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return settings

    @field_validator("storage_mode", "r2_jurisdiction", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("storage_signing_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value) < _SHORTEST_SECRET:
            raise ValueError(f"has to have {_SHORTEST_SECRET} characters or more")
        return value

    @field_validator("posegen_alert_webhook")
    @classmethod
    def _reachable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(_WEBHOOK, value.get_secret_value()):
            raise ValueError("has to begin with https:// or http:// and a host, without spaces")
        return value

    @field_validator("posegen_fetch_proxy")
    @classmethod
    def _http_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(_PROXY, value.get_secret_value()):
            raise ValueError("has to be http://host:port, if need be with user:password@ before the host")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str | None) -> str | None:
        for origin in (value or "").split(","):
            if origin.strip() and not re.fullmatch(_ORIGIN, origin.strip()):
                raise ValueError(f"{origin.strip()!r} is no origin such as https://app.example.com")
        return value

    @field_validator("posegen_home", "storage_local_path", *_FILES)
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        if re.search(r"[\x00-\x1f\x7f]", str(path)):
            raise ValueError("holds a line break or another control character, which PostgreSQL's files cannot hold")
        try:
            str(path).encode()
        except UnicodeEncodeError:  # PostgreSQL, Dagster and JSON take text
            raise ValueError("it is not UTF-8: choose another path, or set PYTHONUTF8=1 where it is UTF-8") from None
        try:
            return path.expanduser().absolute()
        except RuntimeError:
            raise ValueError("begins with ~, and this user has no home folder; write the path from / on") from None
        except FileNotFoundError:
            raise ValueError("is relative, and the current folder was removed; write the path from / on") from None

    @cached_property
    def workers_path(self) -> Path:
        """Where the runs of this machine hold their locks."""
        return self.posegen_home / "run" / "workers"

    @cached_property
    def signing_secret_path(self) -> Path:
        """Where the secret is kept that URLs are signed with when none is set."""
        return self.posegen_home / "signing-secret"

    @cached_property
    def storage_path(self) -> Path:
        """Root folder of the local store."""
        return self.storage_local_path or self.posegen_home / "storage"


class _OtherNames(PydanticBaseSettingsSource):
    """The settings that operators have brought along under other names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """One value; the whole is asked for at once below."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All values, by the names of the fields."""
        return {name.lower(): value for name, value in values_by_other_names(_environment()).items()}


def load_settings() -> Settings:
    """The settings of this process, read from its environment now.

    Raises `SettingsInvalid`, which lists every variable that cannot be used or is missing.
    """
    try:
        return Settings()
    except ValidationError as invalid:
        raise SettingsInvalid([_sentence(error) for error in invalid.errors()]) from None


def variable_of(field: str) -> str:
    """The environment variable that a field's value comes from: for code that passes a secret on by its name only."""
    name = name_in_use(field.upper(), _environment())
    return next((written for written in os.environ if written.upper() == name), name)


def source_of(field: str) -> str | None:
    """The environment variable that a field's value comes from; None where no variable sets it."""
    environment = _environment()
    name = name_in_use(field.upper(), environment)
    if environment.get(name):
        return name
    return USE_LOCAL if field == "storage_mode" and environment.get(USE_LOCAL) else None


def secret_in(variable: str) -> SecretStr | None:
    """The secret in a variable that an operator's file names; None where it is not set, or empty."""
    secret = _environment().get(variable)
    return SecretStr(secret) if secret else None


def is_secret(variable: str) -> bool:
    """Whether the value of a variable is never shown."""
    return any(word in variable for word in _SECRETS)


def _environment() -> dict[str, str]:
    return {name.upper(): value for name, value in os.environ.items()}


def _missing(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields without which a store cannot be opened, and why they are needed."""
    mode = str(values.get("storage_mode", "")).lower()
    for kind, needed in _NEEDED.items():
        bucket = needed[-1]
        if mode != kind and not values.get(bucket):
            continue
        why = f"STORAGE_MODE={kind}" if mode == kind else bucket.upper()
        yield from ((name, f"{why} needs it") for name in needed if not values.get(name))
    pair = ("s3_access_key_id", "s3_secret_access_key")
    for name, other in (pair, pair[::-1]):
        if values.get(other) and not values.get(name):
            yield name, f"{other.upper()} needs it"


def _sentence(error: ErrorDetails) -> str:
    variable = str(error["loc"][0]).upper()
    description = Settings.model_fields[variable.lower()].description
    if error["type"] == "missing":
        return f"{variable} is not set, and {error['msg']}. {description}"
    shown = "(a secret)" if is_secret(variable) else _cut(repr(error["input"]))
    return f"{variable} = {shown}: {error['msg']}. {description}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
