from hypothesis import given
from hypothesis import strategies as st

from app.publishing.gateway.recent import Recent


def test_what_is_used_stays_and_what_is_not_is_forgotten() -> None:
    recent: Recent[int, str] = Recent(10)
    recent.put(-1, "used")
    recent.put(-2, "unused")
    for number in range(100):
        recent.put(number, "other")
        assert recent.get(-1) == "used"
    assert recent.get(-2) is None


def test_something_too_heavy_is_not_kept() -> None:
    recent: Recent[str, bytes] = Recent(100, len)
    recent.put("heavy", b"x" * 51)
    recent.put("light", b"x" * 50)
    assert recent.get("heavy") is None
    assert recent.get("light") == b"x" * 50


def test_putting_one_key_again_weighs_once() -> None:
    recent: Recent[str, bytes] = Recent(100, len)
    recent.put("other", b"x" * 10)
    for _ in range(20):
        recent.put("same", b"x" * 10)
    assert recent.get("other") == b"x" * 10


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 60), st.booleans()), max_size=80))
def test_it_never_holds_more_than_its_limit(steps: list[tuple[int, int, bool]]) -> None:
    recent: Recent[int, bytes] = Recent(100, len)
    for key, size, is_put in steps:
        if is_put:
            recent.put(key, bytes(size))
        else:
            recent.get(key)
        held = {**recent._old, **recent._young}
        assert sum(map(len, held.values())) <= 100
