"""Bringing back a release that was live before: a flip to its root, with a new generation.

A release keeps its number, the flip has a generation of its own. It does not come back as it is where paths
were taken down since, or where the live release has assets that it lacks: then a new release is made that
shows its content without those paths (410) and with those assets, which pages that are still open ask for.
The order of truth is that of a publish: the intent in the database, the pointer by compare-and-swap, then
commit and NOTIFY; the next publisher settles what a crash leaves in between.
"""

import time
from collections.abc import Collection, Mapping
from functools import partial
from types import MappingProxyType
from uuid import UUID

import anyio
import msgspec

from app.database.engine import Connection, site_transaction
from app.errors import Conflict, NotFound
from app.publishing import releases
from app.publishing.base import DAMAGED, Base, read_base
from app.publishing.build import Build
from app.publishing.comparison import Hidden, compare
from app.publishing.content import freeze
from app.publishing.engine import Engine, Run, connections
from app.publishing.golive import flip_to, give_up, make_live
from app.publishing.kinds import Content, SiteFacts
from app.publishing.lease import Lease, lease
from app.publishing.manifest import (
    Change,
    CorruptObject,
    Manifest,
    load_root,
)
from app.publishing.plan import Plan
from app.publishing.pointer import Pointer, read_pointer
from app.publishing.prepare import read_tombstones
from app.publishing.releases import LiveRow
from app.publishing.render import Recipe
from app.publishing.report import Reporter
from app.storage.store import ObjectNotFound

FIND = """
SELECT id, number, state, root_key, coalesce(content_number, number) AS content,
       live_at IS NOT NULL AS was_live
  FROM releases
"""
BY_NUMBER = f"{FIND} WHERE number = $1"
# What was rolled back is behind us: going back twice goes further back, not to where it began.
BEFORE = f"""{FIND}
 WHERE state = 'superseded' AND live_at IS NOT NULL AND coalesce(content_number, number) <> $1
 ORDER BY generation DESC LIMIT 1
"""


NOTHING: Mapping[str, Change] = MappingProxyType({})
LIFTED = "SELECT path FROM tombstones WHERE lifted_at IS NOT NULL"
UNREADABLE = 0
"""Stands for the number of what is live when the pointer is damaged."""


class Activated(msgspec.Struct, frozen=True, kw_only=True):
    """What is live now. `release` differs from `content` where paths were left out or assets kept."""

    release: int
    content: int
    """The number of the release whose content is shown."""
    replaced: int
    """What was live; 0 when its pointer could not be read."""
    buried: tuple[str, ...]
    """Paths that were taken down since."""
    seconds: float
    assets: int = 0
    """Assets of what was live, kept for pages that are still open."""


class Hands(msgspec.Struct, frozen=True):
    """What a publisher holds."""

    control: Connection
    reading: Connection
    lease: Lease


class Past(msgspec.Struct, frozen=True):
    """A release as its row tells."""

    id: UUID
    number: int
    state: str
    root_key: str
    content: int
    was_live: bool


async def activate(engine: Engine, site_id: UUID, number: int, *, report: Reporter) -> Activated:
    """Make release `number` live again.

    Raises NotFound for a release that never was live or whose objects are gone, Conflict when its content is
    live already, Superseded when a newer generation went live meanwhile.
    """
    return await _bring_back(engine, site_id, number, report)


async def rollback(engine: Engine, site_id: UUID, *, report: Reporter) -> Activated:
    """Make the release live again that was live before this one; repeated, it goes further back."""
    return await _bring_back(engine, site_id, None, report)


async def release_without(
    engine: Engine,
    at: Hands,
    live: Base,
    source: Base,
    paths: Collection[str],
    *,
    report: Reporter,
    assets: Mapping[str, Change] = NOTHING,
) -> int:
    """The number of a new live release: the content of `source`, with 410 at the paths. Under the lease.

    `assets` are shown beside it.
    """
    assert live.pointer is not None and source.root is not None  # noqa: S101, PT018 - it replaces something
    site_id = UUID(source.root.site_id)
    async with freeze(at.reading, site_id, engine.clock()) as content:
        run = Run(engine, site_id, at.control, source, at.lease)
        row = source.live.id if source.live else None
        run.ticket = await releases.begin_copy(
            at.control, site_id, live.pointer, source=row, actor=engine.actor
        )
        try:
            return await _make_without(run, run.ticket, content, paths, assets, report)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await give_up(run, error)
            raise


async def _make_without(  # noqa: PLR0917 - the parts of one call
    run: Run,
    ticket: releases.Ticket,
    content: Content,
    paths: Collection[str],
    assets: Mapping[str, Change],
    report: Reporter,
) -> int:
    engine = run.engine
    site = await engine.load_site(content)
    build = Build(
        content,
        engine.kinds,
        Recipe(engine.environment, engine.digests, site, engine.program),
        base=run.base.manifest,
        tombstones=paths,
        store=engine.store,
        verify=False,
        begin=_begun,
        report=report,
    )
    nothing: dict[str, tuple[str, ...]] = {kind.name: () for kind in engine.kinds.all}
    built = await build.run(Plan(is_full=False, candidates=nothing, orphans=()))
    built.changes.update(assets)
    return await make_live(run, ticket, _as_published(run.base, site), built, report)


async def _begun() -> None:
    """The ticket is taken before the build."""


def _as_published(source: Base, site: SiteFacts) -> SiteFacts:
    """Hosts and base URL are part of what comes back."""
    root = source.root
    assert root is not None  # noqa: S101 - the source has been published
    return msgspec.structs.replace(site, slug=root.slug, hosts=root.hosts, base_url=root.base_url)


async def _bring_back(engine: Engine, site_id: UUID, number: int | None, report: Reporter) -> Activated:
    started = time.monotonic()
    async with (
        connections(engine) as (leasing, control, reading),
        lease(leasing, site_id, report) as held,
    ):
        live = await _read_live(engine, site_id, control, report)
        if live.pointer is None:
            raise NotFound("Nothing of this site was ever live. Publish it with `hustings publish`.")
        past, row, hidden = await _target(control, site_id, live.pointer, number)
        report.step(f"Looking at release {past.number}")
        source = await _read(engine, live.pointer, past, row)
        what = partial(compare, engine.store.store, live.manifest, source.manifest, hidden)
        lacks = await engine.store.run(partial(what, engine.clock().date()))
        buried = {path for path in hidden.now if _is_there(source.manifest, path)} | lacks.bytes_of
        assets = lacks.assets
        if buried or assets:
            hands = Hands(control, reading, held)
            release = await release_without(engine, hands, live, source, buried, report=report, assets=assets)
        else:
            run = Run(engine, site_id, control, source, held)
            release = await _flip_back(run, live.pointer, past, report)
    return Activated(
        release=release,
        content=past.content,
        replaced=live.pointer.number,
        buried=tuple(sorted(buried)),
        assets=len(assets),
        seconds=round(time.monotonic() - started, 3),
    )


async def _read_live(engine: Engine, site_id: UUID, control: Connection, report: Reporter) -> Base:
    """What is live. Where it is damaged, going back is the way out: then it counts as empty."""
    try:
        return await read_base(engine.store, control, site_id, report, full=False)
    except DAMAGED as error:
        report.note(f"What is live is damaged, and will be replaced: {error}")
    try:
        found = await engine.store.run(partial(read_pointer, engine.store.store, str(site_id)))
        pointer = found[0] if found else None
    except CorruptObject:
        pointer = Pointer(
            site_id=str(site_id),
            slug="this site",
            number=UNREADABLE,
            generation=0,
            root="",
            activated_at=engine.clock(),
        )
    return Base(pointer, None, Manifest.empty(), None)


async def _target(
    control: Connection, site_id: UUID, pointer: Pointer, number: int | None
) -> tuple[Past, LiveRow, Hidden]:
    """The release to bring back, its row for the planner, and what must not come back with it."""
    async with site_transaction(control, site_id):
        live = await control.fetchrow(BY_NUMBER, pointer.number)
        shown = live["content"] if live else pointer.number
        found = await (
            control.fetchrow(BEFORE, shown) if number is None else control.fetchrow(BY_NUMBER, number)
        )
        if found is None:
            raise NotFound(_unknown(pointer.slug, number))
        past = Past(*found)
        _refuse(past, shown, pointer)
        row = await control.fetchrow(releases.LIVE, past.number)
        assert row is not None  # noqa: S101 - it was found just now
        once = {lifted["path"] for lifted in await control.fetch(LIFTED)}
        return past, LiveRow(*row), Hidden(await read_tombstones(control), once)


def _unknown(slug: str, number: int | None) -> str:
    if number is None:
        return (
            f"There is no earlier release of {slug} to go back to. `hustings releases list` shows all, and "
            "`hustings releases activate N` brings any of them back."
        )
    return f"There is no release {number} of {slug}. See `hustings releases list`."


def _refuse(past: Past, shown: int, pointer: Pointer) -> None:
    if not past.was_live or not past.root_key:
        raise NotFound(f"Release {past.number} of {pointer.slug} never was live ({past.state}).")
    if past.content == shown:
        already = "is live" if past.number == pointer.number else f"is what release {pointer.number} shows"
        raise Conflict(f"The content of release {past.number} of {pointer.slug} {already} already.")


async def _read(engine: Engine, pointer: Pointer, past: Past, row: LiveRow) -> Base:
    get = engine.store.store.get
    try:
        root = await engine.store.run(partial(load_root, get, past.root_key))
    except ObjectNotFound:
        raise NotFound(
            f"Release {past.number} of {pointer.slug} cannot come back: `releases gc` has deleted it."
        ) from None
    return Base(pointer, root, Manifest.of(root, get), row)


def _is_there(manifest: Manifest, path: str) -> bool:
    entry = manifest.get(path)
    return entry is not None and entry.status != 410


async def _flip_back(run: Run, live: Pointer, past: Past, report: Reporter) -> int:
    root = run.base.root
    assert root is not None  # noqa: S101 - it was read from the store
    report.step("Going live")
    generation = await releases.take_generation(run.control, run.site_id, live)
    pointer = Pointer(
        site_id=str(run.site_id),
        slug=root.slug,
        number=past.number,
        generation=generation,
        root=past.root_key,
        activated_at=run.engine.clock(),
    )
    with anyio.CancelScope(shield=True):
        await flip_to(run, releases.Ticket(past.id, past.number, generation), pointer, report)
    return past.number
