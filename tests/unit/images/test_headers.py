from __future__ import annotations

import pytest

from posegen.errors import ImageInvalid
from posegen.images.headers import SUFFIXES, check_suffix, format_of, read_header
from tests.hostile_images import encoded
from tests.mutations import mutants, seeds


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_format_is_known_by_its_first_bytes(kind):
    assert format_of(encoded(kind)[:12]) == kind


@pytest.mark.parametrize(("suffix", "kind"), SUFFIXES.items())
def test_an_ending_agrees_with_its_own_format_alone_and_in_any_case(suffix, kind):
    for each in ("PNG", "JPEG", "WEBP"):
        if each == kind:
            check_suffix(each, suffix)
            check_suffix(each, suffix.upper())
        else:
            with pytest.raises(ImageInvalid, match=f"ends in {suffix}"):
                check_suffix(each, suffix)


@pytest.mark.parametrize("suffix", ["", ".", "png", ".gif", ".png ", ".png\0", ".svg"])
def test_other_endings_are_refused(suffix):
    with pytest.raises(ImageInvalid, match=r"end in \.png, \.jpg, \.jpeg, \.webp"):
        check_suffix("PNG", suffix)


def test_damage_of_any_kind_is_refused_or_passed_and_never_escapes_as_another_error():
    """`benchmarks/hostile_images.py` does this a million times."""
    refused = passed = 0
    for data in mutants(5, 4000, seeds()):
        try:
            assert read_header(data).width >= 0
            passed += 1
        except ImageInvalid:
            refused += 1

    assert refused > 1000
    assert passed > 400
