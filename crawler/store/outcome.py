"""`Outcome`: the result of one request: observations, which are always committed, and effects.

*Observations* are true whatever the callback did, and are always committed. *Effects* are committed only if the
callback succeeded: all of them, together with the end of the request, or none.
"""

from __future__ import annotations

import enum
import math
from typing import Any, Final

from msgspec import Struct, field

from crawler.frontier import StoredTicket
from crawler.messages import Item, Request
from crawler.store.checkpoint import Checkpoint

__all__ = [
    "INCOMPLETE", "OUTDATED", "CookieChange", "FailureRow", "ItemRow", "Kind", "Observations", "Outcome",
    "RobotsAnswer",
]  # fmt: skip


class Kind(enum.Enum):
    """How a request ended."""

    DONE = "done"
    """Its callback succeeded."""
    RETRY = "retry"
    """It stays pending for another attempt."""
    FAILED = "failed"
    """No attempt succeeded, or its callback raised. The results of its errback are its effects."""
    REFUSED = "refused"
    """It must not be sent, by robots.txt for example."""


DONE: Final = Kind.DONE
RETRY: Final = Kind.RETRY
"""The kinds that are compared for each page. Python 3.11 takes as long to find a member as for ten comparisons."""

INCOMPLETE: Final = "incomplete"
"""The reason of a page that was cut and kept, and the kind of one that failed."""
OUTDATED: Final = -1
"""The version of states that is older than every change."""


class ItemRow(Struct, frozen=True, eq=False):
    """An item of a page."""

    data: bytes
    """The item as JSON."""
    value: Item = None
    """The object that the callback made."""
    type: str = ""
    """The name of its class; empty for a dict."""


class FailureRow(Struct, frozen=True, kw_only=True, eq=False):
    """Why a request failed permanently."""

    reason: str
    """The kind of failure, such as ``connect_failed``."""
    message: str
    """One line."""
    traceback: str = ""
    """The traceback of an exception in a callback or hook; otherwise empty."""
    full_reason: str = ""
    """`reason` with its finer kind, such as ``connect_failed.dns``; empty if there is no finer kind."""

    @property
    def kept_reason(self) -> str:
        """The reason as a job keeps it: with its kind if the page was cut, since those pages are listed."""
        return self.full_reason if self.full_reason.endswith(INCOMPLETE) else self.reason


class RobotsAnswer(Struct, frozen=True):
    """The response to a request for robots.txt."""

    origin: str
    """Scheme, host and port."""
    status: int
    """HTTP status."""
    body: bytes
    """Its body."""
    at: float
    """Time of the response, in seconds since the epoch."""


class CookieChange(Struct, frozen=True, kw_only=True, eq=False):
    """A cookie that was set or removed."""

    session: str
    domain: str
    path: str
    name: str
    value: bytes | None
    """The cookie as JSON. `None` means removed."""


class Observations(Struct, kw_only=True, eq=False):
    """Observations about the crawl as a whole, which belong to no single request."""

    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    """Values of the whole crawl, such as the counts so far."""
    states: dict[str, dict[str, Any]] = {}
    """State changes made outside of callbacks, in the form of `Outcome.state`."""
    cookies: list[CookieChange] = []
    """Cookies that were set or removed."""
    robots: list[RobotsAnswer] = []
    """Responses to requests for robots.txt."""


class Outcome(Struct, kw_only=True, eq=False):
    """The result of the request of one ticket."""

    kind: Kind
    """How the request ended."""
    ticket: StoredTicket
    """The request. The epoch of its lane guards the commit."""

    # observations
    attempts: int = 0
    """Number of attempts so far, including this one if it counts."""
    not_before: float = -math.inf
    """For `RETRY`: the earliest time of the next attempt, in seconds since the epoch."""
    lane_state: dict[str, Any] = {}
    """`Lane.state`, in the last outcome of each lane in a commit."""
    status: int = 0
    """HTTP status code; 0 without a response."""
    size: int = 0
    """Size of the decoded body in bytes."""
    page: bool = False
    """Whether a callback succeeded."""
    is_success: bool = False
    """For `REFUSED`: whether the request counts as dealt with nevertheless."""
    digest: bytes = b""
    """Digest of the body, if pages with the same body are to be skipped; otherwise empty."""
    redirect: str = ""
    """The target of a redirect; otherwise empty."""
    failure: FailureRow | None = None
    """For `FAILED`: why. Of a page: that it was cut, and kept."""
    filtered: list[tuple[str, str]] = []
    """Reason and URL of each request that was not made."""
    repeats: int = 0
    """Number of requests that were not made because they were known."""
    dropped: list[str] = []
    """The reason of each dropped item."""

    # effects
    items: list[ItemRow] = []
    """Items to keep."""
    discovered: list[Request] = []
    """Requests to make, unless they are known."""
    counters: dict[str, int] = {}
    """Increments of the report's counters."""
    state: dict[str, dict[str, Any]] = {}
    """Changes of state, by owner and key: a value as JSON, or `MISSING` for a deleted key."""
    state_version: int = 0
    """The version of the states when the handlers began, in a shared job. `OUTDATED`: the changes are refused."""
    generation: int = 0
    """`States.generation` when the handlers began; not stored."""
    stage: int = 0
    """The number under which `Store.stage` keeps effects that precede the ones above; 0 without any."""
    staged_items: int = 0
    """Number of staged items."""
