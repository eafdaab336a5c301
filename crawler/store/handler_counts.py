"""`HandlerCounts`: how many pending requests name each callback, its keyword arguments, and each errback.

A job stores them with every commit, so opening a job of millions of requests finds a method that was renamed, or whose
parameters were changed, without reading the requests.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from crawler.messages import Request
from crawler.messages.request import mapping_of

__all__ = ["HANDLERS_ROW", "HandlerCounts", "handlers_named_by"]

HANDLERS_ROW: Final = "handlers"
"""The name of the row of the table `meta` that holds the counts."""
DEFAULT_CALLBACK: Final = "parse"
MAX_CALLS: Final = 1000
"""Different calls that are counted. More of them mean that the names of arguments are data; they are not checked."""


class HandlerCounts(Struct):
    """Numbers of pending requests by the names of their handlers. A count that reaches 0 is removed."""

    callbacks: dict[str, int] = {}
    """By name of the callback; `parse` includes the requests that name none."""
    errbacks: dict[str, int] = {}
    """By name of the errback."""
    keywords: dict[str, int] = {}
    """Those with `cb_kwargs`, by the name of the callback and the sorted names of the arguments, one a line."""

    def add(self, request: Request, n: int = 1) -> None:
        """Count a request that becomes pending."""
        callback, call, errback = handlers_named_by(request)
        _add(self.callbacks, callback, n)
        if call is not None and (call in self.keywords or (n > 0 and len(self.keywords) < MAX_CALLS)):
            _add(self.keywords, call, n)
        if errback is not None:
            _add(self.errbacks, errback, n)

    def calls(self) -> dict[tuple[str, tuple[str, ...]], int]:
        """Return the numbers of requests by the name of the callback and the names of its keyword arguments."""
        found: dict[tuple[str, tuple[str, ...]], int] = {(name, ()): n for name, n in self.callbacks.items()}
        for call, n in self.keywords.items():
            name, *arguments = call.split("\n")
            found[name, tuple(arguments)] = n
            found[name, ()] = found.get((name, ()), 0) - n
        return {call: n for call, n in found.items() if n > 0}

    def copy(self) -> HandlerCounts:
        """Return a copy, to return to if a transaction fails."""
        return HandlerCounts(self.callbacks.copy(), self.errbacks.copy(), self.keywords.copy())

    def to_json(self) -> bytes:
        """Return the counts as they are stored."""
        return msgspec.json.encode([self.callbacks, self.errbacks, self.keywords])

    @classmethod
    def from_json(cls, stored: bytes | None) -> HandlerCounts:
        """Return the counts that a job has stored; `None`: none."""
        return cls(*msgspec.json.decode(stored, type=list[dict[str, int]])) if stored is not None else cls()


def handlers_named_by(request: Request) -> tuple[str, str | None, str | None]:
    """Return the callback of a request, the same with the names of its keyword arguments, one a line, and the errback.

    The last two are `None` without any.
    """
    callback = request.callback or DEFAULT_CALLBACK
    arguments = mapping_of(request, "cb_kwargs")
    return callback, "\n".join((callback, *sorted(arguments))) if arguments else None, request.errback


def _add(counts: dict[str, int], name: str, n: int) -> None:
    number = counts.get(name, 0) + n
    if number:
        counts[name] = number
    else:
        counts.pop(name, None)
