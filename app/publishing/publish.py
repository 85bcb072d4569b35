"""One release of one site: freeze, plan, render, upload, flip. Nothing is visible before the flip."""

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from uuid import UUID

import anyio
import msgspec
from anyio import to_thread

from app.database.engine import Connection, Pool
from app.errors import AppError, Conflict
from app.kit.clock import Clock
from app.publishing import releases
from app.publishing.base import DAMAGED, Base, read_base, with_advice
from app.publishing.build import Build, Built
from app.publishing.chunk import LATER, Workshop
from app.publishing.content import freeze
from app.publishing.elsewhere import Elsewhere
from app.publishing.kinds import Content, SiteFacts
from app.publishing.lease import LOST, Lease, lease
from app.publishing.manifest import JSON_GZ, Change, Manifest, blob_key, root_key
from app.publishing.plan import make_plan
from app.publishing.pointer import Pointer, Superseded, flip, read_pointer
from app.publishing.redirects import refuse_circles
from app.publishing.releases import Ticket
from app.publishing.render import Recipe
from app.publishing.report import Outcome, Reporter
from app.publishing.unasked import Trigger, reason_to_wait
from app.storage.facade import AsyncStore, Item
from app.storage.store import StoreUnavailable

CONNECTIONS = 3
"""Of the database, for one publish: its lease, its notes, its frozen view."""
FEW_REMOVALS = 20
"""So many pages may disappear without a word, and 5 % of a larger site."""


class Engine(Workshop, frozen=True, kw_only=True):
    """The collaborators of every publish. The pool has to have at least CONNECTIONS connections."""

    pool: Pool
    clock: Clock
    actor: str = ""
    """Who asks; kept with each release that is made."""
    elsewhere: Elsewhere | None = None
    """Who helps with large publishes; without, all is done in this process."""
    counted: frozenset[str] = frozenset()
    """Tables that visitors write: what a refresh may take live."""
    gate: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    """Held while a publish takes its connections: two that each wait for the other's would wait for ever."""


class Run:
    """What one publish has come to so far."""

    def __init__(self, engine: Engine, site_id: UUID, control: Connection, base: Base, held: Lease) -> None:
        self.engine = engine
        self.site_id = site_id
        self.control = control
        self.lease = held
        self.base = base
        self.ticket: Ticket | None = None
        self.is_live = False
        """Set by the flip: from here on the publish has happened, whatever the database says."""
        self.live_at: datetime | None = None
        self.outcome: Outcome | None = None
        self.recipe = ""


async def publish(
    engine: Engine,
    site_id: UUID,
    *,
    report: Reporter,
    full: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    trigger: Trigger = "editor",
) -> Outcome:
    """Publish what has changed since the live release.

    One that no person asks for may have to wait, and then changes nothing: `Outcome.waits` says why.

    `full` looks at every page and at every object, and gives the same release. Raises PublishError,
    StoreUnavailable, Conflict for a large removal without `yes`, Superseded when a newer generation went
    live meanwhile: the live release is untouched then. Once the pointer is flipped nothing is raised; only
    when the store says nothing about a flip, and cannot be read after it, it is not known what is live.
    """
    options = Options(full, dry_run, yes, trigger)
    run: Run | None = None
    try:
        async with (
            connections(engine) as (leasing, control, reading),
            lease(leasing, site_id, report) as held,
        ):
            base = await read_base(engine.store, control, site_id, report, full=full)
            run = Run(engine, site_id, control, base, held)
            async with freeze(reading, site_id, _present(engine, base)) as content:
                await _publish(run, content, options, report)
    except LOST as error:
        # A connection that breaks when all is done takes nothing back.
        if run is None or run.outcome is None:
            raise
        report.note(f"The connection to the database was lost after the end: {type(error).__name__}.")
    assert run is not None and run.outcome is not None  # noqa: S101, PT018 - nothing was raised
    return run.outcome


class Options(msgspec.Struct, frozen=True):
    full: bool
    dry_run: bool
    yes: bool
    trigger: Trigger


@asynccontextmanager
async def connections(engine: Engine) -> AsyncIterator[list[Connection]]:
    """All the connections of a publish, or none yet."""
    async with AsyncExitStack() as stack:
        async with engine.gate:
            taken = [await stack.enter_async_context(engine.pool.acquire()) for _ in range(CONNECTIONS)]
        yield list(taken)


def _present(engine: Engine, base: Base) -> datetime:
    """The clock, but never before that of the live release: what has closed does not open again by itself."""
    now = engine.clock()
    if base.live is None or base.live.frozen_at is None:
        return now
    return max(now, base.live.frozen_at)


async def _publish(run: Run, content: Content, options: Options, report: Reporter) -> None:
    started = time.monotonic()
    live = run.base.live
    if waits := await reason_to_wait(content, live, options.trigger, run.engine.counted):
        site, nothing = await run.engine.load_site(content), Built()
        outcome = _outcome(run, site, nothing, None, time.monotonic() - started)
        run.outcome = msgspec.structs.replace(outcome, waits=waits)
        return
    try:
        site, built = await _make(run, content, report, options)
        number = None if options.dry_run else await _finish(run, content, site, built, options, report)
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            await give_up(run, error)
        if isinstance(error, DAMAGED):
            raise with_advice(error) from None
        raise
    run.outcome = _outcome(run, site, built, number, time.monotonic() - started)


async def _make(run: Run, content: Content, report: Reporter, options: Options) -> tuple[SiteFacts, Built]:
    engine, base = run.engine, run.base
    site = await engine.load_site(content)
    recipe = Recipe(engine.environment, engine.digests, site.shell, engine.program)
    recipe_digest = recipe.digest(engine.kinds.all)
    report.step("Checking what changed")
    plan = await make_plan(
        content,
        engine.kinds.all,
        base=base.manifest,
        live=base.live,
        recipe=recipe_digest,
        full=options.full,
    )

    async def begin() -> None:
        if run.ticket is None and not options.dry_run:
            run.ticket = await releases.begin(
                run.control,
                content,
                base.pointer,
                base.live,
                recipe=recipe_digest,
                actor=engine.actor,
                trigger=options.trigger,
            )

    if _root_differs(base, site):
        await begin()
    report.step("Rendering", len(plan))
    build = Build(
        content,
        engine.kinds,
        recipe,
        base=base.manifest,
        tombstones=await read_tombstones(content.connection),
        store=None if options.dry_run else engine.store,
        verify=options.full,
        begin=begin,
        report=report,
        elsewhere=engine.elsewhere,
    )
    built = await build.run(plan)
    redirects = plan.candidates[engine.kinds.redirects.name]
    await to_thread.run_sync(partial(refuse_circles, base.manifest, built.changes, redirects))
    if not options.yes and not options.dry_run:
        _refuse_large_removal(base.manifest, built.removed)
    run.recipe = recipe_digest
    return site, built


async def _finish(  # noqa: PLR0917 - the parts of one call
    run: Run, content: Content, site: SiteFacts, built: Built, options: Options, report: Reporter
) -> int | None:
    """The number of the release that is live at the end."""
    base, ticket = run.base, run.ticket
    if ticket is None:
        if base.pointer is not None:
            await releases.still_current(run.control, content, base.pointer, base.live, run.recipe)
        if options.trigger == "editor":
            await releases.end_pause(run.control, run.site_id)
        return base.pointer.number if base.pointer else None
    return await make_live(run, ticket, site, built, report)


async def make_live(run: Run, ticket: Ticket, site: SiteFacts, built: Built, report: Reporter) -> int:
    """Upload the base with what was built, flip to it, and return its number."""
    report.step("Uploading")
    root = await _upload(run, ticket, site, built)
    report.step("Going live")
    pointer = Pointer(
        site_id=str(run.site_id),
        slug=site.slug,
        number=ticket.number,
        generation=ticket.generation,
        root=root,
        activated_at=run.engine.clock(),
    )
    with anyio.CancelScope(shield=True):
        await flip_to(run, ticket, pointer, report)
    return ticket.number


async def flip_to(run: Run, ticket: Ticket, pointer: Pointer, report: Reporter) -> None:
    """The flip, and what follows from it. What the database cannot be told now, the next publish tells it."""
    store = run.engine.store
    await run.lease.check()
    try:
        await store.run(partial(flip, store.store, pointer))
    except StoreUnavailable as error:
        if not await _is_flipped(store, pointer, error):
            raise
    run.is_live, run.live_at = True, pointer.activated_at
    try:
        await releases.go_live(run.control, run.site_id, ticket, pointer.activated_at)
    except LOST:
        report.note("It is live; the database will hear of it with the next publish.")


async def _is_flipped(store: AsyncStore, pointer: Pointer, error: StoreUnavailable) -> bool:
    """After a flip without an answer. Raises its error, with a warning, when a look gets none either."""
    try:
        found = await store.run(partial(read_pointer, store.store, pointer.site_id))
    except StoreUnavailable:
        raise StoreUnavailable(
            f"{error.detail} It is not known whether release {pointer.number} is live: publish again when "
            "the store answers."
        ) from error
    return found is not None and found[0] == pointer


async def _upload(run: Run, ticket: Ticket, site: SiteFacts, built: Built) -> str:
    """The blobs are there already; make all of it durable, then write down what this release is."""
    store = run.engine.store
    manifest = run.base.manifest.apply(built.changes)
    root = manifest.root_of(
        site_id=str(run.site_id),
        slug=site.slug,
        hosts=site.hosts,
        base_url=site.base_url,
        number=ticket.number,
    )
    objects = manifest.objects(root)
    await releases.advance(run.control, run.site_id, ticket, "uploading")
    await store.put_many([Item(key, body, JSON_GZ) for key, body in objects.items()])
    await store.sync([*_blob_keys(built.changes), *objects])
    await releases.record(
        run.control,
        run.site_id,
        ticket,
        root_key=root_key(root),
        counts=msgspec.structs.asdict(built) | {"changes": len(built.changes)},
        pages=_page_changes(run.base.manifest, built.changes),
    )
    return root_key(root)


async def give_up(run: Run, error: BaseException) -> None:
    """Write down why, if the database still answers; the reconciler of the next publish does it otherwise."""
    if run.ticket is None or run.is_live:
        return
    state = "superseded" if isinstance(error, Superseded) else "failed"
    sentence = str(error) if isinstance(error, AppError) else f"Interrupted ({type(error).__name__})."
    with contextlib.suppress(Exception):  # the first error is the one to tell
        await releases.end(run.control, run.site_id, run.ticket, state, sentence)


async def read_tombstones(connection: Connection) -> set[str]:
    """Of the site of the transaction that runs on the connection."""
    return {
        row["path"] for row in await connection.fetch("SELECT path FROM tombstones WHERE lifted_at IS NULL")
    }


def _root_differs(base: Base, site: SiteFacts) -> bool:
    """Hosts and base URL stand in the root: a gateway has to learn of them even if no page changed."""
    root = base.root
    return root is None or (root.slug, root.hosts, root.base_url) != (site.slug, site.hosts, site.base_url)


def _refuse_large_removal(base: Manifest, removed: int) -> None:
    pages = base.counts.get("200", 0)
    if removed > max(FEW_REMOVALS, pages * 5 // 100):
        raise Conflict(f"This removes {removed} of {pages} pages. Nothing went live; add --yes to go on.")


def _blob_keys(changes: dict[str, Change]) -> list[str]:
    keys = []
    for entry in changes.values():
        if entry is not None and entry.blob is not None:
            codings = (coding for coding in entry.encodings if coding != LATER)
            keys += [blob_key(entry.blob), *(blob_key(entry.blob, coding) for coding in codings)]
    return keys


def _page_changes(base: Manifest, changes: dict[str, Change]) -> dict[str, tuple[str, str | None]]:
    told: dict[str, tuple[str, str | None]] = {}
    for path, entry in changes.items():
        was = base.get(path)
        if entry is None or entry.status == 410:
            told[path] = ("removed", None)
        else:
            told[path] = ("changed" if was and was.status == entry.status else "added", entry.blob)
    return told


def _outcome(run: Run, site: SiteFacts, built: Built, number: int | None, seconds: float) -> Outcome:
    manifest = run.base.manifest.apply(built.changes)
    pages = manifest.counts.get("200", 0) + manifest.counts.get("404", 0)
    before = run.base.pointer.number if run.base.pointer else None
    return Outcome(
        site=site.slug,
        release=number if number is not None else before,
        pages=pages,
        rendered=built.rendered,
        uploaded=built.uploaded,
        removed=built.removed,
        unchanged=max(pages - built.rendered, 0),
        live_at=run.live_at,
        seconds=round(seconds, 3),
    )
