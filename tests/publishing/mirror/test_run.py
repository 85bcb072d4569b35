"""What a mirror into a plain folder does, run after run."""

from pathlib import Path
from typing import cast

import anyio
import anyio.from_thread
import msgspec
import pytest

from app.errors import AppError, NotFound
from app.publishing.gateway import headers
from app.publishing.manifest import Entry
from app.publishing.mirror.outcome import MirrorInterrupted
from app.publishing.mirror.source import MirrorRefused
from app.storage.store import StoreUnavailable
from app.storage.web import NameRefused, Taken, WebPlace
from app.storage.web_folder import WebFolder
from tests.publishing.mirror.world import CSS, Heard, Site, Watched, broken_links, files, reader

pytestmark = pytest.mark.anyio

CAFE, DECOMPOSED, HEBREW, ODD = "/campaigns/café/", "/campaigns/cafe\u0301/", "/מים/", "/a+b 100%#?/"


@pytest.fixture
def site() -> Site:
    made = Site()
    made.release(made.old())
    return made


def counted(root: Path, calls: list[tuple[str, str]]) -> WebPlace:
    return cast("WebPlace", Watched(WebFolder(root), lambda verb, name: calls.append((verb, name))))


async def test_every_path_is_a_file_and_another_run_writes_nothing(site: Site, tmp_path: Path) -> None:
    done = await site.mirror(WebFolder(tmp_path))
    assert (done.site, done.release, done.uploaded, done.deleted) == ("demo", 1, len(site.old()), 0)
    for path, entry in site.old().items():
        name = f"{path}index.html" if path.endswith("/") else path
        assert (tmp_path / name[1:]).read_bytes() == site.store.get(f"blobs/{entry.blob}")
    calls: list[tuple[str, str]] = []
    again = await site.mirror(counted(tmp_path, calls))
    assert (again.uploaded, again.deleted, again.unchanged) == (0, 0, len(site.old()))
    assert {verb for verb, _ in calls} == {"notes.get"}


async def test_only_what_changed_goes_up_and_groups_follow_each_other(site: Site, tmp_path: Path) -> None:
    await site.mirror(WebFolder(tmp_path))
    site.release(site.new())
    heard = Heard()
    done = await site.mirror(WebFolder(tmp_path), heard)
    assert heard.steps == [
        "Uploading assets",
        "Uploading media",
        "Uploading new pages",
        "Uploading new listings",
        "Uploading pages",
        "Uploading listings",
        "Uploading home",
        "Uploading feeds",
        "Deleting (deletions)",
    ]
    assert (done.uploaded, done.deleted, done.kept) == (12, 1, 2)
    assert broken_links(reader(tmp_path)) == []
    assert not (tmp_path / "campaigns/e").exists()
    moved = (tmp_path / "campaigns/b/index.html").read_text()
    assert 'content="0; url=/campaigns/c/"' in moved
    assert '<link rel="canonical" href="https://demo.test/campaigns/c/">' in moved


async def test_names_of_every_script_are_kept_as_they_are(site: Site, tmp_path: Path) -> None:
    paths = (CAFE, DECOMPOSED, HEBREW, ODD, "/.well-known/security.txt")
    site.release({path: site.page(words=path) for path in paths} | {"/alt": Entry(status=301, location=CAFE)})
    await site.mirror(WebFolder(tmp_path))
    for path in paths:
        name = f"{path}index.html" if path.endswith("/") else path
        assert path in (tmp_path / name[1:]).read_text()
    assert "url=/campaigns/caf%C3%A9/" in (tmp_path / "alt/index.html").read_text()


async def test_an_asset_stays_for_its_grace_and_may_come_back(site: Site, tmp_path: Path) -> None:
    await site.mirror(WebFolder(tmp_path))
    site.release(site.new())
    await site.mirror(WebFolder(tmp_path))
    site.wait(29)
    done = await site.mirror(WebFolder(tmp_path))
    assert (done.deleted, done.kept, (tmp_path / "assets/site-1.css").exists()) == (0, 2, True)
    site.wait(1)
    done = await site.mirror(WebFolder(tmp_path))
    assert (done.uploaded, done.deleted, done.kept) == (0, 2, 0)
    assert not (tmp_path / "assets/site-1.css").exists()
    site.release(site.old())
    await site.mirror(WebFolder(tmp_path))
    assert (tmp_path / "assets/site-1.css").exists()


async def test_an_asset_that_the_release_has_retired_goes_after_the_same_grace(
    site: Site, tmp_path: Path
) -> None:
    retired = msgspec.structs.replace(site.raw("a", CSS, "immutable"), gone_on="2026-11-01")
    site.release(site.old() | {"/assets/a.css": retired})
    assert (await site.mirror(WebFolder(tmp_path))).kept == 1
    site.wait(10)
    assert (await site.mirror(WebFolder(tmp_path))).deleted == 1


async def test_an_asset_that_is_gone_goes_at_once(site: Site, tmp_path: Path) -> None:
    await site.mirror(WebFolder(tmp_path))
    site.release(site.old() | {"/media/1-a.webp": site.gone()})
    assert (await site.mirror(WebFolder(tmp_path))).kept == 0
    assert not (tmp_path / "media").exists()


async def test_a_change_of_headers_alone_is_mirrored(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.mirror(WebFolder(tmp_path))
    old = site.old()
    site.release(old | {"/sitemap.xml": msgspec.structs.replace(old["/sitemap.xml"], cache="page")})
    assert (await site.mirror(WebFolder(tmp_path))).uploaded == 1
    monkeypatch.setitem(headers.CACHE, "immutable", b"public, max-age=60")
    site.release(old)
    assert (await site.mirror(WebFolder(tmp_path))).uploaded == 3


async def test_a_release_that_goes_live_meanwhile_is_told_and_comes_next(site: Site, tmp_path: Path) -> None:
    def hook(verb: str, _: str) -> None:
        if verb == "put" and site.number == 1:
            site.release(site.new())

    heard = Heard()
    done = await site.mirror(cast("WebPlace", Watched(WebFolder(tmp_path), hook)), heard, concurrency=1)
    assert (done.release, done.newer) == (1, 2)
    assert heard.notes == ["Release 2 went live meanwhile. Run the mirror again for it."]
    assert not (tmp_path / "topics").exists()
    assert (await site.mirror(WebFolder(tmp_path))).release == 2


async def test_a_failing_place_is_told_of_and_the_next_run_goes_on(site: Site, tmp_path: Path) -> None:
    failing = True
    calls: list[tuple[str, str]] = []

    def hook(verb: str, name: str) -> None:
        if failing and (verb, name) == ("put", "campaigns/same/index.html"):
            raise StoreUnavailable("The disk is full.")
        calls.append((verb, name))

    place = cast("WebPlace", Watched(WebFolder(tmp_path), hook))
    with pytest.raises(MirrorInterrupted) as stopped:
        await site.mirror(place, concurrency=1)
    assert stopped.value.detail == (
        "The disk is full. 6 of 10 files of release 1 are done (whole groups: assets, media). "
        "The mirror shows the old release with parts of the new one, and no page leads to what is missing. "
        "Run the same command again: it goes on from there."
    )
    failing = False
    heard = Heard()
    await site.mirror(place, heard)
    assert heard.notes == ["The mirror of release 1 was cut short. Looking at what is there."]
    puts = [name for verb, name in calls if verb == "put"]
    assert len(puts) == len(set(puts)) == len(site.old())


async def test_a_run_that_is_stopped_says_how_far_it_came_and_lets_the_place_go(
    site: Site, tmp_path: Path
) -> None:
    heard, scope = Heard(), anyio.CancelScope()

    def hook(verb: str, name: str) -> None:
        if (verb, name) == ("put", "index.html"):
            anyio.from_thread.run_sync(scope.cancel)

    with scope:
        await site.mirror(cast("WebPlace", Watched(WebFolder(tmp_path), hook)), heard, concurrency=1)
    assert scope.cancelled_caught
    assert heard.notes[-1].startswith("Stopped. 9 of 10 files of release 1 are done (whole groups: assets, ")
    assert (await site.mirror(WebFolder(tmp_path))).uploaded == 1


async def test_a_second_mirror_is_refused_while_the_first_is_at_work(site: Site, tmp_path: Path) -> None:
    held = WebFolder(tmp_path).lease()
    with pytest.raises(Taken, match=r"Another mirror writes to .* just now .process"):
        await site.mirror(WebFolder(tmp_path))
    assert files(tmp_path) == {}
    held.release()
    assert (await site.mirror(WebFolder(tmp_path))).uploaded == len(site.old())


async def test_a_place_with_files_of_others_or_of_another_site_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(MirrorRefused, match="holds files that no mirror put there"):
        await site.mirror(WebFolder(tmp_path))
    (tmp_path / "mine.txt").unlink()
    await site.mirror(WebFolder(tmp_path))
    other = Site("0198c0de-0000-7000-8000-000000000002", "brackwater")
    with pytest.raises(NotFound, match="Nothing was published yet"):
        await other.mirror(WebFolder(tmp_path))
    other.release(other.old())
    with pytest.raises(MirrorRefused, match="is the mirror of the site demo"):
        await other.mirror(WebFolder(tmp_path))
    (tmp_path / "_hustings/journal.json.gz").write_bytes(b"?")
    with pytest.raises(MirrorRefused, match=r"journal.* cannot be read"):
        await site.mirror(WebFolder(tmp_path))


@pytest.mark.parametrize(
    ("paths", "refused", "sentence"),
    [
        (("/x/", "/x/index.html"), MirrorRefused, "would both be the file x/index.html"),
        (("/x", "/x/"), MirrorRefused, "/x is a file, and /x/index.html would need a folder"),
        (("/_hustings/journal.json.gz",), NameRefused, "the mirror keeps /_hustings for itself"),
        (("/" + "a" * 251 + "/",), NameRefused, "is too long"),
        (("/" + "é" * 126 + "/",), NameRefused, "is too long"),
    ],
)
async def test_what_no_folder_can_hold_is_refused_before_anything_is_written(
    site: Site, tmp_path: Path, paths: tuple[str, ...], refused: type[AppError], sentence: str
) -> None:
    site.release(site.old() | {path: site.page() for path in paths})
    with pytest.raises(refused, match=sentence):
        await site.mirror(WebFolder(tmp_path))
    assert files(tmp_path) == {}


async def test_a_file_gives_way_to_a_folder_and_back(site: Site, tmp_path: Path) -> None:
    for entries in ({"/x": site.page()}, {"/x/": site.page(), "/x/y": site.page()}, {"/x": site.page()}):
        site.release({"/": site.page()} | entries)
        await site.mirror(WebFolder(tmp_path))
    assert sorted(files(tmp_path)) == ["index.html", "x"]


async def test_a_link_that_leads_out_of_the_folder_is_not_followed(site: Site, tmp_path: Path) -> None:
    """The control of every name: without the check the file would lie outside."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    await site.mirror(WebFolder(root))
    (root / "topics").symlink_to(outside)
    site.release(site.new())
    with pytest.raises(MirrorInterrupted, match="is a link that leads out of"):
        await site.mirror(WebFolder(root))
    assert list(outside.iterdir()) == []
    (root / "topics").unlink()
    assert (await site.mirror(WebFolder(root))).release == 2
