"""`hustings publish --wait`, and what `hustings releases` tells of it; no worker but the command itself."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from app.cli import main
from app.commands.prepare import demo_packs
from app.publishing.afterwards.jobs import afterwards_handlers
from app.publishing.afterwards.sample import Waits
from tests.commands.test_publish import Shell
from tests.conftest import Database
from tests.publishing.afterwards.service import Reply, Service, running_service


@pytest.fixture
def service() -> Iterator[Service]:
    with running_service() as running:
        yield running


@pytest.fixture
def shell(
    database: Database, tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """Over a site whose public address is the service: pages of its own, so that each differs."""
    prompt = partial(afterwards_handlers, waits=Waits(lag=0))
    monkeypatch.setattr("app.wiring.afterwards_handlers", prompt)
    made = Shell(database, tmp_path / "data")
    made.variables["HUSTINGS_PURGE_URL"] = f"webhook+http://:topsecret@{service.host}/"
    pack = tmp_path / "pack"
    shutil.copytree(demo_packs()[1], pack)
    text = (pack / "site.toml").read_text("utf-8")
    (pack / "site.toml").write_text(f'base_url = "{service.url}"\n{text}', "utf-8")
    assert made("content", "load", str(pack)).exit_code == 0
    yield made
    structlog.reset_defaults()


def test_waiting_tells_what_followed(shell: Shell, service: Service) -> None:
    done = shell("publish", "--wait")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert "release 1 is live at " in lines[0]
    assert lines[1].startswith("brackwater: purge: done. The webhook was told to forget ")
    assert lines[2].startswith("brackwater: sample: different. 0 of ")
    assert f"brackwater:   {service.url}/ does not show what was released." in lines
    assert "topsecret" not in done.output

    shown = shell("releases", "show", "1").stdout.splitlines()
    assert [line.strip() for line in shown[1:3]] == [line.removeprefix("brackwater: ") for line in lines[1:3]]
    assert "purge done, sample different" in shell("releases", "list").stdout
    found = json.loads(shell("releases", "list", "--json").stdout)["brackwater"][0]["afterwards"]
    assert (found["purge"], found["sample"]) == ("done", "different")
    assert "nothing changed; release 1 stays live" in shell("publish", "--wait").stdout


def test_a_purge_that_is_refused_breaks_nothing(shell: Shell, service: Service) -> None:
    service.answer = lambda sent: Reply(403) if sent.method == "POST" else Reply()
    done = shell("publish", "--wait", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["live_at"]
    assert "brackwater: purge: failed. The webhook at " in done.stderr
    assert "Put valid credentials into HUSTINGS_PURGE_URL" in done.stderr


def test_a_setting_of_no_use_stops_the_command_before_it_publishes(shell: Shell) -> None:
    shell.variables["HUSTINGS_PURGE_URL"] = "fastly://topsecret"
    done = CliRunner().invoke(main, ["publish", "--wait"], env=shell.variables)
    assert done.exit_code == 1
    assert "HUSTINGS_PURGE_URL must look like fastly://TOKEN@SERVICE" in done.stderr
    assert shell("releases", "list").stdout == "brackwater: nothing was published yet.\n"
