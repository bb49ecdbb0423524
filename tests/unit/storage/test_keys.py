"""How keys are composed, which are refused, and what follows from one."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.errors import InvalidKey
from posegen.storage.keys import (
    IMMUTABLE,
    PRIVATE,
    REVALIDATED,
    cache_control_of,
    content_hash_of,
    content_type_of,
    control_map_key,
    design_key,
    export_key,
    is_public,
    is_segment,
    manifest_key,
    pose_key,
    print_key,
    thumbnail_key,
    validate_key,
    validate_prefix,
)

GENERATION = UUID("0b7e3f0e-63a5-4d27-9f0c-1d2f6a8f5b11")
POSE = UUID("8c1f2d5e-90ab-5cde-8f01-23456789abcd")
SHA256 = "0123456789abcdef" * 4


def test_keys_name_what_they_hold_and_end_in_its_hash() -> None:
    assert pose_key(GENERATION, POSE, SHA256) == f"poses/{GENERATION}/{POSE}-0123456789ab.png"
    assert thumbnail_key(GENERATION, POSE, SHA256) == f"thumbnails/{GENERATION}/{POSE}-0123456789ab.webp"
    assert (
        export_key(GENERATION, POSE, SHA256, content_type="image/jpeg")
        == f"exports/{GENERATION}/{POSE}-0123456789ab.jpg"
    )
    assert control_map_key("standing-relaxed", "openpose", 1024, 768, SHA256) == (
        "controlnet/standing-relaxed/openpose-1024x768-0123456789ab.png"
    )


def test_the_pictures_of_a_design_are_public_and_its_print_is_not() -> None:
    preview, page = design_key(POSE, "preview", SHA256), print_key(POSE, SHA256)

    assert preview == f"designs/{POSE}/preview-0123456789ab.png"
    assert page == f"prints/{POSE}/print-0123456789ab.pdf"
    assert (content_type_of(page), is_public(preview), is_public(page)) == ("application/pdf", True, False)


def test_the_suffix_of_an_export_follows_from_its_content_type() -> None:
    assert export_key(GENERATION, POSE, SHA256, content_type="image/png").endswith(".png")
    with pytest.raises(InvalidKey, match="image/tiff"):
        export_key(GENERATION, POSE, SHA256, content_type="image/tiff")


def test_a_manifest_belongs_to_an_asset_and_perhaps_a_partition() -> None:
    assert manifest_key("generated_poses", str(GENERATION)) == f"manifests/generated_poses/{GENERATION}.json"
    assert manifest_key("pose_library", None) == "manifests/pose_library.json"


@pytest.mark.parametrize("sha256", ["", "0123456789ab", SHA256.upper(), SHA256 + "0", "g" * 64, SHA256 + "\n"])
def test_a_key_cannot_end_in_what_is_no_hash(sha256: str) -> None:
    with pytest.raises(InvalidKey):
        pose_key(GENERATION, POSE, sha256)


@pytest.mark.parametrize("part", ["../up", "a/b", "", "Upper", "with space"])
def test_a_part_cannot_bring_other_parts_along(part: str) -> None:
    with pytest.raises(InvalidKey):
        pose_key(part, POSE, SHA256)
    with pytest.raises(InvalidKey):
        manifest_key(part, "p")
    with pytest.raises(InvalidKey):
        control_map_key(part, "openpose", 1, 1, SHA256)


@pytest.mark.parametrize("key", ["a", "a/b", "_a/b_", "a-b/c.d.e", "0/1/2", "nullable/console.png", "x" * 255])
def test_an_ordinary_key_is_valid(key: str) -> None:
    assert validate_key(key) == key


@pytest.mark.parametrize("key", ["con", "con.png", "aux.a.png", "a/lpt9/b", "com0", "a..b", "a./b", "a/.b", "A", "a\n"])
def test_a_name_that_some_file_system_bends_is_refused(key: str) -> None:
    with pytest.raises(InvalidKey):
        validate_key(key)


@given(st.text())
def test_any_text_is_valid_or_refused_with_a_message_that_can_be_logged(text: str) -> None:
    try:
        key = validate_key(text)
    except InvalidKey as refused:
        str(refused).encode("ascii", errors="strict" if text.isascii() else "ignore")
        message = str(refused)
        assert message.isprintable()
        assert len(message) < 1000
    else:
        assert all(is_segment(segment) for segment in key.split("/"))
        assert key.isascii()


def test_the_error_shows_the_start_of_a_long_key_only() -> None:
    with pytest.raises(InvalidKey) as raised:
        validate_key("x" * 1_000_000)

    assert len(str(raised.value)) < 1000


def test_a_prefix_is_empty_or_ends_with_a_slash() -> None:
    assert validate_prefix("") == ""
    assert validate_prefix("poses/g1/") == "poses/g1/"
    for refused in ["poses", "/", "poses//", "../"]:
        with pytest.raises(InvalidKey):
            validate_prefix(refused)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (f"poses/g/{POSE}-0123456789ab.png", "0123456789ab"),
        ("controlnet/a/depth-64x64-00112233aabb.png", "00112233aabb"),
        (f"poses/g/{POSE}.png", None),  # the end of a UUID is no hash
        ("poses/g/p1.png", None),
        ("poses/g/p1-0123456789AB.png", None),
        ("poses/g/p1-0123456789abc.png", None),
        ("poses/g/0123456789ab.png", None),
        ("poses/g-0123456789ab.d/p1.png", None),
    ],
)
def test_the_content_hash_is_found_where_there_is_one(key: str, expected: str | None) -> None:
    assert content_hash_of(key) == expected


@pytest.mark.parametrize(
    "key", [f"{folder}/x.png" for folder in ("poses", "thumbnails", "exports", "controlnet", "designs")]
)
def test_pictures_are_public(key: str) -> None:
    assert is_public(key)


@pytest.mark.parametrize(
    "key", ["manifests/a/p.json", "uploads/u/x.png", "health/x.txt", "poses", "posesx/a.png", "x/poses/a"]
)
def test_everything_else_is_not_public(key: str) -> None:
    assert not is_public(key)
    assert cache_control_of(key) == PRIVATE


def test_only_what_names_its_content_is_cached_for_good() -> None:
    assert cache_control_of(pose_key(GENERATION, POSE, SHA256)) == IMMUTABLE
    assert cache_control_of(f"poses/g/{POSE}.png") == REVALIDATED
    assert cache_control_of(manifest_key("exports", "g")) == PRIVATE


def test_an_unknown_suffix_is_just_bytes() -> None:
    assert content_type_of("uploads/u/x.exe") == "application/octet-stream"
    assert content_type_of("uploads/u.png/x") == "application/octet-stream"
    assert content_type_of("uploads/png") == "application/octet-stream"
