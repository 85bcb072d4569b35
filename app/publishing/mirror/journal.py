"""What the mirror knows of a place: which files it put there, and what an unfinished run meant to do.

Two notes below `_hustings/`, so that a small change writes little before it begins:

    journal.json.gz   every file, as of the last run that finished
    doing.json.gz     the plan of a run at work, or of one that was cut short
"""

import zlib
from datetime import datetime
from typing import TypeVar

import msgspec

from app.publishing.manifest import JSON_GZ, pack
from app.publishing.mirror.source import Live, MirrorRefused, Placed
from app.storage.store import ObjectNotFound, ObjectStore
from app.storage.web import PRIVATE

FORMAT = 1
JOURNAL = f"{PRIVATE}/journal.json.gz"
DOING = f"{PRIVATE}/doing.json.gz"
_GZIP = 31

T = TypeVar("T")


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    format: int = FORMAT
    site_id: str
    slug: str
    number: int
    generation: int
    root: str
    """Key of the root of the release that is mirrored."""
    files: dict[str, Placed]
    """By name, with assets that stay for their grace."""


class Doing(msgspec.Struct, frozen=True, kw_only=True):
    format: int = FORMAT
    site_id: str
    number: int
    put: dict[str, Placed]
    delete: list[str]
    began_at: datetime


def journal_of(live: Live, files: dict[str, Placed]) -> Journal:
    return Journal(
        site_id=live.root.site_id,
        slug=live.root.slug,
        number=live.root.number,
        generation=live.pointer.generation,
        root=live.pointer.root,
        files=dict(sorted(files.items())),
    )


def read_journal(notes: ObjectStore) -> Journal | None:
    """Raises MirrorRefused when it cannot be read."""
    return _read(notes, JOURNAL, Journal)


def read_doing(notes: ObjectStore) -> Doing | None:
    """None when the last run finished. Raises MirrorRefused when it cannot be read."""
    return _read(notes, DOING, Doing)


def write_note(notes: ObjectStore, key: str, note: Journal | Doing) -> None:
    notes.put(key, pack(encode(note)), content_type=JSON_GZ, durable=True)


def encode(note: Journal | Doing) -> bytes:
    return msgspec.json.encode(note)


def decode(packed: bytes, where: str, wanted: type[T]) -> T:
    """Raises MirrorRefused."""
    try:
        return msgspec.json.decode(zlib.decompress(packed, _GZIP), type=wanted)
    except (zlib.error, msgspec.DecodeError, msgspec.ValidationError):
        raise MirrorRefused(
            f"The journal {where} cannot be read, so it is not known what lies in the mirror. "
            "Mirror to an empty place, or empty this one."
        ) from None


def _read(notes: ObjectStore, key: str, wanted: type[T]) -> T | None:
    try:
        packed = notes.get(key)
    except ObjectNotFound:
        return None
    return decode(packed, key, wanted)
