"""Cursors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.paging import BadCursor, Cursors, cut_page

CURSORS = Cursors("a secret")


@given(st.text(), st.text(max_size=90))
def test_a_cursor_leads_back_to_its_position(listing: str, position: str) -> None:
    assert CURSORS.read(listing, CURSORS.write(listing, position)) == position


@given(st.text())
def test_whatever_else_is_given_is_a_bad_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        CURSORS.read("list", text)


def test_a_cursor_of_another_list_or_key_is_bad() -> None:
    cursor = CURSORS.write("list", "7")
    with pytest.raises(BadCursor):
        CURSORS.read("other", cursor)
    with pytest.raises(BadCursor):
        Cursors("another secret").read("list", cursor)


def test_a_changed_position_is_noticed() -> None:
    one, other = CURSORS.write("list", "7"), CURSORS.write("list", "8")
    with pytest.raises(BadCursor):
        CURSORS.read("list", one[:-2] + other[-2:])


def test_a_page_ends_with_a_cursor_only_when_more_follows() -> None:
    assert cut_page([1, 2, 3], 2, str) == ([1, 2], "2")
    assert cut_page([1, 2], 2, str) == ([1, 2], None)
    assert cut_page([], 2, str) == ([], None)
