"""`docs/reference/settings.md` says what `posegen.settings` reads."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import pytest

from posegen.database.server import DatabaseUrls
from posegen.database.session import SESSION_SETTINGS
from posegen.errors import SettingsInvalid
from posegen.setting_names import OTHER_NAMES
from posegen.settings import PROJECT_ROOT, Settings, load_settings
from posegen.supervisor.environment import dagster_environment
from tests.documents import page

PAGE = page("docs/reference/settings.md")
ROWS = {row["variable"]: row for row in PAGE.rows("variable") if "default" in row}
# What only words can say.
DEFAULTS = {
    "POSEGEN_HOME": ".posegen in the checkout",
    "DATABASE_URL": "none",
    "STORAGE_LOCAL_PATH": "storage in POSEGEN_HOME",
    "POSEGEN_BACKENDS_OFFERED": "none",
    "POSEGEN_BACKEND_COSTS": "{}",
    "POSEGEN_MAX_RUNNING": "one for each core, 8 at most",
}


def values_of(name: str) -> str | None:
    """The values of a setting as the page writes them; None where its type does not say."""
    field = Settings.model_fields[name]
    if get_origin(field.annotation) is Literal:
        *others, last = get_args(field.annotation)
        return f"{', '.join(others)} or {last}" if others else last
    bounds: dict[str, Any] = {}
    for limit in field.metadata:
        bounds |= {kind: getattr(limit, kind) for kind in ("ge", "gt", "le") if hasattr(limit, kind)}
    if "le" not in bounds:
        return None
    return f"{bounds['ge']} to {bounds['le']}" if "ge" in bounds else f"above {bounds['gt']}, up to {bounds['le']}"


def test_every_setting_is_on_the_page_and_nothing_else() -> None:
    assert sorted(ROWS) == sorted(name.upper() for name in Settings.model_fields)
    assert all(row["meaning"] for row in ROWS.values())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_has_the_default_and_the_values_of_the_page(name: str) -> None:
    row, field = ROWS[name.upper()], Settings.model_fields[name]
    plain = "none" if field.default is None else str(field.default)
    assert row["default"] == DEFAULTS.get(name.upper(), plain)
    assert values_of(name) in {None, row["values"]}


def test_the_defaults_that_the_page_tells_in_words_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    settings = Settings()
    assert settings.posegen_home == PROJECT_ROOT / ".posegen"
    assert settings.storage_path == settings.posegen_home / "storage"
    assert settings.database_url is None
    for cores, running in ((1, 1), (4, 4), (64, 8)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert Settings().posegen_max_running == running


def test_what_cannot_be_used_is_named_in_the_words_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = [block.text for block in PAGE.blocks() if block.language == "console"]
    monkeypatch.setenv("STORAGE_MODE", "ftp")
    monkeypatch.setenv("POSEGEN_RENDER_THREADS", "0")
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    assert shown.partition("\n")[2].strip() == f"error: {refused.value}"


def test_an_empty_variable_is_not_set_and_names_may_be_written_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_BASE_URL", "")
    monkeypatch.setenv("posegen_render_threads", "7")
    settings = load_settings()
    assert (settings.storage_base_url, settings.posegen_render_threads) == ("/media", 7)


def test_the_variables_that_posegen_sets_are_on_the_page() -> None:
    documented = [row["variable"] for row in PAGE.rows("variable") if "default" not in row]
    urls = DatabaseUrls("postgresql://", "postgresql+psycopg2://", embedded=True)
    assert documented == list(dagster_environment(Settings(), urls))


def test_every_other_name_is_on_the_page() -> None:
    documented = {row["ours"]: row["also"] for row in PAGE.rows("ours")}
    assert list(documented) == list(OTHER_NAMES)
    for name, others in OTHER_NAMES.items():
        assert documented[name].split("; ")[0].split(", ") == list(others)


def test_the_settings_of_sessions_are_those_of_the_page() -> None:
    documented = {row["setting"]: row["value"].replace("(empty)", "") for row in PAGE.rows("setting")}
    assert documented == dict(SESSION_SETTINGS)
