"""`PageEffects`: changes by the handlers of a page, which take effect when the page succeeds."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

from msgspec import Struct

from crawler.content import replace_surrogates
from crawler.messages import Request
from crawler.secret_values import SECRET_VALUES

__all__ = ["MISSING", "PageEffects", "check_counter", "check_series", "current_page"]

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

    def add(self, requests: Request | Iterable[Request]) -> None:
        """Add one request or several; anything else is a `TypeError`."""
        if isinstance(requests, Request):
            self.added.append(requests)
            return
        check_series(requests)
        for request in requests:
            if not isinstance(request, Request):
                raise TypeError(f"add() takes requests, not {type(request).__name__}: {request!r:.80}")
            self.added.append(request)


def check_series(requests: object) -> None:
    """Raise `TypeError` if something has no requests."""
    if isinstance(requests, (str, bytes)) or not isinstance(requests, Iterable):
        raise TypeError(f"add() takes a Request, not {type(requests).__name__}")


def check_counter(name: str, n: int) -> str:
    """Return the name of a counter as a report can have it; what is no name and number is a `TypeError`."""
    if not isinstance(name, str) or not isinstance(n, int):
        raise TypeError(f"count() takes a name and a whole number, not {name!r} and {n!r}")
    return SECRET_VALUES.hide(replace_surrogates(name))


current_page: ContextVar[PageEffects | None] = ContextVar("current_page", default=None)
"""The effects of the page that this task handles; `None` outside of pages."""
