"""Rendering processes: they make what one process makes, end with their publisher, and fail in a sentence."""

import json
import os
import signal
from pathlib import Path
from uuid import UUID

import pytest

from app.kit.ids import new_id
from app.publishing.pointer import read_pointer
from tests.publishing.conftest import Live
from tests.publishing.large import (
    BAD_PAGE,
    SITE,
    Large,
    broken_templates,
    children,
    end_of,
    ended,
)
from tests.publishing.world import visible

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
STATES = "SELECT number, state, error FROM releases WHERE number > 1 ORDER BY number"
MANY = """
INSERT INTO campaigns (id, site_id, translation_group_id, title, slug, summary)
SELECT gen_random_uuid(), $1, gen_random_uuid(), 'Campaign ' || n, 'campaign-' || n, 'About ' || n
  FROM generate_series(1, 620) n
"""


async def check_next_publish(large: Large, live: Live) -> None:
    """The live site is as it was, and the next publish ends as it should."""
    assert await large.entries() == live.before
    with large.publishing("--json") as process:
        status, output, errors = await end_of(process)
    assert status == 0, errors
    assert json.loads(output)["release"] > 1
    assert await large.entries() == live.after


async def test_processes_make_what_one_process_makes(large: Large, live: Live) -> None:
    async with large.held() as hold:
        with large.publishing("--json") as process:
            await hold.waiting(len(os.sched_getaffinity(process.pid)))
            rendering = children(process.pid)
            assert len(rendering) == len(os.sched_getaffinity(process.pid))
            await hold.end()
            status, output, errors = await end_of(process)
    assert (status, "Traceback" in errors) == (0, False), errors
    assert json.loads(output)["rendered"] > 700
    assert await large.entries() == live.after
    await ended(*rendering)


async def test_full_over_an_unchanged_site_renders_nothing(large: Large, live: Live) -> None:
    with large.publishing("--json") as process:
        assert (await end_of(process))[0] == 0
    with large.publishing("--full", "--json") as process:
        _, output, _ = await end_of(process)
    outcome = json.loads(output)
    assert (outcome["rendered"], outcome["uploaded"], outcome["release"]) == (0, 0, 2)
    assert await large.entries() == live.after


async def test_a_killed_publisher_leaves_no_process(large: Large, live: Live) -> None:
    """They end although they wait for the database, and not for the publisher."""
    async with large.held() as hold:
        with large.publishing() as process:
            await hold.waiting()
            rendering = children(process.pid)
            process.kill()
            await ended(*rendering)
    await check_next_publish(large, live)


async def test_a_killed_rendering_process_fails_the_publish_in_a_sentence(large: Large, live: Live) -> None:
    async with large.held() as hold:
        with large.publishing() as process:
            await hold.waiting()
            rendering = children(process.pid)
            os.kill(rendering[0], signal.SIGKILL)
            status, _, errors = await end_of(process)
    assert status == 1
    assert "A rendering process was ended from outside. Is there memory enough?" in errors
    assert "Traceback" not in errors
    assert "never retrieved" not in errors
    await ended(*rendering)
    assert (await large.run(STATES))[-1]["state"] == "failed"
    await check_next_publish(large, live)


async def test_ctrl_c_ends_everything_and_the_release_says_so(large: Large, live: Live) -> None:
    async with large.held() as hold:
        with large.publishing() as process:
            await hold.waiting()
            rendering = children(process.pid)
            os.killpg(process.pid, signal.SIGINT)
            status, _, errors = await end_of(process)
            assert status != 0
            await ended(*rendering)
    assert "Traceback" not in errors
    [row] = await large.run(STATES)
    assert (row["state"], row["error"]) == ("failed", "Interrupted (CancelledError).")
    await check_next_publish(large, live)


async def test_an_error_in_one_page_is_told_by_its_name(large: Large, live: Live, tmp_path: Path) -> None:
    with large.publishing(prelude=broken_templates(tmp_path / "broken")) as process:
        status, _, errors = await end_of(process)
    assert status == 1
    assert f"The page {BAD_PAGE} cannot be rendered: site/campaign.html:" in errors
    assert "Traceback" not in errors
    assert await large.entries() == live.before


async def test_a_cut_connection_of_one_process_is_told_in_a_sentence(large: Large, live: Live) -> None:
    async with large.held() as hold:
        with large.publishing() as process:
            cut = (await hold.waiting())[0]
            await large.run("SELECT pg_terminate_backend($1)", cut)
            status, _, errors = await end_of(process)
    assert status == 1
    assert "The database does not answer at the moment." in errors
    assert "Traceback" not in errors
    assert await large.entries() == live.before


async def test_after_a_failure_the_next_site_is_made_without_processes(large: Large) -> None:
    async with large.world() as here:
        other: UUID = new_id()
        await here.insert(other, "sites", id=other, slug="later", name="Later")
        await here.run(other, MANY, other)
    async with large.held() as hold:
        with large.publishing(site=None) as process:
            await hold.waiting()
            rendering = children(process.pid)
            os.kill(rendering[0], signal.SIGKILL)
            await ended(*rendering)
            await hold.end()
            status, _, errors = await end_of(process)
    assert (status, "1 of 2 sites were not published" in errors) == (1, True), errors
    assert "bench: A rendering process was ended" in errors
    async with large.world() as here:
        found = visible(here.entries(other))
        pointer = read_pointer(here.store, str(SITE))
    assert len([path for path in found if path.startswith("/campaigns/campaign-")]) == 620
    assert pointer is not None
    assert pointer[0].number == 1
