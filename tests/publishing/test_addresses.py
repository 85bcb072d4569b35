"""Names with every kind of trouble: each has one URL, from the pack to the gateway, or is refused by name."""

from collections.abc import AsyncIterator
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote
from uuid import UUID

import asyncpg
import pytest

from app.packing import PACKS
from app.packs.load import load_pack
from app.packs.problems import PackError
from app.publishing.gateway.asgi import Gateway
from app.storage.facade import AsyncStore
from tests.conftest import Database
from tests.packs.support import small_pack
from tests.publishing.gateway.world import ask
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
HOST = "www.river.example"
GOOD = ("a", "0", "page", "api", "index", "404", "con", "free-well-tests", "a" * 100)
BAD = (
    "Wells",
    "WELLS",
    "caf\u00e9",
    "cafe\u0301",
    "free wells",
    " wells",
    "free+wells",
    "free%20wells",
    "100%",
    "a" * 101,
    "\u05e9\u05dc\u05d5\u05dd",
    "\u202ewells",
    "free..wells",
    "..",
    "...",
    "free_wells",
    "free--wells",
    "-wells",
    "wells-",
    "wells\n",
    "we\x07lls",
    "we\u200blls",
    "\U0001f30a",
    "we\\lls",
    "we?lls",
    "we#lls",
    "\uff57ells",
)
MATTER = '+++\ntitle = "{}"\nsummary = "S"\n+++\n'


@pytest.fixture
async def here(shared_database: Database) -> AsyncIterator[World]:
    async with world(shared_database) as made:
        yield made


async def load(here: World, folder: Path) -> UUID:
    async with here.pool.acquire() as connection:
        await load_pack(connection, AsyncStore(here.store), folder, PACKS, prune=False)
        site: UUID = await connection.fetchval("SELECT id FROM site_directory() WHERE slug = 'river'")
    return site


@pytest.fixture
async def river(here: World, tmp_path: Path) -> tuple[World, UUID, Gateway]:
    """A site with every good name, and redirects from accents, published and served."""
    files = {f"campaigns/{slug}.md": MATTER.format(slug) for slug in GOOD}
    files["redirects.csv"] = (
        "from_path,to_path\n/cafe\u0301/,/campaigns/a/\n/a+b,/campaigns/a/\n/gr\u00fc n,/cafe\u0301/\n"
    )
    site = await load(here, small_pack(tmp_path, files))
    await here.publish(site)
    gateway = Gateway(AsyncStore(here.store))
    await gateway.refresh()
    return here, site, gateway


async def status(gateway: Gateway, raw: bytes) -> tuple[int, str]:
    reply = await ask(gateway, raw, host=HOST)
    return reply.status, reply.headers.get("location", "")


def spellings(path: str) -> dict[str, int]:
    """Ways to write the address of a page, and what each gets: 301 stands for the one URL."""
    return {
        f"/campaigns/%{ord(path[11]):02X}{path[12:]}": 301,
        "".join(f"%{ord(letter):02x}" if letter != "/" else "/" for letter in path): 301,
        "".join(f"%{ord(letter):02X}" if letter != "/" else "/" for letter in path): 301,
        f"/campaigns%2f{path[11:]}": 301,
        path[:-1]: 301,
        path[:-1] + "%2F": 301,
        f"/{path}": 301,
        f"/.{path}": 301,
        f"/%2e%2E{path}": 301,
        path.upper(): 301,
        f"{path}+": 404,
        f"{path}%20": 404,
        path.replace("/campaigns/", "/campaigns/+"): 404,
        path[:-1] + "%00/": 400,
        path[:-1] + "%/": 400,
        path[:-1] + "%CC%81/": 404,
        path[:-1] + "%ff/": 400,
    }


@pytest.mark.parametrize("slug", GOOD)
async def test_a_good_name_has_one_url(river: tuple[World, UUID, Gateway], slug: str) -> None:
    here, site, gateway = river
    path = f"/campaigns/{slug}/"
    assert await status(gateway, path.encode()) == (200, "")
    for raw, wanted in spellings(path).items():
        assert await status(gateway, raw.encode()) == (wanted, path if wanted == 301 else ""), raw
    assert f"{path}</loc>" in here.page(site, "/sitemap.xml")
    assert f'rel="canonical" href="http://river.localhost{path}"' in here.page(site, path)
    assert f'href="{path}"' in here.page(site, "/campaigns/")


async def test_an_accent_in_either_form_is_one_redirect(river: tuple[World, UUID, Gateway]) -> None:
    here, site, gateway = river
    entries = here.entries(site)
    assert entries["/caf\u00e9/"].location == "/campaigns/a/"
    assert all(normalize("NFC", path) == path for path in entries)
    for raw in (b"/caf%C3%A9/", b"/caf%c3%a9/", "/caf\u00e9/".encode()):
        assert await status(gateway, raw) == (301, "/campaigns/a/")
    for raw in (b"/cafe%CC%81/", b"/cafe%cc%81", b"/CAF%C3%89/", "/cafe\u0301/".encode()):
        assert await status(gateway, raw) == (301, "/caf%C3%A9/")
    # A chain of redirects is one hop.
    assert await status(gateway, b"/gr%C3%BC%20n") == (301, "/campaigns/a/")
    assert await status(gateway, b"/gr%C3%BC+n") == (404, "")
    assert await status(gateway, b"/a+b") == (301, "/campaigns/a/")
    assert await status(gateway, b"/a%2Bb") == (301, "/campaigns/a/")
    assert await status(gateway, b"/a%20b") == (404, "")


async def test_every_path_of_a_release_is_written_in_one_way(river: tuple[World, UUID, Gateway]) -> None:
    """What the sitemap and the pages link to is answered at once, without a redirect."""
    here, site, gateway = river
    sitemap = here.page(site, "/sitemap.xml")
    paths = [part.partition("</loc>")[0].partition("localhost")[2] for part in sitemap.split("<loc>")[1:]]
    assert len(paths) > len(GOOD)
    for path in paths:
        assert unquote(path) == path
        assert (await status(gateway, path.encode()))[0] == 200


@pytest.mark.parametrize("slug", [slug for slug in BAD if slug not in {"..", "..."}])
async def test_a_bad_name_is_refused_with_its_file(here: World, tmp_path: Path, slug: str) -> None:
    with pytest.raises(PackError) as refused:
        await load(here, small_pack(tmp_path, {f"campaigns/{slug}.md": MATTER.format("T")}))
    [problem] = refused.value.problems
    assert problem.file in {f"campaigns/{slug}.md", ascii(f"campaigns/{slug}.md")}
    assert problem.message.startswith(
        ("is not a good file name; it must be", "has a name that cannot be shown")
    )


@pytest.mark.parametrize("slug", BAD)
async def test_a_bad_slug_in_a_field_is_refused_with_file_line_and_field(
    here: World, tmp_path: Path, slug: str
) -> None:
    written = slug.replace("\\", "\\\\").replace("\n", "\\n").replace("\x07", "\\u0007")
    files = {"site.toml": f'name = "River"\nslug = "{written}"\n'}
    with pytest.raises(PackError) as refused:
        await load(here, small_pack(tmp_path, files))
    [problem] = refused.value.problems
    assert (problem.file, problem.line, problem.field) == ("site.toml", 2, "slug")
    assert problem.message.startswith("must be lower-case letters, digits and single hyphens, at most 100")


@pytest.mark.parametrize("slug", BAD)
async def test_no_sql_gets_around_it(here: World, slug: str) -> None:
    site = await here.add_site(f"s{BAD.index(slug)}")
    with pytest.raises(asyncpg.CheckViolationError, match="valid_campaign_slug"):
        await here.add_campaign(site, slug, title="T")
    with pytest.raises(asyncpg.CheckViolationError, match="valid_page_slug"):
        await here.insert(site, "pages", slug=slug, title="T", translation_group_id=site)
    with pytest.raises(asyncpg.CheckViolationError, match="valid_site_slug"):
        await here.run(site, "UPDATE sites SET slug = $1", slug)
