import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.publishing.gateway.negotiation import matches, parse_range, preferred_codings


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (b"", (None,)),
        (b"identity", (None,)),
        (b"gzip", ("gz", None)),
        (b"x-gzip", ("gz", None)),
        (b"GZIP, BR", ("br", "gz", None)),
        (b"gzip, deflate, br, zstd", ("br", "gz", None)),
        (b"br;q=0.5, gzip;q=0.8", ("gz", "br", None)),
        (b"br ; q=0.8 ,\tgzip ; q=0.8", ("br", "gz", None)),
        (b"br;q=0, gzip", ("gz", None)),
        (b"*", ("br", "gz", None)),
        (b"*;q=0", (None,)),
        (b"br;q=0, *", ("gz", None)),
        (b"gzip, *;q=0", ("gz", None)),
        (b"identity;q=1, gzip;q=0.5", (None,)),
        (b"identity;q=0.5, gzip;q=0.5, br;q=0.2", ("gz", None)),
        (b"identity;q=0", (None,)),
        (b"gzip;q=2, br;q=x", (None,)),
        (b"gzip;level=9", (None,)),
        (b"deflate, zstd", (None,)),
        (b",,;;, gzip", ("gz", None)),
        (b"gzip," * 300, (None,)),
    ],
)
def test_codings_are_ordered_by_weight_and_then_by_what_compresses_best(
    accept: bytes, wanted: tuple[str | None, ...]
) -> None:
    assert preferred_codings(accept) == wanted


@given(st.one_of(st.binary(max_size=80), st.text("gzipbr*;q=.01, ", max_size=60).map(str.encode)))
def test_any_rubbish_ends_with_the_plain_body(accept: bytes) -> None:
    codings = preferred_codings(accept)
    assert codings[-1] is None
    assert len(set(codings)) == len(codings)


@pytest.mark.parametrize(
    ("header", "weak", "strong"),
    [
        (b'"a"', True, True),
        (b'W/"a"', True, False),
        (b'"x", "a"', True, True),
        (b'"x",W/"a" , "y"', True, False),
        (b"*", True, True),
        (b" * ", True, True),
        (b'"x"', False, False),
        (b"a", False, False),
        (b'"a', False, False),
        (b'"A"', False, False),
        (b"", False, False),
        (b"Sat, 01 Mar 2026 12:00:00 GMT", False, False),
    ],
)
def test_tags_are_compared_weakly_or_strongly(header: bytes, weak: bool, strong: bool) -> None:
    assert matches(header, b'"a"') is weak
    assert matches(header, b'"a"', strong=True) is strong


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"bytes=0-0", range(1)),
        (b"bytes=2-4", range(2, 5)),
        (b"bytes=2-", range(2, 10)),
        (b"bytes=2-99", range(2, 10)),
        (b"bytes=-3", range(7, 10)),
        (b"bytes=-99", range(10)),
        (b"bytes= 1-2 ", range(1, 3)),
        (b"bytes=10-", range(0)),
        (b"bytes=99-100", range(0)),
        (b"bytes=-0", range(0)),
        (b"bytes=4-2", None),
        (b"bytes=-", None),
        (b"bytes=", None),
        (b"bytes=0-1,3-4", None),
        (b"bytes=a-b", None),
        (b"lines=1-2", None),
        (b"bytes=" + b"9" * 5_000 + b"-", None),
    ],
)
def test_a_range_is_cut_to_the_body_or_ignored(header: bytes, wanted: range | None) -> None:
    found = parse_range(header, 10)
    assert (found is None) == (wanted is None)
    assert list(found or []) == list(wanted or [])


@given(st.one_of(st.binary(max_size=40), st.from_regex(rb"bytes=\d{0,20}-\d{0,20}")), st.integers(0, 50))
def test_a_range_never_leaves_the_body(header: bytes, size: int) -> None:
    found = parse_range(header, size)
    assert not found or (found.start >= 0 and found.stop <= size and len(found) > 0)
