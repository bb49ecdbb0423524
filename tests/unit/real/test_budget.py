"""What a run with real keys may pay for, and how it is told whether a pose was followed."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from posegen.backends.registry import Backends
from posegen.figure.drawing import draw
from posegen.poses.avatar import Avatar
from posegen.poses.library import library_pose
from posegen.settings import Settings
from tests.real.budget import MOST_USD, STEPS, Plan, Purse, planned
from tests.real.following import difference, follows, mirrored
from tests.real.test_makers import POSE, control, elsewhere, plan_of

KEYS = {"FAL_KEY": "fal", "BFL_API_KEY": "bfl", "HUGGINGFACE_API_KEY": "huggingface", "OPENAI_API_KEY": "openai"}


def test_no_run_pays_more_than_it_may_whichever_keys_are_set(monkeypatch):
    for key in KEYS:
        monkeypatch.setenv(key, "a-key")

    plan = plan_of(Backends.of(Settings()))

    assert Decimal("0.30") < plan.usd <= MOST_USD
    assert {(wire, step) for wire in KEYS.values() for step in ("picture", "mirror")} <= plan.calls


@pytest.mark.parametrize("key", KEYS)
def test_the_run_of_one_wire_has_room_for_all_its_steps(monkeypatch, key):
    monkeypatch.setenv(key, "a-key")
    backends = Backends.of(Settings())

    steps = {step for wire, step in plan_of(backends).calls if wire == KEYS[key]}

    assert {"picture", "mirror"} <= steps
    assert ("again" in steps) == backends.describe(KEYS[key]).capabilities.seeds
    assert ("cancel" in steps) == (KEYS[key] in ("fal", "huggingface"))


def test_a_model_on_no_price_list_is_not_called(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.setenv("OPENAI_IMAGE_MODEL", "a-model-of-a-gateway")

    assert plan_of(Backends.of(Settings())) == Plan(frozenset(), Decimal(0))


def test_a_step_that_is_too_dear_leaves_room_for_cheaper_ones():
    prices = {"dear": Decimal("0.3"), "cheap": Decimal("0.1")}

    plan = planned(prices, dict.fromkeys(prices, STEPS))

    assert plan.calls == {("dear", "picture"), ("cheap", "picture"), ("cheap", "mirror")}


def test_nothing_is_paid_for_twice_or_without_a_plan():
    purse = Purse(Plan(frozenset({("fal", "picture")}), Decimal("0.075")))
    purse.pay("fal", "picture")

    for call in (("fal", "picture"), ("fal", "mirror"), ("bfl", "picture")):
        with pytest.raises(RuntimeError, match="nothing is sent"):
            purse.pay(*call)


def test_the_output_says_when_it_is_not_the_maker(monkeypatch):
    assert elsewhere("fal") == ""
    monkeypatch.setenv("FAL_BASE_URL", "http://127.0.0.1:8801")
    assert elsewhere("fal").startswith("NOT THE MAKER, BUT http://127.0.0.1:8801")


@pytest.fixture(scope="module")
def figure():
    """A picture that follows the map."""
    return draw(library_pose(POSE).specification, Avatar(), width=512, height=512).pixels


def test_pictures_that_follow_their_maps_are_told_from_those_that_do_not(figure):
    assert follows(figure, mirrored(figure), control()) > 0.02
    assert follows(mirrored(figure), figure, control()) < -0.02
    assert follows(figure, figure, control()) == pytest.approx(0, abs=0.02)


def test_a_map_that_is_ignored_gives_one_picture_twice(figure):
    noise = np.random.default_rng(1).integers(-3, 4, figure.shape)
    assert difference(figure, np.clip(figure + noise, 0, 255).astype(np.uint8)) < 2
    assert difference(figure, mirrored(figure)) > 2
