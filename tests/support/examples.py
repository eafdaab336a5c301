"""How many examples a test tries: fewer by default, all of them in the profile ``thorough`` (tests/conftest.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import hypothesis

__all__ = ["examples", "sample", "seeds"]

T = TypeVar("T")


def examples(thorough: int) -> hypothesis.settings:
    """Return the settings of a hypothesis test that tries `thorough` examples in that profile, and else its share."""
    return hypothesis.settings(max_examples=max(1, _share(thorough)))


def seeds(thorough: int, *, least: int = 1) -> range:
    """Return the seeds of a random test: `thorough` of them in that profile, and else its share, `least` or more."""
    return range(max(least, _share(thorough)))


def sample(least: int, cases: Sequence[T]) -> Sequence[T]:
    """Return all cases of a test in that profile, and else the first `least` of them."""
    return cases if hypothesis.settings.default.max_examples >= 100 else cases[:least]


def _share(thorough: int) -> int:
    return thorough * hypothesis.settings.default.max_examples // 100
