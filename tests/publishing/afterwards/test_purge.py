"""The purge that follows a flip: enqueued with it, told the right addresses, told again until it is done."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.database.engine import site_transaction
from app.errors import JobRefused
from app.jobs.handlers import JobContext
from app.publishing import releases
from app.publishing.activation import rollback
from app.publishing.afterwards.calls import CallFailed, Calls
from app.publishing.afterwards.changes import is_stale
from app.publishing.afterwards.purge import RETRIES, Purging
from app.publishing.afterwards.urls import open_purger
from app.publishing.flips import PurgeFlips
from app.publishing.history import show_release
from app.publishing.manifest import Entry
from app.publishing.pointer import read_pointer
from app.publishing.report import Silent
from app.publishing.takedown import takedown
from app.storage.facade import AsyncStore
from tests.publishing.afterwards.service import Reply, Service
from tests.publishing.world import World

pytestmark = pytest.mark.anyio
BASE = "https://www.example.org"


@pytest.fixture
def purging(here: World, service: Service, calls: Calls) -> Purging:
    purger = open_purger(f"webhook+http://:s@{service.host}/", calls, lambda: here.now)
    return Purging(store=AsyncStore(here.store), purger=purger, clock=lambda: here.now)


async def a_site(here: World, campaigns: int = 3) -> UUID:
    site = await here.add_site(base_url=BASE)
    for number in range(campaigns):
        await here.add_campaign(site, f"c{number}")
    await here.publish(site)
    return site


async def edit(here: World, site: UUID, slug: str, words: str) -> None:
    await here.run(site, "UPDATE campaigns SET summary = $2 WHERE slug = $1", slug, words)
    await here.publish(site)


async def waiting(here: World) -> list[tuple[str, str]]:
    """Jobs in the queue, with their payload; but those that make brotli."""
    rows = await here.pool.fetch(
        "SELECT entrypoint, payload FROM pgqueuer WHERE entrypoint <> 'pages.compress' ORDER BY id"
    )
    return [(row["entrypoint"], row["payload"].decode()) for row in rows]


async def work(
    here: World, purging: Purging, site: UUID, *, attempt: int = 1, job: PurgeFlips | None = None
) -> None:
    """One run of the job, as a worker does it."""
    context = JobContext(1, attempt, site, here.pool)
    await purging.run(context, job or PurgeFlips(site_id=site))


async def flips(here: World, site: UUID) -> list[tuple[int, str]]:
    rows = await here.run(site, "SELECT generation, purge FROM flips ORDER BY generation")
    return [(row["generation"], row["purge"]) for row in rows]


def told(service: Service) -> dict[str, Any]:
    data: dict[str, Any] = service.sent[-1].json["data"]
    return data | {"urls": [url.removeprefix(BASE) for url in data["urls"]]}


async def test_a_flip_and_its_job_share_one_fate(here: World) -> None:
    """Each flip is recorded with a job, and one that is taken back leaves neither: the control."""
    site = await a_site(here)
    assert await flips(here, site) == [(1, "pending")]
    assert [name for name, _ in await waiting(here)] == ["flips.purge"]
    [release] = await here.run(site, "SELECT id FROM releases")
    await here.pool.execute("DELETE FROM pgqueuer")
    async with here.pool.acquire() as connection:
        broken = False
        try:
            async with site_transaction(connection, site):
                await releases._note_flip(connection, site, release["id"], 2, here.now)
                assert (
                    await connection.fetchval(
                        "SELECT count(*) FROM pgqueuer WHERE entrypoint <> 'pages.compress'"
                    )
                    == 1
                )
                raise RuntimeError  # noqa: TRY301 - as when the connection breaks
        except RuntimeError:
            broken = True
    assert broken
    assert await waiting(here) == []
    assert await flips(here, site) == [(1, "pending")]


async def test_without_a_flip_there_is_no_job(here: World) -> None:
    site = await a_site(here)
    await here.pool.execute("DELETE FROM pgqueuer")
    await here.publish(site)
    assert await waiting(here) == [], "nothing had changed"
    await edit(here, site, "c0", "One")
    [old] = await here.run(site, "SELECT id FROM releases WHERE number = 1")
    await here.pool.execute("DELETE FROM pgqueuer")
    async with here.pool.acquire() as connection:
        await releases.go_live(connection, site, releases.Ticket(old["id"], 1, 1), here.now)
    assert await waiting(here) == [], "a generation that comes too late flips nothing"
    assert [generation for generation, _ in await flips(here, site)] == [1, 2]


async def test_a_publisher_that_died_after_its_flip_is_followed_up_by_the_next(here: World) -> None:
    site = await a_site(here)
    await edit(here, site, "c0", "One")
    await here.run(site, "DELETE FROM flips WHERE generation = 2")
    await here.run(site, "UPDATE publications SET live_generation = 1")
    await here.pool.execute("DELETE FROM pgqueuer")
    await here.publish(site)
    assert [generation for generation, _ in await flips(here, site)] == [1, 2]
    assert [name for name, _ in await waiting(here)] == ["flips.purge"]


async def test_only_what_changed_is_purged(here: World, purging: Purging, service: Service) -> None:
    site = await a_site(here)
    await work(here, purging, site)
    await edit(here, site, "c1", "Edited")
    await work(here, purging, site)
    data = told(service)
    assert (data["site"], data["release"], data["generation"]) == ("demo", 2, 2)
    assert "/campaigns/c1/" in data["urls"]
    assert "/campaigns/" in data["urls"]
    assert not {"/campaigns/c0/", "/robots.txt"} & set(data["urls"])
    assert not [url for url in data["urls"] if "/assets/" in url], "named by content, never stale"
    assert await flips(here, site) == [(1, "done"), (2, "done")]
    [row] = await here.run(site, "SELECT purge_note FROM flips WHERE generation = 2")
    assert row["purge_note"] == f"The webhook was told to forget {len(data['urls'])} addresses."
    assert [name for name, _ in await waiting(here)][-1] == "flips.sample"


async def test_a_job_that_is_run_again_does_nothing(here: World, purging: Purging, service: Service) -> None:
    site = await a_site(here)
    await work(here, purging, site)
    await work(here, purging, site)
    assert len(service.sent) == 1
    await work(here, purging, site, job=PurgeFlips(site_id=site, again=1))
    assert len(service.sent) == 2, "unless it is asked to"


async def test_what_two_flips_changed_and_changed_back_is_purged(
    here: World, purging: Purging, service: Service
) -> None:
    """In between a cache may have fetched the middle one. The job waits once, for both."""
    site = await a_site(here)
    await work(here, purging, site)
    await here.pool.execute("DELETE FROM pgqueuer")
    await edit(here, site, "c1", "Edited")
    await rollback(here.engine, site, report=Silent())
    await edit(here, site, "c2", "Edited")
    assert [name for name, _ in await waiting(here)] == ["flips.purge"]
    await work(here, purging, site)
    assert {"/campaigns/c1/", "/campaigns/c2/", "/campaigns/"} <= set(told(service)["urls"])
    assert told(service)["generation"] == 4
    assert {state for _, state in await flips(here, site)} == {"done"}
    assert len(service.sent) == 2


async def test_going_back_and_taking_down_are_purged(here: World, purging: Purging, service: Service) -> None:
    site = await a_site(here)
    await edit(here, site, "c1", "Edited")
    await work(here, purging, site)
    await rollback(here.engine, site, report=Silent())
    await work(here, purging, site)
    assert (told(service)["release"], told(service)["generation"]) == (1, 3)
    assert "/campaigns/c1/" in told(service)["urls"]
    await takedown(here.engine, site, "/campaigns/c0/", "asked for", report=Silent())
    await work(here, purging, site)
    assert "/campaigns/c0/" in told(service)["urls"]
    assert "/campaigns/c2/" not in told(service)["urls"]


async def test_so_much_that_everything_is_purged(here: World, purging: Purging, service: Service) -> None:
    site = await a_site(here)
    few = msgspec.structs.replace(purging, purger=_Limited(purging.purger, 3))
    await work(here, few, site)
    assert (told(service)["everything"], told(service)["urls"]) == (True, [])
    [row] = await here.run(site, "SELECT purge_note FROM flips")
    assert row["purge_note"] == "The webhook was told to forget everything."


class _Limited:
    """A service that takes few paths at a time."""

    name = "The webhook"

    def __init__(self, purger: Any, most: int) -> None:
        self.most = most
        self.purge = purger.purge


async def test_when_nobody_can_tell_what_changed_everything_is_purged(
    here: World, purging: Purging, service: Service
) -> None:
    site = await a_site(here)
    await work(here, purging, site)
    found = read_pointer(here.store, str(site))
    assert found is not None
    await edit(here, site, "c1", "Edited")
    here.store.delete(found[0].root)
    await work(here, purging, site)
    assert told(service)["everything"]


async def test_a_purge_that_fails_is_tried_again_and_then_told(
    here: World, purging: Purging, service: Service
) -> None:
    site = await a_site(here)
    service.otherwise = Reply(500)
    with pytest.raises(CallFailed):
        await work(here, purging, site)
    assert await flips(here, site) == [(1, "pending")]
    with pytest.raises(JobRefused, match="answered 500"):
        await work(here, purging, site, attempt=RETRIES + 1)
    detail = await show_release(here.pool, site, 1)
    assert detail.release.afterwards is not None
    assert (detail.release.state, detail.release.afterwards.purge) == ("live", "failed")
    assert "answered 500" in detail.release.afterwards.lines[0]
    assert [name for name, _ in await waiting(here)][-1] == "flips.sample", "looked at nevertheless"


async def test_a_refusal_ends_it_at_once(here: World, purging: Purging, service: Service) -> None:
    site = await a_site(here)
    service.otherwise = Reply(403)
    with pytest.raises(JobRefused, match="refused the purge"):
        await work(here, purging, site)
    assert await flips(here, site) == [(1, "failed")]
    assert len(service.sent) == 1


async def test_the_next_purge_makes_up_for_one_that_failed(
    here: World, purging: Purging, service: Service
) -> None:
    site = await a_site(here)
    await work(here, purging, site)
    await edit(here, site, "c1", "Edited")
    service.replies = [Reply(403)]
    with pytest.raises(JobRefused):
        await work(here, purging, site)
    await work(here, purging, site)
    assert len(service.sent) == 2, "nothing new waits: a purge that failed for good is not begun anew"
    await edit(here, site, "c2", "Edited")
    await work(here, purging, site)
    assert {"/campaigns/c1/", "/campaigns/c2/"} <= set(told(service)["urls"])
    assert {state for _, state in await flips(here, site)} == {"done"}


async def test_without_a_service_the_sample_alone_follows(here: World, purging: Purging) -> None:
    site = await a_site(here)
    await work(here, msgspec.structs.replace(purging, purger=None), site)
    assert await flips(here, site) == [(1, "skipped")]
    assert [name for name, _ in await waiting(here)][-1] == "flips.sample"


async def test_a_site_without_an_address_is_not_purged(
    here: World, purging: Purging, service: Service
) -> None:
    site = await here.add_site()
    await here.publish(site)
    await work(here, purging, site)
    assert await flips(here, site) == [(1, "skipped")]
    assert service.sent == []


PAGE = Entry(blob="a" * 64, content_type="text/html", fingerprint="1")
ASSET = Entry(blob="b" * 64, content_type="text/css", cache="immutable")


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        (PAGE, msgspec.structs.replace(PAGE, fingerprint="2"), False),
        (PAGE, msgspec.structs.replace(PAGE, blob="c" * 64), True),
        (PAGE, Entry(status=410, gone_on="2026-11-21"), True),
        (Entry(status=410, gone_on="2026-11-20"), Entry(status=410, gone_on="2026-11-21"), False),
        (None, PAGE, True),
        (PAGE, None, True),
        (Entry(status=301, location="/a/"), Entry(status=301, location="/b/"), True),
        (None, ASSET, False),
        (ASSET, ASSET, False),
        (ASSET, Entry(status=410), True),
        (ASSET, None, True),
    ],
)
def test_stale_is_what_visitors_would_see(old: Entry | None, new: Entry | None, stale: bool) -> None:
    assert is_stale(old, new) is stale
