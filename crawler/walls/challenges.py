"""`Challenges`: how long a lane starts nothing after a challenge."""

from __future__ import annotations

from typing import Final

__all__ = ["Challenges"]

FIRST: Final = 1.0
"""Seconds of the first pause; each further one is twice as long."""
LONGEST: Final = 60.0
"""Seconds of the longest pause: a site that challenges everything is asked once a minute."""


class Challenges:
    """The lanes that have answered with a challenge since their last page."""

    def __init__(self) -> None:
        self._pauses: dict[str, tuple[float, float]] = {}
        """When the pause of each lane began, in seconds since the epoch, and its length."""

    def __bool__(self) -> bool:
        return bool(self._pauses)

    def meet(self, lane: str, started: float, now: float) -> float:
        """Return until when a lane starts nothing after a challenge to a request that started at `started`.

        Requests that were in flight together are one sign, not several.
        """
        began, length = self._pauses.get(lane, (-1.0, FIRST / 2))
        if started >= began:
            began, length = now, min(2 * length, LONGEST)
            self._pauses[lane] = began, length
        return began + length

    def end(self, lane: str) -> None:
        """Note that a lane has served a page."""
        self._pauses.pop(lane, None)
