"""Dagster's run queue with two kinds of slots: for runs that work on this machine, and for those that mostly wait.

`dagster.yaml` names the class. A tag of the run says which kind it needs; a run without the tag counts only against the
sum of both.
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster import IntSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._serdes import ConfigurableClassData

SLOT_TAG = "posegen/slot"
OWN_SLOT = "own"
WAITING_SLOT = "waiting"
_LIMITS = ("max_concurrent_runs", "tag_concurrency_limits")


class SlotRunCoordinator(QueuedRunCoordinator):
    """`QueuedRunCoordinator` whose limits by tag come from the environment; upstream takes plain numbers only."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """`own_slots` and `waiting_slots`: runs with each tag that may be under way; the rest as upstream."""
        upstream = QueuedRunCoordinator.config_type()
        assert isinstance(upstream, Mapping), "a dictionary in Dagster 1.13"
        kept = {name: each for name, each in upstream.items() if name not in _LIMITS}
        return {**kept, "own_slots": IntSource, "waiting_slots": IntSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """What Dagster calls with the resolved `config:` of `dagster.yaml`."""
        upstream = dict(config_value)
        limits = {OWN_SLOT: upstream.pop("own_slots"), WAITING_SLOT: upstream.pop("waiting_slots")}
        by_tag = [{"key": SLOT_TAG, "value": slot, "limit": limit} for slot, limit in limits.items()]
        upstream |= {"max_concurrent_runs": sum(limits.values()), "tag_concurrency_limits": by_tag}
        return super().from_config_value(inst_data, upstream)
