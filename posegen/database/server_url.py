"""`DATABASE_URL` taken apart: what is wrong with it, without its password, and how it aims at a database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import NoReturn
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from posegen.errors import DatabaseUnusable

APPLICATION_DATABASE = "posegen"

_EXAMPLE = "postgresql://user:password@host:5432/posegen"
_UNREADABLE = (
    f"DATABASE_URL cannot be read. It should look like {_EXAMPLE}, with the special characters of a password "
    "percent-encoded (@ as %40, : as %3A, / as %2F, # as %23, ? as %3F). A Unix socket is given as "
    "postgresql://user:password@/posegen?host=/folder."
)
# What is longer or looks otherwise may be a piece of a password.
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,39}")
_ELSEWHERE = {
    "dbname": "name the database in the path (…/posegen)",
    "user": "write it before the @",
    "password": "write it before the @",
}
_OF_OTHER_TOOLS = {
    "schema": "remove it: Posegen keeps its tables in the schema public of its own database",
    "currentschema": "remove it: Posegen keeps its tables in the schema public of its own database",
    "search_path": "remove it: Posegen keeps its tables in the schema public of its own database",
    "pgbouncer": "remove it and give the server's own port, or a pooler in session mode",
    "connection_limit": "remove it: Posegen limits its connections itself",
    "pool_size": "remove it: Posegen limits its connections itself",
    "pool_timeout": "remove it: Posegen limits its connections itself",
    "max_connections": "remove it: Posegen limits its connections itself",
    "sslaccept": "write sslmode=verify-full to check the certificate, sslmode=require to accept any",
    "ssl": "write sslmode=require, or sslmode=disable for a connection without TLS",
    "ssl_mode": "write sslmode",
    "timezone": "remove it: Posegen sets its sessions to UTC",
    "encoding": "remove it: Posegen sets its sessions to UTF-8",
    "charset": "remove it: Posegen sets its sessions to UTF-8",
    "statement_timeout": "remove it: Posegen sets its timeouts itself",
    "sockettimeout": "remove it: Posegen sets its timeouts itself",
    "logintimeout": "write connect_timeout",
    "timeout": "write connect_timeout",
}
_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "sslcertmode": ("disable", "allow", "require"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "primary"),
    "load_balance_hosts": ("disable", "random"),
}
_NUMBERS = {"connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"}
_TLS_SHORTHAND = ("ssl", "true")


@dataclass(frozen=True)
class ServerUrl:
    """A URL taken apart just far enough to aim it at another database of the same server.

    Attributes:
        login: user, password, host and port as they were written, with special characters percent-encoded.
        options: what follows the question mark, or nothing.
        database: the name in the URL.
        user: who logs in, for messages.
    """

    login: str = field(repr=False)
    options: str = field(repr=False)
    database: str
    user: str

    def on(self, database: str, scheme: str = "postgresql") -> str:
        """The same server, login and options, with another database or driver."""
        return f"{scheme}://{self.login}/{quote(database, safe='')}" + (f"?{self.options}" if self.options else "")


def parse_url(url: str) -> ServerUrl:
    """Check the URL and take it apart; a URL without a database means `posegen`.

    Raises `DatabaseUnusable`, which never quotes the URL: there is a password in it.
    """
    _check_writing(url)
    try:
        parts = urlsplit(url)
        database = unquote(parts.path.removeprefix("/")) or APPLICATION_DATABASE
    except ValueError:
        raise DatabaseUnusable(_UNREADABLE) from None
    host = parts.netloc.rpartition("@")[2]
    known = parts.scheme.partition("+")[0] in ("postgresql", "postgres")
    # An @ behind the question mark is the end of a password that is not encoded: no piece of it may be quoted.
    if not known or parts.fragment or "/" in database or "@" in parts.query or "%2f" in host.lower():
        raise DatabaseUnusable(_UNREADABLE)
    _check_hosts("host", host)
    options = _checked_options(parts.query)
    aimed = ServerUrl(parts.netloc, options, database, user="")
    try:
        by_libpq = conninfo_to_dict(aimed.on(database))
        by_sqlalchemy = make_url(aimed.on(database))
    except (ValueError, psycopg.ProgrammingError, ArgumentError):
        raise DatabaseUnusable(_UNREADABLE) from None
    # Dagster's driver and ours each read the URL by their own rules; where they disagree, something is not encoded.
    if (by_sqlalchemy.username, by_sqlalchemy.password) != (by_libpq.get("user"), by_libpq.get("password")):
        raise DatabaseUnusable(_UNREADABLE)
    return replace(aimed, user=str(by_libpq.get("user") or "your_user"))


def _check_writing(url: str) -> None:
    """Mistakes of copying, which a URL parser would pass over or blame on something else."""
    if url != url.strip():
        _refuse("begins or ends with white space, such as the last line break of a file", "remove it")
    if url[:1] in "'\"`" or url[-1:] in "'\"`":
        _refuse("begins or ends with a quotation mark", "remove the quotation marks; a shell or an .env file adds none")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        _refuse("has white space or a control character in it", "percent-encode it (a space as %20) or remove it")
    if url.startswith("jdbc:"):
        _refuse("begins with jdbc:, which only Java reads", f"write {_EXAMPLE}")
    if re.match(r"[A-Z_]+=", url):
        _refuse("begins with a variable's name", f"give its value only: {_EXAMPLE}")


def _checked_options(query: str) -> str:
    """The parameters as both drivers read them."""
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise DatabaseUnusable(_UNREADABLE) from None
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    names = [name for name, _ in given]
    for name, value in given:
        if not _PARAMETER.fullmatch(name):
            raise DatabaseUnusable(_UNREADABLE)
        if (name, value) != _TLS_SHORTHAND:
            _check_parameter(name, value, known)
        if names.count(name) > 1:
            _refuse(f"has the parameter {name} {names.count(name)} times", "keep one of them")
    # libpq alone reads the shorthand of Java's driver.
    pairs = [("sslmode", "require") if pair == _TLS_SHORTHAND else pair for pair in given]
    return query if pairs == given else "&".join(f"{name}={quote(value, safe='/')}" for name, value in pairs)


def _check_parameter(name: str, value: str, known: set[str]) -> None:
    if name in _ELSEWHERE:
        _refuse(f"has the parameter {name}", _ELSEWHERE[name])
    if name not in known:
        meant = name.lower() if name.lower() in known else None
        fix = _OF_OTHER_TOOLS.get(name.lower(), f"write {meant}" if meant else "remove it")
        _refuse(f"has the parameter {name}, which PostgreSQL's drivers do not know", fix)
    if not _is_known_to_dagster(name):
        _refuse(f"has the parameter {name}, which the driver of Dagster does not know yet", "remove it")
    if name in _CHOICES and value not in _CHOICES[name]:
        _refuse(f"has {name}={_shown(value)}", f"Posegen takes {', '.join(_CHOICES[name])}")
    if name in _NUMBERS and not re.fullmatch(r"[0-9]{1,9}", value):
        _refuse(f"has {name}={_shown(value)}", "write a whole number")
    if name in ("host", "hostaddr", "port"):
        _check_hosts(name, value)


def _is_known_to_dagster(name: str) -> bool:
    """psycopg2 brings a libpq of its own, which may be older."""
    try:
        parse_dsn(f"{name}=''")
    except ProgrammingError:
        return False
    return True


def _check_hosts(name: str, value: str) -> None:
    if "," in value:
        _refuse(
            f"names several servers ({name}: {_shown(value)})",
            "name one, the primary, or an address that leads to the primary; Posegen does not choose between servers",
        )


def _shown(value: str) -> str:
    return value if len(value) <= 100 and value.isprintable() else f"{value[:40]!r} …"


def _refuse(problem: str, fix: str) -> NoReturn:
    raise DatabaseUnusable(f"DATABASE_URL {problem}: {fix}.")
