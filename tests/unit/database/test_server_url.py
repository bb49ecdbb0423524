"""`DATABASE_URL`: what can be used, and a sentence with the parameter and the fix for what cannot."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq

from posegen.database.server_url import parse_url
from posegen.errors import DatabaseUnusable

LOGIN = "postgresql://u:secret@h/shop"


@pytest.mark.parametrize(
    ("url", "database", "aimed"),
    [
        ("postgresql://u:p@h:5433/shop", "shop", "postgresql://u:p@h:5433/other"),
        ("postgres://u:p@h/shop", "shop", "postgresql://u:p@h/other"),
        ("postgresql+psycopg2://u:p@h/shop", "shop", "postgresql://u:p@h/other"),
        ("postgresql+asyncpg://u:p@h/shop", "shop", "postgresql://u:p@h/other"),
        ("postgresql://u:p@h", "posegen", "postgresql://u:p@h/other"),
        ("postgresql://u:p@h/", "posegen", "postgresql://u:p@h/other"),
        ("postgresql://u:p%40%2F%25@h/shop", "shop", "postgresql://u:p%40%2F%25@h/other"),
        ("postgresql://u:p%2C@h/shop", "shop", "postgresql://u:p%2C@h/other"),
        ("postgresql://u:p,q@h/shop", "shop", "postgresql://u:p,q@h/other"),
        ("postgresql://u@h/my%20shop", "my shop", "postgresql://u@h/other"),
        ("postgresql://u@h/shop?sslmode=require", "shop", "postgresql://u@h/other?sslmode=require"),
        ("postgresql://u@h/shop?ssl=true", "shop", "postgresql://u@h/other?sslmode=require"),
        ("postgresql://u@h/shop?target_session_attrs=primary", "shop", None),
        ("postgresql://u@h/shop?options=-c%20datestyle%3DGerman", "shop", None),
        ("postgresql://u@h/shop?sslrootcert=/etc/ca.pem&sslmode=verify-full", "shop", None),
        ("postgresql://u@/shop?host=/run/postgresql", "shop", "postgresql://u@/other?host=/run/postgresql"),
        ("postgresql:///shop?host=/run/postgresql", "shop", "postgresql:///other?host=/run/postgresql"),
        ("postgresql://u:p@[::1]:5433/shop", "shop", "postgresql://u:p@[::1]:5433/other"),
    ],
)
def test_a_url_can_be_aimed_at_another_database_of_its_server(url: str, database: str, aimed: str | None) -> None:
    parsed = parse_url(url)

    assert parsed.database == database
    assert parsed.on("other") == (aimed or url.replace("/shop", "/other"))


@pytest.mark.parametrize(
    "url",
    [
        "secret",
        "mysql://u:secret@h/shop",
        "postgresql:/u:secret@h/shop",
        "postgresql://u:secret@h:port/shop",
        "postgresql://u:secret@h/shop/more",
        "postgresql://u:secret#1@h/shop",
        "postgresql://u:secret?@h/shop",
        "postgresql://u:sec?ret=1@h/shop",
        "postgresql://u:secret/@h/shop",
        "postgresql://u:secret%zz@h/shop",
        "postgresql://u:secret@%2Frun%2Fpostgresql/shop",
        "postgresql://u:secret@[h/shop",
        "postgresql://u:secret@h/shop?sslmode",
        "postgresql://u:secret@h/shop?=1",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="DATABASE_URL cannot be read") as refused:
        parse_url(url)

    assert "sec" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f" {LOGIN}", "begins or ends with white space.*remove it"),
        (f"{LOGIN}\n", "begins or ends with white space.*remove it"),
        (f"{LOGIN}\r\n", "begins or ends with white space.*remove it"),
        (f'"{LOGIN}"', "quotation mark.*remove the quotation marks"),
        (f"'{LOGIN}'", "quotation mark.*remove the quotation marks"),
        (f"{LOGIN}'", "quotation mark.*remove the quotation marks"),
        ("postgresql://u:secret word@h/shop", "white space or a control character in it.*%20"),
        ("postgresql://u:secret@h/sh\nop", "white space or a control character in it"),
        ("postgresql://u:secret@h/sh\x00op", "white space or a control character in it"),
        ("host=h password=secret dbname=shop", "white space or a control character in it"),
        (f"jdbc:{LOGIN}", "begins with jdbc:.*write postgresql://"),
        ("jdbc:postgresql://h/shop?user=u&password=secret", "begins with jdbc:.*write postgresql://"),
        (f"DATABASE_URL={LOGIN}", "begins with a variable's name.*its value only"),
        ("postgresql://u:secret@h1,h2/shop", r"several servers \(host: h1,h2\): name one, the primary"),
        ("postgresql://u:secret@h1:5432,h2:5433/shop", r"several servers \(host: h1:5432,h2:5433\)"),
        ("postgresql://u:secret@/shop?host=h1,h2", r"several servers \(host: h1,h2\)"),
        (f"{LOGIN}?hostaddr=10.0.0.1,10.0.0.2", r"several servers \(hostaddr: 10.0.0.1,10.0.0.2\)"),
        ("postgresql://u:secret@/shop?host=h&port=1,2", r"several servers \(port: 1,2\)"),
        (f"{LOGIN}?schema=public", "parameter schema, .*remove it: .* schema public"),
        (f"{LOGIN}?currentSchema=shop", "parameter currentSchema, .*remove it: .* schema public"),
        (f"{LOGIN}?pgbouncer=true", "parameter pgbouncer, .*own port"),
        (f"{LOGIN}?connection_limit=5&pool_timeout=10", "parameter connection_limit, .*remove it"),
        (f"{LOGIN}?sslaccept=strict", "parameter sslaccept, .*sslmode=verify-full"),
        (f"{LOGIN}?ssl=1", "parameter ssl, .*sslmode=require"),
        (f"{LOGIN}?sslMode=require", "parameter sslMode, .*write sslmode"),
        (f"{LOGIN}?charset=utf8", "parameter charset, .*remove it"),
        (f"{LOGIN}?workaround=supabase-pooler.vercel", "parameter workaround, .*remove it"),
        (f"{LOGIN}?prepareThreshold=0", "parameter prepareThreshold, .*remove it"),
        (f"{LOGIN}?sslmode=no-verify", "has sslmode=no-verify: Posegen takes disable, .*verify-full"),
        (f"{LOGIN}?sslmode=", "has sslmode=: Posegen takes disable"),
        (f"{LOGIN}?target_session_attrs=prefer-standby", "has target_session_attrs=prefer-standby: .*primary"),
        (f"{LOGIN}?connect_timeout=10s", "has connect_timeout=10s: write a whole number"),
        (f"{LOGIN}?sslmode=require&sslmode=disable", "parameter sslmode 2 times: keep one"),
        (f"{LOGIN}?dbname=other", "parameter dbname: name the database in the path"),
        (f"{LOGIN}?user=u&password=secret", "parameter user: write it before the @"),
        (f"{LOGIN}?sslkeylogfile=/tmp/keys", "parameter sslkeylogfile, which the driver of Dagster does not know"),
    ],
)
def test_what_is_wrong_with_a_url_is_named_with_its_fix(url: str, says: str) -> None:
    with pytest.raises(DatabaseUnusable, match=f"^DATABASE_URL .*{says}") as refused:
        parse_url(url)

    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


SECRET = "Zx9q"
TEXT = st.text(alphabet="ab1 ,:/?#&=%@'\"\n\t[]._-", max_size=6)


@given(before=TEXT, after=TEXT, query=st.text(alphabet="ab=&?,%@/ #", max_size=12))
def test_no_url_says_its_password_or_breaks_the_reader(before: str, after: str, query: str) -> None:
    try:
        parse_url(f"postgresql://u:{before}{SECRET}{after}@h/shop?{query}")
    except DatabaseUnusable as refused:
        assert SECRET not in str(refused)  # noqa: PT017  # most are refused, not all


@given(
    name=st.sampled_from(sorted(option.keyword.decode() for option in pq.Conninfo.get_defaults())),
    value=st.text(alphabet="a1-, /", max_size=8),
)
def test_every_parameter_of_libpq_is_taken_or_named(name: str, value: str) -> None:
    try:
        parse_url(f"{LOGIN}?{name}={value.replace(' ', '%20')}")
    except DatabaseUnusable as refused:
        assert re.search(rf"\b{name}\b", str(refused))  # noqa: PT017


def test_a_parsed_url_does_not_show_its_password() -> None:
    assert "secret" not in repr(parse_url("postgresql://u:secret@h/shop?sslpassword=secret"))
