"""`hustings publish` and what `up` does on its first start, over a real database and a folder."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.progress import Progress

from app.cli import main
from app.commands.prepare import MARKER, demo_packs, prepare
from app.commands.progress import Bar
from app.commands.publish import Options, publish_sites
from app.errors import PublishError, Unavailable
from app.publishing.engine import Engine
from app.publishing.kinds import Content, LoadSite, SiteFacts
from app.publishing.pointer import read_pointer
from app.settings import Settings
from tests.conftest import Database
from tests.publishing.world import World, world


class Shell:
    """The command line over one database and one data folder."""

    def __init__(self, database: Database, data: Path) -> None:
        self.data = data
        self.variables = {"HUSTINGS_DATABASE_URL": database.url("app"), "HUSTINGS_DATA": str(data)}

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(main, list(words), env=self.variables)

    def environment(self) -> dict[str, str]:
        """For a process of its own."""
        rest = {name: value for name, value in os.environ.items() if not name.startswith("HUSTINGS_")}
        return rest | self.variables | {"HUSTINGS_STORE_URL": (self.data / "build").as_uri()}

    def settings(self) -> Settings:
        return Settings(
            data=self.data,
            database_url=self.variables["HUSTINGS_DATABASE_URL"],
            store_url=(self.data / "build").as_uri(),
        )


@pytest.fixture
def shell(database: Database, tmp_path: Path) -> Shell:
    return Shell(database, tmp_path)


def test_without_a_site_it_says_how_to_get_one(shell: Shell) -> None:
    result = shell("publish")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "hustings content load DIR" in result.stderr


def test_each_site_is_published_and_json_stands_alone(shell: Shell) -> None:
    for pack in demo_packs():
        assert shell("content", "load", str(pack)).exit_code == 0
    result = shell("publish", "--json")
    outcomes = json.loads(result.stdout)
    assert [outcome["site"] for outcome in outcomes] == [pack.name for pack in demo_packs()]
    assert set(outcomes[0]) == {
        "site",
        "release",
        "pages",
        "rendered",
        "uploaded",
        "removed",
        "changed",
        "unchanged",
        "live_at",
        "seconds",
    }
    assert "demo: Rendering" in result.stderr
    one = json.loads(shell("publish", "--site", "demo", "--json", "--full").stdout)
    assert (one["site"], one["release"], one["rendered"], one["uploaded"]) == ("demo", 1, 0, 0)
    assert "nothing changed; release 1 stays live" in shell("publish", "--site", "demo").stdout


def test_an_unknown_site_is_answered_with_the_known_ones(shell: Shell) -> None:
    shell("content", "load", str(demo_packs()[0]))
    result = shell("publish", "--site", "nowhere")
    assert result.exit_code == 1
    assert result.stderr.strip() == "There is no site nowhere; the sites are: demo."


def test_a_site_that_fails_does_not_keep_the_others(shell: Shell) -> None:
    for pack in demo_packs():
        shell("content", "load", str(pack))
    for picture in (shell.data / "build" / "media").iterdir():
        picture.unlink()
    result = shell("publish")
    assert result.exit_code == 1
    assert "is missing from the store" in result.stderr
    assert "1 of 2 sites were not published" in result.stderr
    later = json.loads(shell("publish", "--site", demo_packs()[1].name, "--json").stdout)
    assert (later["release"], later["rendered"]) == (1, 0)


def test_new_hosts_alone_are_a_release_and_said_to_be_one(shell: Shell, tmp_path: Path) -> None:
    pack = tmp_path / "own"
    shutil.copytree(demo_packs()[1], pack)
    shell("content", "load", str(pack))
    assert re.search(r"release 1 is live at \d\d:\d\d:\d\d C[SD]T: ", shell("publish").stdout)
    text = (pack / "site.toml").read_text()
    (pack / "site.toml").write_text('hosts = ["new.example"]\n' + text)
    shell("content", "load", str(pack))
    assert re.search(r"release 2 is live at [^:]+:..:.. C.T: 0 rendered", shell("publish").stdout)
    assert "nothing changed; release 2 stays live" in shell("publish").stdout


def failing(here: World, site: UUID, fault: Callable[[Content], Awaitable[object]]) -> Engine:
    """The engine of `here`, with a fault when it loads this site."""
    load: LoadSite = here.engine.load_site

    async def load_site(content: Content) -> SiteFacts:
        if content.site_id == site:
            await fault(content)
        return await load(content)

    return msgspec.structs.replace(here.engine, load_site=load_site)


async def a_bug(_: Content) -> None:
    raise ZeroDivisionError("Ada Lovelace, ada@example.org")


async def a_lost_connection(content: Content) -> None:
    await content.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def a_refused_connection(_: Content) -> None:
    await asyncpg.connect("postgresql://nobody@127.0.0.1:1/none")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "raised", "said"),
    [
        (a_bug, ZeroDivisionError, "a: stopped by a fault (ZeroDivisionError); `hustings publish --site a`"),
        (a_lost_connection, Unavailable, "a: The database does not answer at the moment."),
        (a_refused_connection, Unavailable, "a: The database does not answer at the moment."),
    ],
)
async def test_whatever_stops_one_site_the_others_go_live(
    database: Database,
    capsys: pytest.CaptureFixture[str],
    fault: Callable[[Content], Awaitable[None]],
    raised: type[Exception],
    said: str,
) -> None:
    async with world(database) as here:
        first, second = await here.add_site("a"), await here.add_site("b")
        engine = failing(here, first, fault)
        with pytest.raises(PublishError, match="1 of 2 sites were not published"):
            await publish_sites(engine, {"a": first, "b": second}, Options())
        assert read_pointer(here.store, str(second)) is not None
        assert read_pointer(here.store, str(first)) is None
        told = capsys.readouterr().err
        assert said in told
        assert "ada@example.org" not in told
        with pytest.raises(raised):
            await publish_sites(engine, {"a": first}, Options())


@pytest.mark.anyio
async def test_the_first_start_loads_and_publishes_the_demo_once(shell: Shell) -> None:
    said: list[str] = []
    await prepare(shell.settings(), demo=True, say=said.append)
    assert "Writing site demo." in said
    assert (shell.data / MARKER).exists()
    assert list((shell.data / "build" / "live").iterdir())
    said.clear()
    await prepare(shell.settings(), demo=True, say=said.append)
    assert said == []


def test_sites_of_ones_own_keep_the_demo_away(shell: Shell, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(demo_packs()[1], own)
    text = (own / "site.toml").read_text()
    (own / "site.toml").write_text(text.replace('slug = "brackwater"', 'slug = "our-town"'))
    assert shell("content", "load", str(own)).exit_code == 0
    said: list[str] = []
    asyncio.run(prepare(shell.settings(), demo=True, say=said.append))
    asyncio.run(prepare(shell.settings(), demo=False, say=said.append))
    assert said == []


def test_a_bar_shows_the_step_and_what_is_done() -> None:
    with Progress(disable=True) as progress:
        bar = Bar("demo", progress)
        bar.advance(1)
        bar.step("Rendering", 10)
        bar.advance(4)
        assert [(task.description, task.completed) for task in progress.tasks] == [("demo: Rendering", 4)]
        bar.step("Uploading")
        bar.note("Another publish of this site is running; waiting for it.")
        assert [task.description for task in progress.tasks] == ["demo: Uploading"]
