"""Pictures that mean harm, or are merely odd: a corpus made on the spot, each with what has to become of it.

`corpus()` is what the tests and `benchmarks/hostile_images.py` go through. The makers below it are for single tests.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from PIL import Image

SIDE = (96, 64)
"""Width and height of the small picture in most of the corpus."""
LARGE = (4096, 4096)
"""As many pixels as may come from outside, nearly."""
HEAVY = (4000, 3000)
"""As many as may come with 16 bits to a colour, in rows short enough for the compressor to see that they repeat."""


@dataclass(frozen=True)
class Hostile:
    """One picture. `refused_with`: words of the refusal; without, it has to come out as plain pixels of `size`."""

    name: str
    make: Callable[[], bytes]
    suffix: str
    refused_with: str | None = None
    size: tuple[int, int] = SIDE


def corpus() -> list[Hostile]:
    """All of it. The bytes are made when they are asked for."""
    return [*_png(), *_jpeg(), *_webp(), *_other_files()]


def small_picture() -> np.ndarray:
    """(64, 96, 3) uint8: slopes of colour, a disc, and a corner that tells up from down and left from right."""
    rows, columns = np.mgrid[0 : SIDE[1], 0 : SIDE[0]]
    pixels = np.stack([columns * 2, rows * 3, 255 - columns * 2], axis=-1).astype(np.uint8)
    pixels[(rows - 30) ** 2 + (columns - 50) ** 2 < 300] = (220, 40, 60)
    pixels[:12, :20] = (250, 250, 240)
    return pixels


def encoded(kind: str, mode: str = "RGB", pixels: np.ndarray | None = None, **options: object) -> bytes:
    """The small picture, or another one, as Pillow writes it."""
    file = io.BytesIO()
    image = Image.fromarray(small_picture() if pixels is None else pixels)
    (image if mode == image.mode else image.convert(mode)).save(file, kind, **options)
    return file.getvalue()


# --- PNG ----------------------------------------------------------------------------------------------------------


def chunk(name: bytes, payload: bytes) -> bytes:
    """A chunk of a PNG, with the right length and checksum."""
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def png(*chunks: bytes) -> bytes:
    """A PNG of these chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def header(width: int, height: int, bits: int = 8, colours: int = 2, interlaced: int = 0) -> bytes:
    """The chunk that names a PNG's size and kind."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlaced))


END = chunk(b"IEND", b"")


def with_chunks(*extra: bytes, whole: bytes | None = None) -> bytes:
    """The small PNG with more chunks behind its header."""
    whole = whole or encoded("PNG")
    return whole[:33] + b"".join(extra) + whole[33:]


def png_that_claims(width: int, height: int) -> bytes:
    """A header of this size before next to nothing."""
    return png(header(width, height), chunk(b"IDAT", zlib.compress(bytes(1000))), END)


def png_of_rows(width: int, height: int, bits: int, colours: int, row: bytes, *extra: bytes) -> bytes:
    """A picture whose rows are all the same. `row`: as it is stored, without the filter byte."""
    data = zlib.compress((b"\0" + row) * height, 1)
    return png(header(width, height, bits, colours), *extra, chunk(b"IDAT", data), END)


def heavy_png(width: int, height: int) -> bytes:
    """16 bits, transparency and the slowest filter."""
    row = np.random.default_rng(1).bytes(width * 8)
    data = zlib.compress((b"\x04" + row) * height, 1)
    return png(header(width, height, bits=16, colours=6), chunk(b"IDAT", data), END)


def moving(kind: str, frames: int) -> bytes:
    """As many pictures, one after the other."""
    first = Image.fromarray(small_picture())
    others = [Image.fromarray(np.roll(small_picture(), shift, axis=1)) for shift in range(1, frames)]
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=others)
    return file.getvalue()


def _swelling(name: bytes, before: bytes) -> bytes:
    return with_chunks(chunk(name, before + _zeros_compressed()))


@cache
def _zeros_compressed() -> bytes:
    return zlib.compress(bytes(100_000_000))


def _transparent_palette() -> bytes:
    image = Image.fromarray(small_picture()).quantize(16)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=3)
    return file.getvalue()


def _palette_that_is_too_short() -> bytes:
    return png_of_rows(*SIDE, 8, 3, b"\xff" * SIDE[0], chunk(b"PLTE", b"\x10\x20\x30"))


def _more_data_than_picture() -> bytes:
    return png(header(*SIDE), chunk(b"IDAT", _zeros_compressed()), END)


def _parts() -> tuple[bytes, bytes]:
    data = zlib.compress((b"\0" + bytes(3 * SIDE[0])) * SIDE[1])
    return chunk(b"IDAT", data[:20]), chunk(b"IDAT", data[20:])


def _wrong_checksum() -> bytes:
    whole = bytearray(encoded("PNG"))
    whole[-20] ^= 1
    return bytes(whole)


def _png() -> Iterable[Hostile]:
    whole = encoded("PNG")
    text = chunk(b"tEXt", b"Comment\0" + b"<script>alert(1)</script>" * 1000)
    for name, make, words in (
        ("claims 60,000 x 60,000", partial(png_that_claims, 60_000, 60_000), "60,000x60,000"),
        ("claims 2 billion x 2 billion", partial(png_that_claims, 2**31 - 1, 2**31 - 1), "at most 8,192"),
        ("claims 64 megapixels", partial(png_that_claims, 8000, 8000), "64,000,000 pixels"),
        (
            "17 megapixels, 16 bits",
            partial(png_of_rows, 4000, 4250, 16, 6, bytes(32_000)),
            "unpacks to 136,000,000 bytes",
        ),
        ("1 x 1", partial(png_that_claims, 1, 1), "at least 16"),
        ("1 x 60,000", partial(png_that_claims, 1, 60_000), "at least 16"),
        ("60,000 x 1", partial(png_that_claims, 60_000, 1), "at least 16"),
        ("0 x 0", partial(png_that_claims, 0, 0), "at least 16"),
        ("16 x 8,000", partial(png_that_claims, 16, 8000), "10 times"),
        ("zTXt that swells to 100 MB", partial(_swelling, b"zTXt", b"Comment\0\0"), "bomb"),
        ("iTXt that swells to 100 MB", partial(_swelling, b"iTXt", b"Comment\0\1\0en\0\0"), "bomb"),
        ("iCCP that swells to 100 MB", partial(_swelling, b"iCCP", b"Profile\0\0"), "bomb"),
        (
            "5 MB of text",
            lambda: with_chunks(chunk(b"tEXt", b"Comment\0" + b"a" * 5_000_000)),
            "5,000,020 bytes of text",
        ),
        ("5 MB of an unknown chunk", lambda: with_chunks(chunk(b"prVt", bytes(5_000_000))), "5,000,012 bytes of text"),
        ("800,000 empty chunks", lambda: with_chunks(chunk(b"tEXt", b"") * 800_000), "2,097,1.. bytes of text|chunks"),
        ("a picture in 30,000 pieces", lambda: with_chunks(chunk(b"IDAT", b"") * 30_000), "20,000 chunks"),
        ("two headers", lambda: with_chunks(header(8000, 8000)), "two headers"),
        ("no header", lambda: png(whole[33:]), "instead of its header"),
        ("a chunk in no standard", lambda: with_chunks(chunk(b"ABCD", b"x")), "in no standard"),
        ("a picture in two parts", lambda: png(header(*SIDE), *_between(text), END), "two parts"),
        ("no picture", lambda: png(header(*SIDE), END), "without a picture"),
        ("no palette", lambda: png_of_rows(*SIDE, 8, 3, bytes(SIDE[0])), "no palette"),
        ("12 bits", lambda: png(header(*SIDE, bits=12), chunk(b"IDAT", b""), END), "does not exist"),
        ("a wrong checksum", _wrong_checksum, "checksum"),
        ("cut in the middle", lambda: whole[: len(whole) // 2], "truncated"),
        ("cut before its end", lambda: whole[:-12], "truncated"),
        (
            "rows that are missing",
            lambda: png(header(96, 9000 // 96), chunk(b"IDAT", zlib.compress(bytes(300))), END),
            "truncated or damaged",
        ),
        ("a ZIP behind it", lambda: whole + b"PK\x03\x04" + bytes(100), "104 bytes were appended"),
        ("a JPEG under its first bytes", lambda: whole[:8] + encoded("JPEG"), "PNG"),
        ("an animation", partial(moving, "PNG", 2), "several pictures"),
        ("300 frames", partial(moving, "PNG", 300), "several pictures"),
    ):
        yield Hostile(f"PNG: {name}", make, ".png", words)
    for name, make, size in (
        ("a web page in its text", lambda: with_chunks(text), SIDE),
        ("more data than picture", _more_data_than_picture, SIDE),
        ("16 megapixels of nothing", partial(png_of_rows, *LARGE, 8, 2, bytes(3 * LARGE[0])), LARGE),
        ("12 megapixels, 16 bits, transparent, filtered", partial(heavy_png, *HEAVY), HEAVY),
        ("1 bit", partial(encoded, "PNG", "1"), SIDE),
        ("grey", partial(encoded, "PNG", "L"), SIDE),
        ("grey, 16 bits", lambda: encoded("PNG", "I;16", small_picture()[..., 0].astype(np.uint16) * 257), SIDE),
        ("colour, 16 bits", lambda: png_of_rows(*SIDE, 16, 2, bytes(6 * SIDE[0])), SIDE),
        ("transparent, 16 bits", lambda: png_of_rows(*SIDE, 16, 6, bytes(8 * SIDE[0])), SIDE),
        ("grey and transparent", partial(encoded, "PNG", "LA"), SIDE),
        ("transparent", partial(encoded, "PNG", "RGBA"), SIDE),
        ("a palette", partial(encoded, "PNG", "P"), SIDE),
        ("a transparent palette", _transparent_palette, SIDE),
        ("a palette that is too short", _palette_that_is_too_short, SIDE),
        ("a profile that is none", lambda: with_chunks(chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no profile"))), SIDE),
        ("interlaced", lambda: _interlaced(), SIDE),
    ):
        yield Hostile(f"PNG: {name}", make, ".png", size=size)


def _between(text: bytes) -> tuple[bytes, bytes, bytes]:
    first, second = _parts()
    return first, text, second


def _interlaced() -> bytes:
    """Adam7: seven small pictures in one stream."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    pixels = small_picture()
    rows = (b"\0" + row.tobytes() for left, top, across, down in passes for row in pixels[top::down, left::across])
    return png(header(*SIDE, interlaced=1), chunk(b"IDAT", zlib.compress(b"".join(rows))), END)


# --- JPEG ---------------------------------------------------------------------------------------------------------


def segment(marker: int, payload: bytes) -> bytes:
    """A segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def jpeg_with(*segments: bytes, whole: bytes | None = None) -> bytes:
    """The small JPEG with more segments at its beginning."""
    whole = whole or encoded("JPEG", quality=90)
    return whole[:2] + b"".join(segments) + whole[2:]


def jpeg_of(size: int) -> bytes:
    """The small JPEG with as many bytes, by fill before its end."""
    whole = encoded("JPEG", quality=90)
    return whole[:-2] + b"\xff" * (size - len(whole)) + whole[-2:]


def oriented(orientation: int) -> bytes:
    """The small picture, which claims to lie like this."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded("JPEG", quality=95, exif=exif)


def with_scans(count: int, whole: bytes) -> bytes:
    """A progressive JPEG in which one of its scans is repeated until there are `count`."""
    starts = [found.start() for found in re.finditer(rb"\xff\xda", whole)]
    tables = whole.rfind(b"\xff\xc4", 0, starts[2])
    again = whole[tables : whole.find(b"\xff\xc4", starts[2])]
    return whole[:-2] + again * (count - len(starts)) + whole[-2:]


def progressive(width: int, height: int, value: int = 90) -> bytes:
    """A progressive JPEG in one colour."""
    return encoded("JPEG", pixels=np.full((height, width, 3), value, np.uint8), progressive=True, quality=90)


def frame(width: int, height: int, *, marker: int = 0xC0, bits: int = 8, components: int = 3) -> bytes:
    """The segment that names a JPEG's size and kind."""
    described = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    return segment(marker, struct.pack(">BHHB", bits, height, width, components) + described)


def with_frame(new: bytes) -> bytes:
    """The small JPEG with another frame header."""
    whole = encoded("JPEG", quality=90)
    at = whole.index(b"\xff\xc0")
    return whole[:at] + new + whole[at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big") :]


def without(whole: bytes, marker: int) -> bytes:
    """A JPEG without its first segment of this kind."""
    at = whole.index(bytes([0xFF, marker]))
    return whole[:at] + whole[at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big") :]


def exif_that_bites_its_tail() -> bytes:
    """A directory of 65,535 entries that begins within itself."""
    return b"Exif\0\0MM\0*\0\0\0\x08" + b"\xff\xff" + b"\x87\x69\0\x04\0\0\0\x01\0\0\0\x08" * 5000


def icc_parts(profile: bytes) -> bytes:
    """A profile as JPEGs carry it, in parts of 60,000 bytes."""
    parts = [profile[at : at + 60_000] for at in range(0, len(profile), 60_000)]
    return b"".join(
        segment(0xE2, b"ICC_PROFILE\0" + bytes([number + 1, len(parts)]) + piece) for number, piece in enumerate(parts)
    )


def _large_cmyk() -> bytes:
    flat = np.full((LARGE[1], LARGE[0], 3), 90, np.uint8)
    return encoded("JPEG", "CMYK", flat, progressive=True, quality=90, subsampling=0)


def _large_and_lying() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg_with(segment(0xE1, exif.tobytes()), whole=progressive(*LARGE))


def _jpeg() -> Iterable[Hostile]:
    whole = encoded("JPEG", quality=90)
    mpo = io.BytesIO()
    Image.fromarray(small_picture()).save(
        mpo, "MPO", save_all=True, append_images=[Image.fromarray(255 - small_picture())]
    )
    for name, make, words in (
        ("cut in the middle", lambda: whole[: len(whole) // 2], "truncated"),
        ("cut before its end", lambda: whole[:-2], "truncated"),
        ("claims 65,500 x 65,500", lambda: with_frame(frame(65_500, 65_500)), "65,500x65,500"),
        ("claims 8,000 x 8,000", lambda: with_frame(frame(8000, 8000)), "64,000,000 pixels"),
        ("height to be told later", lambda: with_frame(frame(96, 0)), "at least 16"),
        ("a thousand scans", lambda: with_scans(1000, progressive(64, 64)), "more than 64 scans"),
        ("64 scans of 16 megapixels", lambda: with_scans(64, progressive(*LARGE)), "more than 23 scans"),
        ("3 MB of comments", lambda: jpeg_with(segment(0xFE, b"a" * 65_000) * 47), "of text, profiles and the like"),
        ("a profile of 3 MB", lambda: jpeg_with(icc_parts(bytes(3_000_000))), "of text, profiles and the like"),
        ("500,000 empty comments", lambda: jpeg_with(segment(0xFE, b"") * 500_000), "2,000 segments"),
        ("arithmetic", lambda: with_frame(frame(*SIDE, marker=0xC9)), "arithmetic"),
        ("lossless", lambda: with_frame(frame(*SIDE, marker=0xC3)), "lossless"),
        ("12 bits", lambda: with_frame(frame(*SIDE, bits=12)), "12 bits"),
        ("two colours", lambda: with_frame(frame(*SIDE, components=2)), "2 colour components"),
        ("two frame headers", lambda: jpeg_with(frame(*SIDE)), "two frame headers"),
        ("no frame header", lambda: without(whole, 0xC0), "before its size was named"),
        ("no picture", lambda: whole[:2] + frame(*SIDE) + b"\xff\xd9", "without a picture"),
        ("another JPEG inside", lambda: whole[:2] + whole, "Another JPEG"),
        ("another JPEG behind it", lambda: whole + whole, "were appended"),
        ("a ZIP behind it", lambda: whole + b"PK\x03\x04", "4 bytes were appended"),
        ("several pictures (MPO)", mpo.getvalue, "several pictures"),
        ("a segment of length 0", lambda: whole[:2] + b"\xff\xe1\0\0" + whole[2:], "0 bytes long"),
        ("Adobe breaks off", lambda: jpeg_with(segment(0xEE, b"Adobe")), "truncated or damaged"),
        ("a reserved segment", lambda: jpeg_with(segment(0xF3, b"x")), "pictures do not have"),
        ("nothing but fill", lambda: whole[:2] + b"\xff" * 9_000_000, "truncated"),
        ("restarts without end", lambda: whole[:-2] + b"\xff\xd0" * 4_500_000, "truncated"),
    ):
        yield Hostile(f"JPEG: {name}", make, ".jpg", words)
    for name, make, size in (
        ("a ZIP in a comment", lambda: jpeg_with(segment(0xFE, b"PK\x03\x04" + bytes(500))), SIDE),
        ("a program in a comment", lambda: jpeg_with(segment(0xFE, b"<?php system($_GET['c']); ?>")), SIDE),
        ("64 scans", lambda: with_scans(64, progressive(*SIDE)), SIDE),
        ("20 scans of 16 megapixels", lambda: with_scans(20, progressive(*LARGE)), LARGE),
        ("16 megapixels", lambda: progressive(*LARGE), LARGE),
        ("CMYK", partial(encoded, "JPEG", "CMYK"), SIDE),
        ("CMYK without a word from Adobe", lambda: without(encoded("JPEG", "CMYK"), 0xEE), SIDE),
        ("grey", partial(encoded, "JPEG", "L"), SIDE),
        ("Adobe says 99", lambda: jpeg_with(segment(0xEE, b"Adobe\0\x64\0\0\0\0\x63")), SIDE),
        ("Adobe says RGB", lambda: jpeg_with(segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")), SIDE),
        ("CMYK, progressive, 16 megapixels", _large_cmyk, LARGE),
        ("lying, 16 megapixels", _large_and_lying, LARGE),
        ("a profile that is none", lambda: jpeg_with(icc_parts(b"no profile at all" * 100)), SIDE),
        ("EXIF that is none", lambda: jpeg_with(segment(0xE1, b"Exif\0\0what is this")), SIDE),
        ("EXIF that bites its tail", lambda: jpeg_with(segment(0xE1, exif_that_bites_its_tail())), SIDE),
        ("orientation 0", partial(oriented, 0), SIDE),
        ("orientation 9", partial(oriented, 9), SIDE),
        ("orientation 65,535", partial(oriented, 65_535), SIDE),
        ("half of its data lost", lambda: whole[: len(whole) * 2 // 3] + b"\xff\xd9", SIDE),
        *((f"orientation {each}", partial(oriented, each), SIDE if each < 5 else SIDE[::-1]) for each in range(1, 9)),
    ):
        yield Hostile(f"JPEG: {name}", make, ".jpeg", size=size)


# --- WebP ---------------------------------------------------------------------------------------------------------


def riff(*chunks: bytes) -> bytes:
    """A WebP of these chunks."""
    payload = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(payload)) + payload


def webp_chunk(name: bytes, payload: bytes) -> bytes:
    """A chunk of a WebP."""
    return name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def extended(width: int, height: int, flags: int = 0) -> bytes:
    """The chunk that names a WebP's canvas."""
    return webp_chunk(
        b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )


def lossless_that_claims(width: int, height: int) -> bytes:
    """A header of this size before nothing."""
    return riff(webp_chunk(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(11)))


def _webp() -> Iterable[Hostile]:
    whole = encoded("WEBP", quality=90)
    picture = whole[12:]
    for name, make, words in (
        ("an animation", partial(moving, "WEBP", 2), "several pictures"),
        ("300 frames", partial(moving, "WEBP", 300), "several pictures"),
        ("two pictures", lambda: riff(extended(*SIDE), picture, picture), "several pictures"),
        ("a frame of an animation", lambda: riff(extended(*SIDE), webp_chunk(b"ANMF", bytes(30))), "several pictures"),
        ("another canvas", lambda: riff(extended(64, 64), picture), "two sizes"),
        ("claims 16,383 x 16,383", lambda: lossless_that_claims(16_383, 16_383), "16,383x16,383"),
        ("cut in the middle", lambda: whole[: len(whole) // 2], "truncated"),
        ("cut, and said so", lambda: riff(picture[: len(picture) // 2]), "truncated"),
        ("an empty lossless picture", lambda: lossless_that_claims(*SIDE), "truncated or damaged"),
        ("a ZIP behind it", lambda: whole + b"PK\x03\x04", "4 bytes were appended"),
        ("a chunk behind it", lambda: riff(picture, webp_chunk(b"EXIF", bytes(50))), "no header that says so"),
        ("no picture", lambda: riff(extended(*SIDE)), "without a picture"),
        ("3 MB of XMP", lambda: riff(extended(*SIDE, 4), picture, webp_chunk(b"XMP ", bytes(3_000_000))), "of text"),
        (
            "3 MB of profile",
            lambda: riff(extended(*SIDE, 32), webp_chunk(b"ICCP", bytes(3_000_000)), picture),
            "of text",
        ),
        ("200,000 empty chunks", lambda: riff(extended(*SIDE), webp_chunk(b"ABCD", b"") * 200_000, picture), "chunks"),
        (
            "transparency behind it",
            lambda: riff(extended(*SIDE, 16), picture, webp_chunk(b"ALPH", b"x")),
            "wrong place",
        ),
        ("something else first", lambda: riff(webp_chunk(b"ABCD", b""), picture), "does not begin with a picture"),
    ):
        yield Hostile(f"WebP: {name}", make, ".webp", words)
    for name, make, size in (
        ("lossless", partial(encoded, "WEBP", lossless=True), SIDE),
        ("transparent", partial(encoded, "WEBP", "RGBA"), SIDE),
        (
            "16 megapixels",
            lambda: encoded("WEBP", pixels=np.full((*LARGE, 3), 90, np.uint8), quality=1, method=0),
            LARGE,
        ),
        ("a profile that is none", lambda: riff(extended(*SIDE, 32), webp_chunk(b"ICCP", b"none"), picture), SIDE),
    ):
        yield Hostile(f"WebP: {name}", make, ".webp", size=size)


# --- what is no picture, or is called something else ----------------------------------------------------------------


def _other_files() -> Iterable[Hostile]:
    no_picture = "no picture that is accepted"
    for name, make, suffix in (
        ("nothing", lambda: b"", ".png"),
        ("one byte", lambda: b"\x89", ".png"),
        ("a web page", lambda: b"<html><script>alert(1)</script>", ".png"),
        ("SVG", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", ".png"),
        ("PostScript", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run", ".jpg"),
        ("PDF", lambda: b"%PDF-1.7\n", ".jpg"),
        ("a program", lambda: b"\x7fELF" + bytes(100), ".jpg"),
        ("a ZIP", lambda: b"PK\x03\x04" + bytes(100), ".webp"),
        ("sound", lambda: b"RIFF\x24\0\0\0WAVEfmt ", ".webp"),
        ("GIF", partial(encoded, "GIF", "P"), ".png"),
        ("BMP", partial(encoded, "BMP"), ".png"),
        ("TIFF", partial(encoded, "TIFF"), ".jpg"),
        ("ICO", partial(encoded, "ICO"), ".png"),
        ("JPEG 2000", partial(encoded, "JPEG2000"), ".jpg"),
        ("AVIF", partial(encoded, "AVIF"), ".webp"),
        ("a JPEG behind a GIF's first bytes", lambda: b"GIF89a" + encoded("JPEG"), ".jpg"),
    ):
        yield Hostile(name, make, suffix, no_picture)
    yield Hostile(
        "more than 10 MiB", lambda: encoded("PNG") + bytes(10_485_760), ".png", "10,4.* bytes; at most 10,485,760"
    )
    for kind, suffix in (("PNG", ".jpg"), ("JPEG", ".png"), ("WEBP", ".jpeg"), ("PNG", ".webp")):
        yield Hostile(
            f"a {kind} called {suffix}",
            partial(encoded, kind),
            suffix,
            f"(?i)ends in {suffix} and the file is a {kind}",
        )
    for suffix in (".svg", ".gif", ".exe", "", ".png.exe"):
        yield Hostile(
            f"a PNG called {suffix or 'nothing'}", partial(encoded, "PNG"), suffix, "File names of pictures end in"
        )
