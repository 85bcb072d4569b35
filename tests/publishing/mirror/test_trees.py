"""Releases as trees of hard links: what they cost, what stays, what goes, and that a kill does no harm."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from app.publishing.manifest import Entry, blob_key
from app.publishing.mirror.outcome import MirrorInterrupted
from app.publishing.mirror.source import MirrorRefused
from app.storage.store import StoreUnavailable
from app.storage.web import NameRefused, Taken
from app.storage.web_trees import WebTrees
from tests.publishing.mirror.world import HTML, Heard, Site, Watched

pytestmark = pytest.mark.anyio


@pytest.fixture
def site() -> Site:
    made = Site()
    made.release(made.old())
    return made


def tree(root: Path) -> dict[str, bytes]:
    """What the live tree holds, links as what they lead to."""
    live = (root / "current").resolve()
    found = {}
    for path in sorted(live.rglob("*")):
        name = str(path.relative_to(live))
        if path.is_symlink():
            found[name] = str(path.resolve().relative_to(live)).encode()
        elif path.is_file() and name not in {"mirror.json.gz", "tidy"}:
            found[name] = path.read_bytes()
    return found


def everything(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def test_a_release_is_one_tree_and_an_unchanged_file_costs_nothing(site: Site, tmp_path: Path) -> None:
    first = await site.plant(tmp_path)
    assert (first.release, first.uploaded, first.newer) == (1, len(site.old()), None)
    old = (tmp_path / "current").resolve()
    site.release(site.new())
    second = await site.plant(tmp_path)
    assert (old.name, (tmp_path / "current").readlink()) == ("1-1", Path("releases/2-2"))
    assert 0 < second.uploaded < first.uploaded + 6
    shared = "files/page/campaigns/same/index.html"
    assert (old / shared).stat().st_ino == (tmp_path / "current" / shared).stat().st_ino
    found = tree(tmp_path)
    assert found["gone/campaigns/e/@"] == b"<!doctype html><h1>Gone</h1>"
    assert found["redirects/campaigns/b/@"] == b"locations/campaigns/c/@"
    assert "files/page/campaigns/e/index.html" not in found
    assert {"files/page/404.html", "files/page/404.html.gz", "files/immutable/assets/site-1.css"} <= set(
        found
    )


async def test_an_unchanged_release_writes_nothing(site: Site, tmp_path: Path) -> None:
    await site.plant(tmp_path)
    calls: list[str] = []
    trees = Watched(WebTrees(tmp_path), lambda verb, _: calls.append(verb))
    again = await site.plant(tmp_path, trees=trees)
    assert (again.uploaded, again.deleted, again.unchanged) == (0, 0, len(site.old()))
    assert set(calls) == {"live", "note", "is_tidy"}


async def test_the_last_three_trees_stay_and_what_none_needs_goes(site: Site, tmp_path: Path) -> None:
    for number in range(5):
        site.release({"/": site.page(words=str(number))})
        await site.plant(tmp_path)
    assert {path.name for path in (tmp_path / "releases").iterdir()} == {"4-4", "5-5", "6-6"}
    kept = [
        path for path in (tmp_path / "blobs").rglob("*") if path.is_file() and not path.name.endswith(".gz")
    ]
    assert len(kept) == 3


async def test_a_rollback_is_a_tree_of_its_own_with_the_assets_of_what_was_live(
    site: Site, tmp_path: Path
) -> None:
    first = next(stored.key for stored in site.store.list("releases/"))
    await site.plant(tmp_path)
    site.release(site.new())
    await site.plant(tmp_path)
    site.activate(1, first)
    back = await site.plant(tmp_path)
    assert (back.release, back.uploaded, back.kept) == (1, 0, 2)
    assert (tmp_path / "current").readlink().name == "1-3"
    assert "files/immutable/assets/site-2.css" in tree(tmp_path)


async def test_what_was_taken_down_is_in_no_tree(site: Site, tmp_path: Path) -> None:
    await site.plant(tmp_path)
    secret = blob_key(str(site.old()["/campaigns/e/"].blob))
    bodies = {site.store.get(secret), site.store.get(f"{secret}.gz")}
    assert bodies <= {path.read_bytes() for path in everything(tmp_path)}
    site.release(site.new())
    await site.plant(tmp_path, tombstones={"/campaigns/e/"})
    assert not bodies & {path.read_bytes() for path in everything(tmp_path)}
    assert (tmp_path / "releases/1-1/files/page/campaigns/b/index.html").exists()


async def test_without_a_takedown_the_old_tree_keeps_its_page(site: Site, tmp_path: Path) -> None:
    """The control; and what `ln -sfn` by hand goes back to."""
    await site.plant(tmp_path)
    site.release(site.new())
    await site.plant(tmp_path)
    assert (tmp_path / "releases/1-1/files/page/campaigns/e/index.html").exists()


async def test_an_asset_leaves_the_trees_after_its_grace(site: Site, tmp_path: Path) -> None:
    await site.plant(tmp_path)
    site.release(site.new())
    await site.plant(tmp_path)
    site.wait(29)
    site.release(site.new() | {"/": site.page("/campaigns/", words="a")})
    assert (await site.plant(tmp_path)).kept == 2
    site.wait(1)
    site.release(site.new() | {"/": site.page("/campaigns/", words="b")})
    assert (await site.plant(tmp_path)).kept == 0


async def test_a_damaged_blob_stops_it_and_the_old_tree_is_served(site: Site, tmp_path: Path) -> None:
    await site.plant(tmp_path)
    new = site.new()
    site.release(new)
    key = blob_key(str(new["/campaigns/c/"].blob))
    whole = site.store.get(key)
    site.store.put(key, whole[:-1] + b"?", content_type=HTML)
    with pytest.raises(
        MirrorInterrupted, match=r"does not hold what its name says.* What is served is one whole"
    ):
        await site.plant(tmp_path)
    assert (tmp_path / "current").readlink().name == "1-1"
    site.store.put(key, whole, content_type=HTML)
    assert (await site.plant(tmp_path)).release == 2


async def test_refusals_change_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.txt").write_text("mine")
    with pytest.raises(MirrorRefused, match="holds files that no mirror put there"):
        await site.plant(tmp_path / "a")
    (tmp_path / "b").mkdir()
    held = WebTrees(tmp_path / "b").lease()
    with pytest.raises(Taken, match=rf"process {os.getpid()} on "):
        await site.plant(tmp_path / "b")
    held.release()
    await site.plant(tmp_path / "b")
    other = Site("0198c0de-0000-7000-8000-000000000002", "brackwater")
    other.release(other.old())
    with pytest.raises(MirrorRefused, match="is the mirror of the site demo"):
        await other.plant(tmp_path / "b")
    site.release({"/": site.page(), "/out/": Entry(status=301, location="https://elsewhere.test/")})
    with pytest.raises(MirrorRefused, match="/out/ leads to https://elsewhere"):
        await site.plant(tmp_path / "b")
    site.release({"/": site.page(), f"/{'é' * 130}/": Entry(status=301, location="/")})
    with pytest.raises(NameRefused, match="is too long"):
        await site.plant(tmp_path / "b")
    assert (tmp_path / "b" / "current").readlink().name == "1-1"


async def test_content_types_that_nginx_does_not_know_are_told(site: Site, tmp_path: Path) -> None:
    heard = Heard()
    site.release({"/": site.page(), "/feed.xml": site.raw("<feed/>", "application/atom+xml", "feed")})
    await site.plant(tmp_path, report=heard)
    assert heard.notes == [
        "/feed.xml: by its ending nginx says another content type than application/atom+xml."
    ]
    assert heard.steps == ["Copying", "Linking", "Switching"]


def killed_before(call: int, site: Site, root: Path) -> bool:
    child = os.fork()
    if child == 0:
        count = 0

        def hook(_: str, __: str) -> None:
            nonlocal count
            count += 1
            if count == call:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            site.plant_now(root, trees=Watched(WebTrees(root), hook))
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def counting(calls: list[tuple[str, str]]) -> Callable[[str, str], None]:
    return lambda verb, name: calls.append((verb, name))


def few(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Of every kind one, because each link is a call."""
    kept = ("/", "/404.html", "/campaigns/b/", "/campaigns/e/", "/assets/site-1.css", "/assets/site-2.css")
    return {path: entry for path, entry in entries.items() if path in kept}


def test_killed_anywhere_one_whole_release_is_live_and_the_next_run_finishes(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    site = Site()
    site.release(few(site.old()))
    site.plant_now(tmp_path / "whole")
    before = tree(tmp_path / "whole")
    site.release(few(site.new()))
    calls: list[tuple[str, str]] = []
    site.plant_now(tmp_path / "whole", trees=Watched(WebTrees(tmp_path / "whole"), counting(calls)))
    after, copies = tree(tmp_path / "whole"), [name for verb, name in calls if verb == "keep"]
    assert before != after
    for call in range(1, len(calls) + 1):
        root = tmp_path / str(call)
        root.mkdir()
        site = Site()
        site.release(few(site.old()))
        site.plant_now(root)
        site.release(few(site.new()))
        assert killed_before(call, site, root)
        assert tree(root) in (before, after), calls[call - 1]
        again: list[tuple[str, str]] = []
        site.plant_now(root, trees=Watched(WebTrees(root), counting(again)))
        assert tree(root) == after
        assert (root / "current" / "tidy").exists()
        assert len([1 for verb, _ in again if verb == "keep"]) <= len(copies)
        assert {path.name for path in (root / "releases").iterdir()} == {"1-1", "2-2"}


def test_a_file_system_that_counts_links_gets_a_second_blob(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees, real = WebTrees(tmp_path), os.link

    def full(source: str, path: str) -> None:
        if Path(source).stat().st_nlink >= 3:
            raise OSError(errno.EMLINK, "Too many links")
        real(source, path)

    monkeypatch.setattr(os, "link", full)
    trees.keep("ab" * 32, b"body")
    trees.begin("1-1")
    for number in range(7):
        assert trees.link("1-1", f"files/{number}", "ab" * 32)
    trees.finish("1-1", b"")
    linked = [tmp_path / "releases/1-1/files" / str(number) for number in range(7)]
    assert {path.read_bytes() for path in linked} == {b"body"}
    assert len({path.stat().st_mtime for path in linked}) == 1, "and the etag of nginx is the same"


def test_names_never_lead_out_of_the_tree(tmp_path: Path) -> None:
    trees = WebTrees(tmp_path / "mirror")
    (tmp_path / "mirror").mkdir()
    trees.keep("ab" * 32, b"body")
    trees.begin("1-1")
    for name in ("../out", "files/../../../out", "/out", "files//out"):
        with pytest.raises(NameRefused):
            trees.link("1-1", name, "ab" * 32)
    with pytest.raises(StoreUnavailable):
        trees.keep("../out", b"body")
    assert not (tmp_path / "out").exists()
