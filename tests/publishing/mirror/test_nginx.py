"""What a real nginx answers with the configuration of README, and that a switch is never seen half."""

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app.publishing.gateway.headers import CACHE, SECURITY, SHORTLY
from app.publishing.manifest import Entry
from app.publishing.mirror.layout import TYPES
from tests.publishing.mirror.nginx import Nginx, configuration, running_nginx
from tests.publishing.mirror.world import Site

CAFE, HEBREW = "/campaigns/café + 100 %/", "/campaigns/מים-נקיים/"


def entries(site: Site) -> dict[str, Entry]:
    css = "/assets/site-2.css"
    return site.new() | {
        CAFE: site.page(css, words="café"),
        HEBREW: site.page(css, words="hebrew"),
        "/cafe\u0301/": site.page(css, words="decomposed"),
        "/café/": site.page(css, words="composed"),
        "/page/2/": site.page(css, words="not a folder of the layout"),
        "/alt/": Entry(status=301, location="/café/?a=1/2#top"),
        "/kurz": Entry(status=301, location="/campaigns/a/"),
        "/tidy/": Entry(status=301, location="/campaigns/../campaigns//a/"),
        "/bare/": Entry(status=410, gone_on="2026-11-21"),
        "/robots.txt": site.raw("User-agent: *\n", "text/plain; charset=utf-8", "feed"),
        "/assets/drawing-1.svg": site.raw("<svg/>", "image/svg+xml", "immutable"),
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    site = Site()
    site.release(site.old())
    site.plant_now(folder)
    site.release(entries(site))
    site.plant_now(folder)
    return folder


@pytest.fixture(scope="module")
def nginx(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with running_nginx(tmp_path_factory.mktemp("nginx") / "run", root) as port:
        client = Nginx(port)
        yield client
        client.close()


def test_every_path_answers_as_the_release_says(nginx: Nginx) -> None:
    site = Site()
    for path, entry in entries(site).items():
        if path == "/404.html":
            continue
        answer = nginx.get(quote(path))
        assert answer.status == entry.status, path
        if entry.status == 200:
            assert answer.body == site.store.get(f"blobs/{entry.blob}"), path
            assert answer.headers["content-type"] == entry.content_type
            assert answer.headers["cache-control"] == CACHE[entry.cache].decode()
            assert "last-modified" not in answer.headers


def test_the_headers_are_those_of_the_gateway(nginx: Nginx) -> None:
    page, asset = nginx.get("/").headers, nginx.get("/assets/site-2.css").headers
    assert page["hustings-release"] == nginx.get("/nothing").headers["hustings-release"] == "2"
    for name, value in SECURITY:
        assert page[name.decode()] == value.decode() == asset[name.decode()]
    assert page["cross-origin-opener-policy"] == "same-origin"
    assert asset["cross-origin-resource-policy"] == "cross-origin"
    assert "cross-origin-resource-policy" not in page
    assert "cross-origin-opener-policy" not in asset


def test_unknown_and_gone_paths_have_pages_of_the_site(nginx: Nginx) -> None:
    for path in (
        "/nothing",
        "/nothing/",
        "/404.html",
        "/page/index.html",
        "/%0d%0aX-Y:1",
        "/assets",
        "/..%2f",
    ):
        unknown = nginx.get(path)
        assert unknown.status in {404, 400}, path
    unknown = nginx.get("/nothing/")
    assert b"<h1>Not found</h1>" in unknown.body
    assert unknown.headers["content-type"] == "text/html; charset=utf-8"
    assert unknown.headers["cache-control"] == SHORTLY.decode()
    gone = nginx.get("/campaigns/e/")
    assert (gone.status, gone.body) == (410, b"<!doctype html><h1>Gone</h1>")
    assert gone.headers["content-type"] == "text/html; charset=utf-8"
    assert gone.headers["cache-control"] == SHORTLY.decode()
    bare = nginx.get("/bare/")
    assert (bare.status, b"This page is gone" in bare.body) == (410, True)


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/campaigns/b/", "/campaigns/c/"),
        ("/campaigns/b/?ref=mail", "/campaigns/c/?ref=mail"),
        ("/campaigns/b", "/campaigns/b/"),
        ("/campaigns/e", "/campaigns/e/"),
        ("/kurz?x=1", "/campaigns/a/?x=1"),
        ("/alt/?ref=mail", "/caf%C3%A9/?a=1%2F2#top"),
        ("/tidy/", "/campaigns/%2E%2E/campaigns/a/"),
        ("/campaigns/a", "/campaigns/a/"),
        ("/caf%C3%A9?x=1", "/caf%C3%A9/?x=1"),
    ],
)
def test_redirects(nginx: Nginx, asked: str, location: str) -> None:
    answer = nginx.get(asked)
    assert (answer.status, answer.headers["location"]) == (301, location)
    assert answer.headers["cache-control"] == CACHE["page"].decode()


def test_bodies_come_compressed_and_conditions_are_kept(nginx: Nginx) -> None:
    plain, packed = (
        nginx.get("/campaigns/a/"),
        nginx.get("/campaigns/a/", Accept_Encoding="gzip", Via="1.1 cdn"),
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["vary"]
    assert gzip.decompress(packed.body) == plain.body
    assert nginx.get("/campaigns/a/", If_None_Match=plain.headers["etag"]).status == 304
    assert nginx.get("/campaigns/c/").headers["etag"] != plain.headers["etag"]
    assert nginx.get("/media/2-a.webp", Range="bytes=1-").body == b"wo"


def test_what_readme_says_is_what_the_layout_counts_on() -> None:
    text = configuration()
    for ending, content_type in TYPES.items():
        bare = content_type.partition(";")[0]
        assert f"{bare} {ending};" in " ".join(text.split()), ending
        if "charset" in content_type and bare != "text/html":
            assert bare in text.partition("charset_types")[2].partition(";")[0], ending


class Reader(threading.Thread):
    """Reads the home page and the asset that it names, all the time."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.stopping = threading.Event()
        self.wrong: list[Any] = []
        self.seen: set[bytes] = set()
        self._client = Nginx(port)

    def run(self) -> None:
        while not self.stopping.is_set():
            home = self._client.get("/")
            words = home.body.partition(b"<p>")[2].partition(b"</p>")[0]
            asset = self._client.get(f"/assets/{words.decode()}.css")
            number = int(words.rpartition(b"-")[2]) + 1
            old = self._client.get(
                f"/page-{number - 1}/"
            )  # a page before the switch, and a redirect after it
            if (home.status, asset.status, asset.body) != (200, 200, words):
                self.wrong.append((home, asset))
            if home.headers["hustings-release"] != str(number) or old.status not in {200, 301}:
                self.wrong.append((home, old))
            self.seen.add(words)
        self._client.close()


def numbered(site: Site, number: int) -> dict[str, Entry]:
    """A release whose asset is named by it, and is in no other."""
    words = f"release-{number:03d}"
    renamed = {f"/page-{old}/": Entry(status=301, location=f"/page-{number}/") for old in range(number)}
    return renamed | {
        "/404.html": site.not_found("/assets/none.css"),
        "/": site.page(words=words),
        f"/page-{number}/": site.page("/", words=words),
        f"/assets/{words}.css": site.raw(words, "text/css; charset=utf-8", "immutable"),
    }


def read_through_switches(folder: Path, switches: int) -> list[Reader]:
    site, root = Site(), folder / "trees"
    root.mkdir()
    site.release(numbered(site, 0))
    site.plant_now(root)
    with running_nginx(folder / "nginx", root) as port:
        readers = [Reader(port) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            for number in range(1, switches):
                if any(reader.wrong for reader in readers):
                    break
                site.release(numbered(site, number))
                site.plant_now(root)
        finally:
            for reader in readers:
                reader.stopping.set()
            for reader in readers:
                reader.join()
    return readers


def test_under_load_no_switch_shows_a_mixed_release(tmp_path: Path) -> None:
    readers = read_through_switches(tmp_path, 15)
    assert [reader.wrong for reader in readers] == [[], [], []]
    assert len(set.union(*(reader.seen for reader in readers))) > 3


def test_the_readers_find_a_mixed_release_when_old_assets_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr("app.publishing.mirror.trees.retained", lambda *_: {})
    readers = read_through_switches(tmp_path, 25)
    assert any(reader.wrong for reader in readers)
