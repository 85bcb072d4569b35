"""From a plan to the changes of the manifest, with every blob they need in the store."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import TypeVar

import msgspec
from anyio import to_thread

from app.errors import PublishError
from app.publishing.kinds import Content, InStore, Loaded, PageKind, Raw, Redirect
from app.publishing.manifest import NOT_FOUND_PATH, Change, Entry, Manifest, blob_key, check_path
from app.publishing.plan import Plan, is_page
from app.publishing.render import Output, Recipe, output, status_of
from app.publishing.report import Reporter
from app.storage.facade import AsyncStore
from app.storage.store import ObjectNotFound, ObjectStore

CHUNK = 500
"""Paths loaded, rendered and stored together: bounds the memory, whatever the size of the site."""
CHUNK_OF_FILES = 20
"""The same for finished files, which may be pictures of some megabytes."""

T = TypeVar("T")


class Kinds(msgspec.Struct, frozen=True, kw_only=True):
    """The page kinds of the product, given by the composition root."""

    pages: tuple[PageKind, ...]
    redirects: PageKind
    """Asked for paths where no page lies."""
    gone: PageKind
    """Its template shows what answers 410."""
    gone_page: Callable[[date], msgspec.Struct]

    @property
    def all(self) -> tuple[PageKind, ...]:
        return (*self.pages, self.redirects, self.gone)


class Built(msgspec.Struct, kw_only=True):
    """What a build has found and made so far."""

    changes: dict[str, Change] = {}
    rendered: int = 0
    uploaded: int = 0
    removed: int = 0


class Build:
    """One pass over the candidates of a plan. Without a store nothing is rendered: a dry run.

    With `verify` a page that has not changed is made again if its objects are lost or cut off in the store.
    """

    def __init__(
        self,
        content: Content,
        kinds: Kinds,
        recipe: Recipe,
        *,
        base: Manifest,
        tombstones: Collection[str],
        store: AsyncStore | None,
        verify: bool,
        begin: Callable[[], Awaitable[None]],
        report: Reporter,
    ) -> None:
        self._content = content
        self._kinds = kinds
        self._recipe = recipe
        self._base = base
        self._tombstones = frozenset(tombstones) - {NOT_FOUND_PATH}
        self._store = store
        self._verify = verify
        self._begin = begin
        self._report = report
        self._present: set[str] = set()
        self._absent: set[str] = set()
        self.built = Built()

    async def run(self, plan: Plan) -> Built:
        """`begin` is awaited before the first thing that differs from the base is made."""
        self._absent.update(plan.orphans)
        if plan.is_full:
            # Every page is looked at: what only a redirect claims is not one any more.
            self._absent.update(plan.candidates[self._kinds.redirects.name])
        for kind in self._kinds.pages:
            for paths in chunks(plan.candidates[kind.name], CHUNK if kind.template else CHUNK_OF_FILES):
                await self._chunk(kind, paths)
                self._report.advance(len(paths))
        await self._redirect(plan.candidates[self._kinds.redirects.name])
        await self._remove()
        return self.built

    async def _chunk(self, kind: PageKind, paths: Sequence[str]) -> None:
        await to_thread.run_sync(self._warm, paths)
        loaded = await kind.load(self._content, paths)
        there = {path: item for path, item in loaded.items() if path not in self._tombstones}
        self._present.update(there)
        self._absent.update(path for path in paths if path not in there)
        await self._make(kind, there)

    def _warm(self, paths: Sequence[str]) -> None:
        """Reads the shards of these paths here, in a thread, so that the event loop finds them in memory."""
        for path in paths:
            self._base.get(path)

    async def _redirect(self, candidates: Iterable[str]) -> None:
        """Redirects answer only where no page lies: a page that was not looked at is still there."""
        candidates = frozenset(candidates)
        wanted = (candidates | self._absent) - self._present
        for paths in chunks(sorted(wanted)):
            loaded = await self._kinds.redirects.load(self._content, paths)
            free = {path: item for path, item in loaded.items() if not self._is_taken(path)}
            self._present.update(free)
            await self._make(self._kinds.redirects, free)
        self._absent.update(path for path in candidates - self._present if not self._is_taken(path))

    def _is_taken(self, path: str) -> bool:
        """Something that was not looked at, and is not itself a redirect or gone, is still there."""
        old = self._base.get(path)
        is_there = old is not None and old.status not in (301, 410) and old.gone_on is None
        return path in self._tombstones or (is_there and path not in self._absent)

    async def _make(self, kind: PageKind, loaded: dict[str, Loaded]) -> None:
        fingerprints = {path: self._recipe.fingerprint(kind, item) for path, item in loaded.items()}
        stale = [path for path in loaded if not _is_current(self._base.get(path), fingerprints[path])]
        if self._verify:
            stale += await self._lost([path for path in loaded if path not in stale])
        for path in stale:
            _check(path)
        self.built.rendered += len(stale)
        if not stale:
            return
        await self._begin()
        if self._store is None:
            self.built.changes.update(
                {path: _planned(path, loaded[path], fingerprints[path]) for path in stale}
            )
            return
        fetched = {path: await self._fetch(path, loaded[path]) for path in stale}
        await self._keep([output(self._recipe, kind, p, fetched[p], fingerprints[p]) for p in stale])

    async def _lost(self, paths: Sequence[str]) -> list[str]:
        """Those of the current paths whose objects are not in the store as the manifest says."""
        if self._store is None:
            return []
        entries = [(path, self._base.get(path)) for path in paths]
        return await self._store.run(partial(_lost, self._store.store, entries))

    async def _fetch(self, path: str, loaded: Loaded) -> Loaded:
        if not isinstance(loaded, InStore) or self._store is None:
            return loaded
        try:
            return Raw(await self._store.get(loaded.key), loaded.content_type)
        except ObjectNotFound:
            raise PublishError(
                f"{path} cannot be published: {loaded.key} is missing from the store."
            ) from None

    async def _keep(self, outputs: Sequence[Output]) -> None:
        assert self._store is not None  # noqa: S101 - a dry run renders nothing
        written = await self._store.put_many(item for made in outputs for item in made.items)
        for made in outputs:
            self.built.changes[made.path] = made.entry
            if made.entry.blob is not None and blob_key(made.entry.blob) in written:
                self.built.uploaded += 1

    async def _remove(self) -> None:
        """A page that is not there any more is gone (410), an asset stays a while, the rest is dropped."""
        gone: dict[date, list[str]] = {}
        for path in sorted((self._absent | self._tombstones) - self._present):
            old = self._base.get(path)
            if is_page(old) or (old and old.status == 410) or path in self._tombstones:
                gone.setdefault(_gone_on(old, self._content), []).append(path)
            elif old is not None:
                await self._drop(path, old)
        for day, paths in gone.items():
            await self._bury(day, paths)

    async def _drop(self, path: str, old: Entry) -> None:
        entry = retire(old, self._content.frozen_at.date())
        if entry != old:
            await self._begin()
            self.built.changes[path] = entry

    async def _bury(self, day: date, paths: Sequence[str]) -> None:
        kind, page = self._kinds.gone, self._kinds.gone_page(day)
        fingerprint = self._recipe.fingerprint(kind, page)
        stale = [path for path in paths if not _is_current(self._base.get(path), fingerprint, gone=True)]
        self.built.removed += sum(is_page(self._base.get(path)) for path in stale)
        if not stale:
            return
        await self._begin()
        entries = [_as_gone(output(self._recipe, kind, path, page, fingerprint), day) for path in stale]
        if self._store is None:
            self.built.changes.update({made.path: made.entry for made in entries})
            return
        uploaded = self.built.uploaded
        await self._keep(entries)
        self.built.uploaded = uploaded


def _lost(store: ObjectStore, entries: Sequence[tuple[str, Entry | None]]) -> list[str]:
    return [path for path, entry in entries if entry is not None and not _is_stored(store, entry)]


def _is_stored(store: ObjectStore, entry: Entry) -> bool:
    if entry.blob is None:
        return True
    try:
        siblings = [store.stat(blob_key(entry.blob, encoding)) for encoding in entry.encodings]
        return store.stat(blob_key(entry.blob)).size == entry.size and all(one.size for one in siblings)
    except ObjectNotFound:
        return False


def _check(path: str) -> None:
    try:
        check_path(path)
    except ValueError as error:
        raise PublishError(f"{path} cannot be published: {error}.") from None


def chunks(paths: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    return (paths[start : start + size] for start in range(0, len(paths), size))


def retire(old: Entry, today: date) -> Change:
    """An asset that no page needs any more stays, for pages that are still open somewhere; the rest goes."""
    if old.cache != "immutable" or old.status != 200:
        return None
    return msgspec.structs.replace(old, gone_on=old.gone_on or today.isoformat())


def _is_current(old: Entry | None, fingerprint: str, *, gone: bool = False) -> bool:
    """A retired asset that is wanted again is not current: its date has to go."""
    return old is not None and old.fingerprint == fingerprint and (old.gone_on is not None) == gone


def _gone_on(old: Entry | None, content: Content) -> date:
    if old is not None and old.status == 410 and old.gone_on:
        return date.fromisoformat(old.gone_on)
    return content.frozen_at.date()


def _as_gone(made: Output, day: date) -> Output:
    entry = msgspec.structs.replace(made.entry, status=410, gone_on=day.isoformat())
    return Output(made.path, entry, made.items)


def _planned(path: str, loaded: Loaded, fingerprint: str) -> Entry:
    """Stands for a page that a dry run did not render."""
    if isinstance(loaded, Redirect):
        return Entry(status=301, location=loaded.location, fingerprint=fingerprint)
    return Entry(status=status_of(path), blob="0" * 64, fingerprint=fingerprint)
