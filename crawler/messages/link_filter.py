"""`LinkFilter`: which links of a page need no request, because the crawl knows or refuses them."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

__all__ = ["NO_FILTER", "LinkFilter"]


def _accept(url: str, depth: int) -> None:
    """Refuse no URL."""


class LinkFilter:
    """Decides which links of one page need a request, and records those that do not.

    `Response.follow_all` leaves such links out before it makes a `Request`.
    """

    __slots__ = ("agent", "known", "obey_nofollow", "refused", "refuses", "repeats")

    def __init__(
        self,
        known: Container[str] = frozenset(),
        refuses: Callable[[str, int], str | None] = _accept,
        *,
        agent: str = "",
        obey_nofollow: bool = False,
    ) -> None:
        self.known = known
        self.refuses = refuses
        self.agent = agent
        self.obey_nofollow = obey_nofollow
        self.repeats = 0
        """Number of links that were left out because the crawl has seen them."""
        self.refused: list[tuple[str, str]] = []
        """Reason and URL of each link that was left out because it is out of scope or marked ``nofollow``."""


NO_FILTER: Final = LinkFilter()
"""The filter of responses outside a crawl. It accepts every link, so it counts none."""
