"""`PageEffects`: changes by the handlers of a page, which take effect when the page succeeds."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

if TYPE_CHECKING:
    from crawler.messages import Request

__all__ = ["MISSING", "PageEffects", "current_page"]

MISSING: Final = object()
"""Stands for a missing key of a state."""


class PageEffects(Struct, eq=False):
    """Changes that the handlers of one page made, in addition to the items and requests that they yielded."""

    counters: dict[str, int] = {}
    """Increments by `crawl.count`, by counter name."""
    added: list[Request] = []
    """Requests added by `crawl.add`."""
    state: dict[str, dict[str, tuple[Any, Any]]] = {}
    """By owner and key: the value that handlers see, and the JSON of the value that they read."""


current_page: ContextVar[PageEffects | None] = ContextVar("current_page", default=None)
"""The effects of the page that this task handles; `None` outside of pages."""
