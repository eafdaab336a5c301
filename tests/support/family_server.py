"""`FamilyServer`: a server with limits and vices, and the least time of a client that knows everything.

A `Session` is its state while one client crawls it. No event loop, and nothing of `crawler`: it judges any limiter.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import attrs
from support.server_limits import (
    Answer,
    Decision,
    Fields,
    FixedWindow,
    Limit,
    PricedWindow,
    SlidingLog,
    until_free,
)

__all__ = [
    "EPOCH",
    "FamilyServer",
    "Kind",
    "Nodes",
    "Paths",
    "Punishment",
    "Reply",
    "RestartedWindow",
    "Session",
    "least",
]

EPOCH: Final = 1_780_012_800.0
"""A midnight, in seconds since the epoch."""
TICK: Final = 1e-6
"""Seconds by which the all-knowing client is late, for rounding."""


class Reply(NamedTuple):
    """What a server answers."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    served: bool
    delay: float = 0.0
    """Seconds for which a request that is served waits in a queue of the server."""


# ---- limits of more than one counter ---------------------------------------------------------------------------------


@attrs.define(kw_only=True)
class Nodes:
    """Several servers behind a balancer, each with a counter of its own.

    Parameters:
        rng: draws the node of each request. `None`: they take turns.
    """

    inner: Sequence[Limit]
    rng: random.Random | None = None
    turn: int = -1

    @property
    def current(self) -> Limit:
        """The limit of the node that has the request."""
        return self.inner[self.turn]

    def ask(self, page: int) -> None:
        """Choose the node of a request."""
        self.turn = (self.turn + 1) % len(self.inner) if self.rng is None else self.rng.randrange(len(self.inner))


@attrs.define(kw_only=True)
class Paths:
    """Paths with a limit each, or without one."""

    inner: Sequence[Limit | None]
    page: int = 0

    @property
    def current(self) -> Limit | None:
        """The limit of the path of the request."""
        return self.inner[self.page % len(self.inner)]

    def ask(self, page: int) -> None:
        """Note the page of a request."""
        self.page = page


@attrs.define(kw_only=True)
class RestartedWindow(FixedWindow):
    """A window that each refused request restarts; with `by_all`, each request does."""

    by_all: bool = False

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        decision = super().decide(now, dry=dry)
        if not dry and self.by_all:
            self.opened = now
        return decision

    def restart(self, now: float) -> None:
        """Restart after a refusal."""
        self.opened = now


Group = Nodes | Paths


# ---- one server ------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Punishment:
    """A time in which a server refuses everything, because a request was too much."""

    seconds: float
    """All requests are refused for so long."""
    after: int = 1
    """Refusals in `within` seconds that lead to it."""
    within: float = 60.0
    extends: bool = False
    """Whether a request during that time restarts it."""
    doubles: bool = False
    """Whether each is twice as long as the last."""
    status: int | None = None
    """Status of its refusals; `None`: as of the others."""
    body: bytes | None = None
    says_wait: bool = True
    """Whether its refusals have the header fields of the others."""


Kind: TypeAlias = Literal["silent", "declared", "in part", "wrong", "random"]
"""What a client can know of a server: nothing before a refusal, though that may say how long to wait; enough to avoid
every refusal; not enough; what is untrue by far; or that requests are refused at random, whatever it does."""


def _nothing(answer: Answer) -> Mapping[str, str]:
    return {}


@attrs.frozen(kw_only=True)
class FamilyServer:
    """A kind of server, drawn at random by a family."""

    family: str
    seed: int
    pages: int
    trip: float
    """Seconds of a round trip, at least."""
    jitter: float
    """Mean of what is added to it at random, as a share."""
    travel: float
    """Share of the latency after which the server decides: near 0 the server is slow, at 0.5 the network is."""
    limits: Callable[[random.Random], Sequence[Limit | Group]]
    kind: Kind = "silent"
    """What a client can know."""
    at_once: float = math.inf
    """Requests that are processed at once; further ones are refused."""
    says: Fields = _nothing
    """Header fields of every response."""
    refuses: Fields = _nothing
    """Further header fields of refusals."""
    clock: float = 0.0
    """Seconds by which the clock of the server is ahead."""
    status: int = 429
    body: bytes = b"slow down"
    type: str = "text/plain"
    """The media type of `body`."""
    used: int = 0
    """Units that were used before the client begins."""
    used_before: float = 0.0
    """Seconds before it in which that was, evenly."""
    others: float = 0.0
    """Requests per second of other clients."""
    faults: Callable[[float], float] | None = None
    """Returns the share of the requests that are refused at random, by the seconds since the client began."""
    fault_status: int = 429
    punishment: Punishment | None = None
    costs: int = 1
    """Units of the most expensive page; each has a cost of its own."""
    paths: int = 1
    """Paths that the pages are on, in turn."""
    begin: float = EPOCH
    """When the client begins, in seconds since the epoch."""

    def source(self, purpose: str) -> random.Random:
        """Return a source of randomness that is the same in each run."""
        return random.Random(f"{self.family} {self.seed} {purpose}")

    def latency(self, rng: random.Random) -> float:
        """Return the seconds from a request to its response."""
        return self.trip * (1.0 + self.jitter * rng.expovariate(1.0))

    def cost(self, page: int) -> int:
        """Return the units of a page."""
        return 1 if self.costs == 1 else 1 + (page * 7919 + self.seed) % self.costs


@attrs.define(eq=False)
class Session:
    """The state of a server."""

    server: FamilyServer
    in_flight: int = 0
    others_refused: int = 0
    coming: deque[float] = attrs.field(factory=deque)
    """When other clients send the next requests that are known."""
    limits: Sequence[Limit | Group] = attrs.field(init=False)
    _groups: list[Group] = attrs.field(init=False)
    _priced: list[PricedWindow] = attrs.field(init=False)
    _others: random.Random = attrs.field(init=False)
    _faults: random.Random = attrs.field(init=False)
    _breaches: deque[float] = attrs.field(factory=deque)
    _punished_until: float = -math.inf
    _punished: int = 0

    def __attrs_post_init__(self) -> None:
        server = self.server
        self.limits = server.limits(server.source("limits"))
        self._groups = [limit for limit in self.limits if isinstance(limit, Nodes | Paths)]
        self._priced = [limit for limit in self.limits if isinstance(limit, PricedWindow)]
        self._others, self._faults = server.source("others"), server.source("faults")
        if server.others:
            self.coming.append(server.begin + self._others.expovariate(server.others))
        for number in range(server.used):
            at = server.begin - server.used_before * (1.0 - number / server.used)
            for limit in self._asked(number):
                limit.decide(at)

    # ---- what a client asks ------------------------------------------------------------------------------------------

    def answer(self, now: float, page: int) -> Reply:
        """Answer a request, of which `in_flight` counts already."""
        server = self.server
        self.let_others(now)
        punishment = server.punishment
        if punishment is not None and now < self._punished_until:
            if punishment.extends:
                self._punished_until = now + punishment.seconds
            return self._refuse(now, [], self._punished_until - now, punishment)
        if self.is_faulty(now):
            return Reply(server.fault_status, [], b"", served=False)
        limits = self._asked(page)
        decisions = [(limit, limit.decide(now, dry=True)) for limit in limits]
        too_many = self.in_flight > server.at_once
        if not too_many and all(decision.allowed for _, decision in decisions):
            decisions = [(limit, limit.decide(now)) for limit in limits]
            says = self._fields(server.says, decisions, now) if server.says is not _nothing else []
            return Reply(200, says, b"", served=True, delay=max((it.delay for _, it in decisions), default=0.0))
        if not too_many:
            self._count_refused(now, decisions)
        wait = max((decision.reset for _, decision in decisions if not decision.allowed), default=0.0)
        if punishment is not None and not too_many and self._is_punished(now, punishment) and punishment.after == 1:
            return self._refuse(now, decisions, self._punished_until - now, punishment)
        return self._refuse(now, decisions, wait, None, too_many=too_many)

    def is_faulty(self, now: float) -> bool:
        """Return whether a request is refused at random."""
        faults = self.server.faults
        return faults is not None and self._faults.random() < faults(now - self.server.begin)

    def let_others(self, now: float) -> None:
        """Use the quota as other clients have done until now."""
        while self.coming and self.coming[0] <= now:
            at = self.coming.popleft()
            if not self.coming:
                self.coming.append(at + self._others.expovariate(self.server.others))
            limits = self._asked(0)
            if all(limit.decide(at, dry=True).allowed for limit in limits):
                for limit in limits:
                    limit.decide(at)
            else:
                self.others_refused += 1

    def expect_others(self, now: float, until: float) -> int:
        """Return how many requests other clients will send until a time."""
        if not self.server.others:
            return 0
        while self.coming[-1] < until:
            self.coming.append(self.coming[-1] + self._others.expovariate(self.server.others))
        return sum(at < until for at in self.coming)

    def free_at(self, now: float, page: int) -> float:
        """Return when a page can be asked for without a refusal and without taking from others, perhaps too early."""
        waits = [0.0]
        for limit in self._asked(page, keeps_turn=True):
            decision = limit.decide(now, dry=True)
            if not decision.allowed or decision.remaining <= self.expect_others(now, now + decision.reset):
                waits.append(until_free(limit, decision) + TICK)
        return now + max(waits)

    def take(self, now: float, page: int) -> float:
        """Serve a page that is free. Return the delay of the server's queue."""
        limits = self._asked(page, keeps_turn=True)
        decisions = [limit.decide(now) for limit in limits]
        assert all(decision.allowed for decision in decisions), "the all-knowing client was refused"
        for group in self._groups:
            if isinstance(group, Nodes):
                group.ask(page)
        return max((decision.delay for decision in decisions), default=0.0)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _asked(self, page: int, *, keeps_turn: bool = False) -> list[Limit]:
        """Return the limits of a page; the balancer chooses the next node unless it `keeps_turn`."""
        if self._priced:
            for priced in self._priced:
                priced.cost = self.server.cost(page)
        if not self._groups:
            return self.limits  # type: ignore[return-value]
        found: list[Limit] = []
        for limit in self.limits:
            if isinstance(limit, Nodes | Paths):
                if not keeps_turn or isinstance(limit, Paths):
                    limit.ask(page)
                current = limit.current
                if current is not None:
                    found.append(current)
            else:
                found.append(limit)
        return found

    def _count_refused(self, now: float, decisions: Sequence[tuple[Limit, Decision]]) -> None:
        for limit, decision in decisions:
            if not decision.allowed:
                if isinstance(limit, SlidingLog) and limit.counts_refused:
                    limit.decide(now)
                elif isinstance(limit, RestartedWindow):
                    limit.restart(now)

    def _is_punished(self, now: float, punishment: Punishment) -> bool:
        """Count a breach. Return whether it is punished."""
        self._breaches.append(now)
        while self._breaches[0] < now - punishment.within:
            self._breaches.popleft()
        if len(self._breaches) < punishment.after:
            return False
        self._breaches.clear()
        self._punished_until = now + punishment.seconds * (2**self._punished if punishment.doubles else 1)
        self._punished += 1
        return True

    def _refuse(
        self,
        now: float,
        decisions: Sequence[tuple[Limit, Decision]],
        wait: float,
        punishment: Punishment | None,
        *,
        too_many: bool = False,
    ) -> Reply:
        server = self.server
        status, body, says_wait = server.status, server.body, True
        if punishment is not None:
            status = server.status if punishment.status is None else punishment.status
            body = server.body if punishment.body is None else punishment.body
            says_wait = punishment.says_wait
            limits = self._asked(0, keeps_turn=True)
            decisions = [(limit, Decision(allowed=False, remaining=0, reset=wait)) for limit in limits]
        headers = [("Content-Type", server.type)]
        if says_wait:
            headers += self._fields(server.says, decisions, now, too_many=too_many)
            headers += self._fields(server.refuses, decisions, now, too_many=too_many)
        return Reply(status, headers, body, served=False)

    def _fields(
        self, fields: Fields, decisions: Sequence[tuple[Limit, Decision]], now: float, *, too_many: bool = False
    ) -> list[tuple[str, str]]:
        if fields is _nothing or not decisions:
            return []
        clock = now + self.server.clock
        return list(fields(Answer(limits=decisions, too_many=too_many, in_flight=self.in_flight, now=clock)).items())


class Visit(NamedTuple):
    """A request of the client that knows everything."""

    at: float
    """When it reaches the server, in seconds since the epoch."""
    page: int
    served: bool
    """Whether it is served; else it is refused at random."""
    ends: float
    """When the server has processed it."""
    back: float
    """When its response is back."""


def plan(server: FamilyServer, at_once: int) -> Iterator[Visit]:
    """Yield the requests of a client that knows everything and sends as early as it can without a refusal.

    It leaves to other clients what they will use. Requests that are refused at random cost it their time.
    """
    session, rng = Session(server), server.source("latency")
    slots = max(1, int(min(at_once, server.at_once)))
    left = [deque(range(path, server.pages, server.paths)) for path in range(server.paths)]
    for group in session.limits:
        if isinstance(group, Nodes):
            group.ask(0)
    arrivals = [(server.begin + server.latency(rng) * server.travel, number) for number in range(slots)]
    while any(left):
        at, slot = heapq.heappop(arrivals)
        session.let_others(at)
        soonest = math.inf
        for pages in left:
            if pages:
                soonest = min(soonest, session.free_at(at, pages[0]))
                if soonest <= at:
                    break
        if soonest > at:
            heapq.heappush(arrivals, (soonest, slot))
            continue
        latency = server.latency(rng)
        travel = latency * server.travel
        if session.is_faulty(at):
            visit = Visit(at, pages[0], served=False, ends=at, back=at + travel)
        else:
            page = pages.popleft()
            ends = at + latency - 2.0 * travel + session.take(at, page)
            visit = Visit(at, page, served=True, ends=ends, back=ends + travel)
        yield visit
        heapq.heappush(arrivals, (visit.back + server.latency(rng) * server.travel, slot))


def least(server: FamilyServer, at_once: int) -> float:
    """Return the seconds that a client needs that knows everything; see `plan`.

    A punishment is met once: no response announces it before.
    """
    punished = 0.0 if server.punishment is None else server.punishment.seconds
    return max(visit.back for visit in plan(server, at_once)) - server.begin + punished
