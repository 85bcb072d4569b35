"""`hustings releases` over a real database and a folder."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.commands.prepare import demo_packs
from app.commands.releases import activated
from app.publishing.activation import Activated
from tests.commands.test_publish import Shell
from tests.conftest import Database


@pytest.fixture
def shell(database: Database, tmp_path: Path) -> Shell:
    return Shell(database, tmp_path)


def edit(shell: Shell, folder: Path, words: str) -> None:
    """Publishes the demo with another tagline."""
    retitle(shell, folder, words)
    assert shell("publish", "--site", "demo").exit_code == 0


def retitle(shell: Shell, folder: Path, words: str) -> None:
    home = folder / "homepage.toml"
    lines = [line for line in home.read_text("utf-8").splitlines() if not line.startswith("tagline")]
    home.write_text("\n".join([f'tagline = "{words}"', *lines]), "utf-8")
    assert shell("content", "load", str(folder)).exit_code == 0


def test_releases_are_listed_shown_and_brought_back(shell: Shell, tmp_path: Path) -> None:
    assert "hustings content load DIR" in shell("releases", "list").stderr
    folder = tmp_path / "demo"
    shell("content", "load", str(demo_packs()[0]))
    assert shell("releases", "list").stdout == "demo: nothing was published yet.\n"
    assert shell("content", "dump", str(folder)).exit_code == 0
    edit(shell, folder, "The first")
    edit(shell, folder, "The second")

    listed = shell("releases", "list").stdout.splitlines()
    assert [line.split()[1:3] for line in listed] == [["2", "live"], ["1", "superseded"]]
    assert "  by " in listed[0]
    assert "rendered" in listed[0]
    found = json.loads(shell("releases", "list", "--site", "demo", "--limit", "1", "--json").stdout)
    assert [(line["number"], line["state"], line["base"]) for line in found["demo"]] == [(2, "live", 1)]

    shown = json.loads(shell("releases", "--site", "demo", "show", "2", "--json").stdout)
    assert (shown["site"], shown["release"]["number"]) == ("demo", 2)
    assert {"path": "/", "change": "changed"} in shown["changes"]
    assert "  changed  /\n" in shell("releases", "show", "2").stdout
    assert shell("releases", "show", "9").stderr.startswith("There is no release 9.")

    for number in ("0", "x", "3000000000"):
        assert shell("releases", "show", number).exit_code == 2
        assert shell("releases", "activate", number).exit_code == 2

    back = shell("releases", "rollback")
    assert back.stdout.startswith("demo: release 1 is live again instead of release 2, ")
    forth = shell("releases", "activate", "2")
    assert forth.stdout.startswith("demo: release 2 is live again instead of release 1, ")
    again = shell("releases", "activate", "2")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "The content of release 2 of demo is live already." in again.stderr


KILLED = """
import os, signal, sys
from app.cli import main
from app.storage.file import FileStore

write = FileStore.put

def put(store, key, *arguments, **options):
    if key.startswith("live/") and sys.argv[1] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    etag = write(store, key, *arguments, **options)
    if key.startswith("live/"):
        os.kill(os.getpid(), signal.SIGKILL)
    return etag

FileStore.put = put
main(["publish"])
"""


@pytest.mark.parametrize(
    ("when", "states"), [("before", ["failed", "live"]), ("after", ["live", "superseded"])]
)
def test_the_list_tells_what_a_killed_publisher_left(
    shell: Shell, tmp_path: Path, when: str, states: list[str]
) -> None:
    folder = tmp_path / "demo"
    shell("content", "load", str(demo_packs()[0]))
    shell("content", "dump", str(folder))
    shell("publish")
    retitle(shell, folder, "Another")
    process = subprocess.run([sys.executable, "-c", KILLED, when], env=shell.environment(), check=False)
    assert process.returncode == -signal.SIGKILL
    listed = shell("releases", "list").stdout.splitlines()
    assert [line.split()[2] for line in listed] == states
    assert ("The publisher stopped before it was done." in listed[0]) == (when == "before")


def test_of_several_sites_one_has_to_be_named(shell: Shell) -> None:
    for pack in demo_packs():
        shell("content", "load", str(pack))
    result = shell("releases", "rollback")
    assert result.exit_code == 1
    assert result.stderr.startswith("Name the site with --site; the sites are: ")
    assert len(json.loads(shell("releases", "list", "--json").stdout)) == 2
    unknown = shell("releases", "--site", "nowhere", "list")
    assert unknown.stderr.startswith("There is no site nowhere; the sites are: ")


def test_gc_says_what_it_deletes(shell: Shell) -> None:
    shell("content", "load", str(demo_packs()[0]))
    shell("publish")
    dry = shell("releases", "gc", "--dry-run").stdout
    assert dry.startswith("Would delete 0 releases, 0 parts of manifests and 0 blobs, and ")
    done = shell("releases", "gc").stdout
    assert done == dry.replace("Would delete", "Deleted").replace(" Nothing was deleted.", "")
    assert shell("releases", "gc").stdout.endswith(" and 0 rows of the log of changes.\n")
    assert "nothing changed; release 1 stays live" in shell("publish").stdout


def test_what_was_left_out_is_said() -> None:
    done = Activated(release=5, content=2, replaced=4, buried=("/a/",), seconds=0.1)
    assert activated("demo", done) == (
        "demo: release 5 is live: the content of release 2 without 1 path taken down since, 0.10 s."
    )
    dressed = Activated(release=5, content=2, replaced=4, buried=(), seconds=0.1, assets=3)
    assert activated("demo", dressed) == (
        "demo: release 5 is live: the content of release 2, and 3 assets for pages still open, 0.10 s."
    )
    repaired = Activated(release=2, content=2, replaced=0, buried=(), seconds=0.1)
    assert "instead of a pointer that could not be read" in activated("demo", repaired)
