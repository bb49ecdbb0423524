"""What an operator may get wrong in the Dagster UI, answered with a sentence instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import dagster as dg

from posegen.errors import ClaimSuperseded, GenerationUnknown, UnknownName


@contextmanager
def refusals_in_words() -> Iterator[None]:
    """End the step with the sentence of a refusal, and never try it again: the same start would be refused again."""
    try:
        yield
    except (GenerationUnknown, ClaimSuperseded, UnknownName) as refused:
        raise dg.Failure(str(refused), allow_retries=False) from None


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
