"""The live release as a tree of hard links that nginx serves, and the switch to it."""

import time
import zlib
from collections.abc import Collection, Sequence
from functools import partial

from anyio import CancelScope

from app.errors import AppError
from app.kit.clock import Clock
from app.publishing.manifest import CorruptObject, blob_digest, blob_key, pack
from app.publishing.mirror.journal import Journal, decode, encode, journal_of
from app.publishing.mirror.layout import (
    CLASSES,
    GONE_BLOB,
    GONE_BODY,
    Blob,
    blobs_in,
    check_layout,
    leads,
    links,
    unknown_types,
)
from app.publishing.mirror.outcome import Mirrored, MirrorInterrupted, Progress
from app.publishing.mirror.source import (
    INDEX,
    Live,
    MirrorRefused,
    Placed,
    buried,
    newer_than,
    read_live,
    retained,
    wanted,
)
from app.publishing.mirror.threads import THREADS, Threads
from app.publishing.report import Reporter
from app.storage.facade import AsyncStore
from app.storage.store import ObjectNotFound, ObjectStore
from app.storage.web_trees import WebTrees

KEPT = 3
"""So many trees stay, the live one among them: to go back by hand, at once."""
_GZIP = 31
_CHUNK = 1_000


class TreeMirror:
    """One run. `tombstones` are paths that no tree may show any more, also no old one."""

    def __init__(
        self,
        store: AsyncStore,
        site_id: str,
        trees: WebTrees,
        *,
        tombstones: Collection[str],
        clock: Clock,
        report: Reporter,
        concurrency: int = THREADS,
    ) -> None:
        self._store = store
        self._site_id = site_id
        self._trees = trees
        self._tombstones = tombstones
        self._clock = clock
        self._report = report
        self._threads = Threads(report, concurrency)
        self._done = Progress([])
        self._started = time.monotonic()

    async def run(self) -> Mirrored:
        """Raises MirrorRefused, NameRefused, Taken before anything changed, MirrorInterrupted midway."""
        live = await self._read_live()
        journal = await self._threads.run(self._journal)
        if journal is not None and await self._threads.run(partial(self._is_current, journal, live)):
            return await self._outcome(journal, live)
        lease = await self._threads.run(self._trees.lease)
        try:
            return await self._alone()
        finally:
            with CancelScope(shield=True):
                await self._threads.run(lease.release)

    async def _alone(self) -> Mirrored:
        live = await self._read_live()
        if not await self._threads.run(self._trees.is_own):
            raise MirrorRefused(
                f"{self._trees!r} holds files that no mirror put there. Give it an empty one."
            )
        journal = await self._threads.run(self._journal)
        if journal is not None and _is_of(journal, live):
            await self._tidy(_tree(live))
            return await self._outcome(journal, live)
        after = await self._threads.run(partial(self._plan, journal, live))
        try:
            await self._make(live, after)
        except AppError as error:
            raise MirrorInterrupted(f"{error.detail} {self._so_far(live)}") from error
        return await self._outcome(after, live)

    def _plan(self, old: Journal | None, live: Live) -> Journal:
        """Also reads every shard of the manifest, here in a thread."""
        today = self._clock().date()
        files = wanted(live, today, has_folders=True)
        if old is not None:
            files |= retained(old.files, files, buried(live), today)
        files = {name: file for name, file in files.items() if file.location is None}
        check_layout(live.manifest)
        return journal_of(live, files)

    async def _make(self, live: Live, after: Journal) -> None:
        await self._store_blobs(live, after)
        tree = _tree(live)
        await self._build(tree, live, after)
        self._report.step("Switching")
        await self._threads.run(partial(self._trees.switch, tree))
        self._tell_types(after.files)
        await self._tidy(tree)

    async def _store_blobs(self, live: Live, after: Journal) -> None:
        known = await self._threads.run(partial(blobs_in, live.manifest))
        needed = {file.blob for file in after.files.values()} | {
            entry.blob or GONE_BLOB for _, entry in live.manifest.items() if entry.status == 410
        }
        missing = await self._threads.run(
            lambda: [
                blob
                for name, blob in known.items()
                if name in needed and not self._trees.has(name, blob.size)
            ]
        )
        self._report.step("Copying", len(missing))
        await self._threads.each(self._copy, missing)

    def _copy(self, blob: Blob) -> None:
        """The plain body last: where it is, its siblings are."""
        body = GONE_BODY if blob.name == GONE_BLOB else self._store.store.get(blob_key(blob.name))
        if blob_digest(blob.content_type, body) != blob.name:
            raise CorruptObject(
                f"{blob_key(blob.name)} does not hold what its name says. Publish with --full."
            )
        packed = _packed(self._store.store, blob, body)
        if packed is not None:
            self._trees.keep(f"{blob.name}.gz", packed)
        self._trees.keep(blob.name, body)
        self._done.uploaded += 1

    async def _build(self, tree: str, live: Live, after: Journal) -> None:
        named = await self._threads.run(lambda: list(links(after.files, live.manifest)))
        self._report.step("Linking", len(named))
        await self._threads.run(partial(self._trees.begin, tree))
        for start in range(0, len(named), _CHUNK):
            part = named[start : start + _CHUNK]
            await self._threads.run(partial(self._link, tree, part))
            self._report.advance(len(part))
        await self._threads.run(partial(self._lead, tree, live))
        await self._threads.run(partial(self._trees.finish, tree, pack(encode(after))))

    def _link(self, tree: str, named: Sequence[tuple[str, str]]) -> None:
        for name, blob in named:
            if not self._trees.link(tree, name, blob) and not blob.endswith(".gz"):
                raise MirrorRefused(f"The blob of {name} is missing from the mirror. Remove {tree} there.")

    def _lead(self, tree: str, live: Live) -> None:
        for name, to in leads(live.manifest):
            self._trees.lead(tree, name, to)

    async def _tidy(self, live: str) -> None:
        """After the switch: nothing that is served now needs what goes."""
        trees = sorted(await self._threads.run(self._trees.trees), key=_generation)
        kept = [tree for tree in trees if tree != live][1 - KEPT :]
        for tree in set(trees) - {live, *kept}:
            await self._threads.run(partial(self._trees.remove, tree))
        for tree in kept:
            await self._threads.run(partial(self._scrub, tree))
        self._done.deleted = await self._threads.run(self._trees.sweep)
        await self._threads.run(partial(self._trees.tell_tidy, live))

    def _scrub(self, tree: str) -> None:
        for path in self._tombstones:
            name = f"{path}{INDEX}" if path.endswith("/") else path
            for cache in CLASSES:
                self._trees.scrub(tree, f"files/{cache}{name}")
                self._trees.scrub(tree, f"files/{cache}{name}.gz")

    def _tell_types(self, files: dict[str, Placed]) -> None:
        unknown = unknown_types(files)
        if unknown:
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            self._report.note(
                f"/{unknown[0]}{more}: by its ending nginx says another content type "
                f"than {files[unknown[0]].content_type}."
            )

    def _journal(self) -> Journal | None:
        """Of the tree that is live. Raises MirrorRefused when it is another site's."""
        tree = self._trees.live()
        note = self._trees.note(tree) if tree is not None else None
        if note is None:
            return None
        journal = decode(note, f"of {tree}", Journal)
        if journal.site_id != self._site_id:
            raise MirrorRefused(
                f"{self._trees!r} is the mirror of the site {journal.slug}. Each site needs its own."
            )
        return journal

    def _is_current(self, journal: Journal, live: Live) -> bool:
        return _is_of(journal, live) and self._trees.is_tidy(_tree(live))

    async def _read_live(self) -> Live:
        return await self._store.run(partial(read_live, self._store.store, self._site_id))

    async def _outcome(self, journal: Journal, live: Live) -> Mirrored:
        return Mirrored(
            site=live.root.slug,
            release=live.root.number,
            target=repr(self._trees),
            uploaded=self._done.uploaded,
            deleted=self._done.deleted,
            unchanged=max(0, len(journal.files) - self._done.uploaded),
            kept=sum(file.gone_on is not None for file in journal.files.values()),
            seconds=round(time.monotonic() - self._started, 3),
            newer=await newer_than(self._store, live, self._report),
        )

    def _so_far(self, live: Live) -> str:
        return (
            f"{self._done.uploaded} files of release {live.root.number} are copied. What is served is one "
            f"whole release, {self._trees.live() or 'none so far'}. Run the same command again: it goes on."
        )


def _is_of(journal: Journal, live: Live) -> bool:
    return (journal.root, journal.generation) == (live.pointer.root, live.pointer.generation)


def _packed(store: ObjectStore, blob: Blob, body: bytes) -> bytes | None:
    """The store's own gzip, if it is sound."""
    if "gz" not in blob.encodings:
        return None
    try:
        packed = store.get(blob_key(blob.name, "gz"))
        return packed if zlib.decompress(packed, _GZIP) == body else None
    except (ObjectNotFound, zlib.error):
        return None


def _tree(live: Live) -> str:
    """The release may come back: its generation is another one then."""
    return f"{live.root.number}-{live.pointer.generation}"


def _generation(tree: str) -> int:
    return int(tree.rpartition("-")[2])
