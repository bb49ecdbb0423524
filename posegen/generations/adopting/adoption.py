"""Adopting an upload tree of another system: `poses/{generation}/{pose}.png` with `{pose}_thumb.png` beside it.

Every folder becomes a generation that has ended and cost nothing. Done again, it goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

from posegen.database.texts import storable
from posegen.errors import ImageInvalid, InvalidKey, ObjectExists, RequestRefused
from posegen.generations.adopting import rows as adoption
from posegen.generations.adopting.rows import AdoptedPose
from posegen.images.pixels import Decode, EncodedImage
from posegen.images.thumbnails import encode_thumbnail
from posegen.settings import Settings
from posegen.storage.hashing import fingerprint
from posegen.storage.keys import pose_key, thumbnail_key, validate_key
from posegen.storage.protocol import ObjectInfo
from posegen.studio import Studio

MOST_POSES = 50
_THUMBNAIL = "_thumb.png"
# Ids that are no UUID become one, the same in every pass.
_NAMES = UUID("6f1d3a52-8a0b-4f57-9c3e-0d2b7a4c5e11")
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()

"""Pixels of a file and its suffix: `DecoderPool.decode`."""


@dataclass
class Adopted:
    """What a pass has done, or would do. `known`: generations that were there already.

    `files_kept`: files that stay when their pose is deleted; `older`: poses whose file is older than `old_since`;
    `problems`: a sentence for each file that cannot be taken in.
    """

    generations: int = 0
    poses: int = 0
    bytes: int = 0
    known: int = 0
    files_kept: int = 0
    older: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Adoption:
    """How a tree is taken in.

    `in_place`: `root` is the folder of the current store, so that its files become objects where they are; otherwise
    they are copied. `expires`: unused pictures go as those go that Posegen has made; `delete_files`: files that were
    taken in where they are go with their pose; `old_since`: counted are poses whose file is older; `dry_run`: nothing
    is stored or written.
    """

    root: Path
    user: UUID
    in_place: bool
    expires: bool = False
    delete_files: bool = False
    old_since: datetime | None = None
    dry_run: bool = False

    @classmethod
    def of(
        cls,
        settings: Settings,
        root: Path,
        user: UUID,
        *,
        expires: bool,
        delete_files: bool,
        dry_run: bool,
        now: datetime,
    ) -> Adoption:
        """How the tree in `root` is taken in under these settings."""
        root = root.resolve()
        in_place = settings.storage_mode == "local" and root == settings.storage_path.resolve()
        old_since = now - timedelta(days=settings.posegen_keep_images_days) if expires else None
        return cls(root, user, in_place, expires, delete_files, old_since, dry_run)


@dataclass(frozen=True)
class _Picture:
    """A file that can be taken in. `thumbnail`: the file beside it, or what is made where there is none."""

    file: Path
    origin: str
    data: bytes
    thumbnail: Path | EncodedImage
    made_at: datetime

    @property
    def size(self) -> int:
        """Bytes of picture and thumbnail."""
        return len(self.data) + (
            self.thumbnail.stat().st_size if isinstance(self.thumbnail, Path) else len(self.thumbnail.data)
        )


def adopt_tree(
    studio: Studio, tree: Adoption, decode: Decode, *, progress: Callable[[Adopted], object] = lambda _: None
) -> Adopted:
    """Take in every generation below `root/poses`.

    Files that are no picture or cannot be read, and names that are no key or no UTF-8, are named among the problems and
    left out.
    """
    adopted = Adopted()
    for folder in sorted(each for each in (tree.root / "poses").glob("*") if each.is_dir()):
        if (reason := _unusable_name(folder)) is not None:
            adopted.problems.append(reason)
            continue
        generation_id = _uuid(folder.name)
        with studio.database.transaction() as connection:
            is_known = adoption.is_known(connection, generation_id)
        if is_known:
            adopted.known += 1
        else:
            _adopt_folder(studio, tree, folder, generation_id, decode, adopted)
        progress(adopted)
    return adopted


def _adopt_folder(
    studio: Studio, tree: Adoption, folder: Path, generation_id: UUID, decode: Decode, adopted: Adopted
) -> None:
    files = sorted(each for each in folder.glob("*.png") if not each.name.endswith(_THUMBNAIL))
    if len(files) > MOST_POSES:
        adopted.problems.append(f"{folder}: {len(files)} pictures; a generation has {MOST_POSES} at most.")
        return
    pictures = _pictures(tree, files, decode, adopted.problems)
    if not tree.dry_run:
        pictures = _take_in(studio, tree, folder, generation_id, pictures, adopted.problems)
    adopted.generations += bool(pictures)
    adopted.poses += len(pictures)
    adopted.bytes += sum(each.size for each in pictures)
    if tree.in_place and not tree.delete_files:
        adopted.files_kept += sum(1 + isinstance(each.thumbnail, Path) for each in pictures)
    if tree.old_since is not None:
        adopted.older += sum(each.made_at < tree.old_since for each in pictures)


def _pictures(tree: Adoption, files: Sequence[Path], decode: Decode, problems: list[str]) -> list[_Picture]:
    pictures = []
    for file in files:
        reason = _unusable_name(file) or (None if file.is_file() else f"{file}: It is not a regular file.")
        if reason is not None:
            problems.append(reason)
            continue
        try:
            pictures.append(_picture(tree, file, decode))
        except (ImageInvalid, InvalidKey) as unusable:
            problems.append(f"{file}: {unusable}")
        except OSError as unreadable:
            problems.append(f"{file}: It cannot be read: {unreadable.strerror}.")
    return pictures


def _picture(tree: Adoption, file: Path, decode: Decode) -> _Picture:
    origin = str(file.relative_to(tree.root))
    if tree.in_place:
        validate_key(origin)
    data = file.read_bytes()
    pixels = decode(data, file.suffix)
    beside = file.with_name(file.stem + _THUMBNAIL)
    # A copy gets a thumbnail in the form of those that Posegen makes.
    thumbnail = beside if tree.in_place and _is_picture(beside, decode) else encode_thumbnail(pixels)
    return _Picture(file, origin, data, thumbnail, _time_of(file))


def _take_in(
    studio: Studio,
    tree: Adoption,
    folder: Path,
    generation_id: UUID,
    pictures: Sequence[_Picture],
    problems: list[str],
) -> list[_Picture]:
    """Store the pictures and write down their generation; returns those that are taken in."""
    taken = {}
    for each in pictures:
        try:
            taken[each.origin] = _stored(studio, tree, each, generation_id)
        except (InvalidKey, ObjectExists) as unusable:
            problems.append(f"{each.file}: {unusable}")
    if not taken:
        return []
    try:
        with studio.database.transaction() as connection:
            adoption.adopt(
                connection,
                tree.user,
                generation_id,
                list(taken.values()),
                store=studio.store.name,
                expires=tree.expires,
            )
    except RequestRefused as refused:
        problems.append(f"{folder}: {refused}")
        return []
    return [each for each in pictures if each.origin in taken]


def _stored(studio: Studio, tree: Adoption, picture: _Picture, generation_id: UUID) -> AdoptedPose:
    name = uuid5(_NAMES, picture.origin)
    kept = []
    if tree.in_place:
        image = _where_it_is(studio, tree.root, picture.file)
        kept.append(image.key)
    else:
        image = studio.put_verified(lambda sha256: pose_key(generation_id, name, sha256), picture.data, "image/png")
    if isinstance(picture.thumbnail, Path):
        thumbnail = _where_it_is(studio, tree.root, picture.thumbnail)
        kept.append(thumbnail.key)
    else:
        thumbnail = studio.put_verified(
            lambda sha256: thumbnail_key(generation_id, name, sha256),
            picture.thumbnail.data,
            picture.thumbnail.content_type,
        )
    recipe_hash = hashlib.sha256(picture.origin.encode()).hexdigest()
    return AdoptedPose(
        picture.origin, recipe_hash, image, thumbnail, picture.made_at, () if tree.delete_files else tuple(kept)
    )


def _where_it_is(studio: Studio, root: Path, file: Path) -> ObjectInfo:
    """The object that a file of the store's folder already is."""
    key = str(file.relative_to(root))
    data = file.read_bytes()
    return studio.store.put(key, data, content_type="image/png", known=fingerprint(data))


def _time_of(file: Path) -> datetime:
    """When the file was last written; no earlier than 2000 and no later than now, whatever its clock has said."""
    return datetime.fromtimestamp(min(max(file.stat().st_mtime, _EARLIEST), datetime.now(UTC).timestamp()), UTC)


def _is_picture(file: Path, decode: Decode) -> bool:
    try:
        return file.is_file() and decode(file.read_bytes(), file.suffix) is not None
    except ImageInvalid:
        return False


def _unusable_name(path: Path) -> str | None:
    """Why a file or folder cannot be adopted under its name, or None. Bytes that are not UTF-8 come as surrogates."""
    if storable(path.name) != path.name:
        return f"{path}: Its name is not UTF-8. Rename it, and adopt again."
    return None


def _uuid(name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        return uuid5(_NAMES, name)
