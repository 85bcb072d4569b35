"""Looking again at what the service said it had written.

The etag of an answer tells what the service means to have stored; only another call tells what it has. That
call is made for many objects together, before a release that needs them goes live.
"""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby

from app.storage.s3_calls import Calls, Refused
from app.storage.store import StoreUnavailable

FEW = 1000
"""Up to here each object is looked at; above, listing all that lie beside them takes fewer calls."""
MOST = 50_000
"""So many etags are remembered, some megabytes; of what is written beyond, only the presence is looked at."""
_THREADS = 16


class Proofs:
    """What was written since the last look. Safe for threads."""

    def __init__(self, calls: Calls, *, page_size: int) -> None:
        self._calls = calls
        self._page_size = page_size
        self._told: dict[str, str] = {}

    def note(self, key: str, etag: str) -> None:
        if len(self._told) < MOST:
            self._told[key] = etag

    def forget(self, key: str) -> None:
        """Whoever writes next may be somebody else, and an etag need not be the same for the same bytes."""
        self._told.pop(key, None)

    def check(self, keys: Iterable[str]) -> None:
        """Raises StoreUnavailable when one is not there, or is not what was written here: that is deleted."""
        for folder, group in groupby(sorted(set(keys)), key=_folder):
            wanted = list(group)
            found = dict(self._look(wanted) if len(wanted) <= FEW else self._list(folder, set(wanted)))
            for key in wanted:
                self._compare(key, self._told.pop(key, None), found.get(key))

    def _look(self, keys: Collection[str]) -> Iterator[tuple[str, str]]:
        with ThreadPoolExecutor(min(_THREADS, len(keys))) as threads:
            for key, etag in zip(keys, threads.map(self._etag, keys), strict=True):
                if etag is not None:
                    yield key, etag

    def _etag(self, key: str) -> str | None:
        try:
            return self._calls.head(key).etag
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise self._calls.refused("look at", key, refusal) from refusal

    def _list(self, folder: str, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
        after = None
        while True:
            try:
                page = self._calls.page(folder, after, self._page_size)
            except Refused as refusal:
                raise self._calls.refused("list", folder, refusal) from refusal
            yield from ((stored.key, stored.etag) for stored in page if stored.key in wanted)
            if len(page) < self._page_size:
                return
            after = page[-1].key

    def _compare(self, key: str, told: str | None, etag: str | None) -> None:
        if etag is not None and told in {None, etag}:
            return
        if etag is not None:  # a later publish would take it for the right object
            with suppress(Refused, StoreUnavailable):
                self._calls.delete(key)
        shown = "does not have it" if etag is None else f"has something else (checksum {etag}, not {told})"
        raise self._calls.unavailable(
            "write", key, f"it said that it had, but it {shown}. Look at its own log, and at its disks"
        )


def _folder(key: str) -> str:
    return key.rpartition("/")[0] + "/"
