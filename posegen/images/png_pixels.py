"""The samples of a PNG as eight bits each, with its transparency as an alpha channel, compared on all bits."""

from __future__ import annotations

import io

from PIL import Image, ImageChops

from posegen.errors import ImageInvalid
from posegen.images.png_parts import PALETTE, PngParts


def eight_bit_png(image: Image.Image, parts: PngParts) -> Image.Image:
    """The picture of `parts`, opened as `image`, in one of the modes L, LA, RGB and RGBA.

    Of 16 bits the upper eight are kept, as libpng strips them. Raises `ImageInvalid` when rows are missing.
    """
    if (parts.is_interlaced or _ends_black(image)) and not parts.has_all_rows():
        raise ImageInvalid("The PNG is truncated: its data end before its last row.")
    if parts.colours == PALETTE:
        if parts.transparency is None:
            return image.convert("RGB")
        image.info["transparency"] = parts.transparency
        return image.convert("RGBA")
    if image.mode == "I;16":
        return _grey_of_16_bits(image, parts.key)
    key = parts.key
    if key is None:
        return image.convert("L") if image.mode == "1" else image
    if parts.bits == 16:
        return _rgb_of_16_bits(image, parts.picture, key)
    step = 255 // (2**parts.bits - 1)  # from one level to the next, once they fill a byte
    return _without(image.convert("L") if image.mode == "1" else image, tuple(level * step for level in key))


def _ends_black(image: Image.Image) -> bool:
    """Whether the last row has no bit set, as it is where data are missing."""
    last = image.crop((0, image.height - 1, image.width, image.height))
    return not last.tobytes().strip(b"\0")


def _grey_of_16_bits(image: Image.Image, key: tuple[int, ...] | None) -> Image.Image:
    lower, upper = Image.frombytes("LA", image.size, image.tobytes()).split()  # Pillow keeps the lower byte first
    if key is None:
        return upper
    upper_key, lower_key = divmod(key[0], 256)
    differs = ImageChops.lighter(_other_than(upper_key, upper), _other_than(lower_key, lower))
    upper.putalpha(differs)
    return upper


def _rgb_of_16_bits(image: Image.Image, picture: bytes, key: tuple[int, ...]) -> Image.Image:
    """Pillow gives the upper bytes only; the lower ones come from decoding `picture` once more."""
    with Image.open(io.BytesIO(picture), formats=["PNG"]) as again:
        again.tile = [tile._replace(args="RGB;16L") for tile in again.tile]  # as if the lower byte came last
        again.load()
        differs = _without(again, tuple(level % 256 for level in key)).getchannel("A")
    keyed = _without(image, tuple(level // 256 for level in key))
    keyed.putalpha(ImageChops.lighter(keyed.getchannel("A"), differs))
    return keyed


def _without(image: Image.Image, colour: tuple[int, ...]) -> Image.Image:
    """With an alpha channel, which is 0 for this colour and 255 for any other."""
    image.info["transparency"] = colour[0] if image.mode == "L" else colour
    return image.convert("LA" if image.mode == "L" else "RGBA")


def _other_than(level: int, image: Image.Image) -> Image.Image:
    """255 for every other level than this one, and 0 for it."""
    return image.point([255 * (each != level) for each in range(256)])
