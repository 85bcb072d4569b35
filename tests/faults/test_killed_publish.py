"""A publisher killed by SIGKILL, at each of its steps: what is read is always one whole release."""

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from app.publishing.manifest import Entry
from app.storage.file import FileStore
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = ("Checking what changed", "Rendering", "Uploading", "Going live")
NAMES = re.compile(r'og:site_name" content="([^"]+)"')
LINKS = re.compile(r'(?:href|src)="(/[^"#]*)"')


@pytest.fixture
async def here(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "store").mkdir()
    async with world(database, FileStore(tmp_path / "store")) as made:
        yield made


def start(database: Database, data: Path) -> "subprocess.Popen[str]":
    """Without coverage, which a killed process could not write down."""
    unwanted = ("HUSTINGS_", "COVERAGE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    environment |= {
        "HUSTINGS_DATABASE_URL": database.url("app"),
        "HUSTINGS_DATA": str(data),
        "HUSTINGS_STORE_URL": (data / "store").as_uri(),
    }
    command = [sys.executable, "-m", "app.cli", "publish", "--site", "demo"]
    return subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def kill_in(process: "subprocess.Popen[str]", step: str, pause: float) -> None:
    """SIGKILL so many seconds after the publisher has said that the step begins."""
    assert process.stderr is not None
    for line in process.stderr:
        if step in line:
            break
    time.sleep(pause)
    process.kill()
    process.wait()
    process.stderr.close()


def check_whole(here: World, site: UUID) -> str:
    """The name of the site on every page, which has to be the same; every link leads to something."""
    entries = here.entries(site)
    pages = {path: here.page(site, path) for path, entry in entries.items() if _is_page(entry)}
    names: set[str] = {name for page in pages.values() for name in NAMES.findall(page)}
    assert len(names) == 1, names
    links = {link for page in pages.values() for link in LINKS.findall(page)}
    assert [link for link in links if link not in entries] == []
    for entry in entries.values():
        assert entry.blob is None or len(here.store.get(f"blobs/{entry.blob}")) == entry.size
    return names.pop()


def _is_page(entry: Entry) -> bool:
    return entry.status == 200 and entry.content_type.startswith("text/html")


@pytest.mark.timeout(400)
async def test_a_killed_publisher_never_shows_half_a_release(
    here: World, database: Database, tmp_path: Path
) -> None:
    dice = random.Random(11)
    site = await here.add_site(name="Round 0")
    for number in range(30):
        await here.add_campaign(site, f"c{number}")
    await here.publish(site)
    shown = {check_whole(here, site)}
    for number in range(1, 13):
        await here.run(site, "UPDATE sites SET name = $1", f"Round {number}")
        kill_in(start(database, tmp_path), STEPS[number % len(STEPS)], dice.uniform(0, 0.12))
        shown.add(check_whole(here, site))
    await here.run(site, "UPDATE sites SET name = 'The end'")
    outcome = await here.publish(site)
    assert check_whole(here, site) == "The end"
    assert (await here.publish(site, full=True)).rendered == 0
    rows = await here.run(site, "SELECT number, state FROM releases ORDER BY number")
    assert rows[-1] == {"number": outcome.release, "state": "live"}
    assert {row["state"] for row in rows[:-1]} <= {"superseded", "failed"}
    assert len(shown) > 1, "no publish got through: the kills came too early to show anything"


async def test_the_check_finds_a_release_that_is_mixed(here: World) -> None:
    """The control: a pointer to a manifest with a page of another release is found out."""
    site = await here.add_site(name="One")
    await here.add_campaign(site, "c")
    await here.publish(site)
    old = here.entries(site)["/campaigns/c/"]
    await here.run(site, "UPDATE sites SET name = 'Two'")
    await here.publish(site)
    new = here.entries(site)["/campaigns/c/"]
    assert isinstance(here.store, FileStore)
    here.store.put(f"blobs/{new.blob}", here.store.get(f"blobs/{old.blob}"), content_type="text/html")
    with pytest.raises(AssertionError):
        check_whole(here, site)
