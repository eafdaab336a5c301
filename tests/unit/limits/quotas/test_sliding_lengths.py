"""`SlidingLengths`: how long windows that slide last, by what is left of them."""

from __future__ import annotations

from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.sliding_lengths import SlidingLengths


def lengths_of(*history: tuple[float, float], limit: float = 4.0) -> list[float | None]:
    """Return what each response shows, by when it was sent and what it leaves; nothing: it is refused."""
    lengths, found = SlidingLengths(), []
    for at, left in history:
        sample = QuotaSample(
            remaining=max(0.0, left),
            reset=None,
            sent=at,
            received=at + 0.1,
            cost=1.0,
            inflight=0.0,
            causal=True,
            refused=left < 0.0,
            disrupted=left < 0.0,
        )
        found.append(lengths.record(sample, limit))
    return found


def test_the_only_length_that_explains_what_is_left_counts_once_units_have_returned_twice():
    history = (0.0, 3), (0.2, 2), (1.2, 1), (2.4, 0), (5.3, -1), (15.4, 1), (15.6, 0), (16.5, 0), (17.6, 0)
    assert lengths_of(*history) == [None] * 7 + [15.0, 15.0]


def test_windows_that_are_full_again_at_once_do_not_slide():
    assert lengths_of((0.0, 3), (1.1, 2), (4.1, 1), (5.3, 3), (6.4, 2), (10.6, 3)) == [None] * 6


def test_a_large_limit_is_not_compared():
    assert lengths_of((0.0, 150), (1.0, 149), limit=151.0) == [None, None]
