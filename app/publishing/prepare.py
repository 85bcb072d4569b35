"""From frozen content to everything of a release but the release itself: planned, made, checked."""

from functools import partial

import msgspec
from anyio import to_thread

from app.database.engine import Connection
from app.errors import Conflict
from app.publishing import releases
from app.publishing.base import Base
from app.publishing.build import MANY, Build, Built
from app.publishing.chunk import Kinds
from app.publishing.engine import Run
from app.publishing.judge import Judge, Verdict, refuse
from app.publishing.kinds import Content, SiteFacts
from app.publishing.manifest import NOT_FOUND_PATH, Manifest
from app.publishing.plan import Plan, is_page, make_plan
from app.publishing.preview import Prepared
from app.publishing.redirects import refuse_circles
from app.publishing.releases import Ticket
from app.publishing.render import Recipe
from app.publishing.report import Reporter
from app.publishing.unasked import Trigger

FEW_REMOVALS = 20
"""So many pages may disappear without a word, and 5 % of a larger site."""


class Options(msgspec.Struct, frozen=True):
    full: bool
    dry_run: bool
    yes: bool
    trigger: Trigger


async def prepare(run: Run, content: Content, report: Reporter, options: Options) -> Prepared:
    """The release is begun (`run.ticket`) before the first thing is made that differs from the base.

    Raises PublishError with all errors of the checks, Conflict for a large removal without `yes`; a dry run
    is told of both, and keeps nothing.
    """
    engine, base = run.engine, run.base
    site = await engine.load_site(content)
    recipe = Recipe(engine.environment, engine.digests, site, engine.program)
    digest = recipe.digest(engine.kinds.all)
    report.step("Checking what changed")
    plan = await make_plan(
        content, engine.kinds.all, base=base.manifest, live=base.live, recipe=digest, full=options.full
    )

    async def begin() -> None:
        if run.ticket is None and not options.dry_run:
            run.ticket = await _begin(run, content, digest, options.trigger)

    if _root_differs(base, site):
        await begin()
    report.step("Rendering", len(plan))
    tombstones = await read_tombstones(content.connection)
    judge = _judge(engine.kinds, base, plan, site, tombstones)
    build = Build(
        content,
        engine.kinds,
        recipe,
        base=base.manifest,
        tombstones=tombstones,
        store=engine.store,
        verify=options.full,
        begin=begin,
        report=report,
        elsewhere=engine.elsewhere,
        judge=judge,
        dry_run=options.dry_run,
    )
    built = await build.run(plan)
    report.step("Checking the release")
    if built.rendered >= MANY:
        await _advance(run, "checking")
    verdict, large = await _check(run, content, plan, built, judge)
    if not options.dry_run:
        if large and not options.yes:
            raise Conflict(f"{large} Nothing went live; add --yes to go on.")
        refuse(verdict.errors)
    manifest = await to_thread.run_sync(base.manifest.apply, built.changes)
    return Prepared(site, built, plan, verdict, large, manifest, digest)


async def _begin(run: Run, content: Content, recipe: str, trigger: Trigger) -> Ticket:
    return await releases.begin(
        run.control,
        content,
        run.base.pointer,
        run.base.live,
        recipe=recipe,
        actor=run.engine.actor,
        trigger=trigger,
    )


async def _check(
    run: Run, content: Content, plan: Plan, built: Built, judge: Judge
) -> tuple[Verdict, str | None]:
    """The verdict, and the sentence about a large removal."""
    manifest, kinds = run.base.manifest, run.engine.kinds
    redirects = plan.candidates[kinds.redirects.name]
    await to_thread.run_sync(partial(refuse_circles, manifest, built.changes, redirects))
    verdict = await judge.verdict(content, built.changes)
    return verdict, await to_thread.run_sync(_large_removal, manifest, built.removed)


async def _advance(run: Run, state: str) -> None:
    """For those who look on, and of publishes that take a while: a small one is over before anybody looks."""
    if run.ticket is not None:
        await releases.advance(run.control, run.site_id, run.ticket, state)


async def read_tombstones(connection: Connection) -> set[str]:
    """Of the site of the transaction that runs on the connection.

    The page that answers every unknown path cannot be taken down, and a row that says so counts for nobody:
    otherwise gc would delete a page that every release shows.
    """
    rows = await connection.fetch("SELECT path FROM tombstones WHERE lifted_at IS NULL")
    return {row["path"] for row in rows} - {NOT_FOUND_PATH}


def _root_differs(base: Base, site: SiteFacts) -> bool:
    """Hosts and base URL stand in the root: a gateway has to learn of them even if no page changed."""
    root = base.root
    return root is None or (root.slug, root.hosts, root.base_url) != (site.slug, site.hosts, site.base_url)


def _judge(kinds: Kinds, base: Base, plan: Plan, site: SiteFacts, tombstones: set[str]) -> Judge:
    return Judge(
        base.manifest,
        plan,
        base_url=site.base_url,
        hidden=kinds.hidden,
        dynamic=kinds.dynamic,
        tombstones=tombstones,
    )


def _large_removal(base: Manifest, removed: int) -> str | None:
    """The sentence about it. The pages of a site are counted only when there is reason to."""
    if removed <= FEW_REMOVALS:
        return None
    pages = sum(is_page(entry) for _, entry in base.scan())
    return f"This removes {removed} of {pages} pages." if removed * 100 > pages * 5 else None
