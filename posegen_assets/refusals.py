"""A step's generation and run, and the refusals that end a run with a sentence instead of a traceback.

Refusals are no defects: a mistake, a generation that was cancelled or belongs to another run, an open breaker.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

import dagster as dg

from posegen.errors import (
    BackendHeldBack,
    ClaimSuperseded,
    DesignUnknown,
    GenerationCancelled,
    GenerationUnknown,
    LeaseLost,
    PoseNumberUnknown,
    UnknownName,
)
from posegen.generations.making.work import Run
from posegen.work.tick import OPERATOR
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


def run_of(context: dg.AssetExecutionContext) -> Run:
    """The run of this step, as the work on a generation needs it."""
    dispatch = context.run.tags.get(DISPATCH_TAG)
    return Run(context.run.run_id, None if dispatch is None else int(dispatch), partial(_who_cancelled, context))


def _who_cancelled(context: dg.AssetExecutionContext) -> str | None:
    """The operator when this run is being cancelled; None when its process is merely asked to stop."""
    run = context.instance.get_run_by_id(context.run.run_id)
    cancelled = run is not None and run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
    return OPERATOR if cancelled else None


def generation_of(partition: str | None) -> UUID:
    """The generation that a partition stands for. Raises `GenerationUnknown` when its key can be no generation's."""
    try:
        generation_id = UUID(partition or "")
    except ValueError:
        raise GenerationUnknown(partition or "without a partition") from None
    # One generation, one partition: another spelling would have manifests and a history of its own.
    if str(generation_id) != partition:
        raise GenerationUnknown(partition)
    return generation_id
