"""The part of a build that any process can do: load some paths, make what differs, store it.

A chunk is a function of the frozen content, the recipe and what the base had at its paths, so it does not
matter who makes it: this process, a forked one, or a worker on another machine.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from functools import partial

import jinja2
import msgspec

from app.errors import PublishError
from app.publishing.checks import PageFacts
from app.publishing.kinds import Content, Hidden, InStore, Loaded, LoadSite, Naming, PageKind, Raw
from app.publishing.manifest import Encoding, Entry, blob_key, check_path, is_same
from app.publishing.render import Output, Recipe, output
from app.storage.facade import AsyncStore
from app.storage.store import ObjectNotFound, ObjectStore

LATER: Encoding = "br"
"""Made after the flip: a page without it is whole."""


class Kinds(msgspec.Struct, frozen=True, kw_only=True):
    """The page kinds of the product, given by the composition root."""

    pages: tuple[PageKind, ...]
    redirects: PageKind
    """Asked for paths where no page lies."""
    gone: PageKind
    """Its template shows what answers 410."""
    gone_page: Callable[[date], msgspec.Struct]
    hidden: tuple[Hidden, ...] = ()
    """What each domain keeps from being seen; asked by the checks."""
    namings: tuple[Naming, ...] = ()
    """How the rows are called that a dry run gives as reasons."""
    dynamic: tuple[str, ...] = ()
    """Beginnings of the paths of the same host that no release answers."""

    @property
    def all(self) -> tuple[PageKind, ...]:
        return (*self.pages, self.redirects, self.gone)

    def named(self, name: str) -> PageKind:
        return next(kind for kind in self.all if kind.name == name)


class Chunk(msgspec.Struct, frozen=True):
    """Paths of one kind, and what the base has there."""

    kind: str
    paths: tuple[str, ...]
    base: dict[str, Entry]


class Made(msgspec.Struct, kw_only=True):
    """What became of a chunk."""

    changes: dict[str, Entry] = {}
    """Only what differs from the base."""
    facts: dict[str, PageFacts] = {}
    """What the examination of the changed pages found."""
    absent: tuple[str, ...] = ()
    """Paths of the chunk where this kind has nothing."""
    uploaded: int = 0
    """Paths whose blob the store did not have."""


class Maker:
    """Makes chunks over one frozen content. A dry run makes all and keeps nothing.

    With `verify` a page that has not changed is made again if its objects are lost or cut off in the store.
    `begin` is awaited before the first thing that differs from the base is made. `confirm` has the store
    prove what was written here: nobody else knows what it has to be.
    """

    def __init__(
        self,
        content: Content,
        kinds: Kinds,
        recipe: Recipe,
        *,
        store: AsyncStore,
        verify: bool = False,
        dry_run: bool = False,
        confirm: bool = False,
        begin: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._content = content
        self._kinds = kinds
        self._recipe = recipe
        self._store = store
        self._verify = verify
        self._dry_run = dry_run
        self._confirm = confirm
        self._begin = begin

    async def make(self, chunk: Chunk) -> Made:
        kind = self._kinds.named(chunk.kind)
        loaded = await kind.load(self._content, chunk.paths)
        made = Made(absent=tuple(path for path in chunk.paths if path not in loaded))
        fingerprints = {path: self._recipe.fingerprint(kind, item) for path, item in loaded.items()}
        stale = [path for path in loaded if not is_current(chunk.base.get(path), fingerprints[path])]
        if self._verify:
            stale += await self._lost(chunk, sorted(loaded.keys() - set(stale)))
        if stale:
            made.uploaded = await self._make(
                chunk, {path: loaded[path] for path in stale}, fingerprints, made
            )
        return made

    async def _make(
        self, chunk: Chunk, loaded: dict[str, Loaded], fingerprints: dict[str, str], made: Made
    ) -> int:
        """How many blobs were new."""
        kind = self._kinds.named(chunk.kind)
        for path in loaded:
            _check(path)
        if self._begin is not None:
            await self._begin()
        fetched = {path: await self._fetch(path, item) for path, item in loaded.items()}
        outputs = [
            output(self._recipe, kind, path, item, fingerprints[path]) for path, item in fetched.items()
        ]
        made.changes = {one.path: one.entry for one in outputs}
        made.facts = {one.path: one.facts for one in outputs if one.facts is not None}
        if self._dry_run:
            return 0
        # The same bytes as in the base are in the store: only who verifies has reason to doubt it.
        new = [one for one in outputs if self._verify or not is_same(chunk.base.get(one.path), one.entry)]
        uploaded = await keep(self._store, new)
        if self._confirm:
            await self._store.confirm([item.key for one in new for item in one.items])
        return uploaded

    async def _lost(self, chunk: Chunk, paths: Sequence[str]) -> list[str]:
        """Those of the current paths whose objects are not in the store as the manifest says."""
        entries = [(path, chunk.base[path]) for path in paths]
        return await self._store.run(partial(lost, self._store.store, entries))

    async def _fetch(self, path: str, loaded: Loaded) -> Loaded:
        if not isinstance(loaded, InStore):
            return loaded
        try:
            return Raw(await self._store.get(loaded.key), loaded.content_type)
        except ObjectNotFound:
            raise PublishError(
                f"{path} cannot be published: {loaded.key} is missing from the store."
            ) from None


class Workshop(msgspec.Struct, frozen=True, kw_only=True):
    """All that making pages needs, but for the content."""

    store: AsyncStore
    environment: jinja2.Environment
    digests: dict[str, str]
    kinds: Kinds
    load_site: LoadSite
    program: str = ""
    """A digest of the code that makes the pages."""

    async def recipe(self, content: Content) -> Recipe:
        site = await self.load_site(content)
        return Recipe(self.environment, self.digests, site, self.program)


async def keep(store: AsyncStore, outputs: Sequence[Output]) -> int:
    """Puts the objects of these outputs into the store; returns for how many the blob was new."""
    written = await store.put_many(item for made in outputs for item in made.items)
    return sum(made.entry.blob is not None and blob_key(made.entry.blob) in written for made in outputs)


def is_current(old: Entry | None, fingerprint: str, *, gone: bool = False) -> bool:
    """A retired asset that is wanted again is not current: its date has to go."""
    return old is not None and old.fingerprint == fingerprint and (old.gone_on is not None) == gone


def lost(store: ObjectStore, entries: Sequence[tuple[str, Entry]]) -> list[str]:
    """Those of the paths whose objects are not in the store as their entries say."""
    return [path for path, entry in entries if not _is_stored(store, entry)]


def _is_stored(store: ObjectStore, entry: Entry) -> bool:
    if entry.blob is None:
        return True
    try:
        siblings = [
            store.stat(blob_key(entry.blob, encoding)) for encoding in entry.encodings if encoding != LATER
        ]
        return store.stat(blob_key(entry.blob)).size == entry.size and all(one.size for one in siblings)
    except ObjectNotFound:
        return False


def _check(path: str) -> None:
    try:
        check_path(path)
    except ValueError as error:
        raise PublishError(f"{path} cannot be published: {error}.") from None
