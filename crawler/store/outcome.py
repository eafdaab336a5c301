"""`Outcome`: what became of one request, in the two parts that a commit treats differently.

*Observations* are true whatever the handler did, and always committed. *Effects* are committed only if the handler
succeeded, all of them together with the end of the request, or none.
"""

from __future__ import annotations

import enum
import math
from typing import Any

import attrs

from crawler.frontier import Ticket
from crawler.messages import Item, Request

__all__ = ["CookieChange", "FailureRow", "ItemRow", "Kind", "Observations", "Outcome", "RobotsAnswer"]


class Kind(enum.Enum):
    """What became of a request."""

    DONE = "done"
    """Its callback succeeded."""
    RETRY = "retry"
    """It stays pending, to be asked again."""
    FAILED = "failed"
    """It could not be had, or its handler raised; what an errback produced are its effects."""
    REFUSED = "refused"
    """It may not be asked for."""


@attrs.frozen(eq=False)
class ItemRow:
    """An item of a page."""

    data: bytes
    """The item as JSON."""
    value: Item = None
    """The object that was made."""


@attrs.frozen(kw_only=True)
class FailureRow:
    """Why a request failed for good."""

    reason: str
    """The kind of failure."""
    message: str
    """One line."""
    traceback: str = ""
    """Of what a handler raised."""
    full_reason: str = ""
    """`reason` and its finer kind, for the counts; empty: there is no finer one."""


@attrs.frozen
class RobotsAnswer:
    """What an origin answered for its robots.txt."""

    origin: str
    """Scheme, host and port."""
    status: int
    """HTTP status."""
    body: bytes
    """The content."""
    at: float
    """Seconds since the epoch: when."""


@attrs.frozen(kw_only=True)
class CookieChange:
    """A cookie that was set or has gone."""

    session: str
    domain: str
    path: str
    name: str
    value: bytes | None
    """The cookie as JSON; `None`: it has gone."""


@attrs.define(kw_only=True, eq=False)
class Observations:
    """What is true of the whole crawl and belongs to no single request."""

    notes: dict[str, bytes] = attrs.field(factory=dict)
    """JSON by name, such as the counts so far."""
    states: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """Changes of states outside of any page, as in `Outcome.state`."""
    cookies: list[CookieChange] = attrs.field(factory=list)
    """Changes of cookies."""
    robots: list[RobotsAnswer] = attrs.field(factory=list)
    """Answers for robots.txt."""


@attrs.define(kw_only=True, eq=False)
class Outcome:
    """What became of the request of one ticket."""

    kind: Kind
    """Whether it is settled, and how."""
    ticket: Ticket
    """Which request; its lane's epoch guards the commit."""

    # observations
    attempts: int = 0
    """Attempts made so far, this one included if it counts."""
    not_before: float = -math.inf
    """Seconds: for `RETRY`, the earliest next attempt."""
    lane_state: dict[str, Any] = attrs.field(factory=dict)
    """`Lane.state`, in the last outcome of each lane in a commit."""
    status: int = 0
    """HTTP status; 0: there was no answer."""
    size: int = 0
    """Decoded bytes of the body."""
    page: bool = False
    """Whether a callback succeeded."""
    digest: bytes = b""
    """Of the body, if other pages with the same one are to be left out."""
    redirect: str = ""
    """Where the answer sent us."""
    failure: FailureRow | None = None
    """For `FAILED`: why."""
    filtered: list[tuple[str, str]] = attrs.field(factory=list)
    """Requests that were not made: reason and URL."""
    repeats: int = 0
    """Requests that were not made since they were known."""
    dropped: list[str] = attrs.field(factory=list)
    """Items that were not wanted: reasons."""

    # effects
    items: list[ItemRow] = attrs.field(factory=list)
    """What is to be kept."""
    discovered: list[Request] = attrs.field(factory=list)
    """What is to be fetched, if it is not known."""
    counters: dict[str, int] = attrs.field(factory=dict)
    """Increments of the report's counters."""
    state: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """Changes of states, by owner and key: JSON, or `MISSING` for what is deleted."""
    stage: int = 0
    """Not 0: under this number `Store.stage` keeps effects that come before the ones above."""
    staged_items: int = 0
    """How many items are among those."""
