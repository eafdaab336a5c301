"""The `Store` protocol: what every crawl needs of a store; and `SharedStore`: what several workers of a job need more.

A *worker* is a whole crawl. A `Store` object is the access of one worker to the job, and knows which *owner* that is.
An owner holds *groups*: a lane, or a budget, under the name of its limits. It renews one lease for all of them with
`extend`. An owner that does not renew it is removed by the next call of another owner: its groups become free, under a
higher *epoch*, and a commit with an older epoch changes nothing.

All times that a store compares are of its own clock, which the clock of the crawl starts from (`ResumeState.now`).
While a store cannot be reached, its methods wait and try again; a method takes effect once, however often it tries.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct, field

from crawler.frontier import Pending
from crawler.frontier.ticket import Order
from crawler.messages import Request, Row
from crawler.stats import RunRecord
from crawler.store.checkpoint import Checkpoint
from crawler.store.handler_counts import HandlerCounts
from crawler.store.outcome import CookieChange, ItemRow, Observations, Outcome, RobotsAnswer
from crawler.store.runs import RunRow

__all__ = [
    "Claimed", "CommitResult", "Committed", "Extended", "Group", "Ingested", "RemoteChanges", "ResumeState",
    "RobotsAnswer", "SharedStore", "Store",
]  # fmt: skip


class CommitResult(enum.Enum):
    """The result of committing one outcome."""

    OK = "ok"
    """It was committed."""
    DUP = "dup"
    """The request was settled already. Nothing changed but the state of its lane."""
    FENCED = "fenced"
    """The lease had ended. Nothing changed."""
    CONFLICT = "conflict"
    """It changes states, and another owner has changed one since its handlers began. Nothing changed: the request stays
    pending, and its page is handled again."""
    SAME_CONTENT = "same_content"
    """A page with the same body is committed. The request is settled; its items and requests are discarded."""


OK: Final = CommitResult.OK
FENCED: Final = CommitResult.FENCED
CONFLICT: Final = CommitResult.CONFLICT
"""The results that are compared for each page; see `crawler.store.outcome.DONE`."""


class RemoteChanges(Struct, frozen=True, kw_only=True):
    """Commits of other owners since the last answer to this one."""

    cookies: Sequence[CookieChange] = ()
    """Cookies that were set or removed, in order."""
    states: Mapping[str, dict[str, Any]] = {}
    """Changed states of the spider and the plugins, in the form of `Outcome.state`."""
    version: int = 0
    """The version of the states, which every change increments; 0: they have not changed."""
    networks: Sequence[bytes] = ()
    """Values of `Checkpoint.networks`."""
    origins: Sequence[bytes] = ()
    """Values of `Checkpoint.origins`."""


class Group(Struct, frozen=True, kw_only=True):
    """A leased group."""

    name: str
    """The name of its lane or budget."""
    epoch: int
    """The epoch of the lease."""
    state: dict[str, Any]
    """The lane state that `release` or a commit stored last."""
    head: list[Pending]
    """Its first requests, in order."""
    more: bool
    """Whether the store has more requests after them."""
    robots: Sequence[RobotsAnswer] = ()
    """The stored robots.txt files of its origins."""
    unclean: bool = False
    """Whether its last owner has not released it: what that had in flight is not known."""


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
    now: float | None = None
    """The time by the clock of the store, in seconds since the epoch. `None`: the clock of this process counts."""
    version: int = 0
    """The version of the states."""
    gone: Mapping[int, Mapping[str, Any]] = {}
    """The last positions of the sinks of owners that are gone, by owner and name. What their outputs hold behind them,
    another owner has."""


class Claimed(Struct, frozen=True, kw_only=True):
    """The result of `Store.claim`."""

    groups: list[Group]
    """The groups that were leased."""
    next_at: float = math.inf
    """When another group may become free, in seconds since the epoch; infinite if that takes a change."""
    seeds: bool = False
    """Whether this owner runs `start()` from now on: no other owner does, and it is not exhausted."""
    changes: RemoteChanges = RemoteChanges()
    """Those of other owners."""


class Extended(Struct, frozen=True, kw_only=True):
    """The result of `Store.extend`."""

    grew: Sequence[str] = ()
    """Groups of this owner that have received requests from other owners."""
    wanted: Sequence[str] = ()
    """Groups of this owner that another one waits for."""
    surplus: int = 0
    """Number of groups that this owner holds beyond its share, while another owner holds fewer than its own."""
    changes: RemoteChanges = RemoteChanges()
    """Those of other owners."""


class Ingested(Struct, kw_only=True):
    """The result of `Store.ingest`."""

    fresh: list[Pending] = []
    """The new requests in groups that the owner holds."""
    grew: set[str] = set()
    """Groups that the owner holds and that received requests that are not in `fresh`."""
    added: int = 0
    """Number of new requests. The others were known."""


class Committed(Struct, kw_only=True):
    """The result of `Store.commit`."""

    results: list[CommitResult] = []
    """One for each outcome."""
    fresh: list[Pending] = []
    """New requests among the discovered ones, in groups that the owner holds; without staged requests."""
    grew: set[str] = set()
    """Groups that the owner holds and that received staged requests."""
    duplicates: int = 0
    """Number of discovered requests that were known."""
    changes: RemoteChanges = RemoteChanges()
    """Those of other owners. After a `CONFLICT`, they have all states."""


class Store(Protocol):
    """What every crawl needs: the pending requests, the keys of known requests, and the log of items."""

    @property
    def shared(self) -> bool:
        """Whether it is a `SharedStore`."""

    @property
    def known(self) -> Container[str]:
        """Keys of known requests. A key that is missing here may still be known."""

    @property
    def live(self) -> int:
        """Number of requests that are not settled, over all owners."""

    @property
    def exhausted(self) -> bool:
        """Whether `start()` has no more requests, and all of them are stored. From then on, ``live == 0`` is final."""

    @property
    def crashed(self) -> bool:
        """Whether the system went down during the last run, so that outputs may lack what the job says they have."""

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
        """Whether there may be groups with requests that no owner holds."""

    async def begin_again(self) -> None:
        """Begin a finished crawl again: forget its requests and its counts, and keep everything else.

        If another owner has begun it again, nothing changes.
        """

    async def ingest(self, requests: Sequence[Request], *, exhausted: bool = False) -> Ingested:
        """Add requests that no page discovered, such as start requests. Idempotent by key.

        Parameters:
            requests: The requests.
            exhausted: Whether `start()` has no more; stored together with the requests.
        """

    async def claim(self, groups: int, n: int) -> Claimed:
        """Lease up to so many groups that have requests, and return the first `n` requests of each."""

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        """Return the next `n` requests of a group after `after`. They are found by key, so any call is safe."""

    async def release(self, group: str, epoch: int, state: dict[str, Any]) -> None:
        """End the lease of a group that has nothing in flight, and keep the state of its limits.

        If the epoch is not that of its lease, nothing changes.
        """

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
        """Call `sync` in a thread before each checkpoint: no output may be shorter than its position in the job."""

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
        """Iterate over the items that a sink may have stored after its position.

        They include items of commits that a power failure took.
        """

    def written_before(self, sink: str) -> Iterator[Row]:
        """Iterate over the items before the position of a sink, from the first one on."""

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Return the number of the next item of a sink, and the sink's position. A new sink is registered."""

    async def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items of the log, from number `after` on.

        Each owner has a log of its own: the items that it has committed, and those of owners that were removed before
        their sinks had stored them.
        """

    @property
    def logged(self) -> int:
        """Number of items in the log."""

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Record that a sink has stored all items before number `cursor` and is at `position`."""


class SharedStore(Store, Protocol):
    """What is needed in addition if several workers share a job. Properties are as of the last answer to this owner."""

    @property
    def owner(self) -> int:
        """The number of this owner. Those that come later have higher ones."""

    @property
    def job_name(self) -> str:
        """The name that was drawn for the job."""

    @property
    def lease(self) -> float:
        """Seconds after which an owner that has not called `extend` is removed."""

    @property
    def others(self) -> Mapping[str, int]:
        """The `pages`, `items` and `failed` of all other owners."""

    @property
    def behind(self) -> int:
        """Number of items of owners that came before this one, which their sinks have not stored."""

    async def claim(self, groups: int, n: int, names: Collection[str] = ()) -> Claimed:
        """Lease groups, and return the first requests of each.

        Parameters:
            groups: Maximum number of groups with requests. An owner gets no more than its share of all of them.
            n: Number of requests of each group.
            names: Further groups that this owner needs, whether they have requests or not. It is put on the waiting
                list of those that are not free.
        """

    async def release(self, group: str, epoch: int, state: dict[str, Any], wait: float = 0.0) -> None:
        """End the lease of a group as `Store.release`. It is not leased again for `wait` seconds."""

    async def extend(self) -> Extended | None:
        """Renew the lease of this owner. `None`: it was removed, and others have its groups."""

    async def changed(self) -> None:
        """Wait until `claim` or `extend` may have another answer. It may return for no reason."""
