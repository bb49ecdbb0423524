"""Links between pages lead somewhere, and the map of the rooms matches the tree."""

from __future__ import annotations

import pytest

from tests.documents import DOCS, ROOT, Page, anchor, page, pages

PAGES = pages()


@pytest.mark.parametrize("read", PAGES, ids=lambda read: str(read.path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(read: Page) -> None:
    for link in read.links():
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (read.path.parent / path).resolve() if path else read.path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if heading:
            assert heading in [anchor(each) for each in page(target).headings()], link


def test_every_reference_page_and_how_to_is_reached_from_another_page() -> None:
    linked = {(read.path.parent / link.partition("#")[0]).resolve() for read in PAGES for link in read.links()}
    lonely = [path for folder in ("how-to", "reference") for path in (DOCS / folder).glob("*.md") if path not in linked]
    assert lonely == []


def test_the_map_of_the_rooms_matches_the_tree() -> None:
    mapped = {row["folder"].rstrip("/") for row in page("CONTRIBUTING.md").rows("folder")}
    rooms = {"posegen_assets", "sensors", "resources", "posegen", "tools", "benchmarks", "docs"}
    rooms |= {f"posegen/{found.parent.name}" for found in (ROOT / "posegen").glob("*/__init__.py")}
    rooms |= {f"tests/{found.name}" for found in (ROOT / "tests").iterdir() if any(found.rglob("test_*.py"))}
    assert mapped == rooms


def test_decisions_are_numbered_without_gaps_and_named_by_their_titles() -> None:
    files = sorted((DOCS / "adr").glob("*.md"))
    assert [path.name[:4] for path in files] == [f"{number:04}" for number in range(1, len(files) + 1)]
    for path in files:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        assert page(path).headings()[1:4] == ["Context", "Decision", "Consequences"]
