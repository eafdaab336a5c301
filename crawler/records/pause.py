"""`PAUSE`: takes the place of records where there are none for a while."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

__all__ = ["PAUSE", "Pause"]


class Pause(Enum):
    """The type of `PAUSE`; a class of its own, since a record of JSON may be any value."""

    PAUSE = "pause"


PAUSE: Final[Literal[Pause.PAUSE]] = Pause.PAUSE
"""Yielded at least once for each 64 KB of a file without records, so that other tasks may run meanwhile."""
