"""The jobs that sensors and operators start, by the names in `sensors.targets`."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from posegen_assets.ownership import DESIGN_PREVIEWS, VARIANTS
from resources.run_coordinator import OWN_SLOT, SLOT_TAG
from resources.traces import KEPT_TAG
from sensors.targets import GENERATE_JOB, RENDER_DESIGNS_JOB, VARIANTS_JOB

# Posegen counts attempts itself; a second counter in Dagster would charge for the same error twice.
_NO_RETRIES = {"dagster/max_retries": "0", "dagster/retry_on_asset_or_op_failure": "false"}
# The slot of every run that works on this machine; the sensor gives runs of hosted backends another.
_OURS = {**_NO_RETRIES, SLOT_TAG: OWN_SLOT}
# Upkeep goes before the row of generations that wait for a slot.
_UPKEEP = {**_OURS, "dagster/priority": "10"}
# What a report has written stays to be seen in Dagster.
_KEPT = {**_UPKEEP, KEPT_TAG: "yes"}


def _upkeep(name: str, asset: str, description: str) -> UnresolvedAssetJobDefinition:
    """The job of an asset of upkeep, without its checks."""
    selection = dg.AssetSelection.assets(asset).without_checks()
    return dg.define_asset_job(name, selection=selection, description=description, tags=_UPKEEP)


generate = dg.define_asset_job(
    GENERATE_JOB,
    selection=dg.AssetSelection.groups("pose_images"),
    description="One generation: its poses with their thumbnails, then its exports.",
    tags=_OURS,
)
make_variants = dg.define_asset_job(
    VARIANTS_JOB,
    selection=dg.AssetSelection.groups(VARIANTS),
    description="The variants that one claim of image requests asks for.",
    tags=_OURS,
)
render_designs = dg.define_asset_job(
    RENDER_DESIGNS_JOB,
    selection=dg.AssetSelection.groups(DESIGN_PREVIEWS),
    description="One design: its preview, thumbnail and print.",
    tags=_OURS,
)
recover_lost_work = _upkeep(
    "recover_lost_work", "recovery", "What lost its worker, gets nowhere or takes too long is put back or ended."
)
settle_calls = _upkeep(
    "settle_calls", "settled_calls", "Calls of hosted backends that no worker holds are collected, or cancelled there."
)
verify_everything = dg.define_asset_job(
    "verify_everything",
    selection=dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("recovery"), "invariants_hold")),
    description="Every invariant as a query, and the stores beside their rows: `posegen verify`.",
    tags=_UPKEEP,
)
reconcile_storage = _upkeep(
    "reconcile_storage",
    "reconciled_storage",
    "The stores beside their rows: `posegen storage reconcile --repair`, or a report with dry_run.",
)
watch_health = dg.define_asset_job(
    "watch_health",
    selection=dg.AssetSelection.assets("health"),
    description="Errors, queue, backends and space beside their thresholds.",
    tags=_UPKEEP,
)
report_day, report_week, report_month = (
    dg.define_asset_job(
        f"report_{period}",
        selection=dg.AssetSelection.assets(asset),
        description=f"The usage report of a {period}, in UTC.",
        tags=_KEPT,
    )
    for period, asset in (("day", "usage_daily"), ("week", "usage_weekly"), ("month", "usage_monthly"))
)
clean_up_images = _upkeep(
    "clean_up_images", "cleaned_images", "Unused images are hidden, and deleted after the grace period."
)
retire_work = _upkeep(
    "retire_work", "retired_work", "Work that ended a week ago loses its events, partitions and runs."
)
recount_space = _upkeep("recount_space", "recounted_space", "Used and reserved space of every account, counted anew.")

JOBS = [
    generate,
    make_variants,
    render_designs,
    recover_lost_work,
    settle_calls,
    verify_everything,
    reconcile_storage,
    clean_up_images,
    retire_work,
    recount_space,
    watch_health,
    report_day,
    report_week,
    report_month,
]
