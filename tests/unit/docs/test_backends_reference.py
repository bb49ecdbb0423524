"""The tables of `docs/reference/backends.md` are the descriptions of the backends."""

from __future__ import annotations

from pathlib import Path

import pytest

from posegen.backends.description import Description
from posegen.backends.file import _Abilities, _Table
from posegen.backends.licences import LicenceClass, licences
from posegen.backends.registry import Backends
from posegen.errors import SettingsInvalid
from posegen.poses.prompt_families import FAMILIES
from posegen.settings import Settings
from tests.documents import page

PAGE = page("docs/reference/backends.md")
TABLES = [{row["backend"]: row for row in PAGE.rows("backend") if column in row} for column in ("wire", "licence")]
ABILITIES, PRICES = TABLES
KEYS = dict.fromkeys(("fal_key", "bfl_api_key", "huggingface_api_key", "openai_api_key"), "a key")
BACKENDS = Backends.of(Settings(**KEYS, huggingface_endpoint_url="https://e.example/")).descriptions
# What only words can say.
WIRES = {
    "drawing": "drawing",
    "fal": "fal's queue",
    "huggingface": "fal's queue",
    "bfl": "BFL's API",
    "huggingface-endpoint": "inference endpoint",
    "openai": "OpenAI's images",
}


def shown(licence_class: LicenceClass) -> str:
    return licence_class.replace("_", "-")


def yes(true: bool) -> str:
    return "yes" if true else "no"


def test_every_backend_is_in_both_tables_and_nothing_else() -> None:
    assert list(ABILITIES) == list(PRICES) == list(BACKENDS)


@pytest.mark.parametrize("description", BACKENDS.values(), ids=BACKENDS)
def test_a_backend_can_do_what_the_page_says(description: Description) -> None:
    row, can = ABILITIES[description.name], description.capabilities
    assert row["wire"].split(", ")[0] == WIRES[description.wire]
    if description.name == "huggingface-endpoint":
        assert row["model"] == "of your endpoint"
    else:
        assert row["model"] == ("" if description.wire == "drawing" else description.model)
    _, _, kinds = row["pose by"].partition(": ")
    assert tuple(kinds.split(", ") if kinds else ()) == can.control_kinds
    assert row["negative prompt"] == yes(can.negative_prompt)
    assert row["same seed, same picture"] == yes(can.seeds)
    assert row["longest side"] == str(can.largest_side)
    assert row["multiples of"] == ("any" if can.side_multiple == 1 else str(can.side_multiple))
    assert row["references"] == str(can.references)
    assert row["longest prompt"] == ("any" if can.longest_prompt is None else f"{can.longest_prompt:,}")


@pytest.mark.parametrize("description", BACKENDS.values(), ids=BACKENDS)
def test_a_lost_submit_leads_to_what_the_page_says(description: Description) -> None:
    follows = ABILITIES[description.name]["lost submit"]
    if description.is_hosted and description.wire != "fal":
        assert follows == {"fail": "uncertain", "call_again": "called again"}[description.on_uncertain]


@pytest.mark.parametrize("description", BACKENDS.values(), ids=BACKENDS)
def test_a_backend_costs_what_the_page_says_under_its_licence(description: Description) -> None:
    row = PRICES[description.name]
    assert row["US dollars a megapixel"] == ("" if description.price is None else str(description.price))
    assert row["price list read on"] == description.price_date
    assert row["model in the list of licences"] == description.licence
    if description.licence:
        licence = licences()[description.licence]
        assert (row["licence"], row["its class"]) == (licence.name, shown(licence.licence_class))


def test_the_file_of_the_page_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = [block.text for block in PAGE.blocks() if block.note == "the file is read"]
    file = tmp_path / "backends.toml"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("STUDIO_KEY", "a key")
    backends = Backends.of(Settings(**KEYS, posegen_backends_file=file, posegen_backends_offered="studio,max,fal"))

    backends.check()
    assert {backends.file_of(name) for name in ("studio", "max", "fal")} == {str(file)}
    assert backends.describe("studio").on_uncertain == "call_again"
    assert str(backends.describe("max").price) == "0.07"
    assert backends.describe("fal").concurrency == 2


def test_the_page_has_every_field_of_the_file() -> None:
    named = [name for row in PAGE.rows("field") for name in row["field"].split(", ")]
    assert sorted(named) == sorted(_Table.model_fields)
    (capabilities,) = [row["values"] for row in PAGE.rows("field") if row["field"] == "capabilities"]
    assert capabilities.removeprefix("a table with ").split(", ") == list(_Abilities.model_fields)


def test_the_refusals_of_the_page_are_those_of_the_file(tmp_path: Path) -> None:
    text = """
        [studio]
        wire = "openai"
        address = "http://api.example.com/v1"
        key_variable = "STUDIO_KEY"
        [max]
        wire = "bfl"
        price = 0
        price_date = 2026-11-29
    """
    file = tmp_path / "backends.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsInvalid) as refused:
        Backends.of(Settings(posegen_backends_file=file)).check()
    (shown,) = [block.text for block in PAGE.blocks() if "error: " in block.text]
    said = str(refused.value).replace(str(file), "/etc/posegen/backends.toml")
    assert shown.partition("error: ")[2].rstrip() == said


def test_the_page_has_the_list_of_licences() -> None:
    assert [tuple(row.values()) for row in PAGE.rows("licensed model")] == [
        (each.model, each.name, shown(each.licence_class), each.source, str(each.read_on))
        for each in licences().values()
    ]


FOLLOWED = {row["backend"]: row for row in PAGE.rows("backend") if "negative_prompt" in row}
FAMILY_ROWS = {row["family"]: row for row in PAGE.rows("family")}


@pytest.mark.parametrize("description", BACKENDS.values(), ids=BACKENDS)
def test_a_backend_follows_what_the_page_says(description: Description) -> None:
    row, can = FOLLOWED[description.name], description.capabilities
    assert row["negative_prompt"] == yes(can.negative_prompt)
    weight = "any: it draws the pose exactly" if description.wire == "drawing" else yes(can.control_weight)
    assert row["control_weight"] == ("1 only" if weight == "no" else weight)
    assert row["control_kind"] == (", ".join(can.control_kinds) or "no")
    assert row["control_image"] == yes(bool(can.control_kinds))
    assert row["control_start, control_end"] == yes(can.control_span)


def test_every_family_is_on_the_page_with_its_length_and_its_negative_prompt() -> None:
    assert list(FAMILY_ROWS) == list(FAMILIES)
    for name, family in FAMILIES.items():
        row = FAMILY_ROWS[name]
        longest = row["longest prompt, in characters"].partition(" (")[0]
        assert longest == ("no limit but ours" if family.longest is None else f"{family.longest:,}")
        said = row["negative prompt of ours"]
        assert (said == family.negative) or said.startswith("none" if not family.negative else "the same")


@pytest.mark.parametrize("description", BACKENDS.values(), ids=BACKENDS)
def test_a_backend_is_of_the_family_that_the_page_says(description: Description) -> None:
    (row,) = [row for row in FAMILY_ROWS.values() if description.name in row["backends"].split(", ")]
    assert row["family"] == description.prompt_family
