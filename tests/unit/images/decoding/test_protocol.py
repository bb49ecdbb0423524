from __future__ import annotations

import io

import pytest

from posegen.images.decoding.protocol import LONGEST_SENTENCE, REQUEST, Request, heard, in_full, sentence
from posegen.images.file_bytes import Header


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_request_arrives_as_it_was_sent(kind):
    request = Request(Header(kind, 5100, 3300), 9_999_999)

    assert len(request.packed()) == REQUEST.size
    assert Request.unpacked(request.packed()) == request


def test_a_refusal_is_cut_and_freed_of_what_cannot_be_shown():
    assert heard(sentence("Zu groß: 17 MP.")) == "Zu groß: 17 MP."
    assert len(sentence("x" * 10_000)) == LONGEST_SENTENCE
    assert heard(b"red \x1b[31m alert\n\xff\xe2\x80\xae") == "red [31m alert\ufffd"


def test_reading_goes_on_until_all_is_there():
    drops = io.BytesIO(b"abcdefgh")
    assert in_full(lambda size: drops.read(min(size, 3)), 7) == b"abcdefg"
    with pytest.raises(EOFError):
        in_full(drops.read, 2)
