"""What a visitor, a browser's cache and a CDN get, request by request."""

import zlib

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.publishing.gateway.asgi import Gateway
from app.publishing.manifest import NOT_FOUND_PATH, Entry, Manifest, blob_key
from app.storage.facade import AsyncStore
from app.storage.memory import MemoryStore
from tests.publishing.gateway.world import HOME, ask, ask_raw, page, publish

pytestmark = pytest.mark.anyio

BIG = bytes(range(256)) * 4
CSS = "text/css; charset=utf-8"
SECURITY = {
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "permissions-policy",
    "hustings-release",
}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def gateway(store: MemoryStore) -> Gateway:
    publish(
        store,
        {
            "/": page(store, HOME, encodings=("br", "gz")),
            "/campaigns/": page(store, b"<h1>Campaigns</h1>"),
            "/größe/": page(store, b"<h1>Size</h1>"),
            "/assets/site-1a2b.css": page(
                store, b"a{}" * 99, content_type=CSS, cache="immutable", encodings=("gz",)
            ),
            "/media/map.png": page(store, BIG, content_type="image/png", cache="immutable"),
            "/media/empty.txt": page(store, b"", content_type="text/plain"),
            "/feed.xml": page(store, b"<feed/>", content_type="application/atom+xml", cache="feed"),
            "/widgets/v1/count.js": page(store, b"export{}", content_type="text/javascript", cache="feed"),
            "/old/": Entry(status=301, location="/campaigns/"),
            "/away/": Entry(status=301, location="https://other.test/a?b=c"),
            "/gone/": page(store, b"<h1>Gone</h1>", status=410, gone_on="2026-03-01", encodings=("gz",)),
            "/taken-down/": Entry(status=410),
            NOT_FOUND_PATH: page(store, b"<h1>Unknown</h1>", status=404),
        },
        number=42,
    )
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    return gateway


async def test_a_page_is_answered_with_its_bytes_and_everything_that_describes_them(gateway: Gateway) -> None:
    reply = await ask(gateway, "/")
    assert (reply.status, reply.body) == (200, HOME)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-length"] == str(len(HOME))
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["hustings-release"] == "42"
    assert reply.headers["cache-control"].startswith("public, max-age=0, s-maxage=")
    assert {"stale-while-revalidate", "stale-if-error"} <= {
        part.strip().partition("=")[0] for part in reply.headers["cache-control"].split(",")
    }


@pytest.mark.parametrize("accept", ["", "gzip", "br"])
@pytest.mark.parametrize(
    "path", ["/", "/campaigns/", "/old/", "/gone/", "/taken-down/", "/nowhere/", "/%zz", "/campaigns"]
)
async def test_head_is_get_without_the_body(gateway: Gateway, path: str, accept: str) -> None:
    get = await ask(gateway, path, accept_encoding=accept)
    head = await ask(gateway, path, "HEAD", accept_encoding=accept)
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert int(get.headers["content-length"]) == len(get.body)


@pytest.mark.parametrize(
    "path", ["/", "/old/", "/gone/", "/taken-down/", "/nowhere/", "/%zz", "/media/map.png"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_answer_carries_the_security_headers_and_its_release(
    gateway: Gateway, path: str, method: str
) -> None:
    reply = await ask(gateway, path, method)
    assert reply.headers.keys() >= SECURITY
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "strict-transport-security" not in reply.headers


@pytest.mark.parametrize("path", ["/", "/nowhere/", "/%zz"])
async def test_a_site_that_lives_at_https_says_so_in_every_answer(store: MemoryStore, path: str) -> None:
    publish(store, {"/": page(store, HOME)}, scheme="https")
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    assert (await ask(gateway, path)).headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE", ""])
@pytest.mark.parametrize("path", ["/", "/nowhere/", "*"])
async def test_any_other_method_is_refused_with_what_is_allowed(
    gateway: Gateway, method: str, path: str
) -> None:
    reply = await ask(gateway, path, method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


async def test_a_coding_has_its_own_body_and_its_own_strong_tag(gateway: Gateway) -> None:
    plain = await ask(gateway, "/")
    gzipped = await ask(gateway, "/", accept_encoding="gzip, deflate")
    brotli = await ask(gateway, "/", accept_encoding="gzip, deflate, br, zstd")
    assert (gzipped.headers["content-encoding"], zlib.decompress(gzipped.body, 31)) == ("gzip", HOME)
    assert (brotli.headers["content-encoding"], brotli.body) == ("br", b"br:" + HOME)
    assert "content-encoding" not in plain.headers
    tags = {reply.headers["etag"] for reply in (plain, gzipped, brotli)}
    assert len(tags) == 3
    assert all(tag.startswith('"') for tag in tags)


async def test_what_has_no_siblings_does_not_vary(gateway: Gateway) -> None:
    reply = await ask(gateway, "/media/map.png", accept_encoding="gzip, br")
    assert "vary" not in reply.headers
    assert "content-encoding" not in reply.headers
    assert reply.body == BIG


async def test_a_real_client_decodes_what_it_gets(gateway: Gateway) -> None:
    transport = httpx.ASGITransport(app=gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://demo.test") as client:
        reply = await client.get("/", headers={"Accept-Encoding": "gzip"})
        assert reply.content == HOME
        again = await client.get(
            "/", headers={"Accept-Encoding": "gzip", "If-None-Match": reply.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        moved = await client.get("/campaigns?page=2", follow_redirects=True)
        assert (moved.status_code, str(moved.url)) == (200, "http://demo.test/campaigns/?page=2")


async def test_a_304_says_what_the_200_said_about_caching(gateway: Gateway) -> None:
    whole = await ask(gateway, "/", accept_encoding="gzip")
    for condition in (whole.headers["etag"], f'"x", W/{whole.headers["etag"]}', "*"):
        reply = await ask(gateway, "/", accept_encoding="gzip", if_none_match=condition)
        assert (reply.status, reply.body) == (304, b"")
        for name in ("etag", "cache-control", "vary", *SECURITY):
            assert reply.headers[name] == whole.headers[name]
        assert not {"content-length", "content-type", "content-encoding"} & reply.headers.keys()


async def test_the_tag_of_another_coding_or_page_is_no_match(gateway: Gateway) -> None:
    other = (await ask(gateway, "/", accept_encoding="br")).headers["etag"]
    reply = await ask(gateway, "/", accept_encoding="gzip", if_none_match=other)
    assert reply.status == 200
    assert (await ask(gateway, "/campaigns/", if_none_match=other)).status == 200


async def test_a_condition_given_in_two_headers_counts_as_one_list(gateway: Gateway) -> None:
    tag = (await ask(gateway, "/")).headers["etag"].encode()
    headers = [(b"host", b"demo.test"), (b"if-none-match", b'"x"'), (b"if-none-match", tag)]
    assert (await ask_raw(gateway, b"/", "GET", b"", headers)).status == 304
    codings = [(b"host", b"demo.test"), (b"accept-encoding", b"br;q=0"), (b"accept-encoding", b"gzip")]
    assert (await ask_raw(gateway, b"/", "GET", b"", codings)).headers["content-encoding"] == "gzip"


async def test_if_match_is_strong_and_refuses_another_version(gateway: Gateway) -> None:
    tag = (await ask(gateway, "/")).headers["etag"]
    assert (await ask(gateway, "/", if_match=tag)).status == 200
    assert (await ask(gateway, "/", if_match="*")).status == 200
    assert (await ask(gateway, "/", if_match=f"W/{tag}")).status == 412
    assert (await ask(gateway, "/", if_match='"other"')).status == 412


async def test_a_range_is_a_part_of_the_plain_body(gateway: Gateway) -> None:
    reply = await ask(gateway, "/", range="bytes=10-19", accept_encoding="gzip, br")
    assert (reply.status, reply.body) == (206, HOME[10:20])
    assert reply.headers["content-range"] == f"bytes 10-19/{len(HOME)}"
    assert reply.headers["content-length"] == "10"
    assert "content-encoding" not in reply.headers
    assert reply.headers["etag"] == (await ask(gateway, "/")).headers["etag"]
    last = await ask(gateway, "/media/map.png", range="bytes=-4")
    assert (last.status, last.body) == (206, BIG[-4:])


async def test_a_range_beyond_the_end_says_how_long_the_body_is(gateway: Gateway) -> None:
    reply = await ask(gateway, "/media/map.png", range="bytes=1024-")
    assert (reply.status, reply.body) == (416, b"")
    assert reply.headers["content-range"] == "bytes */1024"
    assert reply.headers["content-length"] == "0"
    assert (await ask(gateway, "/media/empty.txt", range="bytes=0-")).status == 416


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=9-1", "rows=1-2", "bytes=x"])
async def test_a_range_that_cannot_be_followed_gives_the_whole_in_the_usual_coding(
    gateway: Gateway, asked: str
) -> None:
    reply = await ask(gateway, "/", range=asked, accept_encoding="gzip")
    assert (reply.status, reply.headers["content-encoding"]) == (200, "gzip")


async def test_if_range_gives_the_part_only_of_the_very_same_body(gateway: Gateway) -> None:
    tag = (await ask(gateway, "/")).headers["etag"]
    gzip_tag = (await ask(gateway, "/", accept_encoding="gzip")).headers["etag"]
    same = await ask(gateway, "/", range="bytes=0-3", if_range=tag)
    assert (same.status, same.body) == (206, HOME[:4])
    for other in (gzip_tag, f"W/{tag}", '"old"', "Sat, 01 Mar 2026 12:00:00 GMT"):
        reply = await ask(gateway, "/", range="bytes=0-3", if_range=other)
        assert (reply.status, reply.body) == (200, HOME)


async def test_a_matching_tag_goes_before_a_range_and_head_has_none(gateway: Gateway) -> None:
    tag = (await ask(gateway, "/")).headers["etag"]
    assert (await ask(gateway, "/", range="bytes=0-3", if_none_match=tag)).status == 304
    assert (await ask(gateway, "/", "HEAD", range="bytes=0-3")).status == 200
    assert (await ask(gateway, "/gone/", range="bytes=0-3")).status == 410


async def test_a_redirect_keeps_the_query_unless_the_target_has_one(gateway: Gateway) -> None:
    reply = await ask(gateway, "/old/", query=b"utm=1")
    assert (reply.status, reply.headers["location"], reply.body) == (301, "/campaigns/?utm=1", b"")
    away = await ask(gateway, "/away/", query=b"utm=1")
    assert away.headers["location"] == "https://other.test/a?b=c"


async def test_a_removed_page_is_gone_and_shows_its_page(gateway: Gateway) -> None:
    reply = await ask(gateway, "/gone/", accept_encoding="gzip")
    assert (reply.status, zlib.decompress(reply.body, 31)) == (410, b"<h1>Gone</h1>")
    assert "etag" not in reply.headers
    bare = await ask(gateway, "/taken-down/")
    assert bare.status == 410
    assert b"<h1>This page is gone</h1>" in bare.body


async def test_an_unknown_path_gets_the_sites_own_page(gateway: Gateway) -> None:
    for path in ("/nowhere/", NOT_FOUND_PATH, "/" + "a" * 5_000):
        reply = await ask(gateway, path, if_none_match="*")
        assert (reply.status, reply.body) == (404, b"<h1>Unknown</h1>")
        assert "etag" not in reply.headers
        assert "s-maxage=10" in reply.headers["cache-control"]


async def test_without_a_page_of_its_own_a_site_says_not_found_plainly() -> None:
    store = MemoryStore()
    publish(store, {"/": page(store, HOME)})
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    reply = await ask(gateway, "/nowhere/")
    assert reply.status == 404
    assert b"<h1>Page not found</h1>" in reply.body


async def test_hashed_files_are_kept_for_a_year_and_pages_are_asked_for(gateway: Gateway) -> None:
    asset = await ask(gateway, "/assets/site-1a2b.css")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await ask(gateway, "/feed.xml")).headers["cache-control"].startswith("public, max-age=300")


async def test_widgets_work_on_other_sites_and_pages_do_not_share_a_window(gateway: Gateway) -> None:
    widget = (await ask(gateway, "/widgets/v1/count.js")).headers
    assert widget["access-control-allow-origin"] == "*"
    assert widget["cross-origin-resource-policy"] == "cross-origin"
    home = (await ask(gateway, "/")).headers
    assert home["cross-origin-opener-policy"] == "same-origin"
    assert "access-control-allow-origin" not in home
    assert (await ask(gateway, "/media/map.png")).headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/campaigns", "/campaigns/"),
        ("//campaigns//", "/campaigns/"),
        ("/./campaigns", "/campaigns/"),
        ("/%2e%2e/campaigns/", "/campaigns/"),
        ("/a/../campaigns/", "/campaigns/"),
        ("/gr%C3%B6%C3%9Fe", "/gr%C3%B6%C3%9Fe/"),
        ("//", "/"),
        ("/.", "/"),
        ("/old", "/old/"),
    ],
)
async def test_a_misspelt_path_leads_to_the_page(gateway: Gateway, asked: str, location: str) -> None:
    reply = await ask(gateway, asked, query=b"a=1")
    assert (reply.status, reply.headers["location"]) == (301, f"{location}?a=1")


@pytest.mark.parametrize("asked", ["/%63ampaigns/", "/gr%c3%b6%c3%9fe/", "/campaigns%2F"])
async def test_other_escapes_of_the_same_path_lead_to_its_one_url(gateway: Gateway, asked: str) -> None:
    reply = await ask(gateway, asked)
    assert reply.status == 301
    assert (await ask(gateway, reply.headers["location"])).status == 200


@pytest.mark.parametrize("asked", ["/Campaigns/", "/GRO%CC%88%C3%9FE", "/gro%CC%88%C3%9Fe/"])
async def test_capitals_and_taken_apart_letters_lead_to_the_page(gateway: Gateway, asked: str) -> None:
    reply = await ask(gateway, asked)
    assert reply.status == 301
    assert (await ask(gateway, reply.headers["location"])).status == 200


@pytest.mark.parametrize(
    "asked",
    ["//evil.example/", "//evil.example/..", "/\\evil.example/", "/%5cevil.example", "/%2f%2fevil.example/"],
)
async def test_no_path_becomes_a_redirect_to_another_host(gateway: Gateway, asked: str) -> None:
    reply = await ask(gateway, asked)
    assert reply.headers.get("location", "/") == "/"
    assert reply.status in {301, 404}


@pytest.mark.parametrize(
    "asked", ["/%00", "/%ff", "/%zz", "/%", "/a%0d%0aSet-Cookie:x", "x", "http://demo.test/"]
)
async def test_what_is_no_path_is_refused(gateway: Gateway, asked: str) -> None:
    reply = await ask(gateway, asked)
    assert reply.status == 400
    assert "set-cookie" not in reply.headers


anything = st.one_of(st.binary(max_size=40), st.text("/.%2ef\\0aA? ", max_size=30).map(str.encode))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.one_of(anything, anything.map(lambda rest: b"/" + rest)),
    method=st.one_of(st.just("GET"), st.text(max_size=5)),
    query=anything,
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [b"host", b"accept-encoding", b"range", b"if-range", b"if-none-match", b"if-match", b"x"]
            ),
            anything,
        ),
        max_size=8,
    ),
)
async def test_no_rubbish_raises_or_leaves_the_site(
    gateway: Gateway, path: bytes, method: str, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    reply = await ask_raw(gateway, path, method, query, headers)
    assert reply.status in {200, 206, 301, 304, 400, 404, 405, 410, 412, 416}
    assert not reply.headers.get("location", "/").startswith(("//", "/\\", "http"))
    assert all("\r" not in value and "\n" not in value for value in reply.headers.values())
    assert reply.headers.keys() >= SECURITY


async def test_a_missing_blob_is_a_503_that_is_logged(
    gateway: Gateway, store: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = Manifest.load(store.get, next(store.list("releases/")).key).get("/campaigns/")
    assert entry is not None
    store.delete(blob_key(entry.blob or ""))
    reply = await ask(gateway, "/campaigns/")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert reply.headers["cache-control"] == "no-store"
    assert "blob_unreadable" in capsys.readouterr().out
    assert (await ask(gateway, "/")).status == 200


async def test_before_the_first_release_there_is_a_plain_page_that_says_so() -> None:
    reply = await ask(Gateway(AsyncStore(MemoryStore())), "/")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert b"Nothing is published here yet" in reply.body
    assert "hustings-release" not in reply.headers
