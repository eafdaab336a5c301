"""`Decision`: how a request continues after an attempt. `decide` returns one, and its caller carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from crawler.errors import RequestError
    from crawler.messages import Request, Response

__all__ = ["Again", "Decision", "Fail", "Follow", "Page", "Reason", "Refuse"]

Reason: TypeAlias = Literal["attempt", "refused", "held", "stale", "unreachable", "put_off", "logged_out", "waits"]
"""What a retry is booked as. ``attempt`` uses one up. The others are free: as often as `MAX_FREE` says; ``held`` while
its lane serves nothing; ``waits`` for as long as its host or a hook says."""


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

    reason: Reason
    """What it is booked as."""
    wait: float | None = None
    """Seconds until then. `None` means as soon as its lane allows."""
    is_behind: bool = False
    """Whether others of its lane go first."""


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


class Refuse(NamedTuple):
    """The request is not sent. That is not a failure."""

    by: str
    """The reason in the report: ``robots``, ``network``, or that of a plugin."""
    error: RequestError | None = None
    """The error for the errback. `None` means that the errback is not called."""
    is_success: bool = False
    """Whether the request counts as dealt with nevertheless."""


Decision: TypeAlias = Page | Follow | Again | Fail | Refuse
