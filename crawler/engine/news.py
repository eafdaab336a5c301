"""`NewsReader`: applies the changes of other workers: cookies, states, networks, origins of start pages.

Handlers that have seen values of a state that were replaced since must not change a state, or a change of another
worker would be lost: the store refuses the changes, and their pages are handled again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from crawler.hooks.page_effects import MISSING
from crawler.store.outcome import OUTDATED

if TYPE_CHECKING:
    from crawler.fetch.start_origins import StartOrigins
    from crawler.hooks.state import State
    from crawler.http.address_guard import AddressGuard
    from crawler.http.cookies import CookieJar
    from crawler.store import News, Outcome

__all__ = ["NewsReader"]


class NewsReader:
    """Applies the news in the answers of the store. A store without other owners has none.

    Parameters:
        states: Of the spider and the plugins.
        cookies: Of all sessions.
        guard: The networks that may be connected to; `None` means all.
        origins: The origins of start pages; `None` if they are not needed.
        version: The version of the states.
    """

    def __init__(
        self,
        states: Sequence[State] = (),
        cookies: CookieJar | None = None,
        guard: AddressGuard | None = None,
        origins: StartOrigins | None = None,
        version: int = 0,
    ) -> None:
        self._states = states
        self._cookies = cookies
        self._guard = guard
        self._origins = origins
        self.version = version
        """The version of the states when another worker last changed them. `OUTDATED`: the values hold changes that the
        store will refuse, and so it will refuse all that come from them."""
        self._generation = 0  # one higher whenever values are replaced
        self._kept: set[Outcome] = set()  # their changes are in the values, and not committed yet

    def apply(self, news: News) -> None:
        """Apply the changes of other workers."""
        if self._cookies is not None:
            for change in news.cookies:
                self._cookies.replace(change.session, change.domain, change.path, change.name, change.value)
        if self._guard is not None:
            for networks in news.networks:
                self._guard.restore(networks)
        if self._origins is not None:
            for origins in news.origins:
                self._origins.restore(origins)
        if news.states:
            self._generation += 1
            self.version = OUTDATED if self._kept else news.version
            for state in self._states:
                state.apply(news.states.get(state.owner, {}))

    def reset(self, news: News) -> None:
        """Set all states to the committed ones, and discard the changes of handlers since."""
        self._kept.clear()
        self.apply(news)
        self._generation += 1
        self.version = news.version
        for state in self._states:
            kept = news.states.get(state.owner, {})
            state.apply({name: MISSING for name in state.values_now if name not in kept})

    # ---- changes by this worker --------------------------------------------------------------------------------------

    def begin(self, outcome: Outcome) -> None:
        """Note which values the handlers of a page see."""
        outcome.state_version, outcome.generation = self.version, self._generation

    def keep(self, outcome: Outcome) -> None:
        """Apply the changes that handlers made, unless values that they have seen were replaced: these are refused."""
        if outcome.generation == self._generation:
            self._kept.add(outcome)
            for state in self._states:
                state.apply(outcome.state.get(state.owner, {}))

    def outdated(self, outcomes: Iterable[Outcome]) -> set[Outcome]:
        """Return the outcomes with changes from values that were replaced, unless the values have to be replaced again.

        Such changes are refused without the store: after each of its refusals, all values are replaced, so two pages
        that are handled again could make each other's changes outdated forever.
        """
        if self.version == OUTDATED:
            return set()
        return {outcome for outcome in outcomes if outcome.state and outcome.generation != self._generation}

    def check(self, outcomes: Iterable[Outcome]) -> None:
        """Let the store refuse all changes if the values hold some that it will refuse."""
        if self.version == OUTDATED:
            for outcome in outcomes:
                outcome.state_version = OUTDATED

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Note that outcomes are committed, or refused."""
        self._kept.difference_update(outcomes)
