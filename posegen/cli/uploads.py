"""`posegen upload`: a picture of a client's own goes into the store, looked at before it counts."""

from __future__ import annotations

import mimetypes
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from posegen.cli import console
from posegen.cli.actors import ACTOR, local_actor
from posegen.cli.commands import AS_JSON, Commands
from posegen.cli.failures import told_on_failure
from posegen.cli.session import Session, open_session
from posegen.errors import UploadRefused
from posegen.images.decoding.pool import DecoderPool
from posegen.proxies import open_url
from posegen.running_platform import find_platform
from posegen.storage.protocol import LONGEST_SIGNED_SECONDS, SIGNED_SECONDS
from posegen.uploads import service
from posegen.uploads.service import KeptUpload

app = Commands(help="Pictures of clients' own: a signed PUT, then a check.", no_args_is_help=True)
_USER = Annotated[UUID, typer.Option(help="Whose picture it is, and whose space it takes.")]


@app.command()
def begin(
    user: _USER,
    size: Annotated[int, typer.Option(help="Bytes, 10 MiB at most.")],
    content_type: Annotated[str, typer.Option("--type", help="image/png, image/jpeg or image/webp.")],
    seconds: Annotated[
        int, typer.Option(help="How long the client has.", min=1, max=LONGEST_SIGNED_SECONDS)
    ] = SIGNED_SECONDS,
    _as_json: AS_JSON = False,  # it prints JSON in any case, and takes the option as every other command does
) -> None:
    """Allow a client one upload.

    Prints the URL to PUT to and the headers to send, as JSON. `posegen upload complete UPLOAD` then looks at what came.

    Example: `posegen upload begin --user USER --type image/png --size 48213`
    """
    with told_on_failure() as progress:
        with open_session() as session:
            permission = service.begin(session.studio(), user, content_type=content_type, size=size, seconds=seconds)
        progress.sentence = f"Upload {permission.upload} was begun; it ends by itself when nothing is put."
        console.print_json(
            {"upload": permission.upload, "url": permission.put.url, "headers": dict(permission.put.headers)}
        )


@app.command()
def complete(
    upload: Annotated[UUID, typer.Argument(help="The upload that was begun.")], as_json: AS_JSON = False
) -> None:
    """Look at what a client has put, and keep it or delete it.

    A picture is kept; of anything else it says why not. Asked again, it prints the same.

    Example: `posegen upload complete UPLOAD`
    """
    with open_session() as session, DecoderPool() as decoders:
        kept = service.complete(session.studio(), upload, decoders.decode)
    _say(kept, as_json=as_json)


@app.command()
def file(
    path: Annotated[Path, typer.Argument(help="A PNG, JPEG or WebP of 10 MiB at most.", exists=True, dir_okay=False)],
    user: _USER,
    as_json: AS_JSON = False,
) -> None:
    """Upload a file as a client would: begin, PUT over HTTP, complete.

    Example: `posegen upload file avatar.png --user USER`
    """
    data = path.read_bytes()
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    with told_on_failure() as progress, open_session() as session, DecoderPool() as decoders:
        studio = session.studio()
        permission = service.begin(studio, user, content_type=content_type, size=len(data))
        progress.sentence = (
            f"Upload {permission.upload} was begun; `posegen upload complete {permission.upload}` ends it."
        )
        _put(_reachable(session, permission.put.url), data, dict(permission.put.headers))
        _say(service.complete(studio, permission.upload, decoders.decode), as_json=as_json)


@app.command()
def delete(
    upload: Annotated[UUID, typer.Argument(help="The upload, completed or pending.")],
    actor: ACTOR = None,
    as_json: AS_JSON = False,
) -> None:
    """Delete an upload, and the variants made of it, for good.

    Exit code 1 when there is no such upload.

    Example: `posegen upload delete UPLOAD`
    """
    with open_session() as session:
        service.delete(session.database, upload, actor=actor or local_actor("upload delete"))
        session.delete_due()
    if as_json:
        console.print_json({"upload": upload, "deleted": True})
    else:
        console.say(f"Upload {upload} is deleted, and what was made of it.")


def _put(url: str, data: bytes, headers: dict[str, str]) -> None:
    try:
        with open_url(urllib.request.Request(url, data, headers, method="PUT"), seconds=60):
            pass
    except urllib.error.HTTPError as refused:
        raise UploadRefused(f"The store refused the upload: {refused.code} {refused.reason}.") from None
    except urllib.error.URLError as unreachable:
        raise UploadRefused(f"The store cannot be reached: {unreachable.reason}.") from None


def _reachable(session: Session, url: str) -> str:
    """The local store's URLs are paths on the server that `posegen up` runs."""
    if not url.startswith("/"):
        return url
    platform = find_platform(session.settings.posegen_home)
    if platform is None:
        raise UploadRefused("The local store takes uploads while `posegen up` runs: start it first.")
    return platform.url + url


def _say(kept: KeptUpload, *, as_json: bool) -> None:
    if as_json:
        document = {"upload": kept.id, "user": kept.user_id, "status": kept.status}
        console.print_json({**document, "store": kept.store, "key": kept.key, "size": kept.size})
    else:
        console.say(f"Kept as {kept.store}:{kept.key}, {kept.size:,} bytes.")
