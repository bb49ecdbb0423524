"""What is accepted at the edge of a limit is usable everywhere: kept, made into variants, exports, archives, sheets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from posegen.errors import ReplayRefused, UploadRefused
from posegen.generations.adopting.adoption import Adoption, adopt_tree
from posegen.generations.making.contact_sheets import draw_contact_sheet
from posegen.generations.making.exports import derive_exports
from posegen.generations.making.poses import make_thumbnails_again
from posegen.generations.reading.archives import plan_archive
from posegen.generations.reading.gathering import gather_files
from posegen.generations.reading.inspection import inspect_exports, inspect_poses
from posegen.generations.reading.replay import replay
from posegen.generations.rows import poses
from posegen.images.decoding.pool import DecoderPool
from posegen.images.decoding.process import Allowance
from posegen.images.validation import FROM_OUTSIDE, OF_OUR_OWN, examine, open_image
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from posegen.uploads import service as upload_service
from posegen.uploads.service import LARGEST
from posegen.variants.making import make_variants
from tests.builders import a_batch, a_user, row, rows, value
from tests.hostile_images import SIDE, encoded, jpeg_of
from tests.png_files import PALETTE, any_png
from tests.stores import SIGNING_SECRET

PATIENT = Allowance(cpu_seconds=60, wall_seconds=100)
SMALLEST, LONGEST, ASPECT = FROM_OUTSIDE.min_side, FROM_OUTSIDE.max_side, round(FROM_OUTSIDE.max_aspect)


@pytest.fixture
def studio(studio: Studio) -> Studio:
    """One whose store takes uploads."""
    root = studio.store._root
    return replace(studio, store=LocalStore(root, base_url="/media", signing_secret=lambda: SIGNING_SECRET))


@pytest.fixture(scope="module")
def outside() -> Iterator[DecoderPool]:
    with DecoderPool(allowance=PATIENT) as pool:
        yield pool


@pytest.fixture(scope="module")
def inside() -> Iterator[DecoderPool]:
    with DecoderPool.of_our_own() as pool:
        yield pool


def flat(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), (90, 120, 60), np.uint8)


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def uploaded(studio, user: UUID, data: bytes, content_type: str, outside: DecoderPool) -> str:
    """The key of an upload that was kept."""
    upload = upload_service.begin(studio, user, content_type=content_type, size=len(data)).upload
    put_at = row(studio.database, "select key from uploads where id = %s", upload)["key"]
    studio.store.put(put_at, data, content_type=content_type)
    kept = upload_service.complete(studio, upload, outside.decode)
    return str(row(studio.database, "select key from objects where id = %s", kept.object_id)["key"])


def variants_of(studio, user: UUID, sources: list[str], inside: DecoderPool) -> list[str]:
    """The keys of both variants of each picture."""
    for source in sources:
        rows(studio.database, "insert into image_requests (user_id, tool, source) values (%s, 'edge', %s) returning id",
             user, source)  # fmt: skip
    batch = a_batch(studio.database)
    assert make_variants(studio, batch, inside.decode, run_id="run").completed == len(sources), rows(
        studio.database, "select source, error_detail from variant_results where status <> 'completed'"
    )
    made = rows(studio.database, "select key from objects where key like 'variants/%%' order by id")
    return [str(each["key"]) for each in made][-2 * len(sources) :]


def test_a_limit_of_bytes_is_one_number_everywhere(studio, database):
    assert LARGEST == FROM_OUTSIDE.max_bytes == 10 * 1024 * 1024
    (checked,) = rows(
        database, "select pg_get_constraintdef(oid) as rule from pg_constraint where conname = 'upload_size_in_range'"
    )
    assert f"size <= {LARGEST}" in checked["rule"]
    user = a_user(database)
    upload_service.begin(studio, user, content_type="image/png", size=LARGEST)
    with pytest.raises(UploadRefused, match="1 to 10,485,760 bytes, not 10,485,761"):
        upload_service.begin(studio, user, content_type="image/png", size=LARGEST + 1)


def test_a_file_of_just_as_many_bytes_is_accepted_when_it_comes(studio, database, outside):
    data = jpeg_of(LARGEST)
    assert len(data) == LARGEST

    key = uploaded(studio, a_user(database), data, "image/jpeg", outside)

    assert open_image(studio.store.get(key)).shape == (*SIDE[::-1], 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_of_the_smallest_and_slimmest_shapes_go_all_the_way(studio, database, outside, inside, kind):
    user = a_user(database)
    shapes = [(SMALLEST, SMALLEST), (SMALLEST, ASPECT * SMALLEST), (ASPECT * SMALLEST + 1, SMALLEST + 1)]
    shapes += [(LONGEST, -(-LONGEST // ASPECT))] if kind == "JPEG" else []
    kept = [
        uploaded(studio, user, encoded(kind, pixels=flat(*shape)), f"image/{kind.lower()}", outside) for shape in shapes
    ]

    made = variants_of(studio, user, kept, inside)
    again = variants_of(studio, user, made[:6], inside)

    for number, shape in enumerate(shapes):
        for key in (*made[2 * number : 2 * number + 2], *again[4 * number : 4 * number + 4]):
            header = examine(studio.store.get(key), FROM_OUTSIDE)
            assert (header.width, header.height) == shape


def test_an_upload_that_grows_beyond_what_is_taken_from_outside_is_still_ours(studio, database, outside, inside):
    user = a_user(database)
    data = encoded("JPEG", pixels=noise(2250, 2250), quality=92, subsampling=0)
    assert len(data) < LARGEST

    key = uploaded(studio, user, data, "image/jpeg", outside)

    assert value(database, "select size from objects") > LARGEST
    assert len(variants_of(studio, user, [key], inside)) == 2


def test_a_webp_of_the_most_pixels_has_enough_memory(outside, inside):
    """Its decoder holds the picture four times."""
    for pool, side, most in ((outside, 4123, FROM_OUTSIDE.max_pixels), (inside, 4472, OF_OUR_OWN.max_pixels)):
        data = encoded("WEBP", pixels=flat(side, side), method=0, quality=20)
        assert side**2 <= most < (side + 1) ** 2
        assert pool.decode(data, ".webp").shape == (side, side, 3)


def test_adopted_pictures_of_any_size_are_usable_everywhere(studio, database, tmp_path, outside, inside):
    user = a_user(database)
    shapes = [(SMALLEST, SMALLEST), (SMALLEST, ASPECT * SMALLEST), (ASPECT * SMALLEST, SMALLEST), (1600, 1201), SIDE]
    folder = tmp_path / "tree" / "poses" / "order"
    folder.mkdir(parents=True)
    random = np.random.default_rng(2)
    for width, height in shapes:
        (folder / f"{width}.png").write_bytes(any_png(random, 8, PALETTE, (width, height)).data())
        (folder / f"{width}_thumb.png").write_bytes(encoded("PNG", pixels=flat(width, height)))
        (folder / f"{width}x{height}.png").write_bytes(encoded("PNG", pixels=flat(width, height)))
    count = sum(not file.stem.endswith("_thumb") for file in folder.iterdir())
    formats = ["instagram_post", "facebook", "tiktok"]

    assert adopt_tree(studio, Adoption(tmp_path / "tree", user, in_place=False), outside.decode).problems == []
    generation = UUID(str(value(database, "select id from generations")))

    assert derive_exports(studio, generation, None, formats=formats) == count * len(formats)
    assert make_thumbnails_again(studio, generation) == count
    assert inspect_poses(studio, generation).problems == inspect_exports(studio, generation).problems == []
    assert len(gather_files(studio, generation, tmp_path / "out")) == count * (2 + len(formats))
    assert draw_contact_sheet(studio, generation) is not None
    archive = plan_archive(studio, generation, formats=["image", *formats])
    assert sum(map(len, archive.read())) == archive.size
    with database.transaction() as connection:
        finished = poses.finished_poses(connection, generation)
    assert len(variants_of(studio, user, [pose.image_key for pose in finished], inside)) == 2 * count
    with pytest.raises(ReplayRefused):
        replay(studio, finished[0].id)
