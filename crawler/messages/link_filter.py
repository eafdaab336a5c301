"""`LinkFilter`: which links of a page need no request, because the crawl knows or refuses them."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

import attrs

__all__ = ["NO_FILTER", "LinkFilter"]


def _accept(url: str, depth: int) -> None:
    """Refuse no URL."""


@attrs.define(eq=False)
class LinkFilter:
    """The knowledge of a crawl about the links of one page, and a record of those that were left out for it.

    `Response.follow_all` leaves such links out before it makes a `Request`.
    """

    known: Container[str] = frozenset()
    """Keys of the requests that the crawl has seen."""
    refuses: Callable[[str, int], str | None] = _accept
    """Called with a canonical URL and its depth. Returns why the URL is out of scope, in one word; `None` if it is
    not."""
    agent: str = attrs.field(default="", kw_only=True)
    """The crawl's product token for robots (RFC 9309 section 2.2.1); empty outside a crawl."""
    obey_nofollow: bool = attrs.field(default=False, kw_only=True)
    """Whether links marked ``nofollow`` are left out."""
    repeats: int = attrs.field(default=0, init=False)
    """Number of links that were left out because the crawl has seen them."""
    refused: list[tuple[str, str]] = attrs.field(factory=list, init=False)
    """Reason and URL of each link that was left out because it is out of scope or marked ``nofollow``."""


NO_FILTER: Final = LinkFilter()
"""The filter of responses outside a crawl. It accepts every link, so it counts none."""
