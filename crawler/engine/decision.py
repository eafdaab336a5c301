"""`Decision`: how a request continues after an attempt.

`crawler.engine.decide` returns one, and the worker carries it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from crawler.errors import RequestError
    from crawler.messages import Request, Response

__all__ = ["Again", "Counter", "Decision", "Fail", "Follow", "Page", "Refuse"]

Counter: TypeAlias = Literal["attempts", "refusals", "stale", "put_offs", "unreachable", "nothing"]
"""The counter that a retry increments. Each has a limit of its own, and ``nothing`` stands for none."""


# Named tuples are made faster than attrs classes, and so are their instances.


class Page(NamedTuple):
    """The response reaches its callback, or the caller of an inline fetch."""

    response: Response
    """The response."""


class Follow(NamedTuple):
    """Another request takes the place of this one."""

    request: Request
    """The target of the redirect or refresh, or the request that a `fetch` hook returned."""


class Again(NamedTuple):
    """The request is sent again."""

    counts: Counter
    """The counter that goes up by one; ``nothing``: none does."""
    wait: float | None = None
    """Seconds until then. `None` means as soon as its lane allows."""
    ends_wait: bool = False
    """Whether its lane need not wait any longer: the request has only this time left."""


class Fail(NamedTuple):
    """The request has failed for good: its errback and the `failed` hooks are called."""

    error: RequestError
    """Why."""
    counted: bool = True
    """Whether the crawl counts it as a failure. A definitive status, such as 404, does not count."""
    filtered_by: str = ""
    """The reason under which the request is counted as filtered too. Empty if it is not."""
    calls_errback: bool = True
    """Whether the errback is called. It is not after a callback that raised."""
    ends_wait: bool = False
    """Whether its lane need not wait any longer: the server refuses this page, and no limit."""


class Refuse(NamedTuple):
    """The request is not sent. That is not a failure."""

    by: str
    """The reason in the report: ``robots``, ``network``, or that of a plugin."""
    error: RequestError | None = None
    """The error for the errback. `None` means that the errback is not called."""
    is_success: bool = False
    """Whether the request counts as dealt with nevertheless."""


Decision: TypeAlias = Page | Follow | Again | Fail | Refuse
