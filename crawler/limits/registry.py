"""`Limits`: throttles by name, of lanes and of budgets. Clients and crawls that are given the same one share them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from crawler.limits.pace import Pace, first_match
from crawler.limits.throttle import Throttle

__all__ = ["Limits"]


class Limits:
    """What is known of every scope, and what the user allows of it.

    Parameters:
        pacing: glob of names to `Pace`, for budgets (``"key:A"``) and lanes (``"https://api.example"``); it goes before
            what the settings of a crawl or client say.
        chance: where jitter comes from.
    """

    def __init__(self, pacing: Mapping[str, Pace] | None = None, *, chance: random.Random | None = None) -> None:
        self.throttles: dict[str, Throttle] = {}
        """By name: those that are in use."""
        self._pacing = dict(pacing or {})
        self._chance = chance or random.Random()
        self._states: dict[str, dict[str, Any]] = {}
        self._resumed: dict[str, float] = {}

    def throttle(self, name: str, pace: Callable[[str], Pace]) -> Throttle:
        """The throttle of a scope, made when it is first asked for.

        Parameters:
            name: of the lane or budget.
            pace: what the settings say of a name, every field filled in.
        """
        found = self.throttles.get(name)
        if found is None:
            own = first_match(self._pacing, name)
            usual = pace(name)
            found = Throttle(name, usual if own is None else own.over(usual), self._chance)
            state = self._states.pop(name, None)
            if state is not None:
                found.restore(state)
            resumed = self._resumed.pop(name, None)
            if resumed is not None:
                found.resume(resumed)
            self.throttles[name] = found
        return found

    def forget(self, name: str) -> None:
        """Lets a throttle go whose lane leaves memory."""
        self.throttles.pop(name, None)

    def state(self) -> dict[str, dict[str, Any]]:
        """What outlives this object, by name, as JSON values."""
        states = {name: throttle.state() for name, throttle in self.throttles.items()}
        return self._states | {name: state for name, state in states.items() if state}

    def restore(self, states: Mapping[str, Any]) -> None:
        """Takes up where `state` left off; what cannot be read is ignored."""
        for name, state in states.items():
            if isinstance(state, dict):
                found = self.throttles.get(name)
                if found is not None:
                    found.restore(state)
                else:
                    self._states[name] = state

    def resume(self, now: float) -> None:
        """Goes on after a run that broke off, as `Throttle.resume`; restored throttles do when they are first used."""
        for throttle in self.throttles.values():
            throttle.resume(now)
        self._resumed |= dict.fromkeys(self._states, now)
