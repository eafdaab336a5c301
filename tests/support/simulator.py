"""A discrete-event simulation of servers with limits and of a client that keeps to them: no event loop, no sleep."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from support.server_limits import Decision, Limit, SlidingLog

from crawler.limits.concurrency import Concurrency
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, Observation, TimeRange
from crawler.limits.pace import Pace
from crawler.limits.throttle import Throttle

START = 1_800_000_000.0
"""Start of every simulation, in seconds since the epoch."""


def limits_of(rng: random.Random, *, max_in_flight: int = 8, **pace: Any) -> Throttle:
    """Return the limits of one lane without a delay; `pace` are fields of its `Pace`."""
    usual = Pace(concurrency=max_in_flight, delay=0.0, jitter=0.0, slow_start=True)
    return Throttle("lane", Pace(**pace).over(usual), rng)


# ---- declarations of servers -----------------------------------------------------------------------------------------


ROUNDING: dict[str, Callable[[float], float]] = {"ceil": math.ceil, "floor": math.floor, "exact": float}


@attrs.define(kw_only=True)
class Declaration:
    """The limits that a server declares, already read by the client.

    The client does not know how a server rounds, and assumes that whole seconds are rounded up. It converts epoch
    seconds to its own clock by the ``Date`` fields so far, which are whole seconds too.
    """

    headers: bool = True
    """Whether limits are declared at all."""
    retry_after: bool = True
    """Whether refusals have a ``Retry-After``."""
    rounding: str = "ceil"
    epoch: bool = False
    """Whether resets are epochs."""
    window: bool = True
    """Whether the window is stated."""
    reset: bool = True
    """Whether the reset is stated."""
    late: float = 0.0
    """Seconds by which resets are stated late."""
    date: Callable[[int], bool] = lambda number: True
    """Whether the response of this number has a ``Date``."""
    hidden: frozenset[str] = frozenset()
    """Names of the limits that are not declared."""
    skew: TimeRange = (-math.inf, math.inf)
    responses: int = 0

    def declare(
        self, decisions: Sequence[tuple[Limit, Decision]], served: float, sent: float, received: float
    ) -> Declared:
        """Return what one response declares.

        Parameters:
            decisions: the decision of every limit.
            served: when the server decided, in seconds by its clock.
            sent: when the request was sent, in seconds by the client's clock.
            received: when the response was received, in seconds by the client's clock.
        """
        self.responses += 1
        if self.date(self.responses):
            date = math.floor(served)
            self.skew = max(self.skew[0], date - received), min(self.skew[1], date + 1 - sent)
        observations = tuple(
            Observation(
                policy=limit.name,
                limit=limit.quota,
                remaining=decision.remaining,
                reset=self._reset(decision.reset, served, sent, received) if self.reset else None,
                window=limit.window if self.window else None,
            )
            for limit, decision in decisions
            if self.headers and limit.name not in self.hidden
        )
        resets = [decision.reset for _, decision in decisions if not decision.allowed]
        wait = ROUNDING[self.rounding](max(resets)) if resets and self.retry_after else None
        return Declared(observations=observations, retry_after=wait) if observations or wait is not None else NOTHING

    def _reset(self, reset: float, served: float, sent: float, received: float) -> TimeRange:
        error = 0.0 if self.rounding == "exact" else 1.0
        if self.epoch:
            end = ROUNDING[self.rounding](served + reset + self.late)
            low, high = self.skew if self.skew[0] > -math.inf else (0.0, 0.0)
            return end - error - high, end - low
        wait = ROUNDING[self.rounding](reset + self.late)
        return sent + wait - error, received + wait


# ---- servers and clients ---------------------------------------------------------------------------------------------


@attrs.define(kw_only=True)
class Server:
    """Decides on every request and counts them."""

    limits: list[Limit]
    declaration: Declaration = attrs.field(factory=Declaration)
    latency: Callable[[random.Random, float, int], float] = lambda rng, now, inflight: rng.uniform(0.05, 0.15)
    """Seconds from request to response, by random source, time and requests in flight."""
    workers: float = math.inf
    """Requests that are processed at once; further ones get a 503."""
    status: int = 429
    """Status of refusals."""
    uncounted: int = 0
    """Number of first requests that no limit counts, as if for robots.txt."""
    inflight: int = 0
    busy: int = 0
    served: list[float] = attrs.field(factory=list)
    """When the client's requests were served, in seconds since the beginning."""
    refused: list[float] = attrs.field(factory=list)
    """When the client's requests were refused, in seconds since the beginning."""
    others_served: int = 0
    others_refused: int = 0

    def decide(self, now: float) -> tuple[int, list[tuple[Limit, Decision]]]:
        """Return the status of a response and the decision of every limit."""
        if self.busy >= self.workers:
            return 503, []
        if self.uncounted:
            self.uncounted -= 1
            return 200, []
        decisions = [(limit, limit.decide(now, dry=True)) for limit in self.limits]
        if all(decision.allowed for _, decision in decisions):
            return 200, [(limit, limit.decide(now)) for limit in self.limits]
        for limit, decision in decisions:
            if isinstance(limit, SlidingLog) and limit.counts_refused and not decision.allowed:
                limit.decide(now)
        return self.status, decisions


@attrs.define(kw_only=True)
class Simulation:
    """One client and one server, whose quota other clients may share.

    Parameters:
        count: requests to be served; infinite: until `horizon`.
        horizon: seconds after which the simulation ends in any case.
        max_in_flight: requests in flight at once.
        skew: seconds by which the client's clock is ahead of the server's.
        others_rate: requests per second of other clients.
        concurrency: limits the requests in flight further; that of the throttle, or another one. `None` means no limit.
        changes: changes of the server, by seconds since the beginning.
    """

    server: Server
    throttle: Throttle
    rng: random.Random
    count: float = 300
    horizon: float = 3000.0
    max_in_flight: int = 10
    skew: float = 0.0
    others_rate: float = 0.0
    concurrency: Concurrency | None = None
    changes: list[tuple[float, Callable[[Server], None]]] = attrs.field(factory=list)
    begin: float = START
    now: float = START
    took: float = math.nan
    """Seconds until the last request was served."""
    events: list[QuotaEvent] = attrs.field(factory=list)
    levels: list[tuple[float, float]] = attrs.field(factory=list)
    """Time and level of the concurrency after every response."""
    inflight: int = 0
    """The client's requests in flight."""
    _heap: list[tuple[float, int, Callable[[], None]]] = attrs.field(factory=list)
    _numbers: itertools.count[int] = attrs.field(factory=itertools.count)
    _waiting: float = 0
    _done: int = 0
    _wake_at: float = math.inf

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Schedule an action."""
        heapq.heappush(self._heap, (time, next(self._numbers), action))

    def run(self) -> Simulation:
        """Run to the end."""
        self.now = self.begin
        self._waiting = self.count
        for after, change in self.changes:
            self.at(self.begin + after, lambda change=change: change(self.server))
        if self.others_rate:
            self.at(self.begin + self.rng.expovariate(self.others_rate), self._other)
        self._dispatch()
        while self._heap and self._done < self.count:
            self.now, _, action = heapq.heappop(self._heap)
            if self.now > self.begin + self.horizon:
                break
            action()
        self.took = self.now - self.begin
        return self

    def _dispatch(self) -> None:
        while self._waiting > 0:
            level = min(self.max_in_flight, self.concurrency.limit) if self.concurrency else self.max_in_flight
            if self.inflight >= level:
                return
            clock = self.now + self.skew
            at = self.throttle.ready_at(clock, backlog=self._waiting)
            if at > clock:
                if at - self.skew < self._wake_at and at < math.inf:
                    self._wake_at = max(at - self.skew, math.nextafter(self.now, math.inf))
                    self.at(self._wake_at, self._wake)
                return
            self._send()

    def _wake(self) -> None:
        if self.now == self._wake_at:  # else this one was replaced by an earlier one
            self._wake_at = math.inf
            self._dispatch()

    def _send(self) -> None:
        grant = self.throttle.take(self.now + self.skew)
        self._waiting -= 1
        self.inflight += 1
        self.server.inflight += 1
        sent = self.now
        latency = self.server.latency(self.rng, self.now, self.server.inflight)
        share = 0.1 if self.server.workers < math.inf else self.rng.uniform(0.25, 0.75)

        def arrive() -> None:
            status, decisions = self.server.decide(self.now)
            served = self.now
            if status in (403, 503):  # no work is done: the response is sent at once
                self.at(self.now + self.now - sent, lambda: respond(status, decisions, served))
                return
            self.server.busy += 1
            self.at(sent + latency * (1 - min(share, 0.1)), leave)
            self.at(sent + latency, lambda: respond(status, decisions, served))

        def leave() -> None:
            self.server.busy -= 1

        def respond(status: int, decisions: list[tuple[Limit, Decision]], served: float) -> None:
            self.server.inflight -= 1
            self.inflight -= 1
            client_sent, client_received = sent + self.skew, self.now + self.skew
            if status == 200:
                self._done += 1
                self.server.served.append(served - self.begin)
            else:
                self._waiting += 1
                self.server.refused.append(served - self.begin)
            report = AttemptReport(
                sent=client_sent,
                received=client_received,
                first_byte=self.now - sent,
                status=status,
                refused=status != 200,
                overloaded=status == 503,
                declared=self.server.declaration.declare(decisions, served, client_sent, client_received),
            )
            if self.concurrency and self.concurrency is not self.throttle.concurrency:
                if report.overloaded:
                    self.concurrency.overloaded(client_received, self.inflight + 1, refused=True)
                else:
                    self.concurrency.answered(client_received, self.now - sent, self.inflight + 1)
            self.events += self.throttle.settle(grant, report, inflight=self.inflight + 1)
            if self.concurrency:
                self.levels.append((self.now - self.begin, self.concurrency.limit))
            self._dispatch()

        self.at(sent + latency * share, arrive)

    def _other(self) -> None:
        status, _ = self.server.decide(self.now)
        self.server.others_served += status == 200
        self.server.others_refused += status != 200
        self.at(self.now + self.rng.expovariate(self.others_rate), self._other)


def simulate_throttle(
    server: Server, *, rng: random.Random, count: int, max_in_flight: int = 8, begin: float = START
) -> Simulation:
    """Run a simulation with a whole throttle to its end."""
    throttle = limits_of(rng, max_in_flight=max_in_flight)
    simulation = Simulation(
        server=server,
        throttle=throttle,
        rng=rng,
        count=count,
        max_in_flight=max_in_flight,
        concurrency=throttle.concurrency,
        begin=begin,
    )
    return simulation.run()
