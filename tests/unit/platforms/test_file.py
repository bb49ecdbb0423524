from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from posegen.errors import SettingsInvalid
from posegen.platforms.drawing import Source, encode_export, plan_exports
from posegen.platforms.file import own_platforms, problem_of
from posegen.platforms.platform import EXTEND, PLATFORMS

GOOD = """
[instagram_portrait]
width = 1080
height = 1350
source = "https://example.org/sizes"
read_on = "2026-11"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "platforms.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsInvalid) as refused:
        own_platforms(written(folder, text))
    return refused.value.problems


def test_without_a_file_there_is_nothing_to_say():
    assert own_platforms(None) is None


def test_an_empty_file_has_no_platforms(tmp_path):
    assert own_platforms(written(tmp_path, "")) == []


def test_a_platform_needs_a_size_and_its_source(tmp_path):
    (platform,) = own_platforms(written(tmp_path, GOOD)) or []

    assert (platform.name, platform.width, platform.height) == ("instagram_portrait", 1080, 1350)
    assert (platform.fit, platform.background, platform.quality, platform.dpi) == ("figure", EXTEND, 90, 72)
    assert platform.max_bytes is None


def test_everything_else_can_be_said_too(tmp_path):
    text = GOOD + 'max_bytes = 500_000\nfit = "contain"\nbackground = "#ffEE00"\nquality = 85\ndpi = 300\n'
    (platform,) = own_platforms(written(tmp_path, text)) or []

    assert (platform.fit, platform.background, platform.quality, platform.dpi) == ("contain", "#ffEE00", 85, 300)
    assert platform.byte_limit == 500_000
    assert platform.is_print


def test_enough_is_reserved_for_noise_of_any_size(tmp_path, noise):
    text = "".join(GOOD.replace("instagram_portrait", f"p{side}").replace("1080", str(side)) for side in (1350, 640))
    for platform in own_platforms(written(tmp_path, text)) or []:
        (planned,) = plan_exports(Source.of(noise), [platform], "cover")
        assert len(encode_export(planned).data) < platform.reserve_bytes


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("width = 0", "width = 0: Input should be greater than or equal to 16. Pixels, 16 to 8192."),
        ("width = 1080.5", "width = 1080.5: Input should be a valid integer. Pixels, 16 to 8192."),
        ('width = "1080"', "width = '1080': Input should be a valid integer. Pixels, 16 to 8192."),
        ("height = 9000", "height = 9000: Input should be less than or equal to 8192."),
        ('read_on = "November"', 'When it was read, such as "2026-11".'),
        ('source = ""', "source = ''"),
        ('fit = "stretch"', "fit = 'stretch': Input should be 'figure', 'contain' or 'cover'."),
        ('background = "red"', '"extend" or a colour such as "#ffffff".'),
        ("quality = 20", "quality = 20: Input should be greater than or equal to 60. Of the JPEG, 60 to 95."),
        ("max_bytes = 10", "max_bytes = 10: Input should be greater than or equal to 20000."),
        ("dpi = 0", "dpi = 0"),
        ("heigth = 9", "there is no field 'heigth'; known: width, height, source, read_on, fit,"),
        ("width = 2600\nheight = 8000", "2600x8000 are 20,800,000 pixels; 20,000,000 are the most."),
        ("width = 5000\nheight = 5000", "5000x5000 are 25,000,000 pixels; 20,000,000 are the most."),
        ("width = 100", "100x1350: one side may be 10 times the other at most."),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_its_platform_its_file_and_the_fix(tmp_path, line, words):
    given = dict(pair.split(" = ", 1) for pair in [*GOOD.strip().splitlines()[1:], *line.splitlines()])
    text = "[instagram_portrait]\n" + "\n".join(f"{key} = {value}" for key, value in given.items())
    (problem,) = problems(tmp_path, text)

    assert problem.startswith(f"{tmp_path / 'platforms.toml'}, platform instagram_portrait: ")
    assert words in problem


def test_what_is_missing_is_named(tmp_path):
    (problem,) = problems(tmp_path, GOOD.replace("height = 1350\n", ""))

    assert problem.endswith("platform instagram_portrait: height is missing. Pixels, 16 to 8192.")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tiktok", "this name is built in. Choose another one."),
        ("Instagram", "lower-case letters"),
        ('"two words"', "lower-case letters"),
        ("x" * 64, "63 long at most"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path, name, words):
    (problem,) = problems(tmp_path, GOOD.replace("instagram_portrait", name))

    assert words in problem


def test_all_problems_are_named_at_once(tmp_path):
    second = GOOD.replace("instagram_portrait", "other").replace("1350", "1")
    found = problems(tmp_path, GOOD.replace("1080", "1").replace("2026-11", "soon") + second)

    assert len(found) == 3


def test_a_key_outside_of_a_table_is_explained(tmp_path):
    (problem,) = problems(tmp_path, "width = 100\n")

    assert "platform width: 100 is no table. Begin it with a line [width]." in problem


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"[broken", "is no TOML"), (b"\xff\xfe", "is no UTF-8 text"), (None, "cannot be read: No such file")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, words):
    file = tmp_path / "platforms.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsInvalid, match=words) as refused:
        own_platforms(file)

    assert str(file) in str(refused.value)


# --- rows of the table ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda platform: platform.name)
def test_every_built_in_platform_can_be_used(platform):
    assert problem_of(platform) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": ""}, "a name has lower-case letters"),
        ({"name": "x" * 64}, "a name has lower-case letters"),
        ({"name": "\x1b[2J"}, "a name has lower-case letters"),
        ({"width": 2**31 - 1}, "width = 2147483647"),
        ({"width": 8192, "height": 8192}, "67,108,864 pixels"),
        ({"width": 8192, "height": 16}, "10 times the other"),
        ({"dpi": 0}, "dpi = 0"),
        ({"dpi": -1}, "dpi = -1"),
        ({"max_bytes": -1}, "max_bytes = -1"),
        ({"quality": 100}, "quality = 100"),
        ({"source": ""}, "source = ''"),
        ({"source": "x" * 100_000}, "source = "),
        ({"read_on": "soon"}, "read_on = 'soon'"),
        ({"background": "red"}, "background = 'red'"),
        ({"reserve_bytes": 1}, "reserve_bytes is 1"),
        ({"reserve_bytes": 2**63 - 1}, "reserve_bytes is 9,223,372,036,854,775,807"),
    ],
)
def test_a_row_that_no_file_could_give_has_its_reason(changed, words):
    problem = problem_of(replace(PLATFORMS["tiktok"], **changed))

    assert problem is not None
    assert words in problem
    assert len(problem) <= 1000


NUMBERS = ("nan", "inf", "-inf", "1e400", "-1", "0", str(2**31), str(2**63), "9" * 5000, "1.5", "true", "9999-12-31")


@pytest.mark.parametrize("field", ["width", "height", "dpi", "quality", "max_bytes"])
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:20])
def test_a_number_that_no_export_could_have_is_refused_in_a_sentence(tmp_path, field, number):
    if (field, number) == ("max_bytes", str(2**31)):
        number = str(2**40)
    lines = [line for line in GOOD.splitlines() if not line.startswith(field)]

    (problem,) = problems(tmp_path, "\n".join([*lines, f"{field} = {number}"]))

    assert problem.startswith(str(tmp_path))
    assert "\n" not in problem


def test_tables_that_lie_too_deep_in_each_other_are_refused_in_a_sentence(tmp_path):
    (problem,) = problems(tmp_path, "a = " + "[" * 100_000)

    assert "too deep" in problem
