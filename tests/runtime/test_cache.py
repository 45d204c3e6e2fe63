"""The bounded cache."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime.cache import BoundedCache, text_key


def test_what_was_used_last_stays() -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    cache.put(b"a", 1)
    cache.put(b"b", 2)
    cache.get(b"a")
    cache.put(b"c", 3)
    assert [cache.get(key) for key in (b"a", b"b", b"c")] == [1, None, 3]


@given(st.lists(st.tuples(st.binary(max_size=2), st.integers(1)), max_size=50), st.integers(0, 5))
def test_it_never_holds_more_than_it_may_and_never_another_value(puts, most) -> None:
    cache: BoundedCache[int] = BoundedCache(most)
    latest = {}
    for key, value in puts:
        cache.put(key, value)
        latest[key] = value
        assert len(cache) <= most
        assert cache.get(key) in {value, None}
    assert all(cache.get(key) in {value, None} for key, value in latest.items())


@given(st.text(), st.text(), st.text(), st.text())
def test_two_models_or_two_texts_never_share_a_key(model, text, other_model, other_text) -> None:
    one, other = (
        f"sha256:{model.encode(errors='replace').hex()}",
        f"sha256:{other_model.encode(errors='replace').hex()}",
    )
    same = (one, text) == (other, other_text)
    assert (text_key(one, text) == text_key(other, other_text)) == same


def test_it_can_be_emptied() -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    cache.put(b"a", 1)
    cache.clear()
    assert len(cache) == 0
