"""The backends of an operator's file: one TOML table for each, which says what differs from the usual one of its wire.

Keys are never in the file: a table names the variable that holds its key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from posegen.backends.description import Description, OnUncertain, Reference
from posegen.backends.licences import licences
from posegen.backends.wires.catalogue import WIRES, Access, describe, is_of_openai, models_of
from posegen.errors import SettingsInvalid
from posegen.fetching.addresses import literal
from posegen.operator_files import read_tables, sentences
from posegen.poses.control_maps import MapKind
from posegen.poses.prompt_families import FAMILIES
from posegen.settings import Settings, secret_in

_MOST_BACKENDS = 100
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_ADDRESS = re.compile(r"https?://[^\s/@?#]+(/[^\s?#]*)?")
_NEEDS_ITS_VARIABLE = (
    'Name the variable that holds the key: key_variable = "MY_KEY". Make a new key if others may have read the file.'
)
_NAMES_OF_KEYS = re.compile(r"key|api_?key|token|api_?token|secret|password|credentials?|authorization", re.IGNORECASE)
# What the makers' keys look like.
_KEY = re.compile(r"(sk-|hf_|r8_|Bearer |Key )\S{8,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:\S*)?")
_RANDOM = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_FEWEST_DIGITS = 5
# Names that only a network of the operator's own resolves.
_OWN_HOST = re.compile(r"[^.]+|(.+\.)?(localhost|local|internal|lan|home\.arpa)")
# On these two the operator runs the model, or has it run.
_OF_OPERATORS = ("huggingface-endpoint", "openai")


class _Abilities(BaseModel):
    """What differs of the capabilities. The descriptions stand in error messages: they say what is right."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    control_kinds: list[MapKind] | None = Field(
        None, min_length=1, max_length=2, description='"openpose" and "depth", the preferred one first.'
    )
    control_weight: bool | None = Field(None, description="Whether it can be told how strictly to follow the pose.")
    control_span: bool | None = Field(None, description="Whether the map can count in a part of the steps only.")
    references: int | None = Field(None, ge=0, le=16, description="Reference images that it takes, 0 to 16.")
    negative_prompt: bool | None = Field(None, description="Whether it follows a negative prompt.")
    seeds: bool | None = Field(None, description="Whether the same seed gives the same picture.")
    largest_side: int | None = Field(None, ge=1024, le=8192, description="Pixels, 1024 to 8192.")
    side_multiple: int | None = Field(
        None, ge=1, le=1024, description="Pixels that sides are multiples of; 1024 is one of them."
    )
    longest_prompt: int | None = Field(None, ge=200, le=1_000_000, description="Characters, 200 to 1000000.")
    costs_money: bool | None = Field(None, description="Whether each call is billed.")


class _Table(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    wire: Literal["fal", "bfl", "huggingface", "huggingface-endpoint", "openai"] = Field(
        description="What its server speaks."
    )
    model: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,199}$", description="As the provider names it."
    )
    version: str | None = Field(
        None, pattern=r"^[!-~]{1,100}$", description="Of recipes: another one whenever pictures change."
    )
    revision: str | None = Field(None, pattern=r"^[!-~]{1,100}$", description="Of the model, for recipes.")
    address: str | None = Field(None, max_length=500, description="URL of the server.")
    key_variable: str | None = Field(None, description="Name of the variable that holds the key.")
    control_parameter: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description='Of an endpoint: what its handler takes the control map in; "inputs" for image-to-image.',
    )
    licence: str | None = Field(None, description="A model of the list in docs/reference/backends.md.")
    licence_accepted: str | None = Field(
        None, max_length=200, description="Name of the licensed model that you have a right of your own to use."
    )
    sold_by_provider: bool | None = Field(None, description="Whether a provider sells the use of its pictures.")
    price: float | None = Field(None, gt=0, le=1000, description="US dollars for one picture, above 0, up to 1000.")
    price_date: date | str | None = Field(None, description="The day on which it was read, such as 2026-11-30.")
    concurrency: int | None = Field(None, ge=1, le=1000, description="Calls at once over all workers, 1 to 1000.")
    on_uncertain: OnUncertain | None = Field(None, description='"fail" or "call_again".')
    honours_idempotency: bool | None = Field(
        None, description="Whether the server makes a call once however often its Idempotency-Key is sent."
    )
    recommended_scale: float | None = Field(None, gt=0, le=2, description="What a control weight of 1 is, up to 2.")
    largest_scale: float | None = Field(None, gt=0, le=10, description="The largest control scale, up to 10.")
    steps: int | None = Field(None, ge=1, le=200, description="That the model is asked for, 1 to 200.")
    guidance: float | None = Field(None, ge=0, le=30, description="That the model is asked for, 0 to 30.")
    prompt_family: str | None = Field(None, max_length=100, description="Whose template prompts follow.")
    reference: Reference | None = Field(
        None, description='What shows the pose to a model with a reference image: "map" or "mannequin".'
    )
    capabilities: _Abilities | None = Field(None, description="A table with what differs.")


@dataclass(frozen=True)
class OwnBackend:
    """A backend of the file. `accepted`: the licensed model that the operator has a right of their own to use."""

    description: Description
    access: Access
    accepted: str | None = None


@dataclass(frozen=True)
class BackendsFile:
    """What a file holds.

    Attributes:
        backends: those that can be used.
        problems: by the name of a table, the sentences about it; by "", those about the file as a whole.
    """

    backends: list[OwnBackend] = field(default_factory=list)
    problems: Mapping[str, list[str]] = field(default_factory=dict)


def own_backends(settings: Settings, *, drawing: Collection[str]) -> BackendsFile:
    """The backends of the operator's file; a table that cannot be used is no error for the others.

    Args:
        settings: name the file, and have the usual addresses and keys.
        drawing: names of the drawing backends, which no table may have.
    """
    file = settings.posegen_backends_file
    if file is None:
        return BackendsFile()
    try:
        tables = read_tables(file, variable="POSEGEN_BACKENDS_FILE")
    except SettingsInvalid as unreadable:
        return BackendsFile([], {"": unreadable.problems})
    if len(tables) > _MOST_BACKENDS:
        return BackendsFile([], {"": [f"{file} has {len(tables)} backends; {_MOST_BACKENDS} are the most."]})
    backends: list[OwnBackend] = []
    problems: dict[str, list[str]] = {}
    for name, values in tables.items():
        found = list(_problems_of_table(name, values, drawing)) or _add(backends, name, values, settings)
        if found:
            problems[name] = [f"{file}, backend {name}: {problem}" for problem in found]
    return BackendsFile(backends, problems)


def _add(backends: list[OwnBackend], name: str, values: dict[str, Any], settings: Settings) -> list[str]:
    """What is wrong with a table; where nothing is, its backend is added."""
    try:
        table = _Table.model_validate(values)
    except ValidationError as invalid:
        return list(sentences(invalid, _Table))
    judged = (
        _problems_of_price,
        _problems_of_model,
        _problems_of_wire,
        partial(_problems_of_access, settings=settings),
    )
    if found := [problem for judge in judged for problem in judge(table)]:
        return found
    own = _own_backend(name, table, settings)
    found = list(_problems_of_abilities(table, own.description))
    backends += [] if found else [own]
    return found


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _problems_of_table(name: str, values: object, drawing: Collection[str]) -> Iterator[str]:
    """Before any value may be shown: keys that were written into the file."""
    if not _NAME.fullmatch(name):
        yield "a name has lower-case letters, digits, _ and -, begins with a letter, and is 63 long at most."
    if name in drawing:
        yield "this name is that of a backend that draws on this machine. Choose another one."
    if not isinstance(values, dict):
        yield f"this is no table. Begin it with a line [{name}]."
        return
    for field_name, value in values.items():
        if field_name == "key_variable":
            if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
                yield f"key_variable is no name of a variable: capital letters, digits and _. {_NEEDS_ITS_VARIABLE}"
        elif _NAMES_OF_KEYS.fullmatch(field_name):
            yield f"{field_name}: a key must not be in the file. {_NEEDS_ITS_VARIABLE}"
        elif isinstance(value, str) and _looks_like_a_key(value):
            yield f"{field_name} looks like a key, which must not be in the file. {_NEEDS_ITS_VARIABLE}"
        elif field_name == "address" and isinstance(value, str):
            yield from _problems_of_address(value)


def _looks_like_a_key(text: str) -> bool:
    if _KEY.fullmatch(text):
        return True
    return _RANDOM.fullmatch(text) is not None and sum(map(str.isdigit, text)) >= _FEWEST_DIGITS


def _problems_of_address(address: str) -> Iterator[str]:
    if "@" in address:
        yield f"address holds a user or a password, which must not be in the file. {_NEEDS_ITS_VARIABLE}"
        return
    if not _ADDRESS.fullmatch(address):
        yield f"address = {address[:200]!r}: it begins with https:// or http:// and a host, and has no query."
        return
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        yield f"address = {address[:200]!r}: its host or port cannot be read."
        return
    if parts.scheme == "http" and not _is_own_host(host):
        yield f"address = {address!r}: a key is sent to a public address over https:// only."


def _is_own_host(host: str) -> bool:
    """Whether a host is this machine, or one of a private network: link-local addresses are those of clouds."""
    address = literal(host)
    if address is None:
        return _OWN_HOST.fullmatch(host.lower()) is not None
    return address.is_loopback or (address.is_private and not address.is_link_local and not address.is_unspecified)


def _problems_of_price(table: _Table) -> Iterator[str]:
    if (table.price is None) != (table.price_date is None):
        missing = "price_date" if table.price_date is None else "price"
        yield f"{missing} is missing: a price and the day on which it was read belong together."
    if isinstance(table.price_date, str):
        try:
            date.fromisoformat(table.price_date)
        except ValueError:
            yield f"price_date = {table.price_date[:100]!r}: write a day, such as 2026-11-30."


def _problems_of_model(table: _Table) -> Iterator[str]:
    if table.licence is not None and table.licence not in licences():
        yield f"licence = {table.licence[:100]!r} is not in the list: {', '.join(licences())}."
    if table.prompt_family is not None and table.prompt_family not in FAMILIES:
        yield f"prompt_family = {table.prompt_family!r}: known are {', '.join(FAMILIES)}."
    if table.wire in ("fal", "huggingface"):
        known = [each.model for each in models_of(table.wire)]
        if table.model is not None and table.model not in known:
            yield f"model = {table.model!r}: its input is not known to this wire. Known: {', '.join(known)}."
    for name in sorted(_not_asked_for(table) & table.model_fields_set):
        yield f"{name}: the model has no such field. Leave it out."


def _problems_of_wire(table: _Table) -> Iterator[str]:
    if table.honours_idempotency and table.wire != "openai":
        yield 'honours_idempotency: only the wire "openai" sends an Idempotency-Key. Leave it out.'
    if table.control_parameter is not None and table.wire != "huggingface-endpoint":
        yield 'control_parameter: only the wire "huggingface-endpoint" has one. Leave it out.'
    if table.sold_by_provider is False and table.wire not in _OF_OPERATORS:
        yield f'sold_by_provider: the provider of the wire "{table.wire}" sells the use. Leave it out.'


def _not_asked_for(table: _Table) -> set[str]:
    """What the model of a table does not take beside a prompt."""
    if table.wire == "bfl" or (table.wire == "openai" and (table.model is None or is_of_openai(table.model))):
        return {"steps", "guidance"}
    return {"guidance"} if table.model == "fal-ai/z-image/turbo/controlnet" else set()


def _problems_of_access(table: _Table, settings: Settings) -> Iterator[str]:
    usual = getattr(settings, WIRES[table.wire].address)
    if table.address is None and usual is None:
        yield "address is missing. URL of the server."
    if table.address not in (None, usual) and table.key_variable is None:
        yield f"key_variable is missing: the key of another server is not sent to this one. {_NEEDS_ITS_VARIABLE}"
    ours, keys = (table.key_variable or "").lower(), {each.key for each in WIRES.values()}
    if ours in Settings.model_fields and ours not in keys:
        yield f"key_variable = {table.key_variable!r} is another setting of Posegen. Name a variable of its own."


def _problems_of_abilities(table: _Table, described: Description) -> Iterator[str]:
    """What the wire of a provider does not have cannot be set; less than it has can."""
    given, can = _given(table.capabilities), described.capabilities
    if table.reference is not None and not described.is_by_reference:
        yield f"reference = {table.reference!r}: the model takes no pose as a reference image. Leave it out."
    if described.shows_mannequin and "control_kinds" in given:
        yield 'capabilities.control_kinds: with reference = "mannequin" no map is sent. Leave it out.'
    if can.costs_money is False and table.price is not None:
        yield "price: nothing is billed. Leave it out, or set costs_money = true in its capabilities."
    if 1024 % can.side_multiple:
        yield f"capabilities.side_multiple = {can.side_multiple}: pictures have 1024 pixels a side, which is none."
    usual = describe(table.wire, table.model, _NOWHERE).capabilities
    if table.wire == "huggingface-endpoint" or (table.wire == "openai" and not is_of_openai(described.model)):
        return
    for name, value in given.items():
        most = getattr(usual, name)
        if name == "costs_money" or not _is_within(name, value, most):
            yield f"capabilities.{name} = {value!r}: the wire has {most!r}, and no more can be set. Leave it out."


_NOWHERE = Access("", "", None)


def _is_within(name: str, value: Any, most: Any) -> bool:
    if isinstance(most, tuple):
        return set(value) <= set(most)
    if name == "side_multiple":
        return bool(value % most == 0)
    return most is None or bool(value <= most)


# --- what it comes to -------------------------------------------------------------------------------------------------


def _own_backend(name: str, table: _Table, settings: Settings) -> OwnBackend:
    """The usual backend of the wire, with what the table says of it."""
    kind = WIRES[table.wire]
    variable = table.key_variable or kind.key.upper()
    of_ours = variable.lower() in Settings.model_fields
    access = Access(
        address=table.address or getattr(settings, kind.address),
        variable=variable,
        key=getattr(settings, variable.lower()) if of_ours else secret_in(variable),
        control=table.control_parameter or settings.huggingface_endpoint_control,
    )
    usual = describe(table.wire, table.model, access)
    can = replace(usual.capabilities, **_given(table.capabilities))
    told = {each.name for each in fields(Description)} & set(_Table.model_fields) - {"capabilities"}
    given = {each: value for each, value in _given(table).items() if each in told}
    if table.price is not None:
        read_on = date.fromisoformat(str(table.price_date))
        given |= {"price": Decimal(str(table.price)), "price_date": read_on.isoformat()}
    elif not can.costs_money:
        given |= {"price": None, "price_date": "", "on_uncertain": table.on_uncertain or "call_again"}
    if table.honours_idempotency is not None:
        given["resend_is_safe"] = table.honours_idempotency
    return OwnBackend(replace(usual, **given, name=name, capabilities=can), access, table.licence_accepted)


def _given(table: BaseModel | None) -> dict[str, Any]:
    """What a table sets, by the names of its fields."""
    values = {} if table is None else {name: getattr(table, name) for name in table.model_fields_set}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
