"""Avatars: the documented values, defaults, and what is refused."""

import pytest

from posegen.errors import UnknownName
from posegen.poses.avatar import AVATAR_ATTRIBUTES, Avatar


@pytest.mark.parametrize("attribute", AVATAR_ATTRIBUTES)
def test_every_documented_value_makes_an_avatar(attribute):
    for value in AVATAR_ATTRIBUTES[attribute]:
        assert Avatar.from_json({attribute: value}).to_json()[attribute] == value


def test_what_is_not_asked_for_has_its_default():
    assert Avatar.from_json({"skin": "deep"}) == Avatar(skin="deep")
    assert Avatar.from_json({}) == Avatar()


def test_an_avatar_survives_its_json():
    avatar = Avatar(age_group="senior", hair="hijab", clothing="long_dress", setting="park")

    assert Avatar.from_json(avatar.to_json()) == avatar


def test_an_unknown_attribute_is_refused_and_the_known_ones_are_named():
    with pytest.raises(UnknownName, match=r"avatar attribute 'eyes'; known: age_group, gender_expression") as refused:
        Avatar.from_json({"eyes": "green"})

    assert refused.value.known == list(AVATAR_ATTRIBUTES)


@pytest.mark.parametrize("value", ["purple", "", "BEIGE", None, 3, ["beige"], {"beige": 1}])
def test_an_unknown_value_is_refused_and_the_known_ones_are_named(value):
    with pytest.raises(UnknownName, match=r"avatar attribute skin .*porcelain") as refused:
        Avatar.from_json({"skin": value})

    assert refused.value.known == list(AVATAR_ATTRIBUTES["skin"])


def test_names_are_plain_words_that_serve_in_sql_and_urls():
    for attribute, values in AVATAR_ATTRIBUTES.items():
        assert len(set(values)) == len(values)
        assert all(
            name.isascii() and name.replace("_", "").isalpha() and name.islower() for name in (attribute, *values)
        )
