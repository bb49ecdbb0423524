"""Keys: what an object is called, which names every store can take, and what follows from a name.

A key alone decides content type, caching and whether the public may read it, so that no store has to remember more
than bytes. Keys are composed here and nowhere else; no text of a user is ever part of one.
"""

from __future__ import annotations

import re
from uuid import UUID

from posegen.errors import InvalidKey

MAX_KEY_LENGTH = 1024
MAX_SEGMENT_LENGTH = 255
MAX_SEGMENTS = 16

PUBLIC_FOLDERS = frozenset({"poses", "originals", "thumbnails", "exports", "variants", "controlnet", "designs"})
"""First parts of the keys that a web page may show to anybody who has the URL."""

PRIVATE_PICTURES = "private"
"""First part of the keys of pictures whose request is private; the rest is the key that they would have otherwise."""
PRIVATE_FOLDERS = frozenset({"prints", "uploads", "controls", PRIVATE_PICTURES})
"""First parts of the keys of objects that only a signed URL shows."""

STORE_MARKER_KEY = "posegen-store.json"
"""The object that says which database a store belongs to."""
UNREGISTERED_FOLDERS = frozenset({"manifests", "reports", "health", "compute-logs"})
"""First parts of the keys that no row stands for: what is replaced, what is there for a moment, and what Dagster keeps
of the output of runs (`deploy/dagster.yaml`)."""

CONTENT_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".json": "application/json",
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".zip": "application/zip",
    ".pdf": "application/pdf",
    ".bin": "application/octet-stream",
}
UNKNOWN_CONTENT_TYPE = "application/octet-stream"

IMMUTABLE = "public, max-age=31536000, immutable"
IMMUTABLE_PRIVATE = "private, max-age=31536000, immutable"
REVALIDATED = "public, no-cache"
PRIVATE = "private, no-cache"

# Lower case only: two keys that differ in case are one file on macOS and Windows.
_SEGMENT = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?", re.ASCII)
# Devices on Windows, whatever the suffix: a copy of the tree could not be opened there.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"com{n}" for n in range(10)} | {f"lpt{n}" for n in range(10)},
)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CONTENT_HASH = re.compile(r".+-(?P<hash>[0-9a-f]{12})\.[a-z0-9]+", re.ASCII)
_PENDING_UPLOAD = re.compile(r"uploads/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[a-z0-9]+", re.ASCII)
# Its last group looks like a content hash, but names no content.
_UUID_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[a-z0-9]+", re.ASCII)


def pose_key(generation_id: UUID | str, pose_id: UUID | str, sha256: str, *, private: bool = False) -> str:
    """The picture of a pose. `sha256`: 64 hex digits, of the bytes that will lie there."""
    return _picture_key(private, "poses", str(generation_id), f"{pose_id}-{_short(sha256)}.png")


def original_key(
    generation_id: UUID | str, call_id: UUID | str, sha256: str, *, content_type: str, private: bool = False
) -> str:
    """The file that a hosted backend delivered for a call, as it came.

    Raises `InvalidKey` for a content type that is not in `CONTENT_TYPES`.
    """
    name = f"file-{_short(sha256)}{_suffix(content_type)}"
    return _picture_key(private, "originals", str(generation_id), str(call_id), name)


def originals_prefix(generation_id: UUID | str, call_id: UUID | str, *, private: bool = False) -> str:
    """Where the file that was delivered for a call lies, also when its row does not say so yet."""
    return f"{_picture_key(private, 'originals', str(generation_id), str(call_id))}/"


def thumbnail_key(
    generation_id: UUID | str,
    pose_id: UUID | str,
    sha256: str,
    *,
    content_type: str = "image/webp",
    private: bool = False,
) -> str:
    """A thumbnail of a pose."""
    return _picture_key(private, "thumbnails", str(generation_id), f"{pose_id}-{_short(sha256)}{_suffix(content_type)}")


def contact_sheet_key(generation_id: UUID | str, sha256: str, *, private: bool = False) -> str:
    """The contact sheet of a generation, beside its thumbnails."""
    return _picture_key(private, "thumbnails", str(generation_id), f"sheet-{_short(sha256)}.jpg")


def export_key(
    generation_id: UUID | str, pose_id: UUID | str, sha256: str, *, content_type: str, private: bool = False
) -> str:
    """One platform's version of a pose. Platforms with equal bytes share the object: the platform is not in the key.

    Raises `InvalidKey` for a content type that is not in `CONTENT_TYPES`.
    """
    return _picture_key(private, "exports", str(generation_id), f"{pose_id}-{_short(sha256)}{_suffix(content_type)}")


def variant_key(
    tool: str,
    user_id: UUID | str,
    request_id: UUID | str,
    sha256: str,
    *,
    content_type: str,
    private: bool = False,
) -> str:
    """A variant of a stored picture. `tool`: what asked for it, a name of letters, digits, `-` and `_`."""
    name = f"{request_id}-{_short(sha256)}{_suffix(content_type)}"
    return _picture_key(private, "variants", tool, str(user_id), name)


def control_map_key(pose_slug: str, kind: str, width: int, height: int, sha256: str) -> str:
    """A control map of a library pose. `width`, `height`: pixels; `kind`: such as `openpose` or `depth`."""
    return _key("controlnet", pose_slug, f"{kind}-{width}x{height}-{_short(sha256)}.png")


def control_image_key(user_id: UUID | str, sha256: str) -> str:
    """The map that was made of a control image, once for each file of a user."""
    return _key("controls", str(user_id), f"map-{_short(sha256)}.png")


def library_preview_key(pose_slug: str, side: int, sha256: str) -> str:
    """The picture that shows a library pose in lists. `side`: pixels."""
    return _key("controlnet", pose_slug, f"preview-{side}x{side}-{_short(sha256)}.webp")


def library_sheet_key(sha256: str) -> str:
    """The contact sheet of the pose library's control maps."""
    return _key("controlnet", f"library-{_short(sha256)}.jpg")


def manifest_key(asset: str, partition: str | None) -> str:
    """What one asset wrote for one partition, or (None) for an asset without partitions. The only replaceable keys."""
    if partition is None:
        return _key("manifests", f"{asset}.json")
    return _key("manifests", asset, f"{partition}.json")


def design_key(folder: UUID | str, kind: str, sha256: str) -> str:
    """A picture of a design. `kind`: `preview` or `thumbnail`."""
    return _key("designs", str(folder), f"{kind}-{_short(sha256)}.png")


def print_key(folder: UUID | str, sha256: str) -> str:
    """The print of a design. Not in a public folder: it has no watermark, and is what a customer pays for."""
    return _key("prints", str(folder), f"print-{_short(sha256)}.pdf")


def upload_key(upload_id: UUID | str, content_type: str) -> str:
    """Where a client puts a picture of its own. Its hash is unknown before it is there, so the key has none."""
    return _key("uploads", f"{upload_id}{_suffix(content_type)}")


def report_key(report: str, period: str, name: str, content_type: str) -> str:
    """A file of a report. `period`: the first day of it, such as 2026-11-21. Replaceable, like manifests."""
    return _key("reports", report, period, f"{name}{_suffix(content_type)}")


def uploaded_key(upload_id: UUID | str, sha256: str, content_type: str) -> str:
    """What is kept of an upload once it was looked at: the picture, written anew."""
    return _key("uploads", f"{upload_id}-{_short(sha256)}{_suffix(content_type)}")


def health_key(name: str) -> str:
    """Where a health check writes for a moment."""
    return _key("health", f"{name}.txt")


def validate_key(key: str, *, store: str = "keys") -> str:
    """The key itself, once it is known that every store can take it and that none can be left through it.

    One to 16 parts between slashes; a part is made of `a-z 0-9 _ - .`, neither begins nor ends with a dot, has no
    two dots in a row, is at most 255 long and is no device name. `store`: named in the error.

    Raises `InvalidKey`, which holds the key escaped and cut, so that it can be logged as it is.
    """
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise _invalid(key, f"A key has 1 to {MAX_KEY_LENGTH} characters, not {len(key)}", store)
    segments = key.split("/")
    if len(segments) > MAX_SEGMENTS:
        raise _invalid(key, f"A key has at most {MAX_SEGMENTS} parts, not {len(segments)}", store)
    for segment in segments:
        if not is_segment(segment):
            raise _invalid(
                key,
                f"{_shown(segment)!r} cannot be part of a key: use a-z, 0-9, '_', '-' and single dots inside, "
                f"at most {MAX_SEGMENT_LENGTH} characters, and no device name such as 'nul'",
                store,
            )
    return key


def is_key(text: str) -> bool:
    """Whether `validate_key` would let it pass."""
    try:
        validate_key(text)
    except InvalidKey:
        return False
    return True


def validate_prefix(prefix: str, *, store: str = "keys") -> str:
    """The prefix itself: empty (everything), or whole parts of a key with a slash at the end.

    Half a part is refused: `poses/1` would also mean `poses/10/`, and stores do not agree on it.
    Raises `InvalidKey`.
    """
    if not prefix:
        return prefix
    if not prefix.endswith("/"):
        raise _invalid(prefix, "A prefix is empty or ends with a slash", store)
    validate_key(prefix[:-1], store=store)
    return prefix


def is_segment(name: str) -> bool:
    """Whether the name can stand between two slashes of a key."""
    return (
        len(name) <= MAX_SEGMENT_LENGTH
        and _SEGMENT.fullmatch(name) is not None
        and ".." not in name
        and name.partition(".")[0] not in _DEVICES
    )


def is_public(key: str) -> bool:
    """Whether anybody may read the object: pictures, yes; manifests and uploads, no."""
    folder, slash, _ = key.partition("/")
    return bool(slash) and folder in PUBLIC_FOLDERS


def is_private_picture(key: str) -> bool:
    """Whether the object is, or was made of, a picture whose request is private."""
    return key.startswith(f"{PRIVATE_PICTURES}/")


def is_registered(key: str) -> bool:
    """Whether an object under this key should have a row in the table `objects`."""
    return key != STORE_MARKER_KEY and key.partition("/")[0] not in UNREGISTERED_FOLDERS


def is_composed(key: str) -> bool:
    """Whether the key has a form that this module composes for objects: what has another was put there by others."""
    folder = key.partition("/")[0]
    if folder not in PUBLIC_FOLDERS | PRIVATE_FOLDERS:
        return False
    return content_hash_of(key) is not None or _PENDING_UPLOAD.fullmatch(key) is not None


def content_type_of(key: str) -> str:
    """The content type that the key's suffix stands for."""
    return CONTENT_TYPES.get(_suffix_of(key), UNKNOWN_CONTENT_TYPE)


def content_hash_of(key: str) -> str | None:
    """The first 12 hex digits of the content's SHA-256, where the key ends in them.

    >>> content_hash_of("poses/g1/p1-0123456789ab.png")
    '0123456789ab'
    """
    name = key.rpartition("/")[2]
    found = _CONTENT_HASH.fullmatch(name)
    if found is None or _UUID_NAME.fullmatch(name):
        return None
    return found["hash"]


def cache_control_of(key: str, *, public_store: bool = True) -> str:
    """How long a browser or CDN may keep the object: for good where the key names the content.

    `public_store`: whether anybody may read from the store at all; otherwise nothing between it and the browser may
    keep anything.
    """
    if is_private_picture(key) and content_hash_of(key) is not None:
        return IMMUTABLE_PRIVATE  # a signed URL stays the same for an hour
    if not is_public(key):
        return PRIVATE
    if content_hash_of(key) is None:
        return REVALIDATED if public_store else PRIVATE
    return IMMUTABLE if public_store else IMMUTABLE_PRIVATE


def _picture_key(private: bool, *segments: str) -> str:
    return _key(PRIVATE_PICTURES, *segments) if private else _key(*segments)


def _key(*segments: str) -> str:
    for segment in segments:
        if "/" in segment:
            raise _invalid("/".join(segments), f"{_shown(segment)!r} cannot be part of a key: it has a slash", "keys")
    return validate_key("/".join(segments))


def _short(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise _invalid(sha256, "A key ends in a SHA-256 of 64 hex digits (0-9, a-f); this is none", "keys")
    return sha256[:12]


def _suffix(content_type: str) -> str:
    for suffix, known in CONTENT_TYPES.items():
        if known == content_type:
            return suffix
    raise _invalid(
        content_type, f"No suffix stands for this content type; known: {', '.join(CONTENT_TYPES.values())}", "keys"
    )


def _suffix_of(key: str) -> str:
    name = key.rpartition("/")[2]
    _, dot, suffix = name.rpartition(".")
    return dot + suffix


def _invalid(key: str, problem: str, store: str) -> InvalidKey:
    return InvalidKey(f"{problem}.", store=store, key=_shown(key))


def _shown(text: str) -> str:
    escaped = ascii(text)[1:-1]
    return escaped if len(escaped) <= 200 else f"{escaped[:200]}…"
