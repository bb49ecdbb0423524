"""The archive of a generation: which files are in it, that they are the right ones, and what it says is missing."""

from __future__ import annotations

import io
import zipfile
from uuid import uuid4

import pytest

from posegen.errors import (
    ArchiveFailed,
    GenerationUnknown,
    ObjectCorrupt,
    ObjectMissing,
    PoseNumberUnknown,
    UnknownName,
)
from posegen.generations.making.exports import derive_exports
from posegen.generations.reading.archives import plan_archive
from posegen.images.validation import open_image
from tests.builders import SLUGS, execute, finished, queued, rows, value

DEFAULTS = ["instagram_post", "tiktok"]


def whole(archive):
    made = b"".join(archive.read())
    assert len(made) == archive.size
    return zipfile.ZipFile(io.BytesIO(made))


def export_key(studio, format):
    return value(
        studio.database,
        "select o.key from exports e join objects o on o.id = e.object_id join generated_poses p on p.id = e.pose_id "
        "where e.format = %s and p.position = 0",
        format,
    )


def damage(studio, key):
    data = studio.store.get(key)
    studio.store.put(key, data[:-20] + bytes(20), content_type="image/jpeg", create_only=False)


def test_it_has_every_pose_in_both_usual_formats(studio):
    generation = finished(studio, poses=SLUGS[:2], formats=[*DEFAULTS, "shopee"])

    archive = plan_archive(studio, generation)

    folder = f"poses-{str(generation)[:8]}"
    with whole(archive) as opened:
        assert opened.namelist() == [
            f"{folder}/{place}/{name}.jpg" for place in (f"01-{SLUGS[0]}", f"02-{SLUGS[1]}") for name in DEFAULTS
        ]
        assert opened.testzip() is None
        for name in opened.namelist():
            open_image(opened.read(name))
    assert archive.missing == ()


def test_the_poses_themselves_and_other_formats_can_be_asked_for(studio):
    generation = finished(studio, poses=SLUGS[:3], formats=["shopee"])

    archive = plan_archive(studio, generation, formats=["image", "shopee", "image"], poses=[3, 1])

    with whole(archive) as opened:
        names = [name.split("/")[1:] for name in opened.namelist()]
        assert names == [[f"0{n}-{SLUGS[n - 1]}", file] for n in (1, 3) for file in ("image.png", "shopee.jpg")]
        image = opened.read(opened.namelist()[0])
    stored = rows(
        studio.database,
        "select key from objects o join generated_poses p on p.image_object = o.id where position = 0",
    )
    assert image == studio.store.get(stored[0]["key"])


def test_what_is_not_there_is_said_and_the_rest_is_packed(studio):
    generation = finished(studio, poses=SLUGS[:2], formats=["tiktok"])
    derive_exports(studio, generation, None, formats=["instagram_post"])
    execute(studio.database, "delete from exports where format = 'instagram_post' and pose_id = "
            "(select id from generated_poses where position = 1)")  # fmt: skip

    archive = plan_archive(studio, generation)

    assert len(archive.names) == 3
    assert [(each.number, each.library_pose, each.format) for each in archive.missing] == [
        (2, SLUGS[1], "instagram_post")
    ]


def test_formats_that_are_one_file_are_two_in_the_archive(studio):
    generation = finished(studio, formats=["tiktok", "instagram_story"])

    with whole(plan_archive(studio, generation, formats=["tiktok", "instagram_story"])) as opened:
        first, second = (opened.read(name) for name in opened.namelist())

    assert first == second


def test_the_customers_own_name_is_the_folder_and_leads_nowhere_else(studio):
    generation = finished(studio, formats=["tiktok"], project_id="../Été 夏: 50%")

    archive = plan_archive(studio, generation)

    assert archive.names[0].startswith(f"_Été 夏_ 50%-{str(generation)[:8]}/01-")
    with whole(archive) as opened:
        assert opened.namelist() == archive.names


def test_a_long_name_of_the_customers_is_cut_between_characters(studio):
    generation = finished(studio, formats=["tiktok"], project_id="e\u0301" * 29 + "🇮🇩👋🏽" * 20)

    archive = plan_archive(studio, generation)

    # Composed letters take one character instead of two, but the name as it was given has 60 at most.
    assert archive.names[0].startswith(f"{'é' * 29}🇮🇩-{str(generation)[:8]}/01-")


def test_it_is_the_same_to_the_byte_whenever_it_is_asked_for(studio):
    generation = finished(studio, poses=SLUGS[:2], formats=DEFAULTS)

    first, second = (plan_archive(studio, generation) for _ in range(2))

    assert first.tag == second.tag
    assert b"".join(first.read()) == b"".join(second.read())


def test_another_choice_of_files_is_another_archive(studio):
    generation = finished(studio, poses=SLUGS[:2], formats=DEFAULTS)

    archives = [
        plan_archive(studio, generation),
        plan_archive(studio, generation, poses=[1]),
        plan_archive(studio, generation, formats=["tiktok"]),
    ]

    assert len({archive.tag for archive in archives}) == 3


def test_it_goes_on_where_a_download_has_ended(studio):
    generation = finished(studio, poses=SLUGS[:2], formats=DEFAULTS)
    archive = plan_archive(studio, generation)
    data = b"".join(archive.read())
    broken_off = len(data) // 2 + 1

    rest = b"".join(plan_archive(studio, generation).read(broken_off))

    assert data[:broken_off] + rest == data


@pytest.mark.parametrize("start", [0, 200])
def test_a_damaged_file_ends_the_stream_before_it_is_whole(studio, start):
    generation = finished(studio, formats=["tiktok"])
    damage(studio, export_key(studio, "tiktok"))
    archive = plan_archive(studio, generation)
    received = bytearray()

    def receive() -> None:
        for chunk in archive.read(start):
            received.extend(chunk)

    with pytest.raises(ObjectCorrupt):
        receive()
    assert len(received) < archive.size - start - 200, "the directory never came"


def test_a_lost_file_ends_the_stream(studio):
    generation = finished(studio, formats=["tiktok"])
    studio.store.delete(export_key(studio, "tiktok"))

    with pytest.raises(ObjectMissing):
        b"".join(plan_archive(studio, generation).read())


@pytest.mark.parametrize(
    ("columns", "asked", "refusal"),
    [
        ({"formats": ["shopee"]}, {}, "1 completed poses, none of them as instagram_post or tiktok"),
        ({"formats": ["tiktok"]}, {"formats": []}, "none of them as anything"),
    ],
)
def test_nothing_to_pack_is_no_archive(studio, columns, asked, refusal):
    generation = finished(studio, **columns)

    with pytest.raises(ArchiveFailed, match=refusal):
        plan_archive(studio, generation, **asked)


def test_a_generation_that_has_not_begun_has_no_archive(studio):
    with pytest.raises(ArchiveFailed, match="0 completed poses"):
        plan_archive(studio, queued(studio.database))


def test_what_does_not_exist_cannot_be_asked_for(studio):
    generation = finished(studio, formats=["tiktok"])

    with pytest.raises(UnknownName, match="myspace"):
        plan_archive(studio, generation, formats=["tiktok", "myspace"])
    with pytest.raises(PoseNumberUnknown, match="no completed pose 2; it has 1"):
        plan_archive(studio, generation, poses=[2])
    with pytest.raises(GenerationUnknown):
        plan_archive(studio, uuid4())


def test_a_platform_that_was_taken_away_can_still_be_packed(studio):
    generation = finished(studio, formats=["tiktok"])
    execute(studio.database, "update exports set format = 'closed_last_year'")

    assert len(plan_archive(studio, generation, formats=["closed_last_year"]).names) == 1
