"""From what was built to a release that is live: upload, write down, flip."""

import contextlib
from collections.abc import Mapping
from functools import partial

import anyio
import msgspec
from anyio import to_thread

from app.errors import AppError
from app.publishing import releases
from app.publishing.build import MANY, Built
from app.publishing.chunk import LATER
from app.publishing.engine import Run
from app.publishing.kinds import SiteFacts
from app.publishing.lease import LOST
from app.publishing.manifest import JSON_GZ, Change, Manifest, blob_key, root_key
from app.publishing.pointer import Pointer, Superseded, flip, read_pointer
from app.publishing.preview import told
from app.publishing.releases import Ticket
from app.publishing.report import Reporter
from app.storage.facade import AsyncStore, Item
from app.storage.store import StoreUnavailable


async def make_live(
    run: Run,
    ticket: Ticket,
    site: SiteFacts,
    built: Built,
    report: Reporter,
    *,
    manifest: Manifest | None = None,
) -> int:
    """Upload the base with what was built (`manifest`, if known), flip to it, and return its number."""
    if manifest is None:
        manifest = await to_thread.run_sync(run.base.manifest.apply, built.changes)
    report.step("Uploading")
    root = await _upload(run, ticket, site, built, manifest)
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


async def _upload(run: Run, ticket: Ticket, site: SiteFacts, built: Built, manifest: Manifest) -> str:
    """The blobs are there already; make all of it durable, then write down what this release is."""
    store = run.engine.store
    root = manifest.root_of(
        site_id=str(run.site_id),
        slug=site.slug,
        hosts=site.hosts,
        base_url=site.base_url,
        number=ticket.number,
    )
    objects = manifest.objects(root)
    if built.rendered >= MANY:
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
    """Write down why, if the database still answers; the reconciler does it otherwise."""
    if run.ticket is None or run.is_live:
        return
    state = "superseded" if isinstance(error, Superseded) else "failed"
    sentence = str(error) if isinstance(error, AppError) else f"Interrupted ({type(error).__name__})."
    with contextlib.suppress(Exception):  # the first error is the one to tell
        await releases.end(run.control, run.site_id, run.ticket, state, sentence)


def _blob_keys(changes: Mapping[str, Change]) -> list[str]:
    keys = []
    for entry in changes.values():
        if entry is not None and entry.blob is not None:
            codings = (coding for coding in entry.encodings if coding != LATER)
            keys += [blob_key(entry.blob), *(blob_key(entry.blob, coding) for coding in codings)]
    return keys


def _page_changes(base: Manifest, changes: Mapping[str, Change]) -> dict[str, tuple[str, str | None]]:
    """What differs for visitors, as `release_pages` keeps it.

    A release in which nothing does is made all the same: fingerprints are kept in the manifest alone, and
    without it every later publish would make these pages again. It costs visitors nothing: no address is
    purged, ETags are names of blobs, and gateways read again the few shards that changed.
    """
    return {
        path: (change, None if change == "removed" or entry is None else entry.blob)
        for path, (change, entry) in told(base, changes).items()
    }
