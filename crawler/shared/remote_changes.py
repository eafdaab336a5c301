"""Applies what other workers have changed: cookies, networks, origins of start pages, and states.

Rule: a handler that has seen values of a state that were replaced since changes no state, or a change of another worker
would be lost. The store refuses its page, which is then handled again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from crawler.hooks.page_effects import MISSING
from crawler.hooks.state import States
from crawler.store.outcome import OUTDATED

if TYPE_CHECKING:
    from crawler.fetch.request_fields import StartOrigins
    from crawler.hooks.state import State
    from crawler.http.address_guard import AddressGuard
    from crawler.http.cookies import CookieJar
    from crawler.store import Outcome, RemoteChanges

__all__ = ["RemoteValues", "SharedStates"]


class SharedStates(States):
    """States that other workers change, too. Its version is that of the last change by another one."""

    def __init__(self, states: Sequence[State] = (), version: int = 0) -> None:
        super().__init__(states)
        self.version = version
        """`OUTDATED`: the values hold changes that the store will refuse, so it has to refuse all that come from
        them."""
        self._uncommitted: set[Outcome] = set()  # their changes are in the values

    def keep(self, outcome: Outcome) -> None:
        """Apply the changes of a page, unless values that its handlers have seen were replaced: these are refused."""
        if outcome.generation == self.generation:
            self._uncommitted.add(outcome)
            super().keep(outcome)

    def apply(self, changes: RemoteChanges) -> None:
        """Apply the changes of other workers."""
        if changes.states:
            self.generation += 1
            self.version = OUTDATED if self._uncommitted else changes.version
            for state in self.all:
                state.apply(changes.states.get(state.owner, {}))

    def reset(self, changes: RemoteChanges) -> None:
        """Set all states to the committed ones, which the answer to a refusal has, and discard all other changes."""
        self._uncommitted.clear()
        self.apply(changes)
        self.generation += 1
        self.version = changes.version
        for state in self.all:
            kept = changes.states.get(state.owner, {})
            state.apply({name: MISSING for name in state.values_now if name not in kept})

    def refused(self, outcomes: Collection[Outcome]) -> set[Outcome]:
        """Return the outcomes that are refused without the store, and give the others their version of the states.

        A refusal by the store replaces all values: two pages that are handled again could make each other's changes
        outdated forever. So values are only replaced again if they hold changes that were refused.
        """
        old = {outcome for outcome in outcomes if outcome.state and outcome.generation != self.generation}
        for outcome in outcomes:
            outcome.state_version = self.version
        return set() if self.version == OUTDATED else old

    def note_committed(self, outcomes: Collection[Outcome]) -> None:
        """Note that outcomes are committed, or refused."""
        self._uncommitted.difference_update(outcomes)


class RemoteValues:
    """What else other workers change: cookies, the networks that may be connected to, and origins of start pages."""

    def __init__(self, cookies: CookieJar, guard: AddressGuard | None, origins: StartOrigins | None) -> None:
        self._cookies = cookies
        self._guard = guard
        self._origins = origins

    def apply(self, changes: RemoteChanges) -> None:
        """Apply the changes of other workers."""
        for change in changes.cookies:
            self._cookies.replace(change.session, change.domain, change.path, change.name, change.value)
        if self._guard is not None:
            for networks in changes.networks:
                self._guard.restore(networks)
        if self._origins is not None:
            for origins in changes.origins:
                self._origins.restore(origins)
