"""`LinkFilter`: the links of one page that need no request, because the crawl knows or refuses them."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

import attrs

__all__ = ["NO_FILTER", "LinkFilter"]


def _accept(url: str, depth: int) -> None:
    """Refuse no URL."""


@attrs.define(eq=False)
class LinkFilter:
    """What a crawl knows about the links of one page, and a count of those that it left out.

    `Response.follow_all` drops such links before it builds a `Request` for them.
    """

    known: Container[str] = frozenset()
    """Keys of the requests that the crawl has seen."""
    refuses: Callable[[str, int], str | None] = _accept
    """Takes a canonical URL and its depth. Returns why the URL is out of scope, in one word; `None` if it is not."""
    agent: str = attrs.field(default="", kw_only=True)
    """The crawl's product token for robots (RFC 9309 section 2.2.1); empty outside a crawl."""
    obey_nofollow: bool = attrs.field(default=False, kw_only=True)
    """Whether links marked ``nofollow`` are left out."""
    repeats: int = attrs.field(default=0, init=False)
    """Links left out because the crawl knows them."""
    refused: list[tuple[str, str]] = attrs.field(factory=list, init=False)
    """Links left out because they are out of scope or marked ``nofollow``: reason and URL."""


NO_FILTER: Final = LinkFilter()
"""The filter of a response outside a crawl. It accepts every link, so it counts none."""
