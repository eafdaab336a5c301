"""The number of examples that hypothesis tries, for tests that need more or fewer than the others."""

from __future__ import annotations

import hypothesis

__all__ = ["examples"]


def examples(thorough: int) -> hypothesis.settings:
    """Return the settings of a test that tries `thorough` examples in the profile ``thorough``.

    Other profiles (see ``tests/conftest.py``) try the percentage of it that their `max_examples` states.
    """
    return hypothesis.settings(max_examples=max(1, thorough * hypothesis.settings.default.max_examples // 100))
