"""The `Store` protocol, which is based on leases, so that one process and many processes use the same interface.

The unit of a lease is a *group*: lanes that share limits, by default one lane. A lease has an *epoch*; a commit with an
older epoch changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from crawler.frontier import Pending
from crawler.frontier.ticket import Order
from crawler.messages import Request, Row
from crawler.stats import RunRecord
from crawler.store.checkpoint import Checkpoint
from crawler.store.handler_counts import HandlerCounts
from crawler.store.outcome import ItemRow, Observations, Outcome, RobotsAnswer
from crawler.store.runs import RunRow

__all__ = ["Claimed", "Committed", "Group", "ResumeState", "RobotsAnswer", "Store", "Verdict"]


class Verdict(enum.Enum):
    """The result of committing one outcome."""

    OK = "ok"
    """It was committed."""
    DUP = "dup"
    """The request was settled already. Nothing changed."""
    FENCED = "fenced"
    """The lease had ended. Nothing changed."""


class Group(Struct, frozen=True, kw_only=True):
    """A leased group."""

    name: str
    """The name of its lane."""
    epoch: int
    """The epoch of the lease."""
    state: dict[str, Any]
    """The lane state that `release` or a commit stored last."""
    head: list[Pending]
    """Its first requests, in order."""
    more: bool
    """Whether there are more requests behind them."""
    robots: Sequence[RobotsAnswer] = ()
    """The stored robots.txt files of its origins."""


class ResumeState(Struct, frozen=True, kw_only=True):
    """The state of an earlier run, from which a crawl resumes."""

    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    """Values of the whole crawl."""
    states: Mapping[str, dict[str, Any]] = {}
    """States of the spider and the plugins: values by owner and key."""
    cookies: Sequence[tuple[str, bytes]] = ()
    """Session, and cookie as JSON."""
    handlers: HandlerCounts = field(default_factory=HandlerCounts)
    """The names of the callbacks and errbacks of pending requests, with the number of requests."""
    runs: Sequence[RunRecord] = ()
    """The earlier runs of the job."""
    unclean: bool = False
    """Whether that run was killed: what it had in flight is not known."""


class Claimed(Struct, frozen=True, kw_only=True):
    """The result of `Store.claim`."""

    groups: list[Group]
    """The groups that were leased."""
    next_at: float
    """When a group that another owner holds may come free, in seconds since the epoch; infinite if there is none."""
    live: int
    """Number of requests that are not settled, over all owners."""


class Committed(Struct, kw_only=True):
    """The result of `Store.commit`."""

    verdicts: list[Verdict] = []
    """One for each outcome."""
    fresh: list[Pending] = []
    """New requests among the discovered ones, in groups that the owner holds; without staged requests."""
    grew: set[str] = set()
    """Groups that the owner holds and that received staged requests."""
    duplicates: int = 0
    """Number of discovered requests that were known."""


class Store(Protocol):
    """Stores the pending requests, the keys of known requests, and the log of items."""

    @property
    def known(self) -> Container[str]:
        """Keys of known requests. A key that is missing here may still be known."""

    @property
    def live(self) -> int:
        """Number of requests that are not settled, over all owners."""

    @property
    def durable(self) -> bool:
        """Whether committed data outlives the process."""

    @property
    def folder(self) -> Path | None:
        """The folder of the job; `None` without one."""

    @property
    def round(self) -> int:
        """Number of times that the crawl has begun."""

    @property
    def unclaimed(self) -> bool:
        """Whether there are groups with requests that no owner holds."""

    async def begin_again(self) -> None:
        """Begin a finished crawl again: forget its requests and its counts, and keep everything else."""

    async def ingest(self, requests: Sequence[Request], *, exhausted: bool = False) -> list[Pending]:
        """Add requests that no page discovered, such as start requests. Idempotent by key.

        Parameters:
            requests: the requests.
            exhausted: whether `start()` has no more; stored together with the requests.

        Returns:
            The new requests in groups that are held.
        """

    async def claim(self, owner: str, groups: int, n: int, lease: float) -> Claimed:
        """Lease up to `groups` groups for `lease` seconds, and return the first `n` requests of each."""

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        """Return the next `n` requests of a group behind `after`. They are found by key, so any call is safe."""

    async def resume_state(self) -> ResumeState:
        """Return the state of an earlier run."""

    async def record_run(self, run: RunRow) -> None:
        """Record what this run of the job does: when it begins, and again when it ends."""

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Store effects of a page whose callback is still running, under a number that the outcome of the page names.

        They are committed with that outcome. Without one they are discarded, at the latest when the job is opened.
        """

    async def has_body(self, digest: bytes) -> bool:
        """Return whether a page whose body has this digest is committed. Call it before committing such a page."""

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit outcomes, each one completely or not at all, and observations with them."""

    async def checkpoint(self) -> None:
        """Bring everything committed to the disk, the outputs included, so that it survives a power failure."""

    def sync_with(self, sync: Callable[[], None]) -> None:
        """Call `sync` in a thread before each checkpoint: no output may be behind the position that the job has."""

    async def extend(self, groups: Sequence[str]) -> tuple[list[str], list[str]]:
        """Extend the leases of groups; the heartbeat of an owner.

        Returns:
            The groups that are lost, and those that received requests from other owners.
        """

    async def release(self, group: str, epoch: int, state: dict[str, Any]) -> None:
        """End the lease of a group, and store the state of its lane."""

    async def reserve(self, scope: str, cost: float) -> float:
        """Return the seconds to wait before spending `cost` of a budget that owners share."""

    def follows(self, sink: str) -> bool:
        """Return whether an earlier run had a sink of that name."""

    def sinks(self) -> dict[str, Any]:
        """Return the positions of all sinks that an earlier run had, by name; `None` before the first one."""

    async def rename_sinks(self, names: Mapping[str, str]) -> None:
        """Give sinks of an earlier run other names. A sink that has one of the new names already is forgotten.

        Parameters:
            names: The new names by the old ones.
        """

    def written_behind(self, sink: str) -> Iterator[Row]:
        """Iterate over the items that a sink may have stored behind its position.

        They include items of commits that a power failure took.
        """

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Return the number of the next item of a sink, and the sink's position. A new sink is registered."""

    async def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items of the log, from number `after` on."""

    @property
    def logged(self) -> int:
        """Number of committed items."""

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Record that a sink has stored all items before number `cursor` and is at `position`."""
