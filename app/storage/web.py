"""Where a plain web server or a website bucket takes its files from, under names that are paths of a site.

Not an ObjectStore: the names are those that visitors ask for, in any script, and headers belong to the files.
"""

import re
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from app.errors import AppError, Contended
from app.storage.store import ObjectStore

PRIVATE = "_hustings"
"""The folder of journals and locks; no file of a site lies in it."""
RESERVED = frozenset({PRIVATE, ".incoming", ".lock"})

_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
LONGEST_NAME = 1_000
"""Bytes: a bucket takes 1,024."""
LONGEST = 3_000
"""The same for folders."""
_LONGEST_SEGMENT = 250
"""Bytes: file systems take 255, and the suffix of a compressed sibling has to fit."""


class WebFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    body: bytes
    content_type: str
    cache_control: str
    location: str | None = None
    """Percent-encoded: where a bucket that serves a website leads from here."""
    mark: str
    """Of the body and the headers together, in ASCII."""


class NameRefused(AppError):
    """No file can have this name."""

    status = 422
    title = "The path cannot be mirrored"


class Taken(Contended):
    """Another writer is at work on the same place, or has taken it over."""

    title = "Another mirror is at work"


class Lease(Protocol):
    """The right to write to a place, of one writer at a time."""

    def keep(self) -> None:
        """To be called before each write, from any thread. Raises Taken when the lease was lost."""
        ...

    def release(self) -> None: ...


class WebPlace(Protocol):
    """Files by name. All methods block, may be called from any thread and raise StoreUnavailable."""

    @property
    def notes(self) -> ObjectStore:
        """For what the writer keeps for itself, below PRIVATE."""
        ...

    @property
    def has_folders(self) -> bool:
        """Whether no file can have the name of a folder."""
        ...

    def lease(self) -> Lease:
        """Raises Taken when somebody else has it."""
        ...

    def is_empty(self) -> bool:
        """Whether nothing lies here but what is PRIVATE."""
        ...

    def put(self, file: WebFile) -> None:
        """Readers see all of it or what was there before. Raises NameRefused."""
        ...

    def holds(self, name: str, mark: str, is_body: Callable[[bytes], bool]) -> bool:
        """Whether the file with this mark is there; a place that keeps no marks asks `is_body`."""
        ...

    def delete(self, name: str) -> None:
        """Deleting what is not there is no error."""
        ...

    def settle(self, names: Iterable[str]) -> None:
        """Once this returns, the files survive a power cut."""
        ...


def check_name(name: str, longest: int = LONGEST_NAME) -> str:
    """The name itself: relative, inside the place, and short enough for files and buckets. Or NameRefused."""
    segments = name.split("/")
    if any(segment in {"", ".", ".."} for segment in segments) or _CONTROL.search(name):
        raise NameRefused(f"No file can be named {name[:80]!r}.")
    if segments[0] in RESERVED:
        raise NameRefused(f"/{name[:80]} cannot be mirrored: the mirror keeps /{segments[0]} for itself.")
    encoded = _encoded(name)
    if len(encoded) > longest or max(map(len, encoded.split(b"/"))) > _LONGEST_SEGMENT:
        raise NameRefused(
            f"/{name[:80]}… is too long: {_LONGEST_SEGMENT} bytes between slashes, {longest} in all."
        )
    return name


def _encoded(name: str) -> bytes:
    try:
        return name.encode()
    except UnicodeEncodeError:
        raise NameRefused(f"No file can be named {name[:80]!r}.") from None
