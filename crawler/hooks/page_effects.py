"""The page that is being handled: what its handlers change is kept aside until it succeeded."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from crawler.messages import Request

__all__ = ["MISSING", "PageEffects", "current_page"]

MISSING: Final = object()
"""Stands for a key of a state that is not there."""


@attrs.define(eq=False)
class PageEffects:
    """What the handlers of one page changed, beside the items and requests that they produced."""

    counters: dict[str, int] = attrs.field(factory=dict)
    """Increments by `crawl.count`, by name."""
    added: list[Request] = attrs.field(factory=list)
    """Requests by `crawl.add`."""
    state: dict[str, dict[str, tuple[Any, Any]]] = attrs.field(factory=dict)
    """By owner and key: the value that handlers see, and the one that it came from."""


current_page: ContextVar[PageEffects | None] = ContextVar("current_page", default=None)
"""The effects of the page whose handler runs in this task, if one does."""
