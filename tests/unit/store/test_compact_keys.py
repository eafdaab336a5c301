"""Keys as digests: which ones are known, and what they cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.store.compact_keys import BUCKET_SIZE, CompactKeys, RecentKeys


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


KEYS = st.lists(st.text(max_size=3) | st.integers(0, 9).map(str), unique=True, max_size=200)


@given(keys=KEYS, others=KEYS, first=st.integers(0, 9), recent=st.integers(0, 9))
def test_the_container_has_exactly_the_keys_that_were_added(
    keys: list[str], others: list[str], first: int, recent: int
) -> None:
    known = CompactKeys(set(keys[:first]), recent)
    for key in keys[first:]:
        assert key not in known
        known.add(key)
    assert len(known) == len(keys)
    assert all(key in known for key in keys)
    assert [key for key in others if key in known] == [key for key in others if key in set(keys)]


def test_every_key_is_found_while_buckets_are_split() -> None:
    known = CompactKeys(set(), 0)
    keys = [f"http://a.test/{number}" for number in range(40 * BUCKET_SIZE)]
    for number, key in enumerate(keys):
        known.add(key)
        assert keys[number // 2] in known
    assert len(known._buckets) == 40
    assert all(key in known for key in keys)
    assert not any(f"{key}/" in known for key in keys)


def test_no_bucket_becomes_large() -> None:
    known = CompactKeys(set(), 0)
    for number in range(200 * BUCKET_SIZE):
        known.add(str(number))
    sizes = [len(bucket) // 16 for bucket in known._buckets]
    assert sum(sizes) == len(known)
    assert max(sizes) < 3 * BUCKET_SIZE


def test_a_key_that_is_not_a_url_is_kept_too() -> None:
    known = CompactKeys(set(), 0)
    known.add("\udc80 é")
    assert "\udc80 é" in known
    assert "\udc81 é" not in known
