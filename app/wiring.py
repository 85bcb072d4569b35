"""What the program consists of, in explicit lists: shared by the server and the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.campaigns.hidden import HiddenCampaigns
from app.campaigns.listing import Rows
from app.campaigns.pack import PACK as CAMPAIGNS
from app.campaigns.published import Campaigns, CampaignsInSitemap, Listing
from app.database.engine import Pool, make_pool
from app.endorsements.pack import PACK as ENDORSEMENTS
from app.endorsements.published import Endorsements
from app.kit.clock import Clock, system_clock
from app.kit.resources import program_digest, resource
from app.packs.parts import Part
from app.pages.pack import PACK as PAGES
from app.pages.published import Gone, Home, HomeInSitemap, MediaFiles, NotFound, Redirects, gone_page
from app.publishing.build import Kinds
from app.publishing.kinds import Naming
from app.publishing.publish import CONNECTIONS, Engine
from app.publishing.templating import make_environment, template_digests
from app.settings import Settings
from app.sites.pack import PACK as SITE
from app.sites.published import Robots, SharedAssets
from app.sites.sitemap import Sitemap
from app.storage.facade import AsyncStore
from app.storage.store import ObjectStore
from app.storage.urls import open_store

STYLES = ("frame.css", "content.css")

PACKS: tuple[Part, ...] = (SITE, PAGES, CAMPAIGNS, ENDORSEMENTS)
"""What content packs hold, in the order in which it is written."""

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


def make_engine(pool: Pool, store: ObjectStore, *, clock: Clock = system_clock, actor: str = "") -> Engine:
    """Everything a publish needs, over open connections."""
    templates = resource("templates")
    environment = make_environment(templates)
    assets = SharedAssets(read_css(templates))
    return Engine(
        pool=pool,
        store=AsyncStore(store),
        environment=environment,
        digests=template_digests(environment),
        kinds=page_kinds(assets),
        load_site=assets.load_site,
        clock=clock,
        actor=actor,
        program=program_digest(),
    )


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
        elsewhere=DYNAMIC,
    )


def read_css(templates: Path) -> str:
    """The hand-written rules as one text: later files win where both speak."""
    return "".join((templates / "assets" / name).read_text("utf-8") for name in STYLES)


@asynccontextmanager
async def open_engine(settings: Settings, *, actor: str = "") -> AsyncIterator[Engine]:
    """An engine over the settings' database and store; its pool is closed at the end."""
    url = str(settings.database_url)
    size = max(settings.database_pool_size, CONNECTIONS)
    pool = await make_pool(url, size=size, pooler=settings.database_pooler)
    try:
        yield make_engine(pool, make_store(settings), actor=actor)
    finally:
        pool.terminate()
