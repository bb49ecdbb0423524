"""Prompts as each family of models reads them: the template, the longest prompt, and what the picture must not show.

The customer's words come first and are never cut; what else does not fit is left out, the last phrase first. Lengths
are in characters, because the tokenizers of models are not here: a token has about four characters of English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from posegen.poses.avatar import Avatar
from posegen.poses.library import LibraryPose
from posegen.poses.prompts import PoseWords, describe_in_words


@dataclass(frozen=True)
class Prompt:
    """The prompt that a backend is given. `left_out`: phrases that did not fit."""

    text: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """How models of a family read prompts.

    Attributes:
        phrases: the phrases after the customer's words, the most important first; the second argument says whether the
            model sees the pose as a reference image.
        separator: between two phrases.
        longest: characters that the models read; None for no limit but ours.
        negative: what no picture must show; empty where a negative prompt has a price of its own.
    """

    phrases: Callable[[PoseWords, bool], list[str]]
    separator: str = ", "
    longest: int | None = None
    negative: str = ""


def compose(
    family: Family, pose: LibraryPose, avatar: Avatar, words: str, *, longest: int | None, by_reference: bool
) -> Prompt:
    """The prompt for a pose.

    Args:
        family: of the model.
        pose: what the person does.
        avatar: the person.
        words: the customer's; at most `longest` characters.
        longest: characters of the prompt; None for no limit.
        by_reference: whether the model sees the pose as a reference image.
    """
    phrases = family.phrases(describe_in_words(pose, avatar), by_reference)
    kept = [words.strip(), *phrases] if words.strip() else phrases
    least = len(kept) - len(phrases)
    while longest is not None and len(kept) > least and len(_joined(kept, family.separator)) > longest:
        kept.pop()
    return Prompt(_joined(kept, family.separator), tuple(phrases[len(kept) - least :]))


def negative_prompt(family: Family, words: str | None, *, longest: int | None) -> str | None:
    """The negative prompt: the customer's words, then as many phrases of the family's as fit; None for none."""
    kept = [words.strip()] if words else []
    for phrase in family.negative.split(", ") if family.negative else ():
        if longest is None or len(", ".join([*kept, phrase])) <= longest:
            kept.append(phrase)
    return ", ".join(kept) or None


def _joined(phrases: list[str], separator: str) -> str:
    """Words of a customer may have a full stop of their own at the end."""
    first, *others = phrases or [""]
    if separator[0] == "." and first.endswith((".", "!", "?")):
        return f"{first} {separator.join(others)}".rstrip()
    return separator.join([first, *others])


def _plain(words: PoseWords, by_reference: bool) -> list[str]:
    pose = [words.pose, *([_AS_REFERENCE] if by_reference else [])]
    return [words.person, *pose, words.looks, words.clothes, words.place]


def _flux(words: PoseWords, by_reference: bool) -> list[str]:
    """Sentences, as Black Forest Labs recommend; text encoders of FLUX read prose."""
    reference = [f"The person stands {_AS_REFERENCE}"] if by_reference else []
    return [
        f"A photograph of {words.person}: {words.pose}",
        *reference,
        f"The person has {words.looks}",
        f"Dressed in {words.clothes}",
        f"The photograph is taken {words.place}",
    ]


def _gpt_image(words: PoseWords, by_reference: bool) -> list[str]:
    """Instructions, one a line."""
    reference = ["The reference image shows the pose only: no line, dot or colour of it is to be seen."]
    return [
        f"A photograph of {words.person}.",
        f"Pose: {words.pose}{f', {_AS_REFERENCE}' if by_reference else ''}.",
        *(reference if by_reference else []),
        f"Looks: {words.looks}.",
        f"Clothes: {words.clothes}.",
        f"Place: {words.place}.",
    ]


def _sdxl(words: PoseWords, by_reference: bool) -> list[str]:
    """Short tags: SDXL reads 77 tokens, and cuts the rest off without saying so."""
    reference = [_AS_REFERENCE] if by_reference else []
    return [f"photo of {words.person}", words.pose, *reference, words.clothes, words.looks, words.place]


_AS_REFERENCE = "in exactly the pose of the reference image"
_BAD = "blurred, low quality, deformed hands, extra fingers, extra limbs, text, watermark"

FAMILIES: Mapping[str, Family] = {
    # 512 tokens of its text encoder. No negative prompt of ours: it would switch on a second pass in every step.
    "flux": Family(_flux, separator=". ", longest=2_000),
    # OpenAI's reference of images: 32,000 characters. Its models take no negative prompt.
    "gpt-image": Family(_gpt_image, separator="\n", longest=32_000),
    # 77 tokens of its text encoders, two of them for the ends.
    "sdxl": Family(_sdxl, longest=300, negative=_BAD),
    "other": Family(_plain, negative=_BAD),
}
"""Each family by the name that descriptions of backends give."""
