"""`hustings publish --dry-run`: what it says on a terminal and as JSON, and how it ends."""

import json
import shutil
from pathlib import Path

import pytest

from app.commands.prepare import demo_packs
from app.commands.preview import preview_lines, stops
from app.publishing.report import PathChange, Preview
from tests.commands.test_publish import Shell
from tests.conftest import Database


@pytest.fixture
def shell(database: Database, tmp_path: Path) -> Shell:
    return Shell(database, tmp_path)


def preview(*paths: PathChange, errors: tuple[str, ...] = (), large: str | None = None) -> Preview:
    return Preview(
        site="demo",
        release=1,
        pages=100,
        rendered=len(paths),
        uploaded=0,
        removed=0,
        changed=len(paths),
        unchanged=100 - len(paths),
        seconds=0.1,
        warnings=("/a/ links to /b/, which is gone.",),
        will_publish=not errors and not large,
        errors=errors,
        large_removal=large,
        paths=paths,
    )


def changed(number: int, *reasons: str) -> PathChange:
    return PathChange(path=f"/{number}/", change="changed", reasons=reasons or ("it changed",))


def test_a_long_group_is_shortened_unless_all_is_asked_for() -> None:
    found = preview(*(changed(number) for number in range(1_232)))
    lines = preview_lines(found, yes=False, show_all=False)
    assert lines[:3] == [
        "demo: would change: 1232 rendered, 0 removed, -1132 unchanged.",
        "  changed (1232)",
        "    /0/  because it changed",
    ]
    assert "    and 1,212 more; --all shows them" in lines
    assert lines[-3:] == [
        "  warnings (1)",
        "    /a/ links to /b/, which is gone.",
        "demo: this can be published. Nothing was published.",
    ]
    assert len(preview_lines(found, yes=False, show_all=True)) == 1_232 + 5


def test_many_reasons_are_shortened_too() -> None:
    lines = preview_lines(preview(changed(1, *"abcde")), yes=False, show_all=True)
    assert "    /1/  because a, and b, and c, and 2 more reasons" in lines


def test_yes_is_said_to_a_large_removal_and_not_to_errors() -> None:
    large = preview(large="This removes 30 of 100 pages.")
    assert "demo: This removes 30 of 100 pages. `publish` needs --yes for that." in preview_lines(
        large, yes=False, show_all=False
    )
    assert (stops(large, yes=False), stops(large, yes=True)) == (True, False)
    wrong = preview(errors=("/a/ has no title.",))
    assert (stops(wrong, yes=False), stops(wrong, yes=True)) == (True, True)
    assert "    /a/ has no title." in preview_lines(wrong, yes=True, show_all=False)


def test_a_site_of_ones_own_from_the_first_dry_run_to_a_broken_link(shell: Shell, tmp_path: Path) -> None:
    pack = tmp_path / "own"
    shutil.copytree(demo_packs()[1], pack)
    shell("content", "load", str(pack))
    first = shell("publish", "--dry-run")
    assert first.exit_code == 0
    assert "would change" in first.stdout
    assert "because it is not known to be published yet" in first.stdout
    assert first.stdout.endswith("this can be published. Nothing was published.\n")
    assert not (shell.data / "build" / "live").exists()
    assert shell("publish").exit_code == 0
    assert "no page would change" in shell("publish", "--dry-run").stdout
    [campaign] = (pack / "campaigns").iterdir()
    text = campaign.read_text()
    campaign.write_text(text + "\n\nSee [this](/nowhere/).\n")
    shell("content", "load", str(pack))
    result = shell("publish", "--dry-run", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    path = f"/campaigns/{campaign.stem}/"
    assert found["errors"] == [f"{path} links to /nowhere/, which does not exist."]
    [told] = [each for each in found["paths"] if each["path"] == path]
    assert told["change"] == "changed"
    assert "the campaign “" in told["reasons"][0]
    assert (found["will_publish"], found["release"]) == (False, 1)
    refused = shell("publish")
    assert refused.exit_code == 1
    assert f"- {path} links to /nowhere/, which does not exist." in refused.stderr
    assert "nothing changed" not in refused.stdout
    campaign.write_text(text + "\n\nSee [this](#below).\n")
    shell("content", "load", str(pack))
    published = shell("publish")
    assert published.exit_code == 0
    assert f"  warnings (1)\n    {path} links to #below, which is not on the page.\n" in published.stdout
