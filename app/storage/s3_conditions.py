"""Whether and how a bucket compares before it writes.

AWS wants a quoted etag in If-Match, Ceph a bare one, and some services ignore conditions without a word. On
such a service two publishers could overwrite each other unnoticed, so it is refused for every write that
compares; reading from it, and copying a site to it, work.
"""

import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from app.storage.s3_calls import Calls, Refused, etag_of
from app.storage.store import StoreUnavailable

PREFIX = "probes/"
_NOWHERE = "0" * 32
_STYLES: tuple[Callable[[str], str], ...] = ('"{}"'.format, "{}".format)
_DECLINED = {409, 412}
_UNKNOWN = {"NotImplemented", "InvalidArgument", "InvalidRequest"}


class Conditions:
    """Asked once, by writing a small object and deleting it, before the first write that compares."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._style: Callable[[str], str] | None = None
        self._is_probed = False

    def are_kept(self) -> bool:
        """Raises StoreUnavailable when the service cannot be asked."""
        with self._lock:
            if not self._is_probed:
                self._style = self._probe()
                self._is_probed = True
        return self._style is not None

    def where_nothing_is(self) -> Mapping[str, str]:
        """Headers. Raises StoreUnavailable when the service ignores conditions, or cannot be asked."""
        self._known_style()
        return {"If-None-Match": "*"}

    def over(self, etag: str) -> Mapping[str, str]:
        """Headers. Raises as `where_nothing_is` does."""
        return {"If-Match": self._known_style()(etag)}

    def _known_style(self) -> Callable[[str], str]:
        if not self.are_kept() or self._style is None:
            raise StoreUnavailable(
                f"The object store at {self._calls.address}, does not hold to If-None-Match and If-Match, so "
                "two publishers could overwrite each other. Publish to a service that does (such as AWS, "
                "Ceph or MinIO) or to a folder, and mirror the site here."
            )
        return self._style

    def _probe(self) -> Callable[[str], str] | None:
        key = f"{PREFIX}{secrets.token_hex(8)}"
        try:
            etag = self._try(key, b"first", {"If-None-Match": "*"})
            if etag is None or self._try(key, b"second", {"If-None-Match": "*"}) is not None:
                return None
            return self._find_style(key, etag)
        finally:
            with suppress(StoreUnavailable, Refused):
                self._calls.delete(key)

    def _find_style(self, key: str, etag: str) -> Callable[[str], str] | None:
        """What accepts the right etag and declines a wrong one.

        Each write has a body of its own: only so is it known after a lost answer which of them took place.
        """
        for style in _STYLES:
            if self._try(key, b"other", {"If-Match": style(_NOWHERE)}) is not None:
                return None
            if self._try(key, b"third", {"If-Match": style(etag)}) is not None:
                return style
        return None

    def _try(self, key: str, body: bytes, headers: Mapping[str, str]) -> str | None:
        """The etag of what was written; None when it was not."""
        try:
            answer = self._calls.put(key, body, {"Content-Type": "text/plain", **headers})
        except Refused as refusal:
            if refusal.code in _UNKNOWN or (refusal.status in _DECLINED and not refusal.is_doubtful):
                return None
            if refusal.status in _DECLINED:
                return self._find(key, body)
            raise self._calls.refused("write", key, refusal) from refusal
        return etag_of(answer)

    def _find(self, key: str, body: bytes) -> str | None:
        """After a lost answer: the etag when the lost attempt wrote after all."""
        try:
            found, etag = self._calls.get(key)
        except Refused:
            return None
        return etag if found == body else None
