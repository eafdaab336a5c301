"""`BrokenRecord`: what stands in the place of a record that could not be read."""

from __future__ import annotations

import attrs

__all__ = ["BrokenRecord"]


@attrs.frozen
class BrokenRecord:
    """A record that could not be read."""

    reason: str
    """What is wrong with it, in one line."""
