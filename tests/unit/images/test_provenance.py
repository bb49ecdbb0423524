"""The packet that says where a picture comes from: written, put into files, found there, and read, whoever wrote it."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from posegen.errors import ImageInvalid
from posegen.images.packets import find_packet
from posegen.images.png import encode_png
from posegen.images.provenance import (
    DigitalSource,
    Provenance,
    digital_source_of,
    read_packet,
    write_packet,
)
from posegen.images.xmp import LARGEST_PACKET
from tests.orientations import png_with, raw_profile

OURS = Provenance(
    digital_source=DigitalSource.TRAINED_MODEL,
    generator="Posegen, fal <flux> & 2.1",
    recipe_hash="0123456789abcdef" * 4,
    created=datetime(2026, 11, 21, 4, 24, 11, tzinfo=UTC),
)
PIXELS = np.zeros((16, 16, 3), np.uint8)


def described(properties: str, *, attributes: str = "", before: str = "") -> bytes:
    """A packet as another program may write it."""
    return (
        f'{before}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:posegen="urn:posegen:provenance#" {attributes}>'
        f"{properties}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def encoded(format: str, xmp: bytes) -> bytes:
    """A picture with this packet, as each format is written with one."""
    if format == "PNG":
        return encode_png(PIXELS, xmp=xmp).data
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, format, xmp=xmp)
    return file.getvalue()


# --- writing and reading ------------------------------------------------------------------------------------------


def test_what_is_written_is_read_back():
    assert read_packet(write_packet(OURS)) == OURS


def test_what_is_not_known_is_not_said():
    packet = write_packet(Provenance(digital_source=DigitalSource.DRAWN))

    assert b"CreatorTool" not in packet
    assert read_packet(packet) == Provenance(digital_source=DigitalSource.DRAWN)


def test_equal_provenance_gives_equal_bytes_whatever_the_time_zone():
    jakarta = replace(OURS, created=OURS.created.astimezone(timezone(timedelta(hours=7))))

    assert write_packet(jakarta) == write_packet(OURS)


def test_the_packet_names_the_iptc_term_in_its_own_namespace():
    packet = write_packet(OURS)

    assert (
        b"<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia<"
        in (packet)
    )
    assert len(packet) < 2000


@given(st.text(max_size=40))
def test_a_packet_has_an_even_number_of_bytes(generator):
    """A WebP pads any other, and some readers take the padding for a part of the packet."""
    packet = write_packet(replace(OURS, generator=generator))

    assert len(packet) % 2 == 0
    assert packet.endswith(b'\n<?xpacket end="r"?>')


def test_the_mannequin_draws_and_what_is_not_known_counts_as_a_trained_model():
    assert digital_source_of("mannequin") is DigitalSource.DRAWN
    assert digital_source_of("huggingface") is DigitalSource.TRAINED_MODEL
    assert digital_source_of("") is DigitalSource.TRAINED_MODEL


# --- in files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_the_packet_is_found_in_the_file_as_it_was_written(format):
    packet = write_packet(OURS)

    file = encoded(format, packet)

    assert find_packet(io.BytesIO(file)) == packet
    with Image.open(io.BytesIO(file)) as image:
        found = image.info["xmp"]
    assert found == packet, "another program finds it, too"


def test_a_png_without_a_packet_has_no_text_at_all():
    assert b"iTXt" not in encode_png(PIXELS).data


def test_a_compressed_packet_of_another_program_is_found():
    chunks = PngInfo()
    chunks.add_itxt("Comment", "not this one")
    chunks.add_itxt("XML:com.adobe.xmp", write_packet(OURS).decode(), zip=True)
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", pnginfo=chunks)

    assert find_packet(file) == write_packet(OURS)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_packet_that_imagemagick_has_written_again_is_found(compressed):
    packet = write_packet(OURS)
    for kind, content in (("xmp", packet), ("APP1", b"http://ns.adobe.com/xap/1.0/\0" + packet)):
        file = png_with(raw_profile(kind, content, compressed=compressed))

        assert find_packet(io.BytesIO(file)) == packet


def test_a_packet_that_unpacks_to_gigabytes_is_cut_off():
    chunks = PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", "x" * 30_000_000, zip=True)
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", pnginfo=chunks)

    found = find_packet(file)

    assert found is not None
    assert len(found) == LARGEST_PACKET


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_file_that_is_cut_off_anywhere_is_no_error(format):
    whole = encoded(format, write_packet(OURS))
    for end in range(0, len(whole), 7):
        found = find_packet(io.BytesIO(whole[:end]))
        if found is not None:
            said_or_refused(found)


@pytest.mark.parametrize(
    "foreign", [b"", b"GIF89a", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"]
)
def test_another_kind_of_file_has_no_packet(foreign):
    assert find_packet(io.BytesIO(foreign)) is None


def test_a_file_of_nothing_but_empty_chunks_ends():
    endless = b"\x89PNG\r\n\x1a\n" + (b"\0\0\0\0junk" + bytes(4)) * 50_000

    assert find_packet(io.BytesIO(endless)) is None


@given(
    st.sampled_from(["PNG", "JPEG", "WEBP"]),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=20),
)
def test_damage_is_never_an_error_but_a_packet_that_cannot_be_read(format, damage):
    file = bytearray(encoded(format, write_packet(OURS)))
    for at, byte in damage:
        file[at % len(file)] = byte

    found = find_packet(io.BytesIO(bytes(file)))

    if found is not None:
        said_or_refused(found)


def said_or_refused(packet: bytes) -> None:
    """Any other error ends the test."""
    with suppress(ImageInvalid):
        read_packet(packet)


# --- packets of others --------------------------------------------------------------------------------------------


def test_properties_may_be_written_as_elements_attributes_or_resources():
    term = DigitalSource.TRAINED_MODEL
    for packet in (
        described(f"<i:DigitalSourceType>{term}</i:DigitalSourceType>"),
        described("", attributes=f'i:DigitalSourceType="{term}"'),
        described(f'<i:DigitalSourceType rdf:resource="{term}"/>'),
    ):
        assert read_packet(packet) == Provenance(digital_source=term)


def test_a_property_of_the_same_name_in_another_namespace_is_none_of_ours():
    packet = described("<a:CreatorTool xmlns:a='urn:another'>pen</a:CreatorTool>")

    assert read_packet(packet) == Provenance()


def test_a_recipe_hash_that_is_none_is_left_out():
    packet = described("<posegen:RecipeHash>'; drop table users --</posegen:RecipeHash>")

    assert read_packet(packet).recipe_hash is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21T04:24:11+07:00", datetime(2026, 11, 20, 21, 24, 11, tzinfo=UTC)),
        ("yesterday", None),
    ],
)
def test_dates_of_others_are_read_where_they_are_dates(text, meant):
    assert read_packet(described(f"<xmp:CreateDate>{text}</xmp:CreateDate>")).created == meant


def test_a_terminal_is_told_nothing_by_a_file():
    packet = described("<xmp:CreatorTool>pen\u009b2J\u202e</xmp:CreatorTool>")

    assert read_packet(packet).generator == "pen2J"


def test_a_long_text_is_cut_off():
    packet = described(f"<xmp:CreatorTool>{'pen' * 100_000}</xmp:CreatorTool>")

    assert len(read_packet(packet).generator or "") == 1000


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"", "no element"),
        (b"not xml", "syntax error"),
        (described("").replace(b"</x:xmpmeta>", b""), "no element"),
        (described("<a:b/>"), "unbound prefix"),
        (described("", before='<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>'), "document type"),
        (described("", before='<!DOCTYPE x SYSTEM "file:///etc/passwd">'), "document type"),
        (b"<a>" * 200_000, "nested"),
        (b"<?xml version='1.0' encoding='no-such'?><a/>", "encoding"),
        (b" " * (LARGEST_PACKET + 1), "at most 1,048,576"),
    ],
)
def test_what_is_no_xml_or_hostile_is_refused_with_the_reason(packet, why):
    with pytest.raises(ImageInvalid, match=why):
        read_packet(packet)


def test_another_encoding_hides_no_document_type():
    packet = described("", before='<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x>').decode().encode("utf-16")

    with pytest.raises(ImageInvalid, match="document type"):
        read_packet(packet)
