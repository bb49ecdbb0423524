"""Uploads by clients: one signed PUT, then a look at what came. What is kept is written anew from its pixels.

The client's bytes never become an object of ours: they are validated, decoded in the decoder process and encoded again,
or deleted.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import UUID, uuid4

from PIL import Image

from posegen.accounts import quota
from posegen.errors import ImageInvalid, ObjectMissing, RequestRefused, UnknownName, UploadRefused
from posegen.images.pixels import Pixels
from posegen.images.png import encode_png
from posegen.images.validation import FROM_OUTSIDE
from posegen.objects import rows as objects
from posegen.storage.keys import upload_key, uploaded_key
from posegen.storage.protocol import SIGNED_SECONDS, SignedPut
from posegen.studio import Studio
from posegen.uploads import rows as uploads
from posegen.uploads.rows import Upload

LARGEST = FROM_OUTSIDE.max_bytes
"""Bytes of an upload at most; the database has the same number."""
CONTENT_TYPES = ("image/png", "image/jpeg", "image/webp")
_QUALITY = 95

Decode = Callable[[bytes, str], Pixels]
"""Pixels of a file and its suffix: `DecoderPool.decode`."""


@dataclass(frozen=True)
class Permission:
    """What a client needs for its upload: where to put it, and which headers to send."""

    upload: UUID
    put: SignedPut


def begin_upload(
    studio: Studio, user: UUID, *, content_type: str, size: int, seconds: int = SIGNED_SECONDS
) -> Permission:
    """Allow a client one upload of just this content type and number of bytes.

    Raises `UnknownName` for another content type, `UploadRefused` for a size that is refused or an unknown user.
    """
    if content_type not in CONTENT_TYPES:
        raise UnknownName("content type of uploads", content_type, list(CONTENT_TYPES))
    if not 1 <= size <= LARGEST:
        raise UploadRefused(f"An upload has 1 to {LARGEST:,} bytes, not {size:,}: make the picture smaller.")
    upload = uuid4()
    key = upload_key(upload, content_type)
    put = studio.store.signed_put_url(key, content_type=content_type, size=size, seconds=seconds)
    with studio.database.transaction() as connection:
        if connection.execute("select from accounts where user_id = %s", [user]).fetchone() is None:
            raise UploadRefused(f"There is no user {user}.")
        uploads.begin(
            connection, upload, user, content_type=content_type, size=size, store=studio.store.name, key=key,
            seconds=seconds,
        )  # fmt: skip
    return Permission(upload, put)


def complete_upload(studio: Studio, upload_id: UUID, decode: Decode) -> Upload:
    """Look at what a client has put, and keep the picture or delete it; a second call returns the same.

    Raises `UploadRefused` when nothing is kept: the upload is unknown, over, not there yet, or no picture that we take.
    """
    upload = _find(studio, upload_id)
    if upload.status == "completed":
        return upload
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
            uploads.reject(connection, upload_id, str(refused))
        raise UploadRefused(f"Upload {upload_id} is rejected: {refused}") from None
    finally:
        if _find(studio, upload_id).status != "pending":
            store.delete(upload.key)
    return _find(studio, upload_id)


def _keep(studio: Studio, upload: Upload, encoded: tuple[bytes, str]) -> None:
    data, content_type = encoded
    stored = studio.put_verified(lambda sha256: uploaded_key(upload.id, sha256, content_type), data, content_type)
    with studio.database.transaction() as connection:
        object_id, is_new = objects.register(
            connection, studio.store.name, stored, generation_id=None, user_id=upload.user_id
        )
        if is_new:
            quota.use(connection, upload.user_id, stored.size)
        if not uploads.complete(connection, upload.id, object_id):
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


def _find(studio: Studio, upload_id: UUID) -> Upload:
    with studio.database.transaction() as connection:
        found = uploads.find(connection, upload_id)
    if found is None:
        raise UploadRefused(f"There is no upload {upload_id}.")
    return found
