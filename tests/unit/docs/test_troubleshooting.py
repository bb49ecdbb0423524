"""`docs/how-to/troubleshooting.md` and `posegen doctor` know the same parts."""

from __future__ import annotations

from posegen.upkeep.examination import MOST_AUDITED, OURS
from posegen.upkeep.finding import Part
from tests.documents import page

PAGE = page("docs/how-to/troubleshooting.md")
SYMPTOMS = [
    "Nothing happens",
    "Workers do not process",
    "Images are not persisting",
    "Images are not loading",
    "Uploads are refused",
    "Access denied",
    "Out of disk",
    "The database cannot be reached",
    "A generation failed",
    "Credits look wrong",
]


def test_every_part_that_can_be_bad_is_on_the_page_and_no_other() -> None:
    assert {row["part"].split()[0] for row in PAGE.rows("part")} == set(Part)


def test_every_symptom_has_its_part_and_its_fix() -> None:
    assert PAGE.headings()[1:] == SYMPTOMS
    for symptom in SYMPTOMS:
        assert "| part |" in PAGE.section(symptom), symptom
    assert all(row["what it says, such as"] and row["what mends it"] for row in PAGE.rows("part"))


def test_the_codes_and_limits_are_those_of_the_code() -> None:
    section = PAGE.section("A generation failed")
    counted = section[section.index("It counts") :]
    assert all(f"`{code}`" in counted for code in OURS)
    assert f"more than {MOST_AUDITED:,} movements" in PAGE.section("Credits look wrong")
