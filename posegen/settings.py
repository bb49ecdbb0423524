"""The one place that reads the environment: every setting, its type, its default, and what is wrong with it.

Nothing else in Posegen looks at environment variables. `load_settings()` validates all of them at once and names each
variable that cannot be used.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from posegen.errors import SettingsInvalid

PROJECT_ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """The settings of one process. Field `storage_mode` is the variable `STORAGE_MODE`, and so on."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    posegen_home: Path = Field(
        default=PROJECT_ROOT / ".posegen", description="Folder of everything that Posegen keeps on this machine."
    )
    database_url: str | None = Field(
        default=None, description="PostgreSQL server and application database; without it an embedded server is used."
    )
    dagster_database: str = Field(
        default="dagster", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="Name of Dagster's database on that server."
    )

    storage_mode: Literal["local"] = Field(default="local", description="Which store takes new objects.")
    storage_local_path: Path | None = Field(
        default=None, description="Root folder of the local store; by default `storage` in POSEGEN_HOME."
    )
    storage_base_url: str = Field(
        default="/media", description="What the URLs of local objects begin with; the default is served by `up`."
    )

    posegen_backend: str = Field(default="mannequin", description="Backend of requests that name none.")
    posegen_credits_per_pose: int = Field(default=30, ge=0, description="Price of one pose in credits.")
    posegen_max_running: int = Field(
        default_factory=lambda: max(1, min(os.cpu_count() or 1, 8)),
        ge=1,
        description="Generations that may be under way at once; by default one for each core, eight at most.",
    )
    posegen_render_threads: int = Field(default=2, ge=1, le=64, description="Poses rendered at once in one run.")
    posegen_lease_seconds: float = Field(default=60, gt=0, description="How long a worker may be silent.")
    posegen_max_attempts: int = Field(default=3, ge=1, description="Attempts before a generation is poisoned.")
    posegen_listen_seconds: float = Field(
        default=3.0, ge=0, le=15, description="Seconds that the request sensor waits for news before it answers."
    )
    posegen_log_format: Literal["console", "json"] = Field(default="console", description="How log lines look.")
    posegen_log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important level that is logged."
    )

    @field_validator("posegen_home", "storage_local_path")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path if path is None else path.expanduser().absolute()

    @cached_property
    def storage_path(self) -> Path:
        """Root folder of the local store."""
        return self.storage_local_path or self.posegen_home / "storage"


def load_settings() -> Settings:
    """The settings of this process, read from its environment now.

    Raises `SettingsInvalid`, which lists every variable that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as invalid:
        problems = [_sentence(error["loc"], error["msg"], error["input"]) for error in invalid.errors()]
        raise SettingsInvalid(problems) from None


def _sentence(location: tuple[int | str, ...], message: str, value: object) -> str:
    variable = str(location[0]).upper()
    shown = "(a secret)" if "url" in variable.lower() or "key" in variable.lower() else repr(value)
    description = Settings.model_fields[variable.lower()].description
    return f"{variable} = {shown}: {message}. {description}"
