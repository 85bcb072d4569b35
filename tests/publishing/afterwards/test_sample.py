"""Pages of a release fetched through a network that caches, and compared with what was released."""

import gzip
from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest

from app.jobs.handlers import JobContext
from app.publishing.activation import rollback
from app.publishing.afterwards.calls import Answer, Calls
from app.publishing.afterwards.chosen import choose, folders_of, spread
from app.publishing.afterwards.compare import Page, difference
from app.publishing.afterwards.purge import Purging
from app.publishing.afterwards.sample import Sampling, Waits
from app.publishing.afterwards.urls import open_purger
from app.publishing.flips import FollowUp, PurgeFlips, SampleFlip
from app.publishing.history import show_release
from app.publishing.manifest import Entry, blob_digest
from app.publishing.report import Silent
from app.storage.facade import AsyncStore
from tests.publishing.afterwards.cdn import Cdn, running_cdn
from tests.publishing.afterwards.service import Service
from tests.publishing.gateway.world import HTML
from tests.publishing.world import World

pytestmark = pytest.mark.anyio
PROMPT = Waits(lag=0.0, pause=0.01)


@pytest.fixture
async def cdn(here: World, service: Service) -> AsyncIterator[Cdn]:
    async with running_cdn(here.store, service) as running:
        yield running


class After:
    """The two jobs, run by hand as a worker does it."""

    def __init__(self, here: World, service: Service, calls: Calls, waits: Waits = PROMPT) -> None:
        store = AsyncStore(here.store)
        purger = open_purger(f"webhook+http://:s@{service.host}/", calls, lambda: here.now)
        self.here = here
        self.purging = Purging(store=store, purger=purger, clock=lambda: here.now)
        self.sampling = Sampling(store=store, calls=calls, clock=lambda: here.now, waits=waits)

    async def purge(self, site: UUID, again: int = 0) -> None:
        context = JobContext(1, 1, site, self.here.pool)
        await self.purging.run(context, PurgeFlips(site_id=site, again=again))

    async def sample(self, site: UUID, generation: int, turn: int = 1) -> FollowUp:
        [row] = await self.here.run(
            site,
            "SELECT r.number FROM flips f JOIN releases r ON r.id = f.release_id WHERE f.generation = $1",
            generation,
        )
        job = SampleFlip(site_id=site, generation=generation, turn=turn)
        await self.sampling.run(JobContext(1, 1, site, self.here.pool), job)
        found = (await show_release(self.here.pool, site, row["number"])).release.afterwards
        assert found is not None
        return found

    async def queued(self) -> list[str]:
        rows = await self.here.pool.fetch(
            "SELECT entrypoint, payload FROM pgqueuer WHERE execute_after > now() + '5 s' ORDER BY id"
        )
        return [row["entrypoint"] for row in rows]


@pytest.fixture
def after(here: World, service: Service, calls: Calls) -> After:
    return After(here, service, calls)


async def a_site(here: World, base_url: str) -> UUID:
    site = await here.add_site(base_url=base_url)
    for number in range(3):
        await here.add_campaign(site, f"c{number}")
    await here.add_homepage(site)
    await here.publish(site)
    return site


async def edit(here: World, site: UUID, slug: str, words: str) -> None:
    await here.run(site, "UPDATE campaigns SET summary = $2 WHERE slug = $1", slug, words)
    await here.publish(site)


async def test_what_is_served_as_released_is_said_to_be(
    here: World, service: Service, cdn: Cdn, after: After
) -> None:
    site = await a_site(here, service.url)
    found = await after.sample(site, 1)
    assert (found.sample, found.findings) == ("same", ())
    assert found.sample_note == f"9 of 9 pages are as released at {service.url}."
    assert {"/", "/campaigns/"} < set(cdn.asked)
    codings = {sent.headers["accept-encoding"] for sent in service.sent}
    assert codings == {"identity", "gzip"}
    assert {reply.headers.get("content-encoding") for reply in cdn.kept.values()} == {None, "gzip"}


async def test_a_cache_that_keeps_an_old_page_is_told_of(
    here: World, service: Service, cdn: Cdn, after: After
) -> None:
    site = await a_site(here, service.url)
    await after.sample(site, 1)
    await edit(here, site, "c1", "Edited")
    cdn.is_deaf = True
    await after.purge(site)
    found = await after.sample(site, 2)
    assert found.sample == "different"
    assert f"{service.url}/campaigns/c1/ still shows release 1." in found.findings
    assert "purged again, and looked at again, in 15 s." in found.sample_note
    assert await after.queued() == ["flips.purge"]
    cdn.is_deaf = False
    await after.purge(site, again=2)
    assert (await after.sample(site, 2, turn=2)).sample == "same"


async def test_the_second_turn_is_the_last(here: World, service: Service, cdn: Cdn, after: After) -> None:
    site = await a_site(here, service.url)
    await after.sample(site, 1)
    await edit(here, site, "c1", "Edited")
    found = await after.sample(site, 2)
    assert "may hold a page for 2 minutes; it is looked at again in 130 s." in found.sample_note
    assert await after.queued() == ["flips.sample"], "nothing was purged, so it is only waited for"
    found = await after.sample(site, 2, turn=2)
    assert "look at how the CDN is configured" in found.sample_note
    assert len(await after.queued()) == 1
    assert cdn.kept


async def test_a_purge_is_what_makes_the_difference(
    here: World, service: Service, cdn: Cdn, after: After
) -> None:
    """With the purge the new page is there at once; the test above is the control without."""
    site = await a_site(here, service.url)
    await after.purge(site)
    await after.sample(site, 1)
    await edit(here, site, "c1", "Edited")
    await after.purge(site)
    kept = {path for path, _ in cdn.kept}
    assert "/campaigns/c0/" in kept, "what has not changed stays in the cache"
    found = await after.sample(site, 2)
    assert (found.sample, found.findings) == ("same", ())


async def test_a_gateway_that_lags_is_waited_for(
    here: World, service: Service, calls: Calls, cdn: Cdn
) -> None:
    after = After(here, service, calls, Waits(lag=60, pause=0.01))
    site = await a_site(here, service.url)
    await after.sample(site, 1)
    await edit(here, site, "c1", "Edited")
    cdn.lag = 30
    assert (await after.sample(site, 2)).sample == "same"
    assert cdn.lag == 0
    prompt = After(here, service, calls)
    await edit(here, site, "c1", "Edited again")
    cdn.lag = 30
    assert (await prompt.sample(site, 3)).sample == "different", "the control: who does not wait finds it old"


async def test_going_back_and_a_page_that_is_gone_are_compared_too(
    here: World, service: Service, cdn: Cdn, after: After
) -> None:
    site = await a_site(here, service.url)
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'c1'")
    await here.publish(site)
    found = await after.sample(site, 2)
    assert (found.sample, "/campaigns/c1/" in cdn.asked) == ("same", True)
    await rollback(here.engine, site, report=Silent())
    found = await after.sample(site, 3)
    assert found.sample == "different"
    assert f"{service.url}/campaigns/c1/ answers 410 instead of 200; that is of release 2." in found.findings


async def test_a_newer_release_ends_the_question(
    here: World, service: Service, cdn: Cdn, after: After
) -> None:
    site = await a_site(here, service.url)
    await edit(here, site, "c1", "Edited")
    found = await after.sample(site, 1)
    assert (found.sample, found.sample_note) == ("skipped", "A newer release was live already.")
    assert cdn.asked == []


async def test_without_a_public_address_nothing_is_asked(here: World, after: After) -> None:
    site = await here.add_site()
    await here.publish(site)
    found = await after.sample(site, 1)
    assert found.sample == "skipped"
    assert "has no base_url" in found.sample_note


async def test_an_address_that_does_not_answer_is_told_of(here: World, after: After) -> None:
    site = await a_site(here, "http://127.0.0.1:1")
    found = await after.sample(site, 1)
    assert found.sample == "different"
    assert found.findings[0] == "http://127.0.0.1:1/ could not be read (NewConnectionError)."


BODY = b"<!doctype html><p>Water</p>"
ENTRY = Entry(blob=blob_digest(HTML, BODY), content_type=HTML, size=len(BODY))
MOVED = Entry(status=301, location="/new/")
GONE = Entry(status=410)
PAGE = Page(url="https://a.example/x/", path="/x/", entry=ENTRY, release=7)
PACKED = {"content-encoding": "gzip"}


@pytest.mark.parametrize(
    ("entry", "status", "headers", "body", "told"),
    [
        (ENTRY, 200, {}, BODY, None),
        (ENTRY, 200, {"hustings-release": "3"}, BODY, None),
        (ENTRY, 200, PACKED, gzip.compress(BODY, mtime=0), None),
        (ENTRY, 200, {"hustings-release": "6"}, b"old", "still shows release 6."),
        (ENTRY, 200, {"hustings-release": "7"}, b"mangled", "does not show what was released."),
        (ENTRY, 200, {"hustings-release": "-1; x"}, b"mangled", "does not show what was released."),
        (ENTRY, 200, PACKED, BODY, "does not show what was released."),
        (ENTRY, 200, PACKED, gzip.compress(BODY, mtime=0)[:-9], "does not show what was released."),
        (ENTRY, 200, PACKED, gzip.compress(BODY * 1000, mtime=0), "does not show what was released."),
        (ENTRY, 200, {"content-encoding": "br"}, BODY, "does not show what was released."),
        (ENTRY, 503, {}, b"", "answers 503 instead of 200."),
        (ENTRY, 301, {"location": "https://evil.example/"}, b"", "answers 301 instead of 200."),
        (MOVED, 301, {"location": "/new/"}, b"", None),
        (MOVED, 301, {"location": "https://a.example/new/"}, b"", None),
        (
            MOVED,
            301,
            {"location": "/old/"},
            b"",
            "leads to https://a.example/old/ instead of https://a.example/new/.",
        ),
        (GONE, 410, {}, b"any page", None),
        (
            GONE,
            200,
            {"hustings-release": "6"},
            BODY,
            "answers 200 instead of 410; that is of release 6.",
        ),
        (None, 404, {}, b"", None),
        (None, 301, {"location": "/x"}, b"", None),
        (None, 200, {}, b"", "answers 200, and should not be there."),
    ],
)
def test_each_difference_has_its_sentence(
    entry: Entry | None, status: int, headers: dict[str, str], body: bytes, told: str | None
) -> None:
    assert difference(msgspec.structs.replace(PAGE, entry=entry), Answer(status, headers, body)) == told


async def test_the_choice_is_the_home_page_the_listings_and_a_part_of_what_changed(here: World) -> None:
    site = await here.add_site()
    await here.add_homepage(site)
    for number in range(30):
        await here.add_campaign(site, f"c{number:02}")
    await here.publish(site)
    manifest = here.manifest(site)
    changed = [f"/campaigns/c{number:02}/" for number in range(30)] + ["/nowhere/x/"]
    chosen = choose(manifest, changed)
    assert list(chosen)[:2] == ["/", "/campaigns/"]
    assert len(chosen) == 10
    assert "/campaigns/c00/" in chosen
    assert max(chosen) > "/campaigns/c25/"
    assert choose(manifest, list(reversed(changed))) == chosen
    assert list(choose(manifest, [])) == ["/"]


def test_folders_and_parts() -> None:
    assert folders_of("/a/b/c/") == ["/a/", "/a/b/"]
    assert folders_of("/a/b") == ["/a/"]
    assert folders_of("/") == folders_of("/robots.txt") == []
    assert spread(["a", "b", "c", "d", "e"], 2) == ["a", "c"]
    assert spread(["a"], 5) == ["a"]
