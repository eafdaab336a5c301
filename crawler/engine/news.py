"""`NewsReader`: applies the changes of other workers: cookies, states, networks, origins of start pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crawler.hooks.page_effects import MISSING

if TYPE_CHECKING:
    from crawler.fetch.start_origins import StartOrigins
    from crawler.hooks.state import State
    from crawler.http.address_guard import AddressGuard
    from crawler.http.cookies import CookieJar
    from crawler.store import News

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
        """The version of the states when another worker last changed them. Handlers that began with an older one have
        seen values that are no longer true: their changes are refused, and their pages are handled again."""

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
            self.version = news.version
            for state in self._states:
                state.apply(news.states.get(state.owner, {}))

    def reset(self, news: News) -> None:
        """Set all states to the committed ones, and discard the changes of handlers since."""
        self.apply(news)
        self.version = news.version
        for state in self._states:
            kept = news.states.get(state.owner, {})
            state.apply({name: MISSING for name in state.values_now if name not in kept})
