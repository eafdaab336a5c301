"""`QuotaSample`: an immutable record of one response."""

from __future__ import annotations

import attrs
import pytest

from crawler.limits.quotas.sample import QuotaSample


def sample() -> QuotaSample:
    return QuotaSample(
        remaining=5.0,
        reset=None,
        sent=1.0,
        received=2.0,
        cost=1.0,
        inflight=0.0,
        causal=True,
        refused=False,
        disrupted=False,
    )


def test_a_sample_cannot_be_changed_after_the_rules_have_seen_it():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        sample().remaining = 6.0  # type: ignore[misc]


def test_equal_values_of_two_responses_are_two_samples():
    assert sample() != sample()
