"""What is in the code location, as one line of JSON: run with warnings as errors, as a process that loads it does."""

from __future__ import annotations

import json

import dagster as dg
from dagster._core.remote_representation.external_data import RepositorySnap

from posegen_assets.definitions import defs


def main() -> None:
    """Load everything that can be loaded, and print the facts."""
    dg.Definitions.validate_loadable(defs)
    repository = defs.get_repository_def()
    graph = repository.asset_graph
    facts = {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "kinds": sorted(graph.get(key).kinds),
                "owners": list(graph.get(key).owners),
                "code_version": graph.get(key).code_version,
                "description": graph.get(key).description,
                "partitioned": graph.get(key).is_partitioned,
                "parents": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            }
            for key in graph.get_all_asset_keys()
        },
        "checks": {
            key.name: {"asset": key.asset_key.to_user_string(), "description": graph.get(key).description}
            for key in graph.asset_check_keys
        },
        "blocking": sorted(key.name for key in graph.asset_check_keys if graph.get(key).blocking),
        "jobs": {job.name: [job.description, job.executor_def.name] for job in repository.get_all_jobs()},
        "sensors": {
            sensor.name: {
                "targets": [target.job_name for target in sensor.targets],
                "description": sensor.description,
                "runs": sensor.default_status.value,
            }
            for sensor in repository.sensor_defs
        },
        "serialized": dg.serialize_value(RepositorySnap.from_def(repository)),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
