"""What is read from a foreign URL, which ones are refused, and which have one origin."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.errors import FetchRefused
from posegen.fetching.urls import ForeignUrl, is_of_domain, parse, same_origin


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://shop.example/a.png?size=2#top", ("https", "shop.example", 443, "/a.png?size=2")),
        ("HTTP://Shop.Example", ("http", "shop.example", 80, "/")),
        ("https://shop.example:443/", ("https", "shop.example", 443, "/")),
        ("https://shop.example:80/", ("https", "shop.example", 80, "/")),
        ("http://shop.example.:8080/", ("http", "shop.example", 8080, "/")),
        ("http://shop.example:0/", ("http", "shop.example", 0, "/")),
        ("https://bücher.example/ä", ("https", "xn--bcher-kva.example", 443, "/%C3%A4")),
        ("http://127。0。0。1/", ("http", "127.0.0.1", 80, "/")),
        ("http://[2606:4700::1111]/", ("http", "2606:4700::1111", 80, "/")),
        ("http://[::FFFF:127.0.0.1]/", ("http", "::ffff:127.0.0.1", 80, "/")),
    ],
)
def test_a_url_is_read_in_its_parts(url: str, parts: tuple[str, str, int, str]) -> None:
    assert parse(url) == ForeignUrl(*parts)


REFUSED = {
    "scheme": [
        *("ftp://shop.example/", "file:///etc/passwd", "//shop.example/", "", "shop.example", " https://shop.example/"),
        *("data:image/png;base64,aGk=", "gopher://shop.example/", "javascript:alert(1)"),
    ],
    "user name": [
        *("https://user:pw@shop.example/", "http://user@shop.example/", "http://:@shop.example/"),
        *("http://shop.example\\@127.0.0.1/", "http://shop.example%2f@127.0.0.1/"),
    ],
    "usual spelling": [
        *("http://0x7f.1/", "http://2130706433/", "http://127.1/", "http://0x7f000001/", "http://127.0.0.1.2/"),
        *("http://0x/", "http://127.0.0.1../", "http:///a.png", "https:a.png", "http://./", "http://a..b/"),
        *("http://a b/", "http://%31%32%37.0.0.1/", "http://*.example/", f"http://{'a' * 64}.example/"),
        *("http://shop.example../", "http://shop.example,evil.example/"),
    ],
    "not valid": [
        *("http://0177.0.0.1/", "http://127.0.0.01/", "http://256.1.1.1/", "http://[::1/", "http://[v1.x]/"),
        *("http://１２７.0.0.1/", "http://a\tb/", "http://a\x00/", "http://shop.example:port/", "http://\ud800/"),
    ],
    "8192 characters": ["https://shop.example/" + "a" * 8200],
}


@pytest.mark.parametrize(("url", "reason"), [(url, reason) for reason, urls in REFUSED.items() for url in urls])
def test_a_url_that_is_no_plain_web_address_is_refused(url: str, reason: str) -> None:
    with pytest.raises(FetchRefused, match=reason):
        parse(url)


@given(st.text(max_size=60) | st.builds("http://{}{}".format, st.text(max_size=20), st.text(max_size=20)))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(FetchRefused):
        url = parse(text)
        assert parse(str(url)) == url


def test_messages_hold_neither_query_nor_password() -> None:
    with pytest.raises(FetchRefused) as refused:
        parse("https://user:hunter2@shop.example/a.png?signature=s3cret#f4agment")

    assert refused.value.url == "https://shop.example/a.png"
    assert not any(secret in str(refused.value) for secret in ("user:", "hunter2", "s3cret", "f4agment"))


def test_messages_hold_the_start_of_a_long_url_on_one_line() -> None:
    with pytest.raises(FetchRefused) as refused:
        parse("data:image/png;base64,\n\x1b" + "A" * 10_000_000)

    assert len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("base", "location", "target"),
    [
        ("https://shop.example/a/b.png?x", "c.png", "https://shop.example/a/c.png"),
        ("https://shop.example:444/a", "/c?d=1#e", "https://shop.example:444/c?d=1"),
        ("https://shop.example/", "//other.example/", "https://other.example/"),
        ("http://[2606:4700::1111]:81/a", "b", "http://[2606:4700::1111]:81/b"),
    ],
)
def test_a_redirect_is_relative_to_its_url(base: str, location: str, target: str) -> None:
    assert str(parse(base).joined(location)) == target


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://2130706433/", "http://[", "http://a@b/", "\x00"])
def test_a_redirect_is_read_as_strictly(location: str) -> None:
    with pytest.raises(FetchRefused):
        parse("https://shop.example/").joined(location)


@pytest.mark.parametrize(
    "url",
    [
        *("https://queue.fal.run/a/requests/1?x=1", "https://queue.fal.run:443/", "HTTPS://QUEUE.fal.run"),
        "https://queue.fal.run./",
    ],
)
def test_urls_of_one_origin(url: str) -> None:
    assert same_origin(url, "https://queue.fal.run/fal-ai")


@pytest.mark.parametrize(
    "url",
    [
        *("http://queue.fal.run/", "https://queue.fal.run:444/", "https://fal.run/", "https://evil.queue.fal.run/"),
        *("https://queue.fal.run.evil.example/", "https://queue.fal.run@evil.example/", "https://user@queue.fal.run/"),
        *("https://evil.example\\@queue.fal.run/", "https://evil.example/https://queue.fal.run/", "//queue.fal.run/"),
        *("https://queue.fal.run\x00.evil.example/", "https://queue。fal。run。evil。example/", ""),
    ],
)
def test_urls_of_other_origins(url: str) -> None:
    assert not same_origin(url, "https://queue.fal.run/fal-ai")


def test_a_private_base_has_an_origin_with_its_port() -> None:
    assert same_origin("http://127.0.0.1:9000/requests/1", "http://127.0.0.1:9000")
    assert not same_origin("http://127.0.0.1:9001/requests/1", "http://127.0.0.1:9000")


@pytest.mark.parametrize(
    "url", ["https://bfl.ai/", "https://api.eu1.bfl.ai/v1/get_result?id=1", "https://API.BFL.AI./"]
)
def test_hosts_of_a_domain(url: str) -> None:
    assert is_of_domain(url, "bfl.ai")


@pytest.mark.parametrize(
    "url",
    [
        *("https://notbfl.ai/", "https://bfl.ai.evil.example/", "http://api.bfl.ai/", "https://api.bfl.ai:444/"),
        *("https://bfl.ai@evil.example/", "https://user@api.bfl.ai/", "https://evil.example/bfl.ai", ""),
    ],
)
def test_hosts_of_other_domains(url: str) -> None:
    assert not is_of_domain(url, "bfl.ai")
