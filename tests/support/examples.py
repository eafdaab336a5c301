"""How many examples hypothesis tries where one test needs more, or fewer, than the others."""

from __future__ import annotations

import hypothesis

__all__ = ["examples"]


def examples(thorough: int) -> hypothesis.settings:
    """Return the settings of a test that tries `thorough` examples in the profile ``thorough``.

    Other profiles (tests/conftest.py) try the share of it that their `max_examples` is of 100.
    """
    return hypothesis.settings(max_examples=max(1, thorough * hypothesis.settings.default.max_examples // 100))
