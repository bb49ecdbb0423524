"""Numbers, proxies and folders in the settings: every number has two ends, and what uses it works at both."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from posegen.backends.breaker import BackendRule
from posegen.database.server import DatabaseUrls
from posegen.errors import SettingsInvalid
from posegen.generations.asking.intake import IntakeLimits
from posegen.generations.asking.judging import Prices
from posegen.generations.making.recovery import TimeLimits
from posegen.reports.monthly import economy_of
from posegen.settings import PROJECT_ROOT, Settings, load_settings
from posegen.supervisor.environment import dagster_environment
from posegen.upkeep.health import Thresholds
from posegen.upkeep.retention import RetentionRule
from posegen.upkeep.settings_history import shown_settings
from posegen.work.rules import RetryRule

NUMBERS = {int, float, Decimal}
HOSTILE = (
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "-1",
    "1e30",
    "1e400",
    str(2**31),
    str(2**63),
    str(2**64),
    "9" * 5000,
    "1e-",
)
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def number_fields() -> Iterator[str]:
    """Every field that takes a number, also within a dictionary or beside None."""
    for name, field in Settings.model_fields.items():
        if field.annotation in NUMBERS or NUMBERS & set(get_args(field.annotation)):
            yield name


def bounds_of(name: str) -> tuple[Any, Any]:
    """The smallest and the largest value of a field; just above an end that does not count."""
    found: dict[str, Any] = {}
    for limit in Settings.model_fields[name].metadata:
        found |= {kind: getattr(limit, kind) for kind in ("ge", "gt", "le", "lt") if hasattr(limit, kind)}
    kind = Settings.model_fields[name].annotation
    low = found["ge"] if "ge" in found else math.nextafter(found["gt"], math.inf)
    assert kind is not None
    return kind(low), kind(found["le"])


FIELDS = [name for name in number_fields() if name != "posegen_backend_costs"]
ENDS = [(name, end) for name in FIELDS for end in (0, 1)]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.lower() in Settings.model_fields]:
        monkeypatch.delenv(name)


def test_every_setting_that_is_a_number_has_a_lower_and_an_upper_bound():
    assert len(FIELDS) > 30
    for name in FIELDS:
        low, high = bounds_of(name)
        assert low < high, name
        assert math.isfinite(high), name


@pytest.mark.parametrize("name", FIELDS)
def test_a_number_that_nothing_could_be_done_with_is_refused_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch):
    low, high = bounds_of(name)
    beyond = [str(high * 2 + 1), str(low - 1), "0x10", ""]
    for value in (*HOSTILE, *beyond):
        monkeypatch.setenv(name.upper(), value)
        try:
            found = getattr(load_settings(), name)
        except SettingsInvalid as refused:
            (line,) = str(refused).splitlines()[1:]
            assert line.startswith(f"  - {name.upper()} = ")
            assert len(line) < 600
        else:
            assert value == "" or low <= found <= high, (name, value)


@pytest.mark.parametrize("value", ["nan", '{"a": 1e400}', '{"a": NaN}', "[1]", "{bad", '{"a": -1}', '{"a": "1e999999"}',
                                   "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])  # fmt: skip
def test_costs_that_are_no_json_or_no_amounts_are_refused_in_one_line(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("POSEGEN_BACKEND_COSTS", value)

    with pytest.raises(SettingsInvalid, match="POSEGEN_BACKEND_COSTS = ") as refused:
        load_settings()

    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(("name", "end"), ENDS, ids=lambda value: str(value))
def test_what_uses_a_number_works_at_both_of_its_ends(name: str, end: int):
    use_everything(Settings(**{name: bounds_of(name)[end]}))


@pytest.mark.parametrize("end", [0, 1])
def test_what_uses_the_numbers_works_when_all_are_at_one_end(end: int):
    use_everything(Settings(**{name: bounds_of(name)[end] for name in FIELDS}))


def use_everything(settings: Settings) -> None:
    """What follows from the settings, computed as far as it goes without a database."""
    rule = RetentionRule.of(settings)
    for age in (rule.images, rule.grace, rule.traces):
        assert NOW - age < NOW + age or age == timedelta(0)
    limits = TimeLimits.of(settings)
    seconds = (limits.stall, limits.total, limits.outage, settings.posegen_lease_seconds)
    assert all(NOW - timedelta(seconds=each) <= NOW for each in seconds)
    assert RetryRule.of(settings).wait_before(settings.posegen_max_attempts + 1) <= 300
    assert IntakeLimits.of(settings).poses_per_hour < 2**63
    assert Prices.of(settings).of_a_pose(hosted=True, print_formats=1000, control_weight=2) * 50 < 2**63
    backend = BackendRule.of(settings)
    assert backend.left_alone_for(2**31, None) <= 600
    assert backend.left_alone_for(1, math.inf) == backend.left_alone_for(1, 1e30) <= 86_400
    assert math.isfinite(backend.first_pause * 2 ** (backend.attempts - 1))
    assert NOW + timedelta(seconds=backend.call_seconds) > NOW or backend.call_seconds < 1e-6
    assert f"{economy_of(settings).move_bytes:,}"
    assert Thresholds.of(settings).move_bytes < 2**63
    assert dagster_environment(settings, DatabaseUrls("", "", embedded=True))
    assert isinstance(shown_settings(settings), dict)


# --- proxies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://proxy.example:3128", "http://user:hunter2@proxy.example:3128/"])
def test_a_proxy_may_need_a_password(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("POSEGEN_FETCH_PROXY", url)

    proxy = load_settings().posegen_fetch_proxy
    assert proxy is not None
    assert proxy.get_secret_value() == url
    assert "hunter2" not in str(shown_settings(load_settings()))


@pytest.mark.parametrize(
    "url", ["https://u:hunter2@proxy.example", "u:hunter2@proxy.example", "socks5://hunter2", "http://"]
)
def test_a_proxy_that_is_no_http_url_is_refused_without_showing_it(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("POSEGEN_FETCH_PROXY", url)

    with pytest.raises(SettingsInvalid, match=r"POSEGEN_FETCH_PROXY = .*http://host:port") as invalid:
        load_settings()
    assert "hunter2" not in str(invalid.value)


# --- folders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("here", "{folder}/here"),
        ("./here/", "{folder}/here"),
        ("{folder}/there/", "{folder}/there"),
        ("~/home", "{folder}/home"),
        ('it\'s "strange" Größe 名前', '{folder}/it\'s "strange" Größe 名前'),
    ],
)
@pytest.mark.parametrize("variable", ["POSEGEN_HOME", "STORAGE_LOCAL_PATH", "POSEGEN_PLATFORMS_FILE"])
def test_a_folder_may_be_written_in_any_way(
    written: str, means: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, written.format(folder=tmp_path))

    assert getattr(load_settings(), variable.lower()) == Path(means.format(folder=tmp_path))


def test_a_folder_with_a_line_break_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("POSEGEN_HOME", "/srv/line\nbreak")

    with pytest.raises(SettingsInvalid, match="holds a line break"):
        load_settings()


def test_a_relative_folder_below_one_that_was_removed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setenv("POSEGEN_HOME", "here")

    with pytest.raises(SettingsInvalid, match="the current folder was removed"):
        load_settings()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes a user who has no name")
def test_a_user_without_a_home_is_told_to_write_the_path_out():
    script = "import os; os.setuid(54321)\nfrom posegen.settings import load_settings\nload_settings()"
    # What is imported lies where that user may not read: it is loaded first.
    done = subprocess.run(
        [sys.executable, "-c", f"import posegen.settings, posegen.errors\n{script}"],
        env={"PYTHONPATH": str(PROJECT_ROOT), "POSEGEN_HOME": "~/home"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "POSEGEN_HOME = '~/home': begins with ~, and this user has no home folder" in done.stderr
