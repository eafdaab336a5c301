"""`States`: the states of the spider and the plugins, and what pages change in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.hooks.state import State
    from crawler.store.outcome import Outcome

__all__ = ["States"]


class States:
    """All states of a crawl."""

    def __init__(self, states: Sequence[State] = ()) -> None:
        self.all = tuple(states)
        """That of the spider first."""
        self.generation = 0
        """One higher whenever values were replaced by those of another worker."""

    def keep(self, outcome: Outcome) -> None:
        """Apply the changes that the handlers of a page have made."""
        for state in self.all:
            state.apply(outcome.state.get(state.owner, {}))
