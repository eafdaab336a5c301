"""How many examples a test tries: fewer by default, all of them in the profile ``thorough`` (tests/conftest.py)."""

from __future__ import annotations

import hypothesis

__all__ = ["examples", "seeds"]


def examples(thorough: int) -> hypothesis.settings:
    """Return the settings of a hypothesis test that tries `thorough` examples in that profile, and else its share."""
    return hypothesis.settings(max_examples=max(1, _share(thorough)))


def seeds(thorough: int, *, least: int = 1) -> range:
    """Return the seeds of a random test: `thorough` of them in that profile, and else its share, `least` or more."""
    return range(max(least, _share(thorough)))


def _share(thorough: int) -> int:
    return thorough * hypothesis.settings.default.max_examples // 100
