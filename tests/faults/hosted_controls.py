"""Which scene shows that a guard of hosted calls is missing."""

from __future__ import annotations

from posegen.work.commit_points import CommitPoint
from tests.faults.hosted_breakages import OUTSIDE_THE_FENCE
from tests.faults.hosted_scenes import HostedScene

# What has not ended by then without a guard, while its worker has nothing else to do, does not end.
NEVER = 90.0
# The sender goes on while its successor still looks for the call: it alone knows the far end's id.
FORGOTTEN = HostedScene("fal", point=CommitPoint.AFTER_SUBMIT, ending="stop", forgets=True)
OVERTAKEN = HostedScene("fal", point=CommitPoint.AFTER_PLAN, ending="stop", overtaken=True)

CONTROLS = {
    "sent again after a timeout": HostedScene("fal", "lost"),
    "absence believed while the sender is only stopped": HostedScene(
        "fal", point=CommitPoint.AFTER_MARK, ending="stop"
    ),
    "gate before flag": HostedScene("fal", "flagged"),
    "id behind the fence": FORGOTTEN,
    "id stored after waiting": HostedScene("bfl", point=CommitPoint.WHILE_WAITING, ending="kill"),
    f"{OUTSIDE_THE_FENCE}, no unique index": OVERTAKEN,
    "delivered bytes not stored first": HostedScene("openai", point=CommitPoint.AFTER_DELIVERY, ending="kill"),
}
"""Each guard that is taken away, and the scene that shows it."""
