"""The page about platforms: its example becomes exports, its messages are those that are shown."""

from __future__ import annotations

import pytest

from posegen.errors import SettingsInvalid
from posegen.images.body import body_of
from posegen.images.framing import place
from posegen.images.validation import open_image
from posegen.platforms import rows as platforms
from posegen.platforms.file import own_platforms
from posegen.platforms.platform import PLATFORMS
from tests.backends import standing_keypoints
from tests.builders import finished, row
from tests.documents import page

PAGE = page("docs/reference/platforms.md")
EXAMPLE = next(block.text for block in PAGE.blocks() if block.language == "toml")


def test_the_platform_of_the_example_is_made_in_its_size(studio, tmp_path):
    file = tmp_path / "platforms.toml"
    file.write_text(EXAMPLE)
    with studio.database.transaction() as connection:
        platforms.seed_platforms(connection, own_platforms(file))

    finished(studio, formats=["instagram_portrait"])

    export = row(studio.database, "select width, height, key from exports e join objects o on o.id = e.object_id")
    assert (export["width"], export["height"]) == (1080, 1350)
    assert open_image(studio.store.get(export["key"])).shape == (1350, 1080, 3)


def test_the_message_of_the_page_is_the_one_that_is_shown(tmp_path):
    (shown,) = (block.text for block in PAGE.blocks() if block.language == "console")
    file = tmp_path / "platforms.toml"
    file.write_text(EXAMPLE.replace("1350", "13500") + "\n[tiktok]\nwidth = 9\n")
    with pytest.raises(SettingsInvalid) as refused:
        own_platforms(file)

    message = f"error: {refused.value}".replace(str(file), "/etc/posegen.toml")
    assert message == shown.partition("\n")[2].rstrip()


def test_the_resolutions_of_prints_are_those_that_come_out():
    for printed in PAGE.rows("format"):
        if "covered" in printed:
            platform = PLATFORMS[printed["format"]]
            for column, fit in (("covered", "cover"), ("contained", "contain")):
                placement = place(
                    (1024, 1024), (platform.width, platform.height), fit, body_of(standing_keypoints(), (1024, 1024))
                )
                assert printed[column] == f"{platform.dpi / max(placement.scale):.0f} ppi"
