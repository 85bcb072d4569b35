"""What a publish, disturbed or not, has to come to in the end."""

from uuid import UUID

import msgspec

from app.publishing.manifest import Entry
from app.publishing.pointer import read_pointer
from tests.faults.reader import Whole, check_whole
from tests.publishing.world import World, visible

SETTLED = {"live", "superseded", "failed", "rolled_back"}
STATES = """
SELECT r.number, r.state, p.live_generation, p.live_release_id = r.id AS is_named
  FROM releases r LEFT JOIN publications p ON true ORDER BY r.number
"""


class Broken(Exception):
    """The next start did not end where an undisturbed publisher ends."""


class Undisturbed(msgspec.Struct, frozen=True):
    """What the act comes to when nothing disturbs it."""

    steps: list[str]
    before: Whole
    after: Whole
    manifest: dict[str, Entry]


async def check_end(here: World, site: UUID, known: Undisturbed) -> None:
    """Raises Broken or Mixed."""
    if visible(here.entries(site)) != known.manifest:
        raise Broken("the manifest is not that of an undisturbed publish")
    await check_whole(here.store, [known.after])
    await check_states(here, site)


async def check_states(here: World, site: UUID) -> None:
    """The database names what the pointer names, and nothing seems to be at work."""
    found = read_pointer(here.store, str(site))
    assert found is not None
    rows = await here.run(site, STATES)
    if not {row["state"] for row in rows} <= SETTLED:
        raise Broken(f"releases that nobody works at are not settled: {rows}")
    live = [
        (row["number"], row["is_named"], row["live_generation"]) for row in rows if row["state"] == "live"
    ]
    if live != [(found[0].number, True, found[0].generation)]:
        raise Broken(f"the pointer is {found[0]}, and the database says {rows}")
