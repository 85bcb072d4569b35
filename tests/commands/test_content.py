"""`hustings content` as an operator meets it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from tests.conftest import Database
from tests.packs.support import SITE, WELLS, small_pack, tree


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    return {"HUSTINGS_DATABASE_URL": database.url(), "HUSTINGS_STORE_URL": (tmp_path / "store").as_uri()}


def hustings(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment)


def test_a_pack_is_loaded_and_dumped_with_what_changed_on_standard_output(
    environment: dict[str, str], tmp_path: Path
) -> None:
    pack = str(small_pack(tmp_path / "pack"))
    loaded = hustings(environment, "content", "load", pack)
    assert loaded.exit_code == 0, loaded.output
    assert loaded.stdout.splitlines()[0] == "river: campaigns: 2 new"
    assert "Writing site river." in loaded.stderr
    small_pack(tmp_path / "pack", {"campaigns/wells.md": WELLS.replace("spring", "fall")})
    assert hustings(environment, "content", "load", pack).stdout == "river: campaigns: 1 changed\n"
    assert hustings(environment, "content", "load", pack).stdout == "river: nothing changed.\n"
    (tmp_path / "pack/redirects.csv").unlink()
    assert hustings(environment, "content", "load", pack, "--prune").stdout == "river: redirects: 1 removed\n"
    dumped = hustings(environment, "content", "dump", str(tmp_path / "out"))
    assert (dumped.exit_code, dumped.stdout) == (0, "")
    assert tree(tmp_path / "out").keys() == tree(tmp_path / "pack").keys()


def test_a_bad_pack_is_refused_with_sentences_and_without_a_traceback(
    environment: dict[str, str], tmp_path: Path
) -> None:
    pack = small_pack(tmp_path / "pack", {"campaigns/wells.md": WELLS.replace("title", "titel")})
    refused = hustings(environment, "content", "load", str(pack))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "campaigns/wells.md:2: titel is not a field; did you mean title?\n" in refused.stderr
    assert "Traceback" not in refused.output


def test_a_dump_asks_for_the_site_when_there_are_several(environment: dict[str, str], tmp_path: Path) -> None:
    none = hustings(environment, "content", "dump", str(tmp_path / "out"))
    assert (none.exit_code, none.stderr) == (1, "Name the site with --site; the sites are: none.\n")
    for slug in ("lake", "river"):
        site = SITE.replace('"river"', f'"{slug}"').replace("www", slug)
        hustings(environment, "content", "load", str(small_pack(tmp_path / slug, {"site.toml": site})))
    both = hustings(environment, "content", "dump", str(tmp_path / "out"))
    assert (both.exit_code, both.stderr) == (1, "Name the site with --site; the sites are: lake, river.\n")
    assert hustings(environment, "content", "dump", "--site", "lake", str(tmp_path / "out")).exit_code == 0
    assert hustings(environment, "content", "dump", "--site", "sea", str(tmp_path / "sea")).exit_code == 1
