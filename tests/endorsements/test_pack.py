"""Stakeholders and endorsements of a pack, as rows."""

from pathlib import Path

import pytest

from app.endorsements.models import STAKEHOLDER_TYPES
from app.endorsements.pack_stakeholders import StakeholderFields
from tests.conftest import Database
from tests.packs.support import ENDORSEMENTS, STAKEHOLDERS, desk, small_pack

pytestmark = pytest.mark.anyio


async def test_stakeholders_have_a_place_and_no_email_where_there_is_none(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        rows = await at.rows(
            "river",
            "SELECT name, email::text, ST_AsText(location) AS place, is_public FROM stakeholders ORDER BY 1",
        )
        assert [tuple(row.values()) for row in rows] == [
            ("Greta Holloway", None, None, False),
            ("Mei Castellano", "mei@wells.example", "POINT(-76.5411 39.3905)", True),
        ]


async def test_an_email_is_the_same_in_capitals_and_the_row_is_updated(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        changed = {
            "stakeholders.csv": STAKEHOLDERS.replace("mei@wells", "MEI@Wells").replace("39.3905", "40"),
            "endorsements.csv": ENDORSEMENTS.replace("mei@", "Mei@"),
        }
        report = await at.load(small_pack(tmp_path, changed))
        written = report.tables["stakeholders"]
        assert (written.inserted, written.updated, written.unchanged) == (0, 1, 1)
        assert report.tables["endorsements"].unchanged == 2


async def test_a_person_may_be_listed_for_two_organizations(database: Database, tmp_path: Path) -> None:
    twice = {
        "stakeholders.csv": STAKEHOLDERS + "Greta,Holloway,Road Crew,other,,,,true\n",
        "endorsements.csv": ENDORSEMENTS + "Greta Holloway|Road Crew,wells,,true,\n",
    }
    async with desk(database.url()) as at:
        report = await at.load(small_pack(tmp_path, twice))
        assert report.tables["endorsements"].inserted == 3


async def test_an_endorsement_may_name_what_is_stored_unless_it_is_pruned(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "a"))
        few = {"campaigns/wells.md": None, "campaigns/wells.blocks/10-why.md": None, "stakeholders.csv": None}
        pack = small_pack(tmp_path / "b", few)
        assert (await at.load(pack)).is_unchanged
        assert len(await at.problems(pack, prune=True)) == 4


async def test_an_endorsement_that_the_pack_dropped_is_pruned(database: Database, tmp_path: Path) -> None:
    one = {"endorsements.csv": ENDORSEMENTS.splitlines()[0] + "\nGreta Holloway|,wells,,true,\n"}
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "a"))
        report = await at.load(small_pack(tmp_path / "b", one), prune=True)
        assert (report.tables["endorsements"].removed, report.tables["endorsements"].unchanged) == (1, 1)


def test_the_types_are_those_of_the_table() -> None:
    """The struct's literal and the CHECK of the table list the same words."""
    annotation = StakeholderFields.__annotations__["stakeholder_type"]
    assert annotation.__args__ == STAKEHOLDER_TYPES
