"""`posegen cancel`: a generation that is not wanted any more."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.actors import ACTOR, local_actor
from posegen.cli.commands import AS_JSON
from posegen.cli.session import open_session
from posegen.generations import service
from posegen.generations.service import AlreadyEnded


def cancel(
    generation: Annotated[UUID, typer.Argument(help="A generation that waits or runs; `posegen status` lists them.")],
    actor: ACTOR = None,
    as_json: AS_JSON = False,
) -> None:
    """Cancel a generation that has not ended.

    Completed poses stay, and stay paid for. The credits and the space of the others are released at once, and a worker
    that is on it stops before its next pose. Exit code 1 when it has ended already.

    Example: `posegen cancel GENERATION`
    """
    with open_session() as session:
        outcome = service.cancel(session.database, generation, actor=actor or local_actor("cancel"))
    if isinstance(outcome, AlreadyEnded):
        if as_json:
            console.print_json({"generation": generation, "cancelled": False, "status": outcome.status})
        else:
            console.complain(f"Generation {generation} has ended before as {outcome.status}; nothing was changed.")
        raise typer.Exit(1)
    if as_json:
        console.print_json({"generation": generation, "cancelled": True, **_numbers(outcome)})
    else:
        console.say(
            f"Generation {generation} is cancelled. Poses that stay: {outcome.poses_kept}; credits released: "
            f"{outcome.credits_released}."
        )


def _numbers(outcome: service.Cancelled) -> dict[str, int]:
    return {"poses_kept": outcome.poses_kept, "credits_released": outcome.credits_released}
