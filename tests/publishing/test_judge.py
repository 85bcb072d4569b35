"""What the checks stop and what they warn of, through real templates and a real database.

Each fault is made on purpose: in the content, in a copy of the templates, or in what a page kind asks.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from shutil import copytree
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.campaigns import listing, published
from app.errors import PublishError
from app.kit.resources import resource
from app.publishing import checks
from app.publishing.engine import Engine
from app.publishing.judge import Judge
from app.publishing.publish import publish
from app.publishing.report import Preview, Silent
from app.publishing.templating import make_environment, template_digests
from app.storage.memory import MemoryStore
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio

Spoil = Callable[[str, str, str], Engine]


@pytest.fixture
async def here(shared_database: Database) -> AsyncIterator[World]:
    async with world(shared_database) as made:
        yield made


@pytest.fixture
def spoil(here: World, tmp_path: Path) -> Spoil:
    """An engine with the product's templates, in one of which something stands instead of something else."""

    def spoiled(name: str, right: str, wrong: str) -> Engine:
        folder = tmp_path / f"templates-{len(list(tmp_path.iterdir()))}"
        copytree(resource("templates"), folder)
        text = (folder / name).read_text()
        assert right in text
        (folder / name).write_text(text.replace(right, wrong, 1))
        environment = make_environment(folder)
        return msgspec.structs.replace(
            here.engine, environment=environment, digests=template_digests(environment)
        )

    return spoiled


_slugs = iter(range(1_000))


async def site_of(here: World, *slugs: str, **fields: Any) -> UUID:
    site = await here.add_site(f"site-{next(_slugs)}")
    for slug in slugs:
        await here.add_campaign(site, slug, **fields)
    return site


async def write(here: World, site: UUID, slug: str, html: str) -> None:
    await here.run(site, "UPDATE campaigns SET description_html = $2 WHERE slug = $1", slug, html)


async def stopped(here: World, site: UUID, engine: Engine | None = None, **options: Any) -> list[str]:
    """The errors of a publish that has to fail, and that leaves all as it was."""
    before = here.store.list("live/")
    with pytest.raises(PublishError) as caught:
        await publish(engine or here.engine, site, report=Silent(), **options)
    rows = await here.run(site, "SELECT state, error FROM releases ORDER BY number DESC LIMIT 1")
    assert [dict(row) for row in rows] == [{"state": "failed", "error": str(caught.value)}]
    assert list(here.store.list("live/")) == list(before)
    head, *errors = str(caught.value).splitlines()
    assert head.startswith("Nothing went live because of")
    return errors


async def preview(here: World, site: UUID, *, full: bool = False, engine: Engine | None = None) -> Preview:
    found = await publish(engine or here.engine, site, report=Silent(), full=full, dry_run=True)
    assert isinstance(found, Preview)
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("site/campaign.html", "<h1>", "<h1>1</h1><h1>"), "has 2 headings h1; a page has exactly one."),
        (("site/campaign.html", "</article>\n", "<img src='/'></article>\n"), "has a picture without an alt"),
        (("site/base.html", "</html>", ""), "does not end with </html>"),
        (("site/base.html", "<title>", "<title></title><title>"), "has no title."),
        (("site/base.html", "{% block main %}{% endblock %}", "<h1></h1>"), "is empty: nothing can be read"),
        (
            ("site/base.html", '<a class="skip" href="#main">', '<a href="/m/">'),
            "links to /m/, which does not exist",
        ),
    ],
)
async def test_a_broken_template_stops_the_release(
    here: World, spoil: Spoil, change: tuple[str, str, str], said: str
) -> None:
    site = await site_of(here, "one", "two")
    await here.publish(site)
    before = here.entries(site)
    errors = await stopped(here, site, spoil(*change))
    assert [error for error in errors if said in error]
    assert here.entries(site) == before
    assert (await here.publish(site, full=True)).rendered == 0


async def test_all_errors_are_collected_and_some_are_shown(here: World, spoil: Spoil) -> None:
    site = await site_of(here, *(f"c{number:02}" for number in range(24)))
    errors = await stopped(here, site, spoil("site/campaign.html", "<h1>", "<h1></h1><h1>"))
    assert errors[0] == "- /campaigns/c00/ has 2 headings h1; a page has exactly one."
    assert (len(errors), errors[-1]) == (21, "and 4 more")


async def test_a_link_to_nowhere_stops_the_release(here: World) -> None:
    site = await site_of(here, "one", "two")
    await write(here, site, "one", '<p><a href="/campaigns/three/?a#b">a</a></p>')
    expected = "- /campaigns/one/ links to /campaigns/three/, which does not exist."
    assert await stopped(here, site) == [expected]
    [row] = await here.run(site, "SELECT slug FROM sites")
    link = f"http://{row['slug']}.localhost/campaigns/three/"
    await write(here, site, "two", f'<p><a href="{link}">a</a></p>')
    assert await stopped(here, site) == [f"{expected[:-1]}; 1 other page does so too."]
    await here.add_campaign(site, "three")
    assert (await here.publish(site)).warnings == ()


@pytest.mark.parametrize("link", ["/campaigns", "/campaigns/two", "/api/v1/campaigns", "/healthz", "../two/"])
async def test_what_the_server_answers_may_be_linked_to(here: World, link: str) -> None:
    site = await site_of(here, "one", "two")
    await write(here, site, "one", f'<p><a href="{link}">a</a></p>')
    assert (await here.publish(site)).warnings == ()


async def test_a_link_of_the_navigation_is_told_once(here: World) -> None:
    site = await site_of(here, "one", "two")
    await here.run(site, """UPDATE sites SET navigation = '[{"label": "A", "url": "/a/"}]'""")
    assert await stopped(here, site) == [
        "- /404.html links to /a/, which does not exist (as every page does if it stands in the navigation)."
    ]


async def test_unpublishing_is_never_kept_by_a_link(here: World) -> None:
    """Neither at once nor later, when the page with the link is made anew or everything is lost."""
    site = await site_of(here, "one", "two")
    await write(here, site, "one", '<p><a href="/campaigns/two">a</a></p>')
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'two'")
    unchanged = (await preview(here, site)).warnings
    await here.run(site, "UPDATE campaigns SET summary = 'Edited' WHERE slug = 'one'")
    outcome = await here.publish(site)
    assert outcome.warnings == unchanged == ("/campaigns/one/ links to /campaigns/two, which is gone.",)
    await here.run(site, "UPDATE campaigns SET summary = 'Again' WHERE slug = 'one'")
    assert (await here.publish(site)).warnings == ()
    fresh = World(here.pool, MemoryStore())
    assert (await fresh.publish(site)).warnings == outcome.warnings


async def test_a_link_to_what_was_taken_down_is_a_warning(here: World) -> None:
    site = await site_of(here, "one", "two")
    await here.insert(site, "tombstones", path="/campaigns/two/", reason="a court order")
    await write(here, site, "one", '<p><a href="/campaigns/two/">a</a></p>')
    warnings = (await here.publish(site)).warnings
    assert warnings == (
        "/campaigns/ links to /campaigns/two/, which was taken down; 2 other pages do so too.",
    )


async def test_a_page_that_stays_is_looked_at_when_what_it_links_to_goes(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the control: without that look visitors would meet a link to nowhere."""
    site = await site_of(here, "one")
    await here.insert(site, "redirects", from_path="/short/", to_path="/campaigns/one/")
    await write(here, site, "one", '<p><a href="/short/">a</a></p>')
    await here.publish(site)
    await here.run(site, "DELETE FROM redirects")
    expected = "- /campaigns/one/ links to /short/, which does not exist."
    assert await stopped(here, site) == [expected]
    assert await stopped(here, site, full=True) == [expected]
    monkeypatch.setattr(Judge, "_left_behind", lambda *_: iter(()))
    await here.publish(site)
    entries = here.entries(site)
    assert "/short/" in entries["/campaigns/one/"].links
    assert "/short/" not in entries


async def test_a_redirect_that_leads_nowhere_is_a_warning(here: World) -> None:
    site = await site_of(here, "one", "two")
    await here.insert(site, "redirects", from_path="/a/", to_path="/b/")
    await here.insert(site, "redirects", from_path="/c/", to_path="/campaigns/two/")
    assert (await here.publish(site)).warnings == ("/a/ leads to /b/, which does not exist.",)
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'two'")
    assert (await here.publish(site)).warnings == ("/c/ leads to /campaigns/two/, which is gone.",)


async def test_every_way_to_publish_finds_the_same(here: World) -> None:
    """What changed, everything, and everything into an empty store: the same errors and warnings."""
    site = await site_of(here, "one", "two", "three")
    await here.publish(site)
    await write(here, site, "one", '<p><a href="/nowhere/">a</a> <a href="#b">b</a></p>')
    await write(here, site, "two", '<p><a href="/campaigns/three/">a</a> <a href="/nowhere/">b</a></p>')
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'three'")
    changed, everything = await preview(here, site), await preview(here, site, full=True)
    empty = await preview(World(here.pool, MemoryStore()), site)
    assert changed.errors == (
        "/campaigns/one/ links to /nowhere/, which does not exist; 1 other page does so too.",
    )
    assert changed.warnings == (
        "/campaigns/one/ links to #b, which is not on the page.",
        "/campaigns/two/ links to /campaigns/three/, which is gone.",
    )
    assert (changed.errors, changed.warnings) == (everything.errors, everything.warnings)
    assert (changed.errors, changed.warnings) == (empty.errors, empty.warnings)


async def test_a_page_that_grows_or_shrinks_much_is_a_warning(here: World) -> None:
    site = await site_of(here, "one")
    await here.publish(site)
    small = here.entries(site)["/campaigns/one/"].size
    await write(here, site, "one", f"<p>{'Long words. ' * 4_000}</p>")
    [grown] = (await here.publish(site)).warnings
    assert grown.startswith(f"/campaigns/one/ grows from {small:,} to ")
    await write(here, site, "one", "<p>Short.</p>")
    [shrunk] = (await here.publish(site)).warnings
    assert shrunk.startswith("/campaigns/one/ shrinks from ")


@pytest.mark.parametrize(
    ("module", "query", "said"),
    [
        (listing, "NEWEST", "/campaigns/ lists /campaigns/draft/, which must not be seen"),
        (published, "ENTRIES", "/sitemap.xml lists /campaigns/draft/, which must not be seen"),
        (published, "CAMPAIGNS", "/campaigns/draft/ would be shown, and must not be"),
    ],
)
async def test_a_draft_that_a_query_lets_through_stops_the_release(
    here: World, monkeypatch: pytest.MonkeyPatch, module: Any, query: str, said: str
) -> None:
    """And the control: without the check it would be there for all to see."""
    site = await site_of(here, "one")
    await here.publish(site)
    await here.add_campaign(site, "draft", title="Not yet", active=False)
    monkeypatch.setattr(module, query, getattr(module, query).replace("active AND", ""))
    errors = await stopped(here, site)
    assert f"- {said}: the campaign “Not yet” is not active." in errors
    kinds = msgspec.structs.replace(here.engine.kinds, hidden=())
    blind = msgspec.structs.replace(here.engine, kinds=kinds)
    if query == "NEWEST":
        assert "which does not exist" in (await stopped(here, site, blind))[0]
        return
    await publish(blind, site, report=Silent())
    assert "/campaigns/draft/" in here.page(site, "/sitemap.xml") or here.page(site, "/campaigns/draft/")


async def test_a_page_that_the_plan_forgets_to_take_away_stops_the_release(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def touched(*_: object) -> set[str]:
        return set()

    site = await site_of(here, "one", "two")
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'two'")
    monkeypatch.setattr(published.Campaigns, "touched", touched)
    errors = await stopped(here, site)
    assert errors == ["- /campaigns/two/ would be shown, and must not be: the campaign “Two” is not active."]


async def test_editors_may_write_of_what_is_not_shown_any_more(here: World) -> None:
    """In every kind of block: what they wrote is not taken for a list of rows."""
    site = await site_of(here, "one", "two")
    await here.publish(site)
    [row] = await here.run(site, "SELECT id FROM campaigns WHERE slug = 'one'")
    measures = {"size": 1, "width": 1, "height": 1, "content_type": "image/webp", "alt_text": "A"}
    here.store.put("media/" + "a" * 64, b"picture", content_type="image/webp")
    await here.insert(site, "media", filename="a.webp", digest="a" * 64, **measures)
    for kind in ("text", "image", "text_image", "quote"):
        html = '<p>See <a href="/campaigns/two/">two</a></p>'
        picture = "media/a.webp" if "image" in kind else ""
        await here.insert(
            site,
            "content_blocks",
            campaign_id=row["id"],
            block_type=kind,
            content_html=html,
            image_url=picture,
        )
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'two'")
    warnings = (await here.publish(site)).warnings
    assert warnings == ("/campaigns/one/ links to /campaigns/two/, which is gone.",)
    assert here.page(site, "/campaigns/one/").count('href="/campaigns/two/"') == 4


async def test_a_picture_without_an_alt_text_stops_the_release(here: World) -> None:
    measures = {"size": 1, "width": 1, "height": 1, "content_type": "image/webp"}
    site = await site_of(here, "one", image_url="media/a.webp")
    here.store.put("media/" + "a" * 64, b"picture", content_type="image/webp")
    await here.insert(site, "media", filename="a.webp", digest="a" * 64, **measures)
    errors = await stopped(here, site)
    expected = "has a picture with an empty alt text that is no decoration: /media/aaaaaaaaaaaa-a.webp."
    assert f"- /campaigns/one/ {expected}" in errors
    await here.run(site, "UPDATE media SET alt_text = 'A pump'")
    assert (await here.publish(site)).warnings == ()


async def test_a_new_version_of_the_checks_looks_at_every_page_again(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what it finds would come up with some later edit of the page."""
    site = await site_of(here, "one", "two")
    await here.publish(site)
    monkeypatch.setattr(checks, "VERSION", checks.VERSION + 1)
    outcome = await here.publish(site)
    pages = [path for path, entry in here.entries(site).items() if entry.content_type.startswith("text/html")]
    assert (outcome.rendered, outcome.changed) == (len(pages), 0)


class Counting(MemoryStore):
    """Counts what is written of pages."""

    puts = 0

    def put(self, key: str, body: bytes, **options: Any) -> str:
        self.puts += key.startswith("blobs/")
        return super().put(key, body, **options)


async def test_a_page_that_comes_out_the_same_is_neither_uploaded_nor_told(
    shared_database: Database, tmp_path: Path
) -> None:
    async with world(shared_database, Counting()) as here:
        site = await site_of(here, "one", "two")
        await here.publish(site)
        before, pages = here.entries(site), {"/campaigns/one/", "/campaigns/two/"}
        assert isinstance(here.store, Counting)
        here.store.puts = 0
        copytree(resource("templates"), tmp_path / "templates")
        with (tmp_path / "templates/site/campaign.html").open("a") as template:
            template.write("{# Nobody sees this. #}")
        environment = make_environment(tmp_path / "templates")
        here.engine = msgspec.structs.replace(
            here.engine, environment=environment, digests=template_digests(environment)
        )
        outcome = await here.publish(site)
        assert (outcome.rendered, outcome.changed, outcome.uploaded, here.store.puts) == (2, 0, 0, 0)
        assert outcome.unchanged == outcome.pages
        after = here.entries(site)
        assert {path for path in after if after[path] != before[path]} == pages
        assert all(after[path].blob == before[path].blob for path in pages)
        told = await here.run(
            site, "SELECT p.path FROM release_pages p JOIN releases r ON r.id = p.release_id WHERE number = 2"
        )
        assert told == []
        assert (await here.publish(site)).rendered == (await here.publish(site, full=True)).rendered == 0


async def test_a_page_that_is_lost_is_made_again_though_it_is_the_same(here: World) -> None:
    """The bytes of the base are taken to be there, but not by who was asked to look."""
    site = await site_of(here, "one")
    await here.publish(site)
    here.store.delete(f"blobs/{here.entries(site)['/campaigns/one/'].blob}")
    outcome = await here.publish(site, full=True)
    assert (outcome.rendered, outcome.uploaded, outcome.changed) == (1, 1, 0)
    assert "One" in here.page(site, "/campaigns/one/")
