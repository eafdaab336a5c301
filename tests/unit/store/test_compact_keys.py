"""Keys as digests: which ones are known, and what they cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.store.compact_keys import BUCKET_SIZE, CompactKeys

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
