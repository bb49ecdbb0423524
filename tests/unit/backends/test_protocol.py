"""Recipes: what makes two of them the same, and storing them."""

import json
from dataclasses import replace

import pytest

from posegen.backends.protocol import LARGEST_SEED, Recipe
from posegen.errors import InvalidPose, UnknownName
from posegen.poses.avatar import Avatar
from posegen.poses.specification import PoseSpecification, PropUse

RECIPE = Recipe(
    backend="mannequin",
    backend_version="1",
    specification=PoseSpecification(
        angles={"left_elbow": (90, 0, 0), "head": (10.5, 0, -20)}, props=(PropUse("phone", "left_hand"),)
    ),
    pose="phone-texting",
    avatar=Avatar(skin="deep"),
    prompt="a person who reads a message",
    seed=LARGEST_SEED,
)


def test_the_digest_is_the_same_wherever_and_whenever_it_is_taken():
    assert RECIPE.digest() == "7cf2d9aa0dc398d62fe2dc68ada3daff3f89c084639a2793f9abfbece68b8b46"


HOSTED = replace(RECIPE, backend="fal", model="fal-ai/flux-general", control_kind="depth", control_sha256="5" * 64)
HOSTED = replace(HOSTED, licence="flux-1-dev", prompt="at dusk", seed=7, control_weight=0.5)


def test_recipes_of_hosted_backends_keep_their_hash_as_fields_are_added():
    assert HOSTED.digest() == "1794e08ad923a4e509662ca5ce09ec6ed73d8c690fb8be8f86ff916280cca2e0"
    assert (
        replace(HOSTED, negative_prompt="blurred").digest()
        == "3f5fe97d2ff8a927796f394d12be19c7f2bd1b08d13cd6de5036684b5e4a6d65"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "2"},
        {"negative_prompt": "blurred"},
        {"control_start": 0.0},
        {"control_end": 0.5},
        {"references": ("6" * 64,)},
        {"steps": 8},
        {"guidance": 3.5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_field_of_hosted_models_counts_once_it_is_there(change):
    changed = replace(HOSTED, **change)

    assert changed.digest() != HOSTED.digest()
    assert Recipe.from_json(json.loads(json.dumps(changed.to_json()))) == changed


def test_the_order_of_keys_does_not_change_the_digest():
    def reversed_keys(value):
        if isinstance(value, dict):
            return {key: reversed_keys(value[key]) for key in reversed(value)}
        return [reversed_keys(item) for item in value] if isinstance(value, list) else value

    shuffled = Recipe.from_json(reversed_keys(RECIPE.to_json()))

    assert shuffled.canonical() == RECIPE.canonical()
    assert shuffled.digest() == RECIPE.digest()


@pytest.mark.parametrize("weight", [1, 1.0, 1.00000001])
def test_the_spelling_of_a_number_does_not_change_the_digest(weight):
    assert replace(RECIPE, control_weight=weight).digest() == RECIPE.digest()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 0},
        {"prompt": "another text"},
        {"pose": "phone-at-ear"},
        {"width": 512},
        {"control_weight": 0.8},
        {"backend_version": "2"},
        {"avatar": Avatar(skin="fair")},
        {"specification": PoseSpecification()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_the_picture_changes_the_digest(change):
    assert replace(RECIPE, **change).digest() != RECIPE.digest()


def test_a_recipe_survives_its_json():
    stored = json.dumps(RECIPE.to_json())

    assert Recipe.from_json(json.loads(stored)) == RECIPE


def test_a_stored_recipe_with_unknown_parts_says_which():
    with pytest.raises(UnknownName, match="skin"):
        Recipe.from_json({**RECIPE.to_json(), "avatar": {"skin": "blue"}})
    with pytest.raises(InvalidPose, match="left_wing"):
        Recipe.from_json({**RECIPE.to_json(), "specification": {"angles": {"left_wing": [0, 0, 1]}}})


def test_any_text_can_be_a_prompt():
    for prompt in ("", "日本語 🧍 'quotes' \"and\" \\", "\ud800"):
        assert len(replace(RECIPE, prompt=prompt).digest()) == 64
