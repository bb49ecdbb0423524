"""The assets as they are deployed, run in this process: real resources, database and store, the painted backend."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import dagster as dg
from dagster import AssetCheckEvaluation, DagsterEventType, ExecuteInProcessResult

from posegen.settings import Settings, load_settings
from posegen.storage.keys import manifest_key
from posegen.storage.local import LocalStore
from posegen_assets.checks import CHECKS
from posegen_assets.exports import exports
from posegen_assets.jobs import generate
from posegen_assets.pose_library import pose_library
from posegen_assets.poses import pose_images
from resources.environment import deployment_resources
from sensors.targets import DISPATCH_TAG, GENERATE_JOB, GENERATION_PARTITIONS

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def resources_of(sensor: dg.SensorDefinition, *, url: str, **changed: object) -> dict[str, Any]:
    """What a sensor asks for, by the settings of the environment, with this database and these fields changed."""
    resources = deployment_resources(load_settings().model_copy(update={"database_url": url, **changed}))
    return {name: resources[name] for name in sensor.required_resource_keys}


@dataclass(frozen=True)
class Deployment:
    """The code location with its resources, and an instance of Dagster that forgets everything."""

    settings: Settings
    instance: dg.DagsterInstance

    def with_settings(self, **changed: object) -> Deployment:
        """The same with other settings, named like the fields of `Settings`."""
        return replace(self, settings=self.settings.model_copy(update=changed))

    def put_manifest(self, generation: UUID) -> None:
        """As if the run of another day had made the poses: `exports` alone asks for what that one wrote."""
        manifest = json.dumps({"generation": str(generation)}).encode()
        store = LocalStore(self.settings.storage_path, base_url=self.settings.storage_base_url)
        store.put(manifest_key("generated_poses", str(generation)), manifest, content_type="application/json")

    def definitions(self) -> dg.Definitions:
        """What `posegen_assets.definitions` lists, with resources of this deployment."""
        return dg.Definitions(
            assets=[pose_library, pose_images, exports],
            asset_checks=CHECKS,
            jobs=[generate],
            resources=deployment_resources(self.settings),
            executor=dg.in_process_executor,
        )

    def generate(
        self,
        generation: UUID | str,
        *,
        dispatch: int | None = None,
        only: list[str] | None = None,
        exports_config: dict[str, Any] | None = None,
    ) -> Run:
        """Run the job for one partition; `dispatch` makes it the run of a claim, without it an operator started it."""
        self.instance.add_dynamic_partitions(GENERATION_PARTITIONS.name or "", [str(generation)])
        return Run(
            self.definitions()
            .resolve_job_def(GENERATE_JOB)
            .execute_in_process(
                instance=self.instance,
                partition_key=str(generation),
                tags={} if dispatch is None else {DISPATCH_TAG: str(dispatch)},
                asset_selection=None if only is None else [dg.AssetKey(name) for name in only],
                run_config={**QUIET, **({"ops": {"exports": {"config": exports_config}}} if exports_config else {})},
                raise_on_error=False,
            )
        )

    def check(self, generation: UUID | str | None) -> Run:
        """Run the checks alone, for a partition or, as the UI's button on a check does, for none."""
        only_checks = dg.AssetSelection.all_asset_checks()
        definitions = dg.Definitions.merge(
            self.definitions(), dg.Definitions(jobs=[dg.define_asset_job("look", only_checks)])
        )
        return Run(
            definitions.resolve_job_def("look").execute_in_process(
                instance=self.instance,
                tags={} if generation is None else {"dagster/partition": str(generation)},
                run_config=QUIET,
                raise_on_error=False,
            )
        )


@dataclass(frozen=True)
class Run:
    """What became of a run, in the words of the tests."""

    result: ExecuteInProcessResult

    @property
    def succeeded(self) -> bool:
        """Whether Dagster calls it a success."""
        return self.result.success

    @property
    def id(self) -> str:
        """The run's id."""
        return self.result.run_id

    def metadata(self, asset: str) -> dict[str, Any]:
        """What people see of the asset that was materialized."""
        (found,) = [
            event.step_materialization_data.materialization
            for event in self.result.all_events
            if event.is_step_materialization and event.asset_key == dg.AssetKey(asset)
        ]
        return {name: value.value for name, value in found.metadata.items()}

    @property
    def materialized(self) -> list[str]:
        """The assets that were made, in order."""
        return [
            event.asset_key.to_user_string()
            for event in self.result.all_events
            if event.is_step_materialization and event.asset_key is not None
        ]

    @property
    def checks(self) -> dict[str, AssetCheckEvaluation]:
        """The evaluated checks by name."""
        evaluations = [
            event.event_specific_data
            for event in self.result.all_events
            if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
        ]
        return {each.check_name: each for each in evaluations if isinstance(each, AssetCheckEvaluation)}

    def problems(self, check: str) -> str:
        """What a check says of the problems that it found."""
        return str(self.checks[check].metadata["problems"].value)

    @property
    def errors(self) -> list[str]:
        """Class and message of each error that ended a step, its causes after it."""
        found = []
        for event in self.result.all_events:
            if event.is_step_failure:
                error = event.step_failure_data.error
                while error is not None:
                    found.append(f"{error.cls_name}: {error.message}")
                    error = error.cause
        return found

    @property
    def refusals(self) -> list[str]:
        """The sentences of those steps that have ended with one on purpose."""
        failures = [event.step_failure_data for event in self.result.all_events if event.is_step_failure]
        return [str(each.user_failure_data.description) for each in failures if each.user_failure_data is not None]
