"""One release of one site: freeze, plan, render, check, upload, flip. Nothing is visible before the flip."""

import time
from datetime import datetime
from uuid import UUID

import anyio
import msgspec

from app.publishing import releases
from app.publishing.base import DAMAGED, Base, read_base, with_advice
from app.publishing.content import freeze
from app.publishing.engine import Engine, Run, connections
from app.publishing.golive import give_up, make_live
from app.publishing.kinds import Content
from app.publishing.lease import LOST, lease
from app.publishing.manifest import Manifest
from app.publishing.prepare import Options, prepare
from app.publishing.preview import Prepared, preview, told
from app.publishing.report import Outcome, Reporter
from app.publishing.unasked import Trigger, reason_to_wait


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


def _present(engine: Engine, base: Base) -> datetime:
    """The clock, but never before that of the live release: what has closed does not open again by itself.

    Unless that release was made by a clock that ran ahead, as the database's clock tells: then what it closed
    too early opens again, or a site would stand in the future until the future has come.
    """
    now, live = engine.clock(), base.live
    if live is None or live.frozen_at is None or live.is_ahead:
        return now
    return max(now, live.frozen_at)


async def _publish(run: Run, content: Content, options: Options, report: Reporter) -> None:
    started = time.monotonic()
    engine = run.engine
    if waits := await reason_to_wait(content, run.base.live, options.trigger, engine.counted):
        site = await engine.load_site(content)
        nothing = _outcome(run, site.slug, run.base.manifest, None, started)
        run.outcome = msgspec.structs.replace(nothing, waits=waits)
        return
    try:
        prepared = await prepare(run, content, report, options)
        number = None if options.dry_run else await _finish(run, content, prepared, options, report)
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            await give_up(run, error)
        if isinstance(error, DAMAGED):
            raise with_advice(error) from None
        raise
    outcome = _told_of(run, prepared, _outcome(run, prepared.site.slug, prepared.manifest, number, started))
    if options.dry_run:
        outcome = await preview(content, engine.kinds, prepared, base=run.base, outcome=outcome)
    run.outcome = outcome


async def _finish(
    run: Run, content: Content, prepared: Prepared, options: Options, report: Reporter
) -> int | None:
    """The number of the release that is live at the end."""
    base, ticket = run.base, run.ticket
    if ticket is not None:
        return await make_live(run, ticket, prepared.site, prepared.built, report, manifest=prepared.manifest)
    if base.pointer is not None:
        await releases.still_current(run.control, content, base.pointer, base.live, prepared.recipe)
    if options.trigger == "editor":
        await releases.end_pause(run.control, run.site_id)
    return base.pointer.number if base.pointer else None


def _outcome(run: Run, slug: str, manifest: Manifest, number: int | None, started: float) -> Outcome:
    """Of a publish that made nothing."""
    pages = manifest.counts.get("200", 0) + manifest.counts.get("404", 0)
    before = run.base.pointer.number if run.base.pointer else None
    return Outcome(
        site=slug,
        release=number if number is not None else before,
        pages=pages,
        rendered=0,
        uploaded=0,
        removed=0,
        changed=0,
        unchanged=pages,
        live_at=run.live_at,
        seconds=round(time.monotonic() - started, 3),
    )


def _told_of(run: Run, prepared: Prepared, outcome: Outcome) -> Outcome:
    built = prepared.built
    differences = told(run.base.manifest, built.changes).values()
    changed = [entry for change, entry in differences if change != "removed"]
    shown = sum(entry is not None and entry.status in (200, 404) for entry in changed)
    return msgspec.structs.replace(
        outcome,
        rendered=built.rendered,
        uploaded=built.uploaded,
        removed=built.removed,
        changed=len(changed),
        unchanged=outcome.pages - shown,
        warnings=prepared.verdict.warnings,
    )
