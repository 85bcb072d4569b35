"""A store in the memory of this process, for tests and dry runs."""

import hashlib
import threading
from collections.abc import Iterable, Iterator
from itertools import count

from app.kit.clock import Clock, system_clock
from app.storage.store import ObjectNotFound, PreconditionFailed, Stored, check_key, check_prefix


class MemoryStore:
    """Keeps everything until it is garbage collected; safe for threads."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._versions = count(1)
        self._objects: dict[str, tuple[Stored, bytes]] = {}

    def get(self, key: str) -> bytes:
        return self._find(key)[1]

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        stored, body = self._find(key)
        return body, stored.etag

    def stat(self, key: str) -> Stored:
        return self._find(key)[0]

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,  # noqa: ARG002 - the manifest holds it too; S3 wants it beside the object
        if_none_match: bool = False,
        if_match: str | None = None,
        durable: bool = False,  # noqa: ARG002 - nothing here survives anything
    ) -> str:
        check_key(key)
        with self._lock:
            old = self._objects.get(key)
            if (if_none_match and old) or (if_match is not None and (not old or old[0].etag != if_match)):
                raise PreconditionFailed(f"{key} was written by somebody else.")
            etag = f"{hashlib.sha256(body).hexdigest()[:16]}-{next(self._versions)}"
            self._objects[key] = (Stored(key, len(body), etag, self._clock()), bytes(body))
        return etag

    def list(self, prefix: str) -> Iterator[Stored]:
        check_prefix(prefix)
        with self._lock:
            found = [stored for key, (stored, _) in self._objects.items() if key.startswith(prefix)]
        yield from sorted(found, key=lambda stored: stored.key)

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)

    def sync(self, keys: Iterable[str]) -> None:
        for key in keys:
            check_key(key)

    def _find(self, key: str) -> tuple[Stored, bytes]:
        check_key(key)
        try:
            return self._objects[key]
        except KeyError:
            raise ObjectNotFound(f"{key} is not in the store.") from None
