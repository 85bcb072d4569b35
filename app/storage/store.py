"""The contract of every object store. `tests/storage/test_contract.py` holds all of them to it."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

import msgspec

from app.errors import AppError, Conflict, Unavailable

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_PREFIX = re.compile(r"[A-Za-z0-9._/-]*")
_LONGEST_KEY = 900


class ObjectNotFound(AppError):
    """The store answers, and holds nothing under this key."""

    title = "An object is missing from the store"


class PreconditionFailed(Conflict):
    """Somebody else wrote the object first; nothing was changed."""

    title = "The object is not as expected"


class StoreUnavailable(Unavailable):
    """The store does not answer, is full, or may not be read or written."""

    title = "The object store is not available"


class Stored(msgspec.Struct, frozen=True):
    key: str
    size: int
    """Bytes."""
    etag: str
    """Opaque; two different bodies under one key never share it."""
    modified: datetime
    """Aware, UTC."""


class ObjectStore(Protocol):
    """Bytes by key. All methods block and may be called from any thread; see `AsyncStore`.

    An object is seen whole or not at all, whatever happens to its writer. Every method raises
    StoreUnavailable when the store cannot answer, and ValueError for a key that `check_key` refuses.
    """

    def get(self, key: str) -> bytes:
        """Raises ObjectNotFound."""
        ...

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        """The body and the etag of that very body. Raises ObjectNotFound."""
        ...

    def stat(self, key: str) -> Stored:
        """Raises ObjectNotFound."""
        ...

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        if_none_match: bool = False,
        if_match: str | None = None,
        durable: bool = False,
    ) -> str:
        """Writes the whole object and returns its etag.

        `if_none_match` writes only where nothing is, `if_match` only over the body with that etag; else
        PreconditionFailed. With `durable` the object survives a power cut once this returns; without, once
        `sync` has.
        """
        ...

    def list(self, prefix: str) -> Iterator[Stored]:
        """Every object whose key starts with `prefix` (a string, not a folder), sorted by key."""
        ...

    def delete(self, key: str) -> None:
        """Deleting what is not there is no error."""
        ...

    def sync(self, keys: Iterable[str]) -> None:
        """Once this returns, the objects survive a power cut. One call for many objects is cheap.

        A publish syncs its blobs and its manifest before it flips the pointer, whoever wrote them.
        """
        ...


def check_key(key: str) -> str:
    """The key itself, or ValueError.

    Segments of ASCII letters, digits, `.`, `_` and `-`, joined by `/`; none is empty or starts with a dot.
    """
    if len(key) > _LONGEST_KEY or not all(_SEGMENT.fullmatch(part) for part in key.split("/")):
        raise ValueError(f"not a key of the object store: {key[:80]!r}")
    return key


def check_prefix(prefix: str) -> str:
    """The start of a key, or ValueError; the empty prefix means everything."""
    if not _PREFIX.fullmatch(prefix) or any(part.startswith(".") for part in prefix.split("/")):
        raise ValueError(f"not a prefix of keys of the object store: {prefix[:80]!r}")
    return prefix
