"""A step's row, run and studio, and the refusals that end a run with a sentence instead of a traceback.

Refusals are no defects: a mistake, a generation that was cancelled or belongs to another run, an open breaker.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

import dagster as dg
from structlog.contextvars import bound_contextvars

from posegen.errors import (
    BackendHeldBack,
    ClaimSuperseded,
    DesignUnknown,
    GenerationCancelled,
    GenerationUnknown,
    LeaseLost,
    PosegenError,
    PoseNumberUnknown,
    UnknownName,
)
from posegen.generations.making.work import Run
from posegen.studio import Studio
from posegen.work.tick import OPERATOR
from resources.studio import StudioResource
from sensors.targets import DISPATCH_TAG

_REFUSALS = (
    GenerationUnknown,
    DesignUnknown,
    ClaimSuperseded,
    UnknownName,
    PoseNumberUnknown,
    LeaseLost,
    BackendHeldBack,
)


@contextmanager
def refusals_in_words(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Iterator[None]:
    """End the step with the sentence of a refusal, and never try it again: the same start would be refused again.

    The run of a generation that was cancelled ends as cancelled, too, and not as a failure that an operator has to look
    at; nor as a success, for its pictures were not made.
    """
    try:
        yield
    except GenerationCancelled as cancelled:
        context.instance.report_run_canceling(context.run, str(cancelled))
        raise dg.Failure(str(cancelled), allow_retries=False) from None
    except _REFUSALS as refused:
        raise dg.Failure(str(refused), allow_retries=False) from None


@contextmanager
def opened(context: dg.AssetExecutionContext, studio: StudioResource, noun: str) -> Iterator[Studio]:
    """The studio of a step of one row's run, with refusals in words and the row in every log line.

    Args:
        context: of the step.
        studio: the resource.
        noun: what the row is called in the log.
    """
    with (
        refusals_in_words(context),
        studio.open() as of_step,
        bound_contextvars(**{noun: context.partition_key, "run": context.run.run_id}),
    ):
        yield of_step


def run_of(context: dg.AssetExecutionContext) -> Run:
    """The run of this step, as the work on a generation needs it."""
    dispatch = context.run.tags.get(DISPATCH_TAG)
    return Run(context.run.run_id, None if dispatch is None else int(dispatch), partial(_who_cancelled, context))


def _who_cancelled(context: dg.AssetExecutionContext) -> str | None:
    """The operator when this run is being cancelled; None when its process is merely asked to stop."""
    run = context.instance.get_run_by_id(context.run.run_id)
    cancelled = run is not None and run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
    return OPERATOR if cancelled else None


def row_of(partition: str, unknown: Callable[[str], PosegenError]) -> UUID:
    """The id of the row that a partition stands for. Raises `unknown(partition)` when its key can be no row's."""
    try:
        row_id = UUID(partition)
    except ValueError:
        raise unknown(partition) from None
    # One row, one partition: another spelling would have manifests and a history of its own.
    if str(row_id) != partition:
        raise unknown(partition)
    return row_id
