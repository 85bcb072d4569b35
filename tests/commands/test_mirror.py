"""`hustings releases mirror` over a real database and folders."""

import json
from pathlib import Path

import pytest

from app.commands.mirror import sentence
from app.commands.prepare import demo_packs
from app.publishing.mirror.outcome import Mirrored
from tests.commands.test_publish import Shell
from tests.conftest import Database


@pytest.fixture
def shell(database: Database, tmp_path: Path) -> Shell:
    return Shell(database, tmp_path)


def test_the_demo_is_mirrored_in_both_layouts(shell: Shell, tmp_path: Path) -> None:
    shell("content", "load", str(demo_packs()[0]))
    plain, trees = (tmp_path / "plain").as_uri(), (tmp_path / "trees").as_uri()
    unpublished = shell("releases", "mirror", "--to", plain)
    assert "Nothing was published yet" in unpublished.stderr
    shell("publish")
    done = shell("releases", "mirror", "--to", plain)
    assert done.stdout.startswith(f"demo: release 1 is mirrored to the folder {tmp_path / 'plain'}: ")
    assert "demo: Uploading new pages 4 paths" in done.stderr
    assert (tmp_path / "plain/campaigns/a-living-shore/index.html").exists()
    again = json.loads(shell("releases", "mirror", "--to", plain, "--json").stdout)
    assert (again["uploaded"], again["release"], again["newer"]) == (0, 1, None)

    path = "/campaigns/a-living-shore/"
    tree = shell("releases", "mirror", "--to", trees, "--layout", "nginx")
    assert tree.stdout.startswith(f"demo: release 1 is mirrored to the folder {tmp_path / 'trees'}: ")
    assert (tmp_path / f"trees/current/files/page{path}index.html.gz").exists()
    shell("takedown", path, "--reason", "a test")
    for url, layout in ((plain, "plain"), (trees, "nginx")):
        assert shell("releases", "mirror", "--to", url, "--layout", layout).exit_code == 0
    assert not (tmp_path / f"plain{path}index.html").exists()
    assert list((tmp_path / "trees").rglob("*shore/index.html")) == []
    assert (tmp_path / f"trees/current/gone{path}@").exists()


def test_it_says_what_is_missing(shell: Shell) -> None:
    result = shell("releases", "mirror")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--to URL or HUSTINGS_MIRROR_URL" in result.stderr


def test_the_sentence_tells_what_is_kept_and_what_is_newer() -> None:
    done = Mirrored(
        site="demo",
        release=3,
        target="the folder /srv/www",
        uploaded=2,
        deleted=1,
        unchanged=7,
        kept=1,
        seconds=0.5,
        newer=4,
    )
    assert sentence(done) == (
        "demo: release 3 is mirrored to the folder /srv/www: 2 uploaded, 1 deleted, 7 unchanged, "
        "1 of them assets kept for open pages, 0.50 s. Release 4 is live by now: run it again."
    )
