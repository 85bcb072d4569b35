"""From a plan to the changes of the manifest, with every blob they need in the store."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import TypeVar

import anyio
import msgspec
from anyio import to_thread

from app.publishing.checks import PageFacts
from app.publishing.chunk import Chunk, Kinds, Made, Maker, is_current, keep, lost
from app.publishing.elsewhere import Elsewhere, export
from app.publishing.judge import Judge
from app.publishing.kinds import Content, PageKind
from app.publishing.manifest import NOT_FOUND_PATH, Change, Entry, Manifest, is_expired
from app.publishing.plan import Plan, is_page
from app.publishing.render import Output, Recipe, output
from app.publishing.report import Reporter
from app.storage.facade import AsyncStore

CHUNK = 250
"""Paths loaded, rendered and stored together: bounds the memory, whatever the size of the site."""
CHUNK_OF_FILES = 20
"""The same for finished files, which may be pictures of some megabytes."""
MANY = 600
"""From so many pages on it pays to start the other processes' connections."""

T = TypeVar("T")


class Built(msgspec.Struct, kw_only=True):
    """What a build has found and made so far."""

    changes: dict[str, Change] = {}
    rendered: int = 0
    uploaded: int = 0
    removed: int = 0


class Build:
    """One pass over the candidates of a plan. A dry run makes all and keeps nothing.

    With `verify` a page that has not changed is made again if its objects are lost or cut off in the store.
    `elsewhere` are processes that take the templates' work off this one when it is much.
    """

    def __init__(
        self,
        content: Content,
        kinds: Kinds,
        recipe: Recipe,
        *,
        base: Manifest,
        tombstones: Collection[str],
        store: AsyncStore,
        verify: bool,
        begin: Callable[[], Awaitable[None]],
        report: Reporter,
        elsewhere: Elsewhere | None = None,
        judge: Judge | None = None,
        dry_run: bool = False,
    ) -> None:
        self._content = content
        self._kinds = kinds
        self._recipe = recipe
        self._base = base
        self._tombstones = frozenset(tombstones) - {NOT_FOUND_PATH}
        self._store = store
        self._verify = verify
        self._begun = anyio.Lock()
        self._begin_once = begin
        self._report = report
        self._elsewhere = elsewhere
        self._judge = judge
        self._dry_run = dry_run
        self._maker = Maker(
            content, kinds, recipe, store=store, verify=verify, dry_run=dry_run, begin=self._begin
        )
        self._present: set[str] = set()
        self._absent: set[str] = set()
        self._sees_all = False
        """After a full plan a page that is not present is not there, whatever the base says."""
        self.built = Built()

    async def run(self, plan: Plan) -> Built:
        """`begin` is awaited before the first thing that differs from the base is made."""
        self._sees_all = plan.is_full
        self._absent.update(plan.orphans)
        rendered = [kind for kind in self._kinds.pages if kind.template]
        files = [kind for kind in self._kinds.pages if not kind.template]
        is_much = sum(len(plan.candidates[kind.name]) for kind in rendered) >= MANY
        if is_much and self._elsewhere is not None and self._elsewhere.count:
            await self._share(self._elsewhere, plan, rendered, files)
        else:
            await self._here(self._chunks(plan, (*rendered, *files)))
        await self._redirect(plan.candidates[self._kinds.redirects.name])
        await self._remove()
        return self.built

    async def _share(
        self, elsewhere: Elsewhere, plan: Plan, rendered: Sequence[PageKind], files: Sequence[PageKind]
    ) -> None:
        """Templates there, files here, at the same time."""
        recipe = self._recipe.digest(self._kinds.all)
        begin = await export(self._content, recipe, verify=self._verify, dry_run=self._dry_run)
        chunks = await to_thread.run_sync(lambda: list(self._chunks(plan, rendered)))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(elsewhere.make, begin, chunks, self._note)
                await self._here(self._chunks(plan, files))
        except ExceptionGroup as group:
            raise _first(group) from None

    def _chunks(self, plan: Plan, kinds: Iterable[PageKind]) -> Iterator[Chunk]:
        for kind in kinds:
            size = CHUNK if kind.template else CHUNK_OF_FILES
            for paths in chunks(plan.candidates[kind.name], size):
                yield self._chunk(kind, paths)

    def _chunk(self, kind: PageKind, paths: Sequence[str]) -> Chunk:
        """Reads the shards of these paths: in a thread, unless they are known to be in memory."""
        known = ((path, self._base.get(path)) for path in paths)
        base = {path: entry for path, entry in known if entry is not None}
        return Chunk(kind.name, tuple(path for path in paths if path not in self._tombstones), base)

    async def _here(self, chunks: Iterator[Chunk]) -> None:
        while (chunk := await to_thread.run_sync(next, chunks, None)) is not None:
            await self._note(chunk, await self._maker.make(chunk))

    async def _note(self, chunk: Chunk, made: Made) -> None:
        absent = set(made.absent)
        self._absent |= absent
        self._present.update(path for path in chunk.paths if path not in absent)
        if made.changes:
            await self._begin()
        self._take(made.changes, made.facts)
        self.built.rendered += len(made.changes)
        self.built.uploaded += made.uploaded
        self._report.advance(len(chunk.paths))

    def _take(self, changes: Mapping[str, Entry], facts: Mapping[str, PageFacts]) -> None:
        self.built.changes.update(changes)
        if self._judge is not None:
            for path, entry in changes.items():
                self._judge.add(path, entry, facts.get(path))

    async def _begin(self) -> None:
        async with self._begun:
            await self._begin_once()

    async def _redirect(self, candidates: Iterable[str]) -> None:
        """Redirects answer only where no page lies: a page that was not looked at is still there."""
        candidates = frozenset(candidates)
        wanted = (candidates | self._absent) - self._present
        free = [path for path in sorted(wanted) if not self._is_taken(path)]
        for paths in chunks(free):
            chunk = self._chunk(self._kinds.redirects, paths)
            await self._note(chunk, await self._maker.make(chunk))
        self._absent.update(path for path in candidates - self._present if not self._is_taken(path))

    def _is_taken(self, path: str) -> bool:
        """Something that was not looked at, and is not itself a redirect or gone, is still there."""
        old = self._base.get(path)
        is_there = old is not None and old.status not in (301, 410) and old.gone_on is None
        is_unseen = not self._sees_all and path not in self._absent
        return path in self._tombstones or (is_there and is_unseen)

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
        stale = [path for path in paths if not is_current(self._base.get(path), fingerprint, gone=True)]
        self.built.removed += sum(is_page(self._base.get(path)) for path in stale)
        stale += await self._lost(set(paths) - set(stale))
        for some in chunks(stale):
            await self._begin()
            entries = [_as_gone(output(self._recipe, kind, path, page, fingerprint), day) for path in some]
            self._take(
                {made.path: made.entry for made in entries},
                {made.path: made.facts for made in entries if made.facts is not None},
            )
            if not self._dry_run:
                await keep(self._store, entries)

    async def _lost(self, paths: Collection[str]) -> list[str]:
        """What the store does not have of paths that are gone already; looked for when all is verified."""
        if not self._verify:
            return []
        known = ((path, self._base.get(path)) for path in sorted(paths))
        entries = [(path, entry) for path, entry in known if entry is not None]
        return await self._store.run(partial(lost, self._store.store, entries))


def _first(group: ExceptionGroup) -> Exception:
    """The failure that cancelled the others, without the task group's wrapping."""
    first: Exception = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def chunks(paths: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    return (paths[start : start + size] for start in range(0, len(paths), size))


def retire(old: Entry, today: date) -> Change:
    """An asset that no page needs any more stays for the grace; the rest goes."""
    if old.cache != "immutable" or old.status != 200 or is_expired(old.gone_on, today):
        return None
    return msgspec.structs.replace(old, gone_on=old.gone_on or today.isoformat())


def _gone_on(old: Entry | None, content: Content) -> date:
    today = content.frozen_at.date()
    if old is not None and old.status == 410 and old.gone_on:
        return min(date.fromisoformat(old.gone_on), today)
    return today


def _as_gone(made: Output, day: date) -> Output:
    entry = msgspec.structs.replace(made.entry, status=410, gone_on=day.isoformat())
    return Output(made.path, entry, made.items)
