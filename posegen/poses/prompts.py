"""Words and poses: the library pose that fits a prompt, and the words for a pose and an avatar.

Deterministic word matching, not a language model. The prompts that backends are given are in `prompt_families`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from posegen.poses.avatar import Avatar
from posegen.poses.library import LibraryPose, category_name

DEFAULT_POSE = "standing-straight"
# A word of the pose's name says more than one of its description.
_WEIGHTS = {"tags": 3.0, "name": 3.0, "category": 4.0, "description": 1.0}
_STOP_WORDS = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "into", "is", "it", "its", "no", "of"),
        *("off", "on", "or", "that", "the", "to", "up", "very", "with", "who", "has", "have", "i", "me", "my", "we"),
        *("us", "our", "you", "your", "he", "him", "his", "she", "her", "they", "them", "their", "this", "one", "out"),
        *("photo", "picture", "image", "pose", "posing", "person", "people", "woman", "man", "girl", "boy", "model"),
        *("want", "wear", "wearing", "show", "showing", "make", "please", "like"),
    )
)


def choose_pose(prompt: str, library: Sequence[LibraryPose]) -> LibraryPose:
    """The pose of the library that the prompt's words fit best; the earlier one on a tie.

    For a prompt that fits no pose, the plain standing pose, or the first pose of the library without it.

    >>> choose_pose("she is talking on the phone", LIBRARY).slug
    'phone-at-ear'
    """
    fitting = fitting_poses(prompt, library)
    if fitting:
        return fitting[0]
    return next((pose for pose in library if pose.slug == DEFAULT_POSE), library[0])


def fitting_poses(words: str, library: Sequence[LibraryPose]) -> list[LibraryPose]:
    """The poses of the library that fit any of the words, the best first; on a tie the earlier one.

    >>> [pose.slug for pose in fitting_poses("tree pose", LIBRARY)]
    ['yoga-tree']
    """
    wanted = stems(words)
    vocabularies = [_vocabulary(pose) for pose in library]
    scored = [(_score(wanted, each, vocabularies), pose) for each, pose in zip(vocabularies, library, strict=True)]
    return [pose for score, pose in sorted(scored, key=lambda each: -each[0]) if score > 0]


@dataclass(frozen=True)
class PoseWords:
    """A pose and an avatar in words, each a phrase without a full stop."""

    person: str
    pose: str
    looks: str
    clothes: str
    place: str


def describe_in_words(pose: LibraryPose, avatar: Avatar) -> PoseWords:
    """The person, what they do, how they look, their clothes and the setting."""
    age = _words(avatar.age_group)
    return PoseWords(
        person=f"{_article(age)} {age} {avatar.gender_expression} person, {_words(avatar.body_type)} build",
        pose=pose.description.rstrip("."),
        looks=f"{avatar.skin} skin, {_hair(avatar.hair)}",
        clothes=f"{avatar.style} style, wearing {_words(avatar.clothing)}",
        place=f"in {_place(avatar.setting)}",
    )


def stems(text: str) -> tuple[str, ...]:
    """The text's words without endings, stop words and repeats, in their order: "sitting on chairs" -> sit, chair."""
    words = re.findall(r"[a-z]+", text.lower().replace("-", " "))
    return tuple(dict.fromkeys(stem(word) for word in words if word not in _STOP_WORDS))


def stem(word: str) -> str:
    """The word without a common English ending; crude, but the same for both sides of a comparison."""
    for ending in ("ing", "ed", "es", "s", "er"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= 3 and not (ending == "s" and root.endswith("s")):
            return _bare(root)
    return _bare(word)


def _bare(root: str) -> str:
    if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "aeiousl":
        root = root[:-1]
    return root.removesuffix("e") if len(root) > 3 else root


def _vocabulary(pose: LibraryPose) -> dict[str, float]:
    texts = {
        "tags": " ".join(pose.tags),
        "name": pose.name,
        "category": category_name(pose.category),
        "description": pose.description,
    }
    weights: dict[str, float] = {}
    for field, text in texts.items():
        for word in stems(text):
            weights[word] = max(weights.get(word, 0.0), _WEIGHTS[field])
    return weights


def _score(wanted: Sequence[str], vocabulary: dict[str, float], vocabularies: Sequence[dict[str, float]]) -> float:
    """Sum over the prompt's words; a word of few poses counts for more than a word of many."""
    score = 0.0
    for word in wanted:
        if word in vocabulary:
            known_by = sum(word in other for other in vocabularies)
            score += vocabulary[word] * math.log(1 + len(vocabularies) / known_by)
    return round(score, 9)


def _words(name: str) -> str:
    return name.replace("t_shirt", "T-shirt").replace("_", " ")


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _hair(name: str) -> str:
    if name == "hijab":
        return "wearing a hijab"
    return "shaved head" if name == "shaved" else f"{_words(name)} hair"


def _place(setting: str) -> str:
    place = _words(setting)
    if setting in ("park", "beach", "city"):
        return f"the {place}"
    return f"{_article(place)} {place}"
