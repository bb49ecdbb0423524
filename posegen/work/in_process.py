"""Work that the claiming process does itself, without a run of Dagster.

The promises are those of a run: the work is done under a lease that a thread renews, the process holds a file lock,
and an interrupt puts the row back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from posegen.errors import RequestRefused
from posegen.work.queue import Claim


def do_here(claim: Callable[[], Claim | None], do: Callable[[Claim, str], object], *, program: str) -> bool:
    """Claim a row and do its work in this process. A refusal ends the row and is not raised: the row has the reason.

    Args:
        claim: claims the row, ahead of the fair order; returns None when it does not wait, or cannot be made.
        do: does the work of a claim under the given run id, as a run does.
        program: what the run id begins with. The rest is unique: a process that shared the file lock of another one
            would count as dead as soon as that one ends.

    Returns:
        Whether the row was claimed.
    """
    claimed = claim()
    if claimed is None:
        return False
    with suppress(RequestRefused):
        do(claimed, f"{program} {uuid4()}")
    return True
