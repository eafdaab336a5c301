"""`Limits`: throttles by name, of lanes and of budgets. Clients and crawls that get the same object share them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from crawler.limits.pace import Pace, first_match
from crawler.limits.throttle import Throttle

__all__ = ["Limits"]


class Limits:
    """The limits of lanes and budgets: those that the user sets, and those that are known of each.

    Parameters:
        pacing: Glob of lanes (``"https://api.example"``), hosts or budgets (``"key:A"``) to `Pace`. It takes precedence
            over the settings of a crawl or client.
        chance: Source of jitter.
    """

    def __init__(self, pacing: Mapping[str, Pace] | None = None, *, chance: random.Random | None = None) -> None:
        self.throttles: dict[str, Throttle] = {}
        """The throttles in use, by name."""
        self._pacing = dict(pacing or {})
        self._rng = chance or random.Random()
        self._named: dict[str, Any] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._resumed: dict[str, float] = {}

    def throttle(self, name: str, pace: Callable[[str], Pace]) -> Throttle:
        """Return the throttle of a lane or budget for a new owner, made when it is first needed.

        If it has other owners, it keeps the stricter values of both; see `Throttle.tighten`.

        Parameters:
            name: Name of the lane or budget.
            pace: Returns what the settings ask for a name, with every field set.
        """
        found = self.throttles.get(name)
        own = first_match(self._pacing, name)
        asked = pace(name) if own is None else own.over(pace(name))
        if found is not None:
            found.tighten(asked)
        else:
            found = Throttle(name, asked, self._rng, self._named)
            state = self._states.pop(name, None)
            if state is not None:
                found.restore(state)
            resumed_at = self._resumed.pop(name, None)
            if resumed_at is not None:
                found.resume(resumed_at)
            self.throttles[name] = found
        return found

    def forget(self, name: str) -> None:
        """Drop the throttle of a lane that leaves memory."""
        self.throttles.pop(name, None)

    # ---- state -------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, dict[str, Any]]:
        """Return what the next run needs, by name, as JSON values."""
        states = {name: throttle.state() for name, throttle in self.throttles.items()}
        return self._states | {name: state for name, state in states.items() if state}

    def restore(self, states: Mapping[str, Any]) -> None:
        """Restore what `state` returned; unreadable values are ignored."""
        for name, state in states.items():
            if isinstance(state, dict):
                found = self.throttles.get(name)
                if found is not None:
                    found.restore(state)
                else:
                    self._states[name] = state

    def resume(self, now: float) -> None:
        """Resume all throttles after an interrupted run; see `Throttle.resume`. Those not in use do when they are."""
        for throttle in self.throttles.values():
            throttle.resume(now)
        self._resumed |= dict.fromkeys(self._states, now)
