"""Slugs."""

import re

import pytest

from app.kit.slugs import SLUG, SLUG_LENGTH


@pytest.mark.parametrize("good", ["a", "7", "the-bay", "a-1-b", "a" * SLUG_LENGTH])
def test_lower_case_letters_digits_and_single_hyphens_are_a_slug(good: str) -> None:
    assert re.fullmatch(SLUG, good)


@pytest.mark.parametrize("bad", ["", "-a", "a-", "a--b", "A", "a_b", "a b", "\u00e4", "a/b", "a\n"])
def test_nothing_else_is_one(bad: str) -> None:
    assert not re.fullmatch(SLUG, bad)
