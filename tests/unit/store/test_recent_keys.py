"""The keys that are kept in memory: the most recent ones, each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.store.recent_keys import RecentKeys


def test_a_new_container_is_empty() -> None:
    assert len(RecentKeys(3)) == 0
    assert "a" not in RecentKeys(3)


def test_the_oldest_keys_are_dropped_first() -> None:
    keys = RecentKeys(2)
    keys.update(["a", "b", "c"])
    assert sorted(keys) == ["b", "c"]
    assert "a" not in keys


def test_adding_a_key_again_does_not_make_it_younger() -> None:
    keys = RecentKeys(2)
    keys.update(["a", "b", "a"])
    keys.update(["c"])
    assert sorted(keys) == ["b", "c"]


def test_a_container_of_size_0_keeps_nothing() -> None:
    keys = RecentKeys(0)
    keys.update(["a"])
    assert len(keys) == 0
    assert "a" not in keys


def test_other_values_are_not_recent_keys() -> None:
    keys = RecentKeys(2)
    keys.update(["1"])
    assert 1 not in keys
    assert None not in keys


@given(size=st.integers(0, 5), batches=st.lists(st.lists(st.sampled_from("abcdefgh"))))
def test_the_number_of_recent_keys_is_bounded(size: int, batches: list[list[str]]) -> None:
    keys = RecentKeys(size)
    for batch in batches:
        new = [key for key in dict.fromkeys(batch) if key not in keys]
        keys.update(batch)
        assert len(keys) <= size
        if size and new:
            assert new[-1] in keys
    assert keys <= {key for batch in batches for key in batch}


def test_keys_are_forgotten_all_at_once():
    keys = RecentKeys(2)
    keys.update(["a", "b"])
    keys.clear()
    keys.update(["c", "d"])
    assert keys == {"c", "d"}
