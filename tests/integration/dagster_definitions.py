"""A code location just large enough to try Dagster's processes with."""

import time

import dagster as dg


@dg.asset
def first() -> int:
    return 1


@dg.asset
def second(first: int) -> int:
    return first + 1


@dg.asset
def third(second: int) -> int:
    return second + 1


class Rest(dg.Config):
    """How long to do nothing, in seconds."""

    seconds: float = 600


@dg.op
def rest(context: dg.OpExecutionContext, config: Rest) -> None:
    context.log.info("resting")
    try:
        time.sleep(config.seconds)
    finally:
        context.log.info("let go")


@dg.job
def resting():
    rest()


defs = dg.Definitions(
    assets=[first, second, third],
    jobs=[resting, dg.define_asset_job("counting")],
    resources={"io_manager": dg.mem_io_manager},
    executor=dg.in_process_executor,
)
