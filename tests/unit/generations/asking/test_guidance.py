"""What a backend cannot follow is refused, or left out and named; nothing is left out in silence."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from posegen.backends import mannequin
from posegen.backends.description import Description
from posegen.backends.registry import Backends
from posegen.errors import RequestRefused
from posegen.generations.asking.guidance import Guidance, followed
from posegen.settings import Settings
from tests import hosted

KEYS = dict.fromkeys(["fal_key", "bfl_api_key", "huggingface_api_key", "openai_api_key"], "x")
SHIPPED = Backends.of(Settings(**KEYS, huggingface_endpoint_url="https://e.example/")).descriptions
IMAGE = "https://maps.example/a.png"
EVERYTHING = Guidance("blurred", 1.5, "depth", IMAGE, 0.2, 0.8)
BY_REFERENCE = ["control_weight", "control_start", "control_end"]
UNFOLLOWED = {
    "mannequin": ["negative_prompt", "control_kind", "control_image", "control_start", "control_end"],
    "fal": [],
    "bfl": ["negative_prompt", *BY_REFERENCE],
    "huggingface": ["negative_prompt", *BY_REFERENCE],
    "huggingface-endpoint": ["control_kind", "control_image"],
    "openai": ["negative_prompt", *BY_REFERENCE],
}


def names(notes: list[str]) -> list[str]:
    return [note.partition(":")[0] for note in notes]


def refusal(backend: Description, **wanted: object) -> str:
    with pytest.raises(RequestRefused) as refused:
        followed(Guidance(**wanted), backend, allow_degraded=False)  # type: ignore[arg-type]
    return refused.value.detail


@pytest.mark.parametrize("name", UNFOLLOWED)
def test_each_backend_leaves_out_what_it_cannot_follow_and_names_it(name: str) -> None:
    given, notes = followed(EVERYTHING, SHIPPED[name], allow_degraded=True)

    assert names(notes) == UNFOLLOWED[name]
    for field in fields(Guidance):
        kept = getattr(given, field.name) == getattr(EVERYTHING, field.name)
        assert kept is (field.name not in UNFOLLOWED[name]), field.name
    assert all(name in note for note in notes)
    # What is left can be followed.
    assert followed(given, SHIPPED[name], allow_degraded=False) == (given, [])


@pytest.mark.parametrize("name", UNFOLLOWED)
def test_every_backend_is_in_this_table_and_follows_a_plain_request(name: str) -> None:
    assert set(SHIPPED) == set(UNFOLLOWED)
    assert followed(Guidance(), SHIPPED[name], allow_degraded=False) == (Guidance(), [])
    whole = Guidance(control_start=0.0, control_end=1.0)
    assert followed(whole, SHIPPED[name], allow_degraded=False) == (whole, [])


@pytest.mark.parametrize(
    ("backend", "wanted", "words"),
    [
        ("bfl", {"negative_prompt": "hats"}, "'bfl' cannot follow negative_prompt 'hats': it takes none. Leave it out"),
        ("openai", {"control_weight": 0.5}, "control_weight 0.5: it takes the pose as a reference image, which has no"),
        ("bfl", {"control_end": 0.5}, "control_end 0.5: it follows the pose in all its steps"),
        ("huggingface-endpoint", {"control_kind": "depth"}, "control_kind 'depth': it takes openpose. Use openpose"),
        (
            "mannequin",
            {"control_kind": "openpose"},
            "'openpose': it draws the pose itself, without a map. Leave it out",
        ),
        ("mannequin", {"control_image": IMAGE}, f"control_image '{IMAGE}': it draws the pose itself"),
    ],
)
def test_a_refusal_names_the_backend_the_value_and_the_fix(backend: str, wanted: dict[str, object], words: str) -> None:
    detail = refusal(SHIPPED[backend], **wanted)

    assert words in detail
    assert detail.endswith("name a backend that can, or set allow_degraded to go without it.")


def test_the_mannequin_is_as_strict_as_any_weight() -> None:
    for weight in (0.0, 0.5, 1.5, 2.0):
        wanted = Guidance(control_weight=weight)
        assert followed(wanted, mannequin.DESCRIPTION, allow_degraded=False) == (wanted, [])


def test_a_weight_beyond_the_largest_scale_of_a_model_is_the_largest_one_instead() -> None:
    z_image = replace(hosted.DESCRIPTION, recommended_scale=0.75, largest_scale=1.0)

    assert "control_weight 1.5: its largest is 1.333. Use 1.333" in refusal(z_image, control_weight=1.5)
    given, notes = followed(Guidance(control_weight=1.5), z_image, allow_degraded=True)
    assert given.control_weight == 1.333
    assert "1.333 is used" in notes[0]
    assert followed(given, z_image, allow_degraded=False) == (given, [])


def test_a_long_value_is_shortened() -> None:
    assert len(refusal(SHIPPED["bfl"], negative_prompt="x" * 2000)) < 400


def test_an_image_of_a_kind_that_the_model_does_not_know_is_left_out_with_its_kind() -> None:
    given, notes = followed(
        Guidance(control_kind="depth", control_image=IMAGE), SHIPPED["huggingface-endpoint"], allow_degraded=True
    )

    assert (given.control_kind, given.control_image) == (None, None)
    assert names(notes) == ["control_kind", "control_image"]
