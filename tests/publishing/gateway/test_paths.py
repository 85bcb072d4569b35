import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.paths import tidy_path
from app.publishing.gateway.paths import decode_path, location_of, path_location

segments = st.one_of(st.sampled_from(["", ".", "..", "a", "%2e", "evil.example"]), st.text(max_size=5))


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"/campaigns/", "/campaigns/"),
        (b"/%63ampaigns/", "/campaigns/"),
        (b"/gr%C3%B6%C3%9Fe/", "/größe/"),
        (b"/a%252Fb", "/a%2Fb"),
        (b"/%2e%2E/a", "/../a"),
    ],
)
def test_a_path_is_decoded_once(raw: bytes, path: str) -> None:
    assert decode_path(raw) == path


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"*",
        b"a",
        b"/%",
        b"/%0",
        b"/%zz",
        b"/%00",
        b"/a\x00",
        b"/%0d%0aSet-Cookie:a",
        b"/%7f",
        b"/%ff",
        b"/\xff",
    ],
)
def test_what_is_no_path_is_none(raw: bytes) -> None:
    assert decode_path(raw) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_a_path_or_none(raw: bytes) -> None:
    path = decode_path(b"/" + raw)
    assert path is None or path.startswith("/")


@pytest.mark.parametrize(
    ("path", "tidy"),
    [
        ("/", "/"),
        ("//", "/"),
        ("//evil.example/", "/evil.example/"),
        ("/a//b/", "/a/b/"),
        ("/./a/./b", "/a/b"),
        ("/a/../b/", "/b/"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
    ],
)
def test_empty_and_dot_segments_go(path: str, tidy: str) -> None:
    assert tidy_path(path) == tidy


@given(st.lists(segments, max_size=8).map(lambda parts: "/" + "/".join(parts)))
def test_a_tidy_path_stays_as_it_is_and_never_names_another_host(path: str) -> None:
    tidy = tidy_path(path)
    assert tidy_path(tidy) == tidy
    location = path_location(tidy, b"")
    assert location.startswith(b"/")
    assert not location.startswith((b"//", b"/\\"))
    assert decode_path(location) in {tidy, None}


@pytest.mark.parametrize(
    ("target", "query", "location"),
    [
        ("/new/", b"", b"/new/"),
        ("/new/", b"utm=1&a=%20", b"/new/?utm=1&a=%20"),
        ("/new/?a=1", b"utm=1", b"/new/?a=1"),
        ("/new/#part", b"utm=1", b"/new/#part"),
        ("https://other.test/größe", b"", b"https://other.test/gr%C3%B6%C3%9Fe"),
        ("/new/", b"a=\r\nSet-Cookie: b", b"/new/"),
        ("/new/", b"\xff", b"/new/"),
        ("/new/", b"a" * 2_001, b"/new/"),
        ("/new/\r\nX: y", b"", b"/new/%0D%0AX:%20y"),
    ],
)
def test_a_redirect_keeps_the_query_unless_it_has_its_own(target: str, query: bytes, location: bytes) -> None:
    assert location_of(target, query) == location


def test_a_path_that_looks_like_a_query_stays_a_path() -> None:
    assert path_location("/what?#100%/", b"a=1") == b"/what%3F%23100%25/?a=1"
