"""Writing prompts for a backend: as its family reads them, within the length that its model takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from posegen.backends.description import Description
from posegen.error_codes import ErrorCode
from posegen.errors import RequestRefused
from posegen.poses.avatar import Avatar
from posegen.poses.library import LibraryPose
from posegen.poses.prompt_families import FAMILIES, Family, Prompt, compose, negative_prompt


@dataclass(frozen=True)
class PromptWriter:
    """Writes the prompts of one backend. `longest`: characters of a prompt; None for no limit."""

    backend: Description
    family: Family
    longest: int | None

    @classmethod
    def of(cls, backend: Description) -> Self:
        """The writer for a backend: the limit of its model counts before that of the family."""
        family = FAMILIES[backend.prompt_family]
        return cls(backend, family, backend.capabilities.longest_prompt or family.longest)

    def check(self, prompt: str | None, negative: str | None) -> None:
        """Raises `RequestRefused` (invalid_request) for words of the customer that the model would cut off."""
        for name, words in (("prompt", prompt), ("negative prompt", negative)):
            if words is not None and self.longest is not None and len(words) > self.longest:
                raise RequestRefused(
                    ErrorCode.INVALID_REQUEST,
                    f"The {name} has {len(words):,} characters; {self.longest:,} are the most that the backend "
                    f"{self.backend.name!r} reads.",
                )

    def write(self, pose: LibraryPose, avatar: Avatar, words: str) -> Prompt:
        """The prompt for a pose. `words`: the customer's."""
        by_reference = self.backend.is_by_reference
        return compose(self.family, pose, avatar, words, longest=self.longest, by_reference=by_reference)

    def negative(self, words: str | None) -> str | None:
        """What the picture must not show; None for a backend that takes no negative prompt. `words`: the customer's."""
        if not self.backend.capabilities.negative_prompt:
            return None
        return negative_prompt(self.family, words, longest=self.longest)

    def notes(self, prompt: Prompt) -> list[str]:
        """What was left out of a prompt, for the column `degraded`."""
        if not prompt.left_out:
            return []
        left_out = ", ".join(f"{phrase!r}" for phrase in prompt.left_out)
        return [
            f"prompt: {left_out} left out to stay within the {self.longest:,} characters that {self.backend.name} reads"
        ]
