"""The drawn figure: the same bytes again, every avatar, and a ground truth that fits the picture."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from posegen.errors import InvalidSize
from posegen.figure.drawing import Drawing, draw
from posegen.figure.parts import Part
from posegen.poses.avatar import AVATAR_ATTRIBUTES, Avatar
from posegen.poses.hands import HAND_SHAPES
from posegen.poses.keypoints import KEYPOINTS
from posegen.poses.library import LIBRARY, library_pose
from posegen.poses.prop_kinds import PROPS
from posegen.poses.skeleton import LIMITS
from posegen.poses.specification import EXPRESSIONS, PoseSpecification, PropUse


def drawn(slug: str = "hand-on-hip-one", side: int = 256, avatar: Avatar | None = None, seed: int = 11) -> Drawing:
    return draw(library_pose(slug).specification, avatar or Avatar(), seed=seed, width=side, height=side)


def is_same(one: Drawing, other: Drawing) -> bool:
    return (
        np.array_equal(one.pixels, other.pixels)
        and np.array_equal(one.depth, other.depth)
        and np.array_equal(one.part_mask, other.part_mask)
        and np.array_equal(one.keypoints.points, other.keypoints.points)
    )


def part_at(drawing: Drawing, name: str, reach: int = 1) -> set[int]:
    """The parts within `reach` pixels of a keypoint."""
    height, width = drawing.part_mask.shape
    u, v = drawing.keypoints.points[KEYPOINTS.index(name)] * (width, height)
    rows, columns = (slice(max(int(c) - reach, 0), int(c) + reach + 1) for c in (v, u))
    return set(np.unique(drawing.part_mask[rows, columns]).tolist())


@pytest.fixture(scope="module")
def library_drawings() -> dict[str, Drawing]:
    return {pose.slug: drawn(pose.slug, side=192) for pose in LIBRARY}


def test_the_same_arguments_give_the_same_bytes_again():
    assert is_same(drawn(side=1024), drawn(side=1024))


def test_the_same_arguments_give_the_same_bytes_from_several_threads_at_once():
    poses, seeds = [pose.slug for pose in LIBRARY[:6]], range(6)
    alone = [drawn(slug, 128, seed=seed) for slug, seed in zip(poses, seeds, strict=True)]

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda slug, seed: drawn(slug, 128, seed=seed), poses * 2, [*seeds, *seeds]))

    assert all(is_same(one, other) for one, other in zip(alone * 2, together, strict=True))


def test_what_was_drawn_before_does_not_matter():
    first = drawn()
    for clothing, hair in (("suit", "bun_black"), ("summer_dress", "afro_black")):
        avatar = Avatar(clothing=clothing, hair=hair, body_type="curvy", gender_expression="androgynous")
        drawn(avatar=avatar, seed=5)

    assert is_same(drawn(), first)


def test_another_seed_changes_light_and_background_but_not_the_figure():
    one, other = drawn(seed=1), drawn(seed=2)

    assert not np.array_equal(one.pixels, other.pixels)
    assert np.array_equal(one.part_mask, other.part_mask)
    background = one.part_mask == Part.BACKGROUND
    assert np.abs(one.pixels[background].astype(int) - other.pixels[background]).mean() > 2
    assert np.abs(one.pixels[~background].astype(int) - other.pixels[~background]).mean() > 2


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_the_whole_range_of_seeds_is_drawn(seed):
    assert drawn(seed=seed).pixels.shape == (256, 256, 3)


@pytest.mark.parametrize("attribute", AVATAR_ATTRIBUTES)
def test_every_avatar_value_changes_the_picture(attribute):
    pictures = [
        drawn(avatar=Avatar(**{attribute: value}), side=160).pixels.tobytes() for value in AVATAR_ATTRIBUTES[attribute]
    ]

    assert len(set(pictures)) == len(pictures)


def any_pose(seed: int) -> PoseSpecification:
    """Joint angles all over their ranges, seen from anywhere, with some prop."""
    chance = np.random.default_rng(seed)

    def one_of(names):
        return list(names)[int(chance.integers(len(names)))]

    prop = one_of(PROPS)
    angles = {joint: tuple(chance.uniform(*limit) for limit in limits) for joint, limits in LIMITS.items()}
    angles = {joint: (f * 0.6, a * 0.6, r) if "shoulder" in joint else (f, a, r) for joint, (f, a, r) in angles.items()}
    return PoseSpecification(
        angles=angles,
        root=tuple(chance.uniform(-180, 180, 3)),
        lift=chance.uniform(0, 1.5),
        hands=(one_of(HAND_SHAPES), one_of(HAND_SHAPES)),
        props=(PropUse(prop, one_of(PROPS[prop].anchors)),),
        expression=one_of(EXPRESSIONS),
        gaze=tuple(chance.uniform(-35, 35, 2)),
        camera=(chance.uniform(-180, 180), chance.uniform(-30, 60)),
    )


@pytest.mark.parametrize("seed", range(16))
def test_any_pose_that_the_skeleton_takes_is_drawn(seed):
    avatar = Avatar(clothing=AVATAR_ATTRIBUTES["clothing"][seed % 10], hair=AVATAR_ATTRIBUTES["hair"][seed % 14])
    drawing = draw(any_pose(seed), avatar, width=96, height=96)

    assert (drawing.part_mask > 0).mean() > 0.01
    assert np.isfinite(drawing.depth[drawing.part_mask > 0]).all()


@pytest.mark.parametrize(("width", "height"), [(256, 128), (120, 300), (64, 64), (257, 131)])
def test_pictures_have_the_size_that_was_asked_for(width, height):
    drawing = draw(PoseSpecification(), Avatar(), width=width, height=height)

    assert drawing.pixels.shape == (height, width, 3)
    assert drawing.pixels.dtype == np.uint8
    assert drawing.depth.shape == drawing.part_mask.shape == (height, width)
    assert drawing.depth.dtype == np.float32
    assert drawing.part_mask.dtype == np.uint8


def test_keypoints_lie_on_the_figure(library_drawings):
    for slug, drawing in library_drawings.items():
        for name, visible in zip(KEYPOINTS, drawing.keypoints.visible, strict=True):
            assert not visible or part_at(drawing, name, reach=2) != {Part.BACKGROUND}, (slug, name)


def test_keypoints_lie_on_their_own_part():
    drawing = drawn("standing-arms-out", side=512)
    expected = {
        "nose": {Part.HEAD},
        "left_eye": {Part.HEAD},
        "left_elbow": {Part.LEFT_ARM},
        "right_elbow": {Part.RIGHT_ARM},
        "left_wrist": {Part.LEFT_ARM, Part.LEFT_HAND},
        "right_wrist": {Part.RIGHT_ARM, Part.RIGHT_HAND},
        "left_knee": {Part.LEFT_LEG},
        "right_knee": {Part.RIGHT_LEG},
    }

    for name, parts in expected.items():
        assert part_at(drawing, name, reach=0) <= parts, name


def test_the_nose_is_as_far_away_as_its_keypoint_says():
    drawing = drawn("standing-straight", side=512)
    index = KEYPOINTS.index("nose")
    column, row = (drawing.keypoints.points[index] * 512).astype(int)

    assert drawing.depth[row, column] == pytest.approx(drawing.keypoints.depth[index], abs=0.02)


def test_depth_is_known_exactly_where_there_is_a_figure(library_drawings):
    for slug, drawing in library_drawings.items():
        assert np.array_equal(np.isfinite(drawing.depth), drawing.part_mask > 0), slug
        known = drawing.depth[drawing.part_mask > 0]
        assert known.min() > 2, slug
        assert known.max() < 10, slug


def test_every_pose_lies_within_the_picture(library_drawings):
    for slug, drawing in library_drawings.items():
        figure = (drawing.part_mask > 0) & (drawing.part_mask != Part.PROP)
        rim = np.concatenate([figure[:3].ravel(), figure[-3:].ravel(), figure[:, :3].ravel(), figure[:, -3:].ravel()])
        assert figure.mean() > 0.03, slug
        assert not rim.any(), slug


def test_no_background_shines_through_the_figure():
    # Arms stand off the body in this pose, so that every gap would be a hole.
    slug = "standing-arms-out"
    for clothing in AVATAR_ATTRIBUTES["clothing"]:
        mask = drawn(slug, side=320, avatar=Avatar(clothing=clothing)).part_mask
        thin = np.isin(mask, (Part.LEFT_HAND, Part.RIGHT_HAND))  # between fingers there are true gaps
        shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
        enclosed = np.all([np.roll(mask, shift, (0, 1)) > 0 for shift in shifts], axis=0)
        beside_thin = np.any([np.roll(thin, shift, (0, 1)) for shift in shifts], axis=0)
        assert not ((mask == 0) & enclosed & ~beside_thin).any(), clothing


def test_a_standing_figure_is_of_one_piece():
    mask = drawn("standing-straight", side=160).part_mask > 0
    reached = np.zeros_like(mask)
    reached[tuple(np.argwhere(mask)[0])] = True
    for _ in range(400):
        grown = reached.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                grown |= np.roll(reached, step, axis)
        grown &= mask
        if (grown == reached).all():
            break
        reached = grown

    assert np.array_equal(reached, mask)


def test_edges_are_smooth():
    drawing = drawn("standing-straight", avatar=Avatar(setting="dark_studio"), side=512)
    shirt = drawing.pixels[..., 1].astype(int)
    steps = np.abs(np.diff(shirt, axis=1))
    across = np.diff((drawing.part_mask > 0).astype(int), axis=1) != 0

    assert np.median(steps[across]) < 110
    assert (drawing.part_mask > 0).any()


def test_the_figure_casts_a_shadow_on_the_ground():
    drawing = drawn("standing-straight", avatar=Avatar(setting="white_studio"))
    feet = np.argwhere(drawing.part_mask >= Part.LEFT_FOOT)
    row = feet[:, 0].max() - 2
    ground = np.flatnonzero(drawing.part_mask[row] == 0)
    near = ground[np.abs(ground - feet[:, 1].mean()) < 25]
    far = ground[np.abs(ground - feet[:, 1].mean()) > 100]

    assert drawing.pixels[row, near].mean() < drawing.pixels[row, far].mean() - 5


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ({"width": 63}, "width is 63; it must lie between 64 and 2048"),
        ({"height": 100_000}, "height is 100000; it must lie between 64 and 2048"),
    ],
    ids=str,
)
def test_a_size_out_of_range_is_refused_with_the_range(size, said):
    with pytest.raises(InvalidSize, match=said):
        draw(PoseSpecification(), Avatar(), **size)
