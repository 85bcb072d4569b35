"""What the program consists of, in explicit lists: shared by the server and the command line."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from app.campaigns.feed import Feed
from app.campaigns.hidden import HiddenCampaigns
from app.campaigns.listing import Rows
from app.campaigns.published import Campaigns, CampaignsInSitemap, Listing
from app.database.engine import Pool, make_pool
from app.endorsements.published import Endorsements
from app.jobs.handlers import AnyHandler
from app.kit.clock import Clock, system_clock
from app.kit.resources import program_digest, resource
from app.pages.published import Gone, Home, HomeInSitemap, MediaFiles, NotFound, Redirects, gone_page
from app.publishing.afterwards.jobs import afterwards_handlers
from app.publishing.chunk import Kinds, Workshop
from app.publishing.compress import compress_handler
from app.publishing.elsewhere import Database, Elsewhere
from app.publishing.engine import CONNECTIONS, Engine
from app.publishing.kinds import Naming
from app.publishing.pool import Renderers, renderers
from app.publishing.spread import Spread, spread_handler
from app.publishing.templating import make_environment, template_digests
from app.settings import Settings
from app.sites.published import Robots, SharedAssets
from app.sites.sitemap import Sitemap
from app.storage.facade import AsyncStore
from app.storage.store import ObjectStore
from app.storage.urls import open_store

MOST_PROCESSES = 8
"""Of one machine that render; beyond it the database is what they wait for."""
COUNTED = frozenset({"endorsements", "stakeholders"})
"""What visitors write: a refresh takes it live without an editor."""

STYLES = ("frame.css", "content.css")

DYNAMIC = ("/api", "/desk", "/healthz", "/readyz", "/metrics")
"""Beginnings of the paths that the server answers itself, and no release."""

NAMINGS = (
    Naming("sites", "site", "sites", "name"),
    Naming("homepages", "home page of", "home pages", "organization_name"),
    Naming("content_blocks", "block", "blocks", "name"),
    Naming("campaigns", "campaign", "campaigns", "title"),
    Naming("endorsements", "endorsement", "endorsements"),
    Naming("stakeholders", "person or organization that endorsed", "people and organizations"),
    Naming("pages", "page", "pages", "title"),
    Naming("media", "picture", "pictures", "filename"),
    Naming("redirects", "redirect from", "redirects", "from_path"),
)
"""How the rows are called that a dry run gives as reasons. Names of people are not for everybody."""


def make_store(settings: Settings) -> ObjectStore:
    """The store of HUSTINGS_STORE_URL, else the folder `build` of the data folder."""
    return open_store(settings.store_url, settings.data / "build")


def afterwards(settings: Settings, store: AsyncStore) -> tuple[AnyHandler, ...]:
    """The jobs that follow each flip. Raises ConfigurationError."""
    return (*afterwards_handlers(store, settings.purge_url), compress_handler(store))


def rendering(settings: Settings, workshop: Workshop) -> tuple[AnyHandler, ...]:
    """The job of helping with the builds of other machines."""
    return (spread_handler(workshop, database_of(settings)),)


def database_of(settings: Settings) -> Database:
    return Database(str(settings.database_url), settings.database_pooler)


def make_workshop(store: ObjectStore) -> Workshop:
    """Everything that making pages needs, without any connection or thread."""
    templates = resource("templates")
    environment = make_environment(templates)
    assets = SharedAssets(read_css(templates))
    return Workshop(
        store=AsyncStore(store),
        environment=environment,
        digests=template_digests(environment),
        kinds=page_kinds(assets),
        load_site=assets.load_site,
        program=program_digest(),
    )


def make_engine(pool: Pool, store: ObjectStore, *, clock: Clock = system_clock, actor: str = "") -> Engine:
    """Everything a publish needs, over open connections."""
    return engine_of(make_workshop(store), pool, clock=clock, actor=actor)


def engine_of(
    workshop: Workshop,
    pool: Pool,
    *,
    clock: Clock = system_clock,
    actor: str = "",
    elsewhere: Elsewhere | None = None,
) -> Engine:
    parts = {name: getattr(workshop, name) for name in Workshop.__struct_fields__}
    return Engine(pool=pool, clock=clock, actor=actor, elsewhere=elsewhere, counted=COUNTED, **parts)


@contextmanager
def forked(settings: Settings) -> Iterator[tuple[Workshop, Renderers]]:
    """A workshop, and one rendering process for each processor. Before any thread or event loop starts."""
    workshop = make_workshop(make_store(settings))
    for kind in workshop.kinds.all:
        if kind.template:
            workshop.environment.get_template(kind.template)  # compiled once, for all processes
    count = min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    with renderers(count, workshop, database_of(settings)) as processes:
        yield workshop, processes


def page_kinds(assets: SharedAssets) -> Kinds:
    """Every page kind of the product."""
    endorsements = Endorsements()
    rows = Rows(endorsements)
    return Kinds(
        pages=(
            assets,
            MediaFiles(),
            Campaigns(endorsements),
            Listing(rows),
            Feed(rows),
            Home(rows, endorsements),
            NotFound(rows),
            Sitemap([HomeInSitemap(), CampaignsInSitemap()]),
            Robots(),
        ),
        redirects=Redirects(),
        gone=Gone(),
        gone_page=gone_page,
        hidden=(HiddenCampaigns(),),
        namings=NAMINGS,
        dynamic=DYNAMIC,
    )


def read_css(templates: Path) -> str:
    """The hand-written rules as one text: later files win where both speak."""
    return "".join((templates / "assets" / name).read_text("utf-8") for name in STYLES)


@asynccontextmanager
async def open_engine(
    settings: Settings,
    *,
    actor: str = "",
    workshop: Workshop | None = None,
    elsewhere: Elsewhere | None = None,
    spread: bool = False,
) -> AsyncIterator[Engine]:
    """An engine over the settings' database and store; its pool is closed at the end.

    With `spread` the workers of all machines are asked to help with large publishes.
    """
    url = str(settings.database_url)
    # One more for each hand of `Spread`: its own chunk, and what others have made.
    size = max(settings.database_pool_size, CONNECTIONS + 2)
    pool = await make_pool(url, size=size, pooler=settings.database_pooler)
    try:
        workshop = workshop or make_workshop(make_store(settings))
        if spread:
            elsewhere = Spread(pool, workshop, database_of(settings))
        yield engine_of(workshop, pool, actor=actor, elsewhere=elsewhere)
    finally:
        pool.terminate()
