"""`BrokenRecord`: takes the place of a record that cannot be read."""

from __future__ import annotations

import attrs

__all__ = ["BrokenRecord"]


@attrs.frozen
class BrokenRecord:
    """A record that cannot be read."""

    reason: str
    """The error, in one line."""
