from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posegen.images.measures import FigureMeasures, Measures
from posegen.images.quality import (
    COPY_DISTANCE,
    Bounds,
    copied_from,
    is_copy,
    judge,
    measure,
    seed_of,
)
from posegen.poses.avatar import Avatar
from posegen.poses.library import LIBRARY
from tests.broken_pictures import ALONE, COPIED, Shown, blurred, shown

SIDE = 512
BY_SLUG = {pose.slug: pose for pose in LIBRARY}
ELSEWHERE = ("another size", "one colour", "blurred")  # two are `check_pixels`' business
GOOD = Measures(
    brightness=150,
    contrast=180,
    sharpness=0.8,
    noise=1,
    perceptual_hash=bytes(1024),
    figure=FigureMeasures(share=0.15, on_keypoints=1, outline=1),
)


def picture_of(slug: str, setting: str = "grey_studio", seed: int = 7) -> Shown:
    return shown(BY_SLUG[slug], Avatar(setting=setting), seed, SIDE)


@pytest.fixture(scope="module")
def standing() -> Shown:
    return picture_of("standing-straight")


@pytest.fixture(scope="module")
def folded() -> Shown:
    """Of all pairs in the library, this one and `standing` look most alike: only the hands differ."""
    return picture_of("hands-folded-in-front")


def measured(picture: Shown) -> Measures:
    return measure(picture.pixels, mask=picture.mask, points=picture.points)


# --- by itself --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "setting"),
    [
        ("standing-straight", "white_studio"),
        ("lying-on-stomach", "dark_studio"),
        ("star-jump", "beach"),
        ("yoga-warrior-two", "city"),
        ("sitting-hugging-knees", "colour_studio"),
    ],
)
def test_good_pictures_pass(slug, setting):
    verdict = judge(measured(picture_of(slug, setting)))

    assert verdict.passed, verdict.problems


@pytest.mark.parametrize("name", [name for name in ALONE if name not in ELSEWHERE])
def test_broken_pictures_do_not(standing, name):
    other = picture_of("star-jump")
    verdict = judge(measured(ALONE[name](standing, other, np.random.default_rng(3))))

    assert not verdict.passed


@pytest.mark.parametrize("sigma", [10, 16])
def test_a_blurred_picture_does_not(standing, sigma):
    (problem,) = judge(measured(blurred(standing, sigma))).problems[:1]

    assert "it is blurred" in problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"brightness": 11.9}, "it is black: mean brightness 11.9, at least 12"),
        ({"brightness": 243.2}, "it is white: mean brightness 243.2, at most 243"),
        ({"contrast": 29}, "it is blank or too flat: contrast 29, at least 30"),
        ({"sharpness": 0.19}, "it is blurred: sharpness 0.19, at least 0.2"),
        ({"noise": 12.4}, "it is noisy: grain 12.4, at most 12"),
        (
            {"figure": FigureMeasures(0.004, 1, 1)},
            "there is no whole figure: it covers 0.4% of the picture, 1% to 90% is",
        ),
        ({"figure": FigureMeasures(0.95, 1, 1)}, "there is no whole figure: it covers 95.0% of the picture"),
        (
            {"figure": FigureMeasures(0.2, 0.5, 1)},
            "the figure is not where the pose is: 50% of its keypoints, at least 80%",
        ),
        ({"figure": FigureMeasures(0.2, 1, 0.5)}, "the figure cannot be seen: 50% of its outline, at least 80%"),
    ],
)
def test_what_is_wrong_is_told_with_the_measure_and_its_bound(change, problem):
    (said,) = judge(replace(GOOD, **change)).problems

    assert problem in said


def test_everything_that_is_wrong_is_told():
    bad = replace(GOOD, brightness=1, noise=90, figure=FigureMeasures(0.2, 0.1, 0.1))

    assert len(judge(bad).problems) == 4


def test_a_measure_that_is_just_in_its_bounds_passes():
    bounds = Bounds()
    figure = FigureMeasures(bounds.figure_share[0], bounds.figure_on_keypoints, bounds.figure_outline)
    for brightness in bounds.brightness:
        edge = Measures(brightness, bounds.contrast, bounds.sharpness, bounds.noise, bytes(1024), figure)
        assert judge(edge).passed


def test_the_bounds_can_be_others():
    assert not judge(GOOD, Bounds(contrast=200)).passed


def test_a_backend_without_a_mask_is_judged_without_its_figure(standing):
    measures = measure(standing.pixels, points=standing.points)

    assert measures.figure is None
    assert judge(measures).passed
    assert measure(standing.pixels, mask=standing.mask).figure is None


# --- what is measured -------------------------------------------------------------------------------------------------


def checkered(low: int, high: int, cell: int) -> np.ndarray:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] // cell
    return np.repeat(np.where((rows + columns) % 2, high, low).astype(np.uint8)[..., None], 3, axis=2)


def test_brightness_and_contrast_are_in_levels():
    measures = measure(checkered(40, 200, 64))

    assert measures.brightness == pytest.approx(120, abs=0.1)
    assert measures.contrast == 160
    assert measures.sharpness == pytest.approx(1.0)


def test_sharpness_does_not_depend_on_contrast_nor_on_how_much_there_is_to_see():
    strong, weak, busy = (measure(checkered(*each)) for each in ((20, 220, 128), (100, 140, 128), (20, 220, 8)))

    assert strong.sharpness == weak.sharpness == busy.sharpness == 1


@pytest.mark.parametrize("sigma", [4, 10])
def test_noise_is_the_standard_deviation_of_the_grain(sigma):
    grain = np.random.default_rng(1).normal(0, sigma, (SIDE, SIDE, 1)).repeat(3, axis=2)

    assert measure((128 + grain).round().astype(np.uint8)).noise == pytest.approx(sigma, rel=0.05)


def test_the_figure_is_measured_by_mask_and_keypoints():
    pixels, mask = checkered(100, 100, 64), np.zeros((SIDE, SIDE), np.uint8)
    mask[100:300, 200:300] = 1
    pixels[100:300, 200:300] = 160
    points = np.array([[250, 150], [250, 250], [302, 200], [320, 200], [-5, 20], [600, 20]]) / SIDE
    figure = measure(pixels, mask=mask, points=points).figure

    assert figure is not None
    assert figure.share == pytest.approx(200 * 100 / SIDE**2)
    assert figure.on_keypoints == pytest.approx(
        3 / 6
    )  # within a hundredth of the side counts, off the picture does not
    assert figure.outline == 1


@pytest.mark.parametrize("colour", [(160, 100, 100), (100, 100, 130)])
def test_an_outline_is_seen_in_any_colour(colour):
    pixels, mask = checkered(100, 100, 64), np.zeros((SIDE, SIDE), np.uint8)
    mask[200:, 200:300] = 1
    pixels[200:, 200:300] = colour
    figure = measure(pixels, mask=mask, points=np.array([[0.5, 0.5]])).figure

    assert figure is not None
    assert figure.outline > 0.9


# --- copies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COPIED)
def test_a_copy_is_known_however_it_was_made(standing, folded, name):
    copy = COPIED[name](standing, folded, np.random.default_rng(3))

    assert is_copy(measured(copy).perceptual_hash, measured(folded).perceptual_hash)


def test_two_poses_that_look_alike_are_no_copies(standing, folded):
    assert not is_copy(measured(standing).perceptual_hash, measured(folded).perceptual_hash)


def test_variations_of_one_pose_are_no_copies():
    hashes = [measured(picture_of("back-view-standing", seed=seed)).perceptual_hash for seed in range(8)]

    for index, perceptual_hash in enumerate(hashes):
        assert copied_from(perceptual_hash, enumerate(hashes[:index])) is None


def test_a_copy_is_one_in_every_block():
    first = np.full((32, 32), 100, np.uint8)
    near, far = first + COPY_DISTANCE, first.copy()
    far[31, 0] += COPY_DISTANCE + 1

    assert is_copy(first.tobytes(), near.astype(np.uint8).tobytes())
    assert not is_copy(first.tobytes(), far.tobytes())
    assert not is_copy(np.full((32, 32), 250, np.uint8).tobytes(), np.zeros((32, 32), np.uint8).tobytes())


def test_the_first_picture_that_was_copied_is_named():
    one, other = bytes(1024), bytes([90]) * 1024

    assert copied_from(other, [(0, one), (3, other), (4, other)]) == 3
    assert copied_from(other, [(0, one)]) is None
    assert copied_from(other, []) is None


# --- the next seed ----------------------------------------------------------------------------------------------------


def test_the_first_attempt_has_the_seed_that_was_planned():
    assert [seed_of(seed, 0) for seed in (0, 7, 2**32 - 1)] == [0, 7, 2**32 - 1]


def test_each_attempt_has_another_seed_the_same_whenever_it_is_asked_for():
    seeds = [seed_of(7, attempt) for attempt in range(100)]

    assert len(set(seeds)) == 100
    assert seeds == [seed_of(7, attempt) for attempt in range(100)]
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_an_attempt_never_has_the_seed_of_another_variation():
    """Fifty variations, ten attempts at each: no two the same, also where seeds begin anew at 2**32."""
    for planned in (0, 1234, 2**32 - 20):
        seeds = {seed_of((planned + variation) % 2**32, attempt) for variation in range(50) for attempt in range(11)}
        assert len(seeds) == 50 * 11
