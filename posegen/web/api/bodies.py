"""What requests about generations have in common: the columns of `generation_requests`, and which poses are meant."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, Strict, StrictBool, StrictInt

from posegen.generations.asking.requests import GenerationRequest
from posegen.web.problems import Problem
from posegen.web.texts import Text, listed

GenerationId = Annotated[UUID, Path(description="A generation.")]
_Number = Annotated[float, Strict(), AllowInfNan(False)]
_Texts = Annotated[list[Text], Field(max_length=1_000)]


class NewGeneration(BaseModel):
    """A request for pictures, as `docs/reference/database.md` describes its columns.

    `user_id`: who asks and pays; left out by users, given by services.
    """

    model_config = ConfigDict(extra="forbid")

    user_id: UUID | None = None
    poses: _Texts = []
    categories: _Texts = []
    prompt: Text | None = None
    avatar: Annotated[dict[Text, Text], Field(max_length=100)] = {}
    variations: StrictInt = 1
    seed: StrictInt | None = None
    formats: _Texts = []
    fit: Text | None = None
    backend: Text | None = None
    control_weight: _Number | None = None
    negative_prompt: Text | None = None
    allow_degraded: StrictBool = False
    control_kind: Text | None = None
    control_image: Text | None = None
    control_start: _Number | None = None
    control_end: _Number | None = None
    priority: StrictInt = 0
    project_id: Text | None = None
    group_name: Text | None = None
    private: StrictBool = False

    def request(self) -> GenerationRequest:
        """As the service takes it."""
        return GenerationRequest(**{name: value for name, value in self if name != "user_id"})


class Several(BaseModel):
    """Several requests of one user that are priced together, such as those of a group."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID | None = None
    requests: Annotated[list[NewGeneration], Field(min_length=1, max_length=50)]


class Retry(BaseModel):
    """What a retry changes. `formats`: in place of the earlier ones."""

    model_config = ConfigDict(extra="forbid")

    formats: _Texts = []


class Restore(BaseModel):
    """Which poses are shown again, by their numbers from 1; all without any."""

    model_config = ConfigDict(extra="forbid")

    poses: Annotated[list[StrictInt], Field(max_length=50)] | None = None


def numbers_in(poses: list[str] | None) -> list[int] | None:
    """Numbers of poses out of a query; None for all."""
    if poses is None:
        return None
    try:
        return [int(each) for each in listed(poses)]
    except ValueError:
        detail = f"{', '.join(poses)[:100]!r} are no numbers of poses, such as 1,2."
        raise Problem(422, "invalid_request", detail, [{"pointer": "?poses", "detail": detail}]) from None
