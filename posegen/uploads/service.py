"""Uploads by clients, for every door: a signed PUT is begun, completed once the bytes are there, and deleted.

Uploaded bytes are untrusted and never become an object: they are validated, decoded in the decoder process and encoded
again, or deleted. The statements on the table of uploads live in `rows`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import UUID, uuid4

from PIL import Image

from posegen.accounts import credits
from posegen.database.connection import Database
from posegen.database.keyset import Place
from posegen.errors import ImageInvalid, ObjectMissing, RequestRefused, UnknownName, UploadRefused, UploadUnknown
from posegen.images.pixels import Decode, Pixels
from posegen.images.png import encode_png
from posegen.images.validation import FROM_OUTSIDE
from posegen.storage.keys import upload_key, uploaded_key
from posegen.storage.protocol import SIGNED_SECONDS, SignedPut
from posegen.studio import Studio, register_charged
from posegen.uploads import rows
from posegen.uploads.rows import Upload

LARGEST = FROM_OUTSIDE.max_bytes
"""Bytes of an upload at most; the database has the same number."""
CONTENT_TYPES = ("image/png", "image/jpeg", "image/webp")
_QUALITY = 95


@dataclass(frozen=True)
class Permission:
    """What a client needs for its upload: where to put it, and which headers to send."""

    upload: UUID
    put: SignedPut


@dataclass(frozen=True)
class KeptUpload:
    """A completed upload. `object_id`, `store`, `key`, `size`: the object that is kept of it, and its bytes."""

    id: UUID
    user_id: UUID
    status: str
    object_id: int
    store: str
    key: str
    size: int


def begin(studio: Studio, user: UUID, *, content_type: str, size: int, seconds: int = SIGNED_SECONDS) -> Permission:
    """Allow a client one upload of exactly this content type and size.

    Args:
        studio: has the store that takes the upload.
        user: whose picture it is, and whose space it takes.
        content_type: one of `CONTENT_TYPES`.
        size: bytes.
        seconds: how long the client has.

    Raises:
        UnknownName: another content type.
        UploadRefused: the size is out of range, or there is no such user.
    """
    if content_type not in CONTENT_TYPES:
        raise UnknownName("content type of uploads", content_type, list(CONTENT_TYPES))
    if not 1 <= size <= LARGEST:
        raise UploadRefused(f"An upload has 1 to {LARGEST:,} bytes, not {size:,}: make the picture smaller.")
    upload = uuid4()
    key = upload_key(upload, content_type)
    put = studio.store.signed_put_url(key, content_type=content_type, size=size, seconds=seconds)
    with studio.database.transaction() as connection:
        if credits.balance_of(connection, user) is None:
            raise UploadRefused(f"There is no user {user}.")
        rows.begin(
            connection, upload, user, content_type=content_type, size=size, store=studio.store.name, key=key,
            seconds=seconds,
        )  # fmt: skip
    return Permission(upload, put)


def upload_of(database: Database, upload_id: UUID, *, user_id: UUID | None = None) -> Upload:
    """An upload and what became of it.

    Args:
        database: where the upload is.
        upload_id: the upload.
        user_id: whose it has to be; None for any user's.

    Raises:
        UploadUnknown: there is no such upload, or it belongs to another user.
    """
    with database.transaction() as connection:
        found = rows.find(connection, upload_id)
    if found is None or user_id not in (None, found.user_id):
        raise UploadUnknown(upload_id)
    return found


def uploads_of(
    database: Database,
    *,
    limit: int,
    after: Place | None = None,
    user_id: UUID | None = None,
    status: str | None = None,
) -> list[Upload]:
    """A page of uploads, the newest first.

    Args:
        database: where uploads are.
        limit: uploads on a page.
        after: `created_at` and id of the last upload of the page before; None for the first page.
        user_id: only those of this user.
        status: only those with this status.

    Returns:
        At most `limit + 1` uploads: the last one tells that there is another page.
    """
    with database.transaction() as connection:
        return rows.uploads_of(connection, user_id=user_id, status=status, limit=limit, after=after)


def complete(studio: Studio, upload_id: UUID, decode: Decode, *, user_id: UUID | None = None) -> KeptUpload:
    """Validate what a client has put, and keep the picture or delete it; a second call returns the same.

    Args:
        studio: has the stores.
        upload_id: the upload that was begun.
        decode: returns the pixels of the untrusted file.
        user_id: whose it has to be; None for any user's.

    Raises:
        UploadUnknown: there is no such upload, or it belongs to another user.
        UploadRefused: nothing is kept: the upload has ended, was not put yet, or is no valid picture.
    """
    upload = upload_of(studio.database, upload_id, user_id=user_id)
    if upload.status == "completed":
        return _kept(studio, upload_id)
    if upload.status != "pending":
        raise UploadRefused(f"Upload {upload_id} is {upload.status}: {upload.error_detail or 'begin another one'}.")
    store = studio.store_named(upload.store)
    try:
        # One byte more than announced tells that there is more, without reading it all.
        data = store.get_range(upload.key, 0, upload.size + 1)
    except ObjectMissing:
        raise UploadRefused(f"Nothing was put for upload {upload_id} yet: PUT it first, then complete it.") from None
    try:
        if len(data) != upload.size:
            raise ImageInvalid(f"{len(data):,} bytes or more came, {upload.size:,} were announced.")
        _keep(studio, upload, encode_upload(decode(data, PurePosixPath(upload.key).suffix), upload.content_type))
    except (ImageInvalid, RequestRefused) as refused:
        with studio.database.transaction() as connection:
            rows.reject(connection, upload_id, str(refused))
        raise UploadRefused(f"Upload {upload_id} is rejected: {refused}") from None
    finally:
        if upload_of(studio.database, upload_id).status != "pending":
            store.delete(upload.key)
    return _kept(studio, upload_id)


def delete(database: Database, upload_id: UUID, *, actor: str, user_id: UUID | None = None) -> None:
    """Delete an upload, completed or pending, and the variants made of it, for good.

    Their objects are deleted from the store by the next clean-up.

    Args:
        database: where the upload is.
        upload_id: the upload.
        actor: who asked for it, for the audit trail.
        user_id: whose it has to be; None for any user's.

    Raises:
        UploadUnknown: `user_id` is given, and this user has no such upload.
        UploadRefused: it is unknown, or has ended without a file.
    """
    if user_id is not None:
        upload_of(database, upload_id, user_id=user_id)
    with database.transaction() as connection:
        if not rows.delete(connection, upload_id, actor=actor):
            raise UploadRefused(
                f"There is no upload {upload_id} to delete: it is unknown, or has ended without a file."
            )


def _keep(studio: Studio, upload: Upload, encoded: tuple[bytes, str]) -> None:
    data, content_type = encoded
    stored = studio.put_verified(lambda sha256: uploaded_key(upload.id, sha256, content_type), data, content_type)
    with studio.database.transaction() as connection:
        object_id = register_charged(connection, studio.store.name, stored, user_id=upload.user_id)
        if not rows.complete(connection, upload.id, object_id):
            raise UploadRefused(f"Upload {upload.id} has ended meanwhile: begin another one.")


def encode_upload(pixels: Pixels, content_type: str) -> tuple[bytes, str]:
    """The file that is kept of an upload, and its content type.

    PNG stays PNG; what may have lost something before becomes a JPEG that loses no more to look at, and may be larger.
    """
    if content_type == "image/png":
        return encode_png(pixels).data, content_type
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=_QUALITY, subsampling="4:4:4")
    return written.getvalue(), "image/jpeg"


def _kept(studio: Studio, upload_id: UUID) -> KeptUpload:
    with studio.database.transaction() as connection:
        return rows.kept(connection, KeptUpload, upload_id)
