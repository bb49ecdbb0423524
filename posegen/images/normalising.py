"""From a picture's file to plain pixels: upright, opaque, 8-bit sRGB. Everything else in the file is left behind.

This is where decoders meet foreign bytes. It needs Pillow only, for it runs in the small decoder process; who may be
decoded where is `validation`'s and `decoding`'s business.
"""

from __future__ import annotations

import contextlib
import io

from PIL import Image, ImageCms, UnidentifiedImageError

from posegen.errors import ImageInvalid
from posegen.images.color_profile import srgb_profile
from posegen.images.file_bytes import SPELLED, Header
from posegen.images.orientation import orientation_of
from posegen.images.packets import find_packet
from posegen.images.png_parts import take_apart
from posegen.images.png_pixels import eight_bit_png

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = 5  # and above: width and height change places
_GROUND = "#ffffff"
_PROFILE_HEADER = 128  # bytes
_PROFILE_MODES = {b"GRAY": {"L", "LA"}, b"RGB ": {"RGB", "RGBA"}, b"CMYK": {"CMYK"}}
_OF_DEVICES = {b"mntr", b"scnr", b"prtr", b"spac"}  # not of links between two devices, nor of named colours


def decode_upright(data: bytes, header: Header, at_least: tuple[int, int] | None = None) -> Image.Image:
    """The picture as an RGB image. `header`: what the walk over the file has found.

    `at_least`: width and height that are enough; a larger JPEG may then come at a half, a quarter or an eighth.
    Transparency is laid on white; an embedded profile that fits the picture is honoured, any other left aside.

    Raises `ImageInvalid` when the picture is truncated or damaged.
    """
    try:
        flat, turn = _decode(data, header, at_least)
        # The file and its decoder are gone by now: turning takes the picture twice, and no more.
        return flat if turn is None else flat.transpose(turn)
    except ImageInvalid:
        raise
    except MemoryError:
        raise ImageInvalid(
            f"The {header} takes more memory than there is for one picture; send a smaller one."
        ) from None
    except UnidentifiedImageError:
        raise ImageInvalid(
            f"The {SPELLED[header.format]} is truncated or damaged: its header cannot be read."
        ) from None
    except Exception as error:  # a decoder that is fed damaged bytes may raise anything
        raise ImageInvalid(f"The {SPELLED[header.format]} is truncated or damaged: {error}.") from error


def _decode(
    data: bytes, header: Header, at_least: tuple[int, int] | None
) -> tuple[Image.Image, Image.Transpose | None]:
    parts = take_apart(data) if header.format == "PNG" else None
    with Image.open(io.BytesIO(data if parts is None else parts.picture), formats=[header.format]) as image:
        if image.size != (header.width, header.height):
            raise ImageInvalid(f"The {header} says elsewhere that it has {image.width:,}x{image.height:,}.")
        frames = getattr(image, "n_frames", 1)
        if frames != 1:
            raise ImageInvalid(f"The {SPELLED[header.format]} holds {frames} pictures; send one with a single picture.")
        exif = image.info.get("exif") if parts is None else parts.exif
        orientation = orientation_of(exif, find_packet(io.BytesIO(data)))
        if at_least is not None:
            image.draft(None, at_least if orientation < _LYING else at_least[::-1])
        image.load()
        profile = image.info.get("icc_profile") if parts is None else parts.profile
        plain = image if parts is None else eight_bit_png(image, parts)
        return _flat(_in_srgb(plain, profile)), _TURNS.get(orientation)


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """In RGB or RGBA."""
    if profile is not None and profile != srgb_profile() and _fits(profile, image.mode):
        with contextlib.suppress(ImageCms.PyCMSError):
            return _converted(image, profile)
    return image.convert("RGBA" if image.mode == "LA" else "RGB") if image.mode not in ("RGB", "RGBA") else image


def _fits(profile: bytes, mode: str) -> bool:
    return (
        len(profile) > _PROFILE_HEADER
        and int.from_bytes(profile[:4], "big") == len(profile)
        and profile[36:40] == b"acsp"
        and profile[12:16] in _OF_DEVICES
        and mode in _PROFILE_MODES.get(profile[16:20], ())
    )


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    """Raises `PyCMSError` for a profile that cannot be used after all."""
    if image.mode == "LA":
        converted = _converted(image.getchannel("L"), profile)
        converted.putalpha(image.getchannel("A"))
        return converted
    source, target = (ImageCms.getOpenProfile(io.BytesIO(each)) for each in (profile, srgb_profile()))
    in_place = image.mode in ("RGB", "RGBA")
    converted_image = ImageCms.profileToProfile(
        image,
        source,
        target,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode=image.mode if in_place else "RGB",
        inPlace=in_place,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return image if converted_image is None else converted_image


def _flat(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    ground = Image.new("RGB", image.size, _GROUND)
    ground.paste(image, mask=image)
    return ground
