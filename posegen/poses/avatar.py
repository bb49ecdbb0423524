"""The avatar: the person, their clothes and the setting of a picture, as names from documented lists.

Only the names live here. Each backend turns them into proportions, colours or words of a prompt by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from posegen.errors import UnknownName

AVATAR_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "age_group": ("child", "teen", "young_adult", "adult", "middle_aged", "senior"),
    "gender_expression": ("feminine", "masculine", "androgynous"),
    "skin": ("porcelain", "fair", "beige", "olive", "tan", "brown", "deep", "ebony"),
    "hair": (
        "short_black",
        "short_brown",
        "short_blonde",
        "bob_brown",
        "bob_auburn",
        "long_black",
        "long_brown",
        "long_blonde",
        "ponytail_brown",
        "bun_black",
        "curly_auburn",
        "afro_black",
        "shaved",
        "hijab",
    ),
    "body_type": ("petite", "slim", "average", "athletic", "curvy", "plus_size"),
    "clothing": (
        "t_shirt_and_jeans",
        "shirt_and_chinos",
        "hoodie_and_joggers",
        "sweater_and_trousers",
        "suit",
        "sportswear",
        "blouse_and_skirt",
        "summer_dress",
        "long_dress",
        "long_coat",
    ),
    "style": ("minimal", "classic", "street", "vivid", "pastel", "earthy", "monochrome"),
    "setting": (
        "white_studio",
        "grey_studio",
        "dark_studio",
        "colour_studio",
        "living_room",
        "city",
        "park",
        "beach",
    ),
}
"""Every attribute and the values it may have, in the order in which they are documented."""
_MINORS = ("child", "teen")


@dataclass(frozen=True)
class Avatar:
    """One value of `AVATAR_ATTRIBUTES` for each attribute. Raises `UnknownName` for any other value."""

    age_group: str = "young_adult"
    gender_expression: str = "feminine"
    skin: str = "beige"
    hair: str = "long_brown"
    body_type: str = "average"
    clothing: str = "t_shirt_and_jeans"
    style: str = "classic"
    setting: str = "grey_studio"

    def __post_init__(self) -> None:
        for field in fields(self):
            value, known = getattr(self, field.name), AVATAR_ATTRIBUTES[field.name]
            if value not in known:
                raise UnknownName(f"value of the avatar attribute {field.name}", str(value), list(known))

    @property
    def is_minor(self) -> bool:
        """Whether the person in the picture is a child or a teen."""
        return self.age_group in _MINORS

    @classmethod
    def from_json(cls, attributes: Mapping[str, object]) -> Avatar:
        """The avatar with these attributes; those that are absent have their default.

        Raises `UnknownName` for an attribute or a value that is not in `AVATAR_ATTRIBUTES`.
        """
        for name in attributes:
            if name not in AVATAR_ATTRIBUTES:
                raise UnknownName("avatar attribute", str(name), list(AVATAR_ATTRIBUTES))
        return cls(**attributes)  # type: ignore[arg-type]  # __post_init__ refuses whatever is not a known value

    def to_json(self) -> dict[str, str]:
        """Every attribute with its value, as `from_json` reads it."""
        return asdict(self)
