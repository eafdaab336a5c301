"""`CommitCalls`: functions of plugins that run right before the requests that they belong to are settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, TypeAlias

from crawler.engine.handler_results import describe_error
from crawler.engine.slots import current_ticket
from crawler.errors import CrawlerError, CrawlFailed
from crawler.frontier import StoredTicket

__all__ = ["CommitCalls", "no_request"]

CommitFunction: TypeAlias = Callable[[list[Any]], object]


no_request: ContextVar[bool] = ContextVar("no_request", default=False)
"""Whether this task fetches a robots.txt, which is kept whether or not the request that needs it is settled."""


class CommitCalls:
    """The calls that wait for a commit. Those of a request that is interrupted never happen."""

    def __init__(self) -> None:
        self._by_ticket: dict[StoredTicket, list[tuple[CommitFunction, object]]] = {}
        self._next: list[tuple[CommitFunction, object]] = []

    def __bool__(self) -> bool:
        return bool(self._by_ticket or self._next)

    def add(self, function: CommitFunction, value: object) -> None:
        """Call a function before the request of this task is settled; outside of a request, at the next commit."""
        ticket = None if no_request.get() else current_ticket.get()
        calls = self._next if ticket is None else self._by_ticket.setdefault(ticket, [])
        calls.append((function, value))

    def run(self, settled: Sequence[StoredTicket]) -> None:
        """Call each function once, with the values of the requests that are about to be settled, in order."""
        calls, self._next = self._next, []
        for ticket in settled:
            calls += self._by_ticket.pop(ticket, ())
        grouped: dict[CommitFunction, list[object]] = {}
        for function, value in calls:
            grouped.setdefault(function, []).append(value)
        for function, values in grouped.items():
            try:
                function(values)
            except CrawlerError:
                raise
            except Exception as error:
                name = getattr(function, "__qualname__", repr(function))
                raise CrawlFailed(f"{name} failed before a commit: {describe_error(error)}") from error

    def forget(self, ticket: StoredTicket) -> None:
        """Forget the calls of a request that was interrupted."""
        self._by_ticket.pop(ticket, None)
