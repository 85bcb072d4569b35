"""A publish that fails leaves the live site as it was, says why, and the next one succeeds."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import msgspec
import pytest

from app.errors import PublishError
from app.publishing.pointer import Pointer, Superseded, flip, read_pointer
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.publishing.templating import make_environment, template_digests
from app.storage.memory import MemoryStore
from app.storage.store import StoreUnavailable
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio


class Flaky(MemoryStore):
    """A store that is full from a chosen key on."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = ""

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if self.refused and key.startswith(self.refused):
            raise StoreUnavailable(f"The object store is full: {key} was not written.")
        return super().put(key, body, **options)


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database, Flaky()) as made:
        yield made


async def site_of_two(here: World) -> UUID:
    site = await here.add_site()
    for slug in ("one", "two"):
        await here.add_campaign(site, slug)
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET summary = 'Edited'")
    return site


async def states(here: World, site: UUID) -> list[tuple[int, str, str]]:
    rows = await here.run(site, "SELECT number, state, error FROM releases ORDER BY number")
    return [(row["number"], row["state"], row["error"]) for row in rows]


@pytest.mark.parametrize("refused", ["blobs/", "manifests/", "releases/", "live/"])
async def test_a_full_store_changes_nothing_and_the_next_publish_succeeds(here: World, refused: str) -> None:
    site = await site_of_two(here)
    before = here.entries(site)
    assert isinstance(here.store, Flaky)
    here.store.refused = refused
    with pytest.raises(StoreUnavailable, match="full"):
        await here.publish(site)
    assert here.entries(site) == before
    assert (await states(here, site))[-1][1] == "failed"
    here.store.refused = ""
    outcome = await here.publish(site)
    assert outcome.release == 3
    assert "Edited" in here.page(site, "/campaigns/one/")
    assert [state for _, state, _ in await states(here, site)] == ["superseded", "failed", "live"]


async def test_an_error_in_one_page_names_the_page_and_the_line(here: World, tmp_path: Path) -> None:
    site = await site_of_two(here)
    before = here.entries(site)
    (tmp_path / "site").mkdir()
    for name in ("home", "campaigns", "404", "410"):
        (tmp_path / "site" / f"{name}.html").write_text("<h1>ok</h1>")
    (tmp_path / "site" / "campaign.html").write_text("<h1>ok</h1>\n{{ page.nothing }}")
    environment = make_environment(tmp_path)
    broken = msgspec.structs.replace(
        here.engine, environment=environment, digests=template_digests(environment)
    )
    with pytest.raises(PublishError, match=r"/campaigns/one/ cannot be rendered: site/campaign.html:2"):
        await publish(broken, site, report=Silent())
    assert here.entries(site) == before
    assert "campaign.html:2" in (await states(here, site))[-1][2]
    assert (await here.publish(site)).rendered > 0


async def test_a_publisher_that_died_after_its_flip_has_published(here: World) -> None:
    """The pointer is the truth: the database follows it at the next publish."""
    site = await site_of_two(here)
    await here.publish(site)
    await here.run(site, "UPDATE releases SET state = 'uploading', live_at = NULL WHERE number = 2")
    await here.run(site, "UPDATE releases SET state = 'live', ended_at = NULL WHERE number = 1")
    await here.run(
        site,
        """UPDATE publications SET live_generation = 1,
           live_release_id = (SELECT id FROM releases WHERE number = 1)""",
    )
    outcome = await here.publish(site)
    assert (outcome.release, outcome.rendered) == (2, 0)
    assert [state for _, state, _ in await states(here, site)] == ["superseded", "live"]


async def test_a_publisher_that_died_before_its_flip_is_written_off(here: World) -> None:
    site = await site_of_two(here)
    await here.run(
        site,
        """INSERT INTO releases (id, site_id, number, generation, state)
           VALUES (gen_random_uuid(), $1, 2, 2, 'rendering')""",
        site,
    )
    await here.run(site, "UPDATE publications SET last_number = 2, last_generation = 2")
    assert (await here.publish(site)).release == 3
    assert (await states(here, site))[1] == (2, "failed", "The publisher stopped before it was done.")


async def test_a_newer_generation_in_the_store_wins(here: World) -> None:
    """A publisher that lost its lease and sleeps through another publish cannot bring its own back."""
    site = await site_of_two(here)
    found = read_pointer(here.store, str(site))
    assert found is not None
    old = found[0]
    await here.publish(site)
    late = Pointer(
        site_id=str(site),
        slug="demo",
        number=old.number,
        generation=old.generation,
        root=old.root,
        activated_at=here.now,
    )
    with pytest.raises(Superseded):
        flip(here.store, late)


async def test_a_database_that_forgot_releases_counts_on_above_the_store(here: World) -> None:
    """As after restoring an older backup: numbers and generations never repeat."""
    site = await site_of_two(here)
    await here.publish(site)
    await here.run(site, "DELETE FROM publications")
    await here.run(site, "UPDATE releases SET base_id = NULL")
    await here.run(site, "DELETE FROM releases")
    await here.run(site, "UPDATE campaigns SET summary = 'Again'")
    assert (await here.publish(site)).release == 3
    assert "Again" in here.page(site, "/campaigns/two/")


async def test_two_publishers_at_once_take_turns(here: World) -> None:
    site = await site_of_two(here)
    waiting = Notes()
    outcomes = []

    async def run() -> None:
        outcomes.append(await publish(here.engine, site, report=waiting))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(run)
    assert sorted(outcome.rendered > 0 for outcome in outcomes) == [False, False, True]
    assert {outcome.release for outcome in outcomes} == {2}
    assert waiting.notes


async def test_a_picture_that_is_lost_is_named(here: World) -> None:
    site = await site_of_two(here)
    measures = {"size": 1, "width": 1, "height": 1, "content_type": "image/webp"}
    await here.insert(site, "media", filename="lost.webp", digest="a" * 64, **measures)
    with pytest.raises(PublishError, match=r"/media/aaaaaaaaaaaa-lost.webp cannot be published"):
        await here.publish(site)


async def test_an_interrupted_publish_says_so_in_its_row(here: World) -> None:
    site = await site_of_two(here)

    class Interrupt(Silent):
        def step(self, name: str, total: int | None = None) -> None:
            super().step(name, total)
            if name == "Uploading":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await publish(here.engine, site, report=Interrupt())
    assert (await states(here, site))[-1] == (2, "failed", "Interrupted (KeyboardInterrupt).")
