"""Scenes with a hosted backend: which worker is taken away where, what gets lost, and how each scene has to end.

How a scene is played is in `hosted_plays.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from posegen.work.commit_points import OF_HOSTED_CALLS, CommitPoint
from tests.wires.far_end import FarEnd

INSIDE = "inside submit"
"""The far end has the order, and its response is on its way. Not a commit point: no statement is reached there."""
RESPONSES = ("lost", "slow", "cut", "reset", "502")
"""What happens to the response of the first submit; after `reset` and `502` the far end does not have the order."""
_NO_RESPONSE = frozenset(RESPONSES) - {"slow"}
_OF_QUEUES = (CommitPoint.AFTER_ACCEPT, CommitPoint.WHILE_WAITING)
_BEFORE_SUBMIT = (CommitPoint.AFTER_PLAN, CommitPoint.AFTER_MARK)
# Between them, a worker that is lost takes with it what it alone has learned of the far end.
_UNRECORDED = (CommitPoint.AFTER_MARK, INSIDE, CommitPoint.AFTER_SUBMIT)
ENDINGS = ("kill", "stop")


@dataclass(frozen=True)
class SceneWire:
    """A wire as scenes see it.

    Attributes:
        far_end: starts its far end.
        backend: its name in requests.
        queued: calls are accepted first, and delivered later; otherwise the submit returns the picture.
        proves_absence: the far end's list tells whether it has an order.
        deduplicates: an order that is sent twice under one id is made once.
        billed: each picture is; otherwise a lost call is made again, once.
        more: variables beside the far end's own; `{url}` is its address.
    """

    far_end: Callable[..., FarEnd]
    backend: str
    queued: bool = False
    proves_absence: bool = False
    deduplicates: bool = False
    billed: bool = True
    more: Mapping[str, str] = field(default_factory=dict)

    def environment(self, far_end: FarEnd) -> dict[str, str]:
        """The variables that make workers use this far end."""
        more = {name: value.format(url=far_end.base_url) for name, value in self.more.items()}
        return far_end.environment() | more


WIRES: Mapping[str, SceneWire] = {
    "fal": SceneWire(FarEnd.fal, "fal", queued=True, proves_absence=True),
    "bfl": SceneWire(FarEnd.bfl, "bfl", queued=True),
    "huggingface": SceneWire(FarEnd.huggingface, "huggingface", queued=True),
    "huggingface-endpoint": SceneWire(
        FarEnd.huggingface,
        "huggingface-endpoint",
        billed=False,
        more={"HUGGINGFACE_ENDPOINT_URL": "{url}/endpoint"},
    ),
    "openai": SceneWire(FarEnd.openai, "openai"),
    "openai with idempotency": SceneWire(
        partial(FarEnd.openai, honours_idempotency=True),
        "openai",
        deduplicates=True,
        more={"OPENAI_HONOURS_IDEMPOTENCY": "true"},
    ),
}


@dataclass(frozen=True)
class HostedScene:
    """One scene, with one pose.

    Attributes:
        wire: a key of `WIRES`.
        response: the fault of the first submit; empty for none.
        point: where the first worker is taken away: a commit point or `INSIDE`; empty for nowhere.
        ending: how it is taken away, `kill` or `stop`; a stopped one goes on when its successor is done.
        forgets: the far end has no list of requests, and the stopped worker goes on while its successor still looks.
        overtaken: the stopped worker goes on while its successor waits for the far end.
    """

    wire: str
    response: str = ""
    point: str = ""
    ending: str = ""
    forgets: bool = False
    overtaken: bool = False

    def __str__(self) -> str:
        parts = (
            self.wire,
            f"{self.ending} {self.point}".strip(),
            self.response,
            "forgotten there" if self.forgets else "",
            "overtaken" if self.overtaken else "",
        )
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Ending:
    """How a scene has to end: the generation's status, its call's final state, and the code of its pose."""

    status: str
    state: str
    code: str | None = None


COMPLETED = Ending("completed", "used")
UNCERTAIN = Ending("failed", "uncertain", "backend_uncertain")
REFUSED = Ending("failed", "refused", "inappropriate_prompt")


def scenes(name: str) -> Iterator[HostedScene]:
    """Every scene of a wire that can come to pass."""
    yield from (HostedScene(name, response) for response in ("", *RESPONSES))
    for ending in ENDINGS:
        yield HostedScene(name, point=INSIDE, ending=ending)
        for point in OF_HOSTED_CALLS:
            for response in ("", *RESPONSES):
                scene = HostedScene(name, response, point, ending)
                if _comes_to_pass(scene):
                    yield scene


def _comes_to_pass(scene: HostedScene) -> bool:
    """Whether the first worker reaches its point, and the fault meets a submit."""
    wire = WIRES[scene.wire]
    if scene.point in _OF_QUEUES and not wire.queued:
        return False
    if scene.point == CommitPoint.AFTER_MARK and scene.response:
        return not wire.billed or (_is_told_apart(wire) and scene.ending == "kill")
    if scene.response not in _NO_RESPONSE or scene.point in _BEFORE_SUBMIT:
        return True
    if scene.response in ("lost", "cut") and wire.proves_absence:
        # Found in the list: there is no other submit.
        return scene.point not in (CommitPoint.AFTER_SUBMIT, CommitPoint.AFTER_ACCEPT)
    return _is_told_apart(wire) or not wire.billed


def how_it_ends(scene: HostedScene) -> Ending:
    """How a scene has to end when nothing is paid for twice and nothing is given up without need."""
    wire = WIRES[scene.wire]
    if scene.response == "flagged":
        return REFUSED
    at = scene.point
    unrecorded = at in _UNRECORDED or (at == CommitPoint.BEFORE_STORE and not wire.queued)
    if not wire.billed:
        # Made again once: uncertain calls count against POSEGEN_PAID_RETRIES, which is 1.
        return UNCERTAIN if unrecorded and scene.response in _NO_RESPONSE else COMPLETED
    if wire.deduplicates:
        return COMPLETED
    if wire.proves_absence:
        # Its successor cannot tell whether it still sends; what has arrived is found.
        return UNCERTAIN if at == CommitPoint.AFTER_MARK and scene.ending == "stop" else COMPLETED
    return UNCERTAIN if unrecorded or scene.response in _NO_RESPONSE else COMPLETED


def _is_told_apart(wire: SceneWire) -> bool:
    """Whether a lost order can be sent again."""
    return wire.proves_absence or wire.deduplicates
