"""Names in archives: nobody's text leads out of the folder, hides a file, or stands for another one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.generations.reading.archive_names import LONGEST_BYTES, safe_part, unique_paths


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("summer 2026", "summer 2026"),
        ("Été – 夏 🌞", "Été – 夏 🌞"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "_"),
        ("/", "_"),
        ("", "_"),
        ("C:\\Windows", "C__Windows"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("ends with dots. . .", "ends with dots"),
        ("a\0b\nc\x1b[2J", "abc[2J"),
        ("left\u202egpj.exe", "leftgpj.exe"),
        ("\ud800", "_"),
        ("NUL", "_NUL"),
        ("com1.jpg", "_com1.jpg"),
        ("COM¹", "_COM¹"),
        ("comma", "comma"),
        ("e\u0301", "é"),
    ],
)
def test_a_text_becomes_one_part_of_a_path(text, safe):
    assert safe_part(text) == safe


@given(st.text())
def test_whatever_the_text_its_part_can_be_a_file_anywhere(text):
    part = safe_part(text)

    assert 0 < len(part.encode()) <= LONGEST_BYTES + 1
    assert not set(part) & set('<>:"/\\|?*\0')
    assert part[0] not in " .-"
    assert part[-1] not in " ."
    assert part.isprintable() or any(unicodedata.category(each) == "Zs" for each in part)


@given(st.text())
def test_a_safe_part_is_safe_already(text):
    assert safe_part(safe_part(text)) == safe_part(text)


def test_a_long_text_is_cut_between_characters():
    assert safe_part("夏" * 200) == "夏" * 40
    assert safe_part("🇮🇩" * 200) == "🇮🇩" * 15
    assert safe_part("x" + "👋🏽" * 200) == "x" + "👋🏽" * 14
    assert safe_part("กำ" * 200) == "กำ" * 20


@given(
    st.lists(st.sampled_from(["a.jpg", "A.jpg", "a-2.jpg", "f/a.jpg", "é", "e\u0301", ".x", "ß", "SS"]), max_size=12)
)
def test_no_two_paths_are_one_file_where_case_does_not_count(paths):
    unique = unique_paths(paths)

    folded = [unicodedata.normalize("NFC", path.casefold()) for path in unique]
    assert len(set(folded)) == len(paths)


def test_paths_that_are_unique_stay_as_they_are():
    assert unique_paths(["a.jpg", "b.jpg", "f/a.jpg"]) == ["a.jpg", "b.jpg", "f/a.jpg"]


def test_a_number_is_not_given_that_another_file_has():
    assert unique_paths(["a.jpg", "A.jpg", "a-2.jpg"]) == ["a.jpg", "A-3.jpg", "a-2.jpg"]
