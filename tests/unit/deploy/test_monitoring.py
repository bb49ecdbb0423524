"""The dashboard and the alert rules in `deploy/` ask for metrics and labels that `/metrics` tells."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from posegen.error_codes import NOT_OURS, ErrorCode
from posegen.generations.calling.rows import CallState
from posegen.states import GenerationStatus
from posegen.storage.space import Space
from posegen.upkeep.health import HealthRule, Thresholds
from posegen.upkeep.metrics import (
    LastLook,
    Latencies,
    Numbers,
    OpenCalls,
    OpenIncidents,
    StepFailures,
    StoreTraffic,
    Tally,
    Waiting,
)
from posegen.web.metrics import exposition
from tests.documents import ROOT, page

DASHBOARD = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
RULES = yaml.safe_load((ROOT / "deploy/alert-rules.yaml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUESTIONS = [target["expr"] for panel in PANELS for target in panel["targets"]] + [rule["expr"] for rule in ALERTS]

# One of everything that can be told.
LATENCIES = Latencies("mannequin", 1, 0.1, 0.2, 0.3)
NUMBERS = Numbers(
    waiting=[Waiting("queued", 1, 2.0)],
    under_way={"running": 1},
    tallies=[
        *(Tally("finished", "completed", 1), Tally("failed", "poisoned", 1), Tally("requeued", "lost_lease", 1)),
        Tally("calls", "fal used", 1),
    ],
    open_calls=[OpenCalls("fal", "sent", 1, 1.0)],
    recoveries=LATENCIES,
    renderings=[LATENCIES],
    refusals={"sexual": 1},
    breakers={"mannequin": True},
    traffic=[StoreTraffic("local", "write", 1, 1, 1, 1.0)],
    credits_held=1,
    looks=[LastLook("verify", 1, datetime.now(UTC))],
    incidents=[OpenIncidents("queue_age", "critical", 1)],
    steps=[StepFailures("generation_requests", "intake", 1, True)],
)


def told() -> dict[str, set[str]]:
    """Every metric that can be told, with the names of its labels."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition(NUMBERS, Space(1, 2)).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_asks_for_metrics_and_labels_that_are_told(question: str) -> None:
    metrics = told()
    asked = re.findall(r"(posegen_\w+)(?:\{([^}]*)\})?", question)
    assert asked
    for name, selector in asked:
        assert name in metrics, name
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= metrics[name], selector
    for labels in re.findall(r"\bby \(([\w, ]+)\)", question):
        assert set(labels.split(", ")) <= set.intersection(*(metrics[name] for name, _ in asked)), labels
    assert question.count("(") == question.count(")")
    assert question.count("{") == question.count("}")


def test_every_metric_is_shown() -> None:
    shown = {
        name for panel in PANELS for target in panel["targets"] for name in re.findall(r"posegen_\w+", target["expr"])
    }
    assert shown == set(told())


def test_every_metric_is_on_the_page() -> None:
    documented = {
        row["metric"]: set(re.findall(r"\w+", row["labels"])) for row in page("docs/how-to/monitor.md").rows("metric")
    }
    assert documented == told()


def test_every_check_is_on_the_page() -> None:
    assert [row["check"] for row in page("docs/how-to/monitor.md").rows("check")] == list(HealthRule)


def test_values_of_labels_that_rules_ask_for_are_those_of_the_product() -> None:
    asked = {name: set() for name in ("code", "status", "reason", "look", "quantile", "state")}  # type: dict[str, set[str]]
    for rule in ALERTS:
        for label, values in re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', rule["expr"]):
            asked[label] |= set(values.split("|"))
    assert asked["code"] == set(NOT_OURS) <= set(ErrorCode)
    assert asked["status"] < set(GenerationStatus)
    assert asked["state"] <= set(CallState)
    assert asked["reason"] <= {"lost_lease", "error"}
    assert asked["look"] <= {"verify", "reconcile"}
    assert asked["quantile"] <= {"0.5", "0.95", "1"}


def test_the_rules_have_the_thresholds_of_the_checks() -> None:
    rules = {rule["alert"]: rule["expr"] for rule in ALERTS}
    usual = Thresholds()
    assert f"> {usual.queue_seconds:g}" in rules["PosegenQueueStands"]
    assert f"< {usual.disk_free_share:g}" in rules["PosegenDiskNearlyFull"]
    assert f">= {usual.fewest_ended}" in rules["PosegenGenerationsFail"]
    assert f"{usual.error_factor:g} * (" in rules["PosegenGenerationsFail"]
    assert f", {usual.error_share:g}" in " ".join(rules["PosegenGenerationsFail"].split()).replace(" ,", ",")
    alone = next(rule for rule in ALERTS if rule["alert"] == "PosegenBackendIsLeftAlone")
    assert alone["for"] == f"{usual.breaker_seconds / 60:g}m"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description"}
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}


def test_the_panels_of_the_dashboard_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
