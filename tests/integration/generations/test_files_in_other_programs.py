"""Every kind of file that we write, opened by the programs of others: none of them has anything to complain of."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from posegen.designs.making import make_design
from posegen.generations.making.contact_sheets import draw_contact_sheet, store_contact_sheet
from posegen.generations.reading.archives import plan_archive
from posegen.images.contact_sheet import encode_sheet
from posegen.images.decoding.pool import DecoderPool
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.library import rows as library
from posegen.library.control_maps import control_maps
from posegen.platforms.platform import PLATFORMS
from posegen.reports import plots
from posegen.studio import Studio
from posegen.uploads.service import encode_upload
from posegen.variants.making import make_variants
from tests import programs
from tests.builders import a_batch, a_user, finished, rendering_design, rows
from tests.hostile_images import encoded, small_picture

pytestmark = pytest.mark.full_size
CHECKS: dict[str, list[list[str]]] = {
    ".png": [["pngcheck", "-q"], ["identify"], ["vipsheader"], ["exiftool", "-validate", "-a"]],
    ".jpg": [["jpeginfo", "-c"], ["identify"], ["vipsheader"], ["exiftool", "-validate", "-a"]],
    ".webp": [
        ["webpinfo", "-quiet"],
        ["identify"],
        ["vipsheader"],
        ["exiftool", "-validate", "-a"],
    ],
    ".pdf": [["exiftool", "-validate", "-a"]],
    ".zip": [["exiftool", "-validate", "-a"]],
}
"""Programs that take several files at once, with their options."""
EACH = {
    ".png": ["exiv2", "-pa"],
    ".jpg": ["exiv2", "-pa"],
    ".webp": ["exiv2", "-pa"],
    ".pdf": ["qpdf", "--check"],
    ".zip": ["unzip", "-tqq"],
}
"""Programs that take one file at a time."""
COMPLAINT = re.compile(r"warn|error|corrupt|invalid|damaged|truncat", re.IGNORECASE)
NO_COMPLAINT = re.compile(
    r"no errors?( detected| found)?|no syntax or stream encoding errors|errors that qpdf cannot detect", re.IGNORECASE
)
CORRUPT_PACKET = re.compile(r"CorruptImageProfile .*\.webp' \(XMP\)")


def write_everything(studio: Studio, folder: Path) -> None:
    """Files of all kinds: what the store has after all kinds of work, and what is written elsewhere."""
    user = a_user(studio.database)
    generation = finished(studio, user, formats=list(PLATFORMS))
    store_contact_sheet(studio, generation, None)
    with studio.database.transaction() as connection:
        control_maps(studio, library.stored_poses(connection)[0], side=256)
    make_design(studio, rendering_design(studio.database, user, print_file=True, text="Salam 🌊"))
    (pose,) = rows(studio.database, "select image_url from pose_results")
    rows(studio.database, "insert into image_requests (user_id, tool, source) values (%s, 'x', %s) returning id",
         user, pose["image_url"])  # fmt: skip
    batch = a_batch(studio.database)
    with DecoderPool.of_our_own() as decoders:
        assert make_variants(studio, batch, decoders.decode, run_id="run").completed == 1
    for number, each in enumerate(rows(studio.database, "select key from objects")):
        data = studio.store.get(each["key"])
        (folder / f"{number:02}-{each['key'].partition('/')[0]}{Path(each['key']).suffix}").write_bytes(data)
    for name, content_type in (("png", "image/png"), ("jpg", "image/jpeg")):
        (folder / f"upload.{name}").write_bytes(encode_upload(small_picture(), content_type)[0])
    sheet = draw_contact_sheet(studio, generation, width=1280)
    assert sheet is not None
    (folder / "sheet.png").write_bytes(encode_sheet(sheet, "png").data)
    counted = pd.DataFrame({"pose": ["star-jump"], "poses": [3]})
    (folder / "plot.png").write_bytes(plots.as_png(plots.bars(counted, "pose", "poses")))
    archive = plan_archive(studio, generation, formats=["image", "tiktok", "print_letter"])
    (folder / "archive.zip").write_bytes(b"".join(archive.read()))


def complaints(command: Sequence[str], folder: Path) -> list[str]:
    """What a program says that is no praise; empty when it has nothing against the files and ends as it should."""
    ended = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    found = [line for line in ended.stdout.splitlines() if COMPLAINT.search(NO_COMPLAINT.sub("", line))]
    if ended.returncode:
        found.append(f"ended with {ended.returncode}")
    return [f"{command[0]}: {line}" for line in found]


def all_complaints(folder: Path) -> list[str]:
    """What all programs say of the files of a folder."""
    found = []
    for suffix in CHECKS:
        files = sorted(each.name for each in folder.glob(f"*{suffix}"))
        assert files, suffix
        commands = [[*check, *files] for check in CHECKS[suffix]] + [[*EACH[suffix], file] for file in files]
        found += [complaint for command in commands for complaint in complaints(command, folder)]
    return [each for each in found if not (CORRUPT_PACKET.search(each) and _is_any_packet_corrupt(folder))]


def _is_any_packet_corrupt(folder: Path) -> bool:
    """Whether ImageMagick finds fault with the simplest packet, too.

    6.9.11 of Debian 12 asks libwebp for a chunk `XMP` without the space behind it, and calls every WebP with a packet
    corrupt, those of webpmux and exiftool included.
    """
    (folder / "simplest.webp").write_bytes(encoded("WEBP", xmp=b"<a/>"))
    return bool(complaints(["identify", "simplest.webp"], folder))


def test_no_program_warns_of_any_file(studio, tmp_path):
    programs.need("our files in other programs")
    folder = tmp_path / "files"
    folder.mkdir()
    write_everything(replace(studio, thumbnails=thumbnail_sizes("400.webp,200.png,16.png,17.webp,1024.webp")), folder)

    assert all_complaints(folder) == []


def test_a_file_that_is_damaged_is_complained_of(tmp_path):
    """Otherwise the test above could not fail."""
    programs.need("our files in other programs")
    jpeg, webp = encoded("JPEG"), encoded("WEBP", xmp=b"<a/>")
    (tmp_path / "a.png").write_bytes(encoded("PNG")[:-30] + bytes(30))
    (tmp_path / "a.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (tmp_path / "a.webp").write_bytes(webp[: len(webp) // 2])
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n1 0 obj")
    (tmp_path / "a.zip").write_bytes(b"PK\3\4" + bytes(60))

    found = all_complaints(tmp_path)

    for program in ("pngcheck", "identify", "jpeginfo", "webpinfo", "vipsheader", "exiftool", "exiv2", "qpdf", "unzip"):
        assert any(each.startswith(f"{program}: ") for each in found), program
