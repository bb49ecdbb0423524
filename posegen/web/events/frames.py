"""Frames: what a stream tells its client, as server-sent event and as WebSocket message, encoded once for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

import structlog

from posegen.database.failures import may_pass
from posegen.generations.reading.following import FollowedEvent

COMMENT = b":\n\n"
"""For a connection on which nothing happens, so that proxies leave it open and a lost client is noticed."""


@dataclass(frozen=True)
class PoseUrls:
    """Where a completed pose is shown, signed where its store is private; None for images that are deleted."""

    image_url: str | None
    thumbnail_url: str | None
    urls_expire_at: datetime | None = None


UrlsOf = Callable[[Collection[UUID]], Mapping[UUID, PoseUrls]]
"""From ids of poses to their URLs, without those that it does not find. Called in a thread, once for each reading."""


@dataclass(frozen=True)
class Frame:
    """One message to a client.

    Attributes:
        event: its kind: that of an event, or `state`, `reset`, `lagging`, `end`, `error`; empty for a new id alone.
        data: a JSON document in one line.
        id: what the client resumes from after this frame; empty when it stays as it is.
        generation_id: which generation it is about; None for many.
        sequence: of an event.
        is_end: whether the generation has ended with it.
    """

    event: str
    data: bytes = b"{}"
    id: str = ""
    generation_id: UUID | None = None
    sequence: int = 0
    is_end: bool = False

    @cached_property
    def sse(self) -> bytes:
        """As server-sent event. One without data moves the id of an `EventSource` and calls no listener."""
        place = f"id: {self.id}\n" if self.id else ""
        if not self.event:
            return f"{place}\n".encode()
        return f"{place}event: {self.event}\ndata: ".encode() + self.data.replace(b"\n", b" ") + b"\n\n"

    @cached_property
    def message(self) -> str:
        """As a message of a WebSocket. Only generations are followed there, so the id is a sequence."""
        about = f',"generation_id":"{self.generation_id}"' if self.generation_id else ""
        place = f',"id":{self.id}' if self.id else ""
        return f'{{"event":"{self.event}"{about}{place},"data":{self.data.decode()}}}'


def urls_in(events: Sequence[FollowedEvent], urls_of: UrlsOf) -> Mapping[UUID, PoseUrls]:
    """The URLs of the poses that were completed; without them where only these cannot be had."""
    poses = [pose for event in events if (pose := _completed_pose(event)) is not None]
    if not poses:
        return {}
    try:
        return urls_of(poses)
    except Exception as failure:
        if may_pass(failure):
            raise
        structlog.get_logger(__name__).exception("the URLs of completed poses cannot be made")
        return {}


def data_of(event: FollowedEvent, urls: Mapping[UUID, PoseUrls]) -> bytes:
    """An event as a JSON document: the columns of `events`, and of a completed pose the URLs."""
    document: dict[str, object] = {
        "generation_id": event.generation_id,
        "user_id": event.user_id,
        "sequence": event.sequence,
        "kind": event.kind,
        "detail": event.detail,
        "created_at": event.created_at.isoformat(),
    }
    if (pose := _completed_pose(event)) is not None:
        shown = urls.get(pose, PoseUrls(None, None))
        document |= {
            "image_url": shown.image_url,
            "thumbnail_url": shown.thumbnail_url,
            "urls_expire_at": shown.urls_expire_at and shown.urls_expire_at.isoformat(),
        }
    return json.dumps(document, default=str, ensure_ascii=False, separators=(",", ":")).encode()


def frame_of(event: FollowedEvent, data: bytes, *, horizon: str | None = None) -> Frame:
    """An event as a frame. `horizon`: the token that followers of many generations resume from."""
    place = str(event.sequence) if horizon is None else horizon
    return Frame(event.kind, data, place, event.generation_id, event.sequence, event.is_end)


def _completed_pose(event: FollowedEvent) -> UUID | None:
    if event.kind != "pose_completed":
        return None
    try:
        return UUID(str(event.detail.get("pose")))
    except ValueError:
        return None
