"""Every file of a generation says where it comes from, and the database knows what to say to a file."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from posegen.generations.making.exports import derive_exports
from posegen.generations.making.poses import make_thumbnails_again
from posegen.generations.reading.origins import what_is_known, what_it_says
from posegen.generations.rows.poses import pose_id
from posegen.images.packets import find_packet
from posegen.images.png import encode_png
from posegen.images.provenance import DigitalSource, Provenance, carried_packet, read_packet, write_packet
from posegen.platforms.platform import PLATFORMS
from tests.backends import painted
from tests.builders import SLUGS, finished, row, rows


def files(studio):
    """Bytes by key, of everything that is stored and has a row."""
    stored = rows(studio.database, "select key, sha256 from objects order by key")
    return {each["key"]: studio.store.get(each["key"], sha256=each["sha256"]) for each in stored}


def said(data: bytes) -> Provenance:
    packet = find_packet(io.BytesIO(data))
    assert packet is not None, "the file says nothing"
    return read_packet(packet)


def known(studio, path):
    return what_is_known(studio.database, what_it_says(path))


# --- what files say -----------------------------------------------------------------------------------------------


def test_the_pose_its_thumbnail_and_all_its_exports_say_the_same(studio):
    generation = finished(studio, formats=list(PLATFORMS))
    pose = row(studio.database, "select recipe_hash, r.created_at from generated_poses p "
                                "join generation_requests r on r.id = p.generation_id")  # fmt: skip

    found = files(studio)

    assert len(found) > 5
    assert {said(data) for data in found.values()} == {
        Provenance(
            digital_source=DigitalSource.DRAWN,
            generator="Posegen, mannequin painted-1",
            recipe_hash=pose["recipe_hash"],
            created=pose["created_at"].replace(microsecond=0),
        )
    }
    assert {key.partition("/")[0] for key in found} == {"poses", "thumbnails", "exports"}
    assert all(str(generation) in key for key in found)


def test_a_hosted_model_says_that_it_was_trained(studio, backend):
    backend.name = "fal"
    generation = finished(studio, formats=["tiktok"])
    derive_exports(studio, generation, None, formats=["shopee"])

    assert {said(data).digital_source for data in files(studio).values()} == {DigitalSource.TRAINED_MODEL}


def test_making_files_again_gives_the_same_bytes(studio):
    generation = finished(studio, formats=["tiktok", "shopee"])
    before = files(studio)

    derive_exports(studio, generation, None, again=True)
    make_thumbnails_again(studio, generation)

    assert files(studio) == before


def test_resizing_by_another_program_drops_what_was_said(studio):
    """Which is why everything that is derived is stamped anew."""
    finished(studio)
    (image,) = (data for key, data in files(studio).items() if key.startswith("poses/"))
    small = io.BytesIO()
    with Image.open(io.BytesIO(image)) as opened:
        opened.resize((100, 100)).save(small, "PNG")

    assert find_packet(small) is None


# --- what is carried on -------------------------------------------------------------------------------------------


def test_a_file_that_is_made_of_ours_says_all_that_ours_says(studio):
    finished(studio)
    (image,) = (data for key, data in files(studio).items() if key.startswith("poses/"))

    packet = carried_packet(image, is_ours=True)

    assert packet is not None
    assert read_packet(packet) == said(image)


def png_saying(packet: bytes) -> bytes:
    return encode_png(painted(1, 16, 16), xmp=packet).data


def test_of_a_file_from_outside_only_the_iptcs_term_is_repeated():
    forged = write_packet(Provenance(DigitalSource.TRAINED_MODEL, "Posegen, mannequin 1", "0" * 64))
    nonsense = write_packet(Provenance("http://example.com/no-such-term", "Posegen, mannequin 1"))

    carried = carried_packet(png_saying(forged), is_ours=False)

    assert carried is not None
    assert read_packet(carried) == Provenance(DigitalSource.TRAINED_MODEL)
    assert carried_packet(png_saying(nonsense), is_ours=False) is None


@pytest.mark.parametrize("file", [b"", b"no picture", png_saying(b"<not xml")])
def test_of_a_file_that_says_nothing_that_can_be_read_nothing_is_repeated(file):
    assert carried_packet(file, is_ours=True) is None


# --- what the database knows --------------------------------------------------------------------------------------


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(data)
    return path


def test_a_stored_file_is_known_by_its_bytes_as_what_it_is_of_which_pose(studio, tmp_path):
    generation = finished(studio, poses=SLUGS[:2], formats=["tiktok", "instagram_story"])
    (key,) = rows(
        studio.database,
        "select key from exports e join objects o on o.id = e.object_id where format = 'tiktok' and pose_id = %s",
        pose_id(generation, 1),
    )
    found = known(studio, write(tmp_path, studio.store.get(key["key"])))

    assert [(file.key, file.pose_id, file.role) for file in found.files] == [
        (key["key"], pose_id(generation, 1), name) for name in ("instagram_story", "tiktok")
    ]
    assert [(made.generation_id, made.number, made.library_pose) for made in found.made] == [(generation, 2, SLUGS[1])]
    assert found.made[0].recipe["pose"] == SLUGS[1]


def test_a_file_that_was_changed_is_known_by_its_recipe_alone(studio, tmp_path):
    generation = finished(studio)
    (image,) = (data for key, data in files(studio).items() if key.startswith("poses/"))
    packet = find_packet(io.BytesIO(image))
    assert packet is not None
    found = known(studio, write(tmp_path, png_saying(packet)))

    assert found.files == []
    assert [made.pose_id for made in found.made] == [pose_id(generation, 0)]


def test_the_same_recipe_may_have_made_several_poses(studio, tmp_path):
    for _ in range(2):
        finished(studio, seed=4)
    image = next(data for key, data in files(studio).items() if key.startswith("poses/"))

    assert len(known(studio, write(tmp_path, image)).made) == 2


def test_files_of_others_are_not_known(studio, tmp_path):
    finished(studio)
    for foreign in (b"", b"text", png_saying(write_packet(Provenance(recipe_hash="f" * 64)))):
        assert known(studio, write(tmp_path, foreign)) == known(studio, write(tmp_path, b"nothing"))
