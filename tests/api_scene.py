"""One of everything that the API names by an id, of one user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from posegen.access import service as access
from posegen.access.callers import Kind
from tests.api_client import OPERATOR, Api
from tests.builders import a_design, an_image_request, finished, queued, rows


def known_ids(api: Api, owner: UUID) -> Mapping[str, Sequence[str]]:
    """Ids by the name of their parameter."""
    database, group = api.database, {"project_id": "summer", "group_name": "hats"}
    done = finished(api.installation.studio, owner, poses=["star-jump"], formats=["tiktok"], **group)
    waiting = queued(database, owner, **group)
    share = access.share(database, OPERATOR, done, lasts=timedelta(days=1), now=datetime.now(UTC))
    key = access.create_key(database, OPERATOR, kind=Kind.USER, name="k", now=datetime.now(UTC), user_id=owner)
    poses = [str(row["id"]) for row in rows(database, "select id from generated_poses order by completed_at")]
    generations, users = [str(done), str(waiting)], [str(owner)]
    upload = api.as_service().post("/v1/uploads", {"content_type": "image/png", "size": 9, "user_id": str(owner)})
    return {
        "generation_id": generations,
        "pose_id": poses,
        "poses": poses,
        "user_id": users,
        "user": users,
        "design_id": [str(a_design(database, owner))],
        "request_id": [str(an_image_request(database, owner))],
        "upload_id": [upload.json()["upload_id"]],
        "link_id": [str(share.link.id)],
        "key_id": [key.key.id],
        "secret": [share.secret],
        **{name: [text] for name, text in group.items()},
        "slug": ["star-jump"],
        "name": ["formats", "fonts", "error-codes"],
        "category": ["yoga"],
        "format": ["tiktok"],
        "source": poses,
    }
