"""Each wire at its maker's own server, with a key that pays: what no far end of ours can show.

Never part of the suite: nothing is sent unless `POSEGEN_TESTS_MAY_PAY` is 1 and a key is set. A run pays at most 0.50
US dollars, computed in `budget` before the first call. Where a base URL leads elsewhere, the output says so, and proves
nothing about the maker.

    POSEGEN_TESTS_MAY_PAY=1 FAL_KEY=... ./uvw run pytest -n 0 -s tests/real
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from posegen.backends.hosted import Accepted, AcceptedCall, ControlMap, Delivered, Order, Waiting
from posegen.backends.protocol import Recipe
from posegen.backends.registry import Backends
from posegen.errors import BackendError
from posegen.figure.drawing import draw
from posegen.images.decoding.pool import DecoderPool
from posegen.images.png import encode_png
from posegen.poses.avatar import Avatar
from posegen.poses.control_maps import openpose_map
from posegen.poses.library import library_pose
from posegen.settings import Settings
from posegen.storage.hashing import fingerprint
from tests.real.budget import STEPS, Plan, Purse, planned
from tests.real.following import Image, difference, follows, mirrored

MAY_PAY = "POSEGEN_TESTS_MAY_PAY"
WIRES = ("fal", "bfl", "huggingface", "openai")
MAKERS = {
    "fal": ("fal_base_url", "https://queue.fal.run"),
    "bfl": ("bfl_base_url", "https://api.bfl.ai"),
    "huggingface": ("huggingface_base_url", "https://router.huggingface.co"),
    "openai": ("openai_base_url", "https://api.openai.com/v1"),
}
POSE = "pointing-sideways"
# Below a megapixel: fal rounds a picture up to the next whole one. A multiple of 32, which every model takes.
SIDE = 992
SEED = 20_261_130
PROMPT = "A photograph of one woman in a plain red dress, whole body, in front of an empty light grey studio wall."
SAME = 2.0
"""Levels of 255 below which two pictures count as the same one."""


@dataclass
class Maker:
    """A wire, and what it has made in this run. `where`: empty at the maker's own server."""

    name: str
    backend: Any
    purse: Purse
    where: str
    folder: Path
    _made: dict[str, Image] = field(default_factory=dict)

    def say(self, what: str) -> None:
        print(f"\n{self.name}: {self.where}{what}")

    def order(self, control: Image) -> Order:
        file = encode_png(control).data
        sha256 = fingerprint(file).sha256
        pose, description = library_pose(POSE), self.backend.description
        recipe = Recipe(
            backend=self.name,
            backend_version=description.version,
            specification=pose.specification,
            pose=pose.slug,
            avatar=Avatar(),
            prompt=PROMPT,
            seed=SEED,
            width=SIDE,
            height=SIDE,
            model=description.model,
            control_kind="openpose",
            control_sha256=sha256,
        )
        return Order(uuid4(), recipe, ControlMap(file, "openpose", sha256))

    def submit(self, step: str, control: Image) -> tuple[Order, Any]:
        """One request: a response that is lost is not asked for again."""
        self.purse.pay(self.name, step)
        order = self.order(control)
        return order, self.backend.submit(order)

    def picture(self, step: str, control: Image) -> Image:
        """The picture of a step, which is paid for once in a run."""
        if step not in self._made:
            order, outcome = self.submit(step, control)
            delivered = self._ended(order, outcome)
            assert isinstance(delivered, Delivered), f"{self.name} made no picture: {delivered}"
            bill = outcome.bill or delivered.bill
            self.say(f"{step}: {len(delivered.data):,} bytes, seed {delivered.seed}, bill {bill and bill.usd}")
            (self.folder / f"{self.name}-{step}").write_bytes(delivered.data)
            with DecoderPool(1) as decoders:
                self._made[step] = decoders.decode(delivered.data)
        return self._made[step]

    def _ended(self, order: Order, outcome: Any) -> Any:
        if not isinstance(outcome, Accepted):
            return outcome
        call = AcceptedCall(order.call, outcome.far_id, outcome.urls)
        ends, seen = time.monotonic() + 300, Waiting()
        while time.monotonic() < ends:
            try:
                if not isinstance(seen := self.backend.look(call), Waiting):
                    return seen
            except BackendError as silent:  # a look costs nothing, and may be repeated
                self.say(f"no word: {silent}")
            time.sleep(1.0)
        return seen


@pytest.fixture(scope="session")
def backends() -> Iterator[Backends]:
    backends = Backends.of(Settings())
    yield backends
    backends.close()


@pytest.fixture(scope="session")
def purse(backends: Backends) -> Purse:
    return Purse(plan_of(backends))


@pytest.fixture(scope="session")
def makers() -> dict[str, Maker]:
    """Those that have been used in this run."""
    return {}


@pytest.fixture(params=WIRES)
def maker(request: pytest.FixtureRequest, makers: dict[str, Maker], tmp_path_factory: pytest.TempPathFactory) -> Maker:
    name = request.param
    if os.environ.get(MAY_PAY) != "1":
        pytest.skip(f"pays for pictures: set {MAY_PAY}=1")
    backends = request.getfixturevalue("backends")
    if name not in backends.descriptions:
        pytest.skip(f"the key of {name} is not set")
    if name not in makers:
        folder = tmp_path_factory.mktemp(f"real-{name}")
        purse = request.getfixturevalue("purse")
        makers[name] = Maker(name, backends.open_hosted(name), purse, elsewhere(name), folder)
        makers[name].say(f"pictures lie in {folder}; this run pays {purse.plan.usd} USD at most")
    return makers[name]


def elsewhere(name: str) -> str:
    """A warning, where the settings do not lead to the maker."""
    field_name, makers_own = MAKERS[name]
    url = getattr(Settings(), field_name).rstrip("/")
    return "" if url == makers_own else f"NOT THE MAKER, BUT {url}, WHICH PROVES NOTHING ABOUT IT: "


def steps_of(name: str, seeds: bool) -> list[str]:
    """What a wire has: BFL and OpenAI cannot cancel, and a model without seeds repeats none."""
    can = {"picture", "mirror", *(["again"] if seeds else []), *(["cancel"] if name in ("fal", "huggingface") else [])}
    return [step for step in STEPS if step in can]


def plan_of(backends: Backends) -> Plan:
    """The calls of this run. A model that is on no price list is not called."""
    described = {name: backends.descriptions[name] for name in WIRES if name in backends.descriptions}
    megapixels = math.ceil(SIDE * SIDE / 1_000_000)
    prices = {name: each.price * megapixels for name, each in described.items() if each.price is not None}
    return planned(prices, {name: steps_of(name, described[name].capabilities.seeds) for name in prices})


@cache
def control() -> Image:
    """The map of a pose that is not symmetrical."""
    drawing = draw(library_pose(POSE).specification, Avatar(), width=SIDE, height=SIDE)
    return openpose_map(drawing.keypoints, SIDE, SIDE)


def need(maker: Maker, *steps: str) -> None:
    """Skip what does not fit into the budget, before anything of the test is sent."""
    left_out = [step for step in steps if (maker.name, step) not in maker.purse.plan.calls]
    if left_out:
        pytest.skip(
            f"{', '.join(left_out)} of {maker.name}: not possible there, on no price list, or beyond the budget"
        )


def test_a_picture_has_the_size_that_was_asked_for(maker):
    need(maker, "picture")

    picture = maker.picture("picture", control())

    assert picture.shape == (SIDE, SIDE, 3)


def test_the_picture_follows_the_map_and_not_its_mirror_image(maker):
    need(maker, "picture", "mirror")
    picture, of_mirror = maker.picture("picture", control()), maker.picture("mirror", mirrored(control()))

    apart, margin = difference(picture, of_mirror), follows(picture, of_mirror, control())

    maker.say(f"map and mirror image differ by {apart:.1f} levels; the pose is followed by {margin:+.3f}")
    assert apart > SAME, "the map is ignored"
    assert margin > 0, "the pictures resemble the other map more than their own: look at them"


def test_the_same_seed_is_said_and_gives_the_same_picture(maker):
    need(maker, "picture", "again")
    picture, again = maker.picture("picture", control()), maker.picture("again", control())

    apart = difference(picture, again)

    maker.say(f"two pictures of one seed differ by {apart:.2f} levels")
    assert apart < SAME, "the description says that this model takes a seed"


def test_a_call_that_is_cancelled_at_once_ends(maker):
    need(maker, "cancel")
    order, outcome = maker.submit("cancel", control())
    call = AcceptedCall(order.call, outcome.far_id, outcome.urls)

    removed = maker.backend.cancel(call)

    seen = maker._ended(order, outcome) if not removed else replace(outcome)
    maker.say(f"cancelled before it began: {removed}; afterwards {type(seen).__name__}")
    assert removed or not isinstance(seen, Waiting), "it neither was removed nor has ended: look it up there"
