"""The `Store` protocol: shaped for leases from the first day, so that one process and many speak the same.

What is leased is a *group*: the lanes that share limits, by default one lane. A lease has an *epoch*; a commit with an
old one changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Container, Mapping, Sequence
from typing import Any, Protocol

import attrs

from crawler.frontier import Pending
from crawler.frontier.ticket import Order
from crawler.messages import Request, Row
from crawler.store.outcome import ItemRow, Observations, Outcome, RobotsAnswer

__all__ = ["Claimed", "Committed", "Group", "ResumeState", "RobotsAnswer", "Store", "Verdict"]


class Verdict(enum.Enum):
    """What a commit made of one outcome."""

    OK = "ok"
    """It is true now."""
    DUP = "dup"
    """The request had been settled before; nothing was changed."""
    FENCED = "fenced"
    """The lease had ended; nothing was changed."""


@attrs.frozen(kw_only=True)
class Group:
    """A leased group."""

    name: str
    """The name of its lane."""
    epoch: int
    """The epoch of the lease."""
    state: dict[str, Any]
    """What `release` or a commit last said of its lane."""
    head: list[Pending]
    """Its first requests, by order."""
    more: bool
    """Whether there are others behind them."""
    robots: Sequence[RobotsAnswer] = ()
    """The robots.txt files of its origins that are kept."""


@attrs.frozen(kw_only=True)
class ResumeState:
    """What a store has kept of an earlier run."""

    notes: Mapping[str, bytes] = attrs.field(factory=dict)
    """By name: what `Observations.notes` last said."""
    states: Mapping[str, dict[str, Any]] = attrs.field(factory=dict)
    """Values by owner and name."""
    cookies: Sequence[tuple[str, bytes]] = ()
    """Session and cookie, as JSON."""
    unclean: bool = False
    """Whether that run did not come to its end: what it had in flight is not known."""


@attrs.frozen(kw_only=True)
class Claimed:
    """The answer to `claim`."""

    groups: list[Group]
    """What was leased."""
    next_at: float
    """Seconds: when a group that is held by somebody else may come free; infinite: none is."""
    live: int
    """Requests that are not settled, everywhere."""


@attrs.define(kw_only=True)
class Committed:
    """The answer to `commit`."""

    verdicts: list[Verdict] = attrs.field(factory=list)
    """One for each outcome."""
    fresh: list[Pending] = attrs.field(factory=list)
    """Discovered requests that were not known, of the groups that the owner holds; not those that were staged."""
    grew: set[str] = attrs.field(factory=set)
    """Groups that the owner holds to which staged requests came."""
    duplicates: int = 0
    """How many discovered requests were known."""


class Store(Protocol):
    """Keeps what is pending, what is known, and the log of items."""

    @property
    def known(self) -> Container[str]:
        """Keys that are known for certain; one that is missing here may still be known."""

    @property
    def live(self) -> int:
        """Requests that are not settled, everywhere."""

    @property
    def durable(self) -> bool:
        """Whether what is committed outlives the process."""

    @property
    def unclaimed(self) -> bool:
        """Whether there are groups with requests that nobody holds."""

    async def ingest(self, requests: Sequence[Request], notes: Mapping[str, bytes] = {}) -> list[Pending]:
        """Adds requests from elsewhere than a page, and keeps notes with them.

        Idempotent by key. Gives the fresh ones of groups that are held.
        """

    async def claim(self, owner: str, groups: int, n: int, lease: float) -> Claimed:
        """Leases up to `groups` groups for `lease` seconds, with their first `n` requests."""

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        """The next `n` requests of a group behind `after`: by key, so it can be asked at any time."""

    async def kept(self) -> ResumeState:
        """What was kept of an earlier run."""

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Keeps effects of a page that is still being handled, under a number that the outcome of the page will name.

        They become true with that outcome. If there is none they are forgotten, at the latest when a job is opened.
        """

    async def met(self, digest: bytes) -> bool:
        """Whether a page with this digest of its body is committed. To be asked before one is committed."""

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Makes outcomes true, each one whole or not at all, and keeps observations with them."""

    async def extend(self, groups: Sequence[str]) -> tuple[list[str], list[str]]:
        """The heartbeat: which groups are lost, and which have grown by what others found."""

    async def release(self, group: str, epoch: int, state: dict[str, Any]) -> None:
        """Gives a group back."""

    async def reserve(self, scope: str, cost: float) -> float:
        """Seconds to wait before `cost` of a budget that owners share may be spent."""

    def follows(self, sink: str) -> bool:
        """Whether a sink of that name was there in an earlier run."""

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Where a sink stands in the log of items: the number of the next one, and its position."""

    async def read(self, after: int, n: int) -> list[Row]:
        """Up to `n` items of the log, from number `after` on."""

    @property
    def logged(self) -> int:
        """How many items have been committed."""

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """A sink has made everything before `cursor` its own, and stands at `position`."""
