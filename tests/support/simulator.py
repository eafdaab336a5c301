"""Servers that limit, and a client that a governor drives: discrete events in virtual time, no event loop, no sleep."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Sequence

import attrs

from crawler.limits.concurrency import Concurrency
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, Observation
from crawler.limits.in_flight import Grant
from crawler.limits.pace import Pace
from crawler.limits.pacing import Governor
from crawler.limits.throttle import Throttle

START = 1_800_000_000.0
"""Seconds since the epoch: when every simulation begins."""


# ---- limits of servers -----------------------------------------------------------------------------------------------


@attrs.define
class Verdict:
    """What a limit decides of one request."""

    ok: bool
    left: int
    reset: float
    """Seconds until something is restored."""


@attrs.define(kw_only=True)
class Fixed:
    """A window opens at the first request. `block`: a breach is punished with a whole window, `double` of the last."""

    q: int
    w: float
    block: bool = False
    double: bool = False
    name: str = "default"
    opened: float = -math.inf
    used: int = 0
    blocked: float = -math.inf
    breaches: int = 0

    def decide(self, now: float, *, dry: bool = False) -> Verdict:
        if now < self.blocked:
            return Verdict(False, 0, self.blocked - now)
        if now >= self.opened + self.w:
            self.opened, self.used = now, 0
        end = self.opened + self.w - now
        if self.used >= self.q:
            if self.block:
                self.blocked = now + self.w * (2**self.breaches if self.double else 1)
                self.breaches += 1
                end = self.blocked - now
            return Verdict(False, 0, end)
        self.used += not dry
        return Verdict(True, self.q - self.used, end)


@attrs.define(kw_only=True)
class Aligned:
    """Windows begin at whole multiples of their length, shifted by a phase."""

    q: int
    w: float
    phase: float = 0.0
    name: str = "default"
    number: int = -1
    used: int = 0

    def decide(self, now: float, *, dry: bool = False) -> Verdict:
        number = math.floor((now + self.phase) / self.w)
        if number != self.number:
            self.number, self.used = number, 0
        end = (number + 1) * self.w - self.phase - now
        if self.used >= self.q:
            return Verdict(False, 0, end)
        self.used += not dry
        return Verdict(True, self.q - self.used, end)


@attrs.define(kw_only=True)
class Log:
    """The requests of the last window are remembered. `harsh`: refused ones as well."""

    q: int
    w: float
    harsh: bool = False
    name: str = "default"
    hits: deque[float] = attrs.field(factory=deque)

    def decide(self, now: float, *, dry: bool = False) -> Verdict:
        while self.hits and self.hits[0] <= now - self.w:
            self.hits.popleft()
        ok = len(self.hits) < self.q
        if (ok or self.harsh) and not dry:
            self.hits.append(now)
        place = max(0, len(self.hits) - self.q)
        return Verdict(ok, max(0, self.q - len(self.hits)), self.hits[place] + self.w - now if self.hits else 0.0)


@attrs.define(kw_only=True)
class Counter:
    """The last window counts in proportion to how much of it still overlaps; the end of this one is what it states."""

    q: int
    w: float
    phase: float = 0.0
    name: str = "default"
    number: int = -1
    used: int = 0
    before: int = 0

    def decide(self, now: float, *, dry: bool = False) -> Verdict:
        place = (now + self.phase) / self.w
        number = math.floor(place)
        if number != self.number:
            self.before = self.used if number == self.number + 1 else 0
            self.number, self.used = number, 0
        weighed = self.before * (1 - (place - number)) + self.used
        ok = weighed + 1 <= self.q
        if ok and not dry:
            self.used += 1
            weighed += 1
        return Verdict(ok, max(0, int(self.q - weighed)), (number + 1 - place) * self.w)


@attrs.define(kw_only=True)
class Bucket:
    """Tokens come continuously. `full`: the time until all are back is stated, not the time until the next."""

    q: int
    w: float
    full: bool = False
    name: str = "default"
    tokens: float = math.nan
    at: float = 0.0

    def decide(self, now: float, *, dry: bool = False) -> Verdict:
        self.tokens = (
            self.q if math.isnan(self.tokens) else min(self.q, self.tokens + (now - self.at) * self.q / self.w)
        )
        self.at = now
        ok = self.tokens >= 1
        self.tokens -= ok and not dry
        missing = (self.q if self.full else 1) - self.tokens
        return Verdict(ok, int(self.tokens), max(0.0, missing * self.w / self.q))


Limit = Fixed | Aligned | Log | Counter | Bucket


# ---- what servers say, and what a client understands of it -----------------------------------------------------------


ROUND: dict[str, Callable[[float], float]] = {"ceil": math.ceil, "floor": math.floor, "exact": float}


@attrs.define(kw_only=True)
class Words:
    """How a server states its limits, and the translation of that into what a governor hears.

    A translator does not know how a server rounds: it takes whole seconds to be rounded up. Epoch seconds become times
    of our own clock by the ``Date`` fields of all answers so far, which are whole seconds too.
    """

    headers: bool = True
    retry_after: bool = True
    rounding: str = "ceil"
    epoch: bool = False
    window: bool = True
    """Whether the window is stated."""
    reset: bool = True
    late: float = 0.0
    """Seconds that are added to the ends of windows, to be on the safe side."""
    date: Callable[[int], bool] = lambda number: True
    """Whether the answer of this number has a ``Date``."""
    hidden: frozenset[str] = frozenset()
    """Limits of which it says nothing."""
    skew: tuple[float, float] = (-math.inf, math.inf)
    answers: int = 0

    def hear(self, verdicts: Sequence[tuple[Limit, Verdict]], served: float, sent: float, received: float) -> Declared:
        """What an answer says.

        Parameters:
            verdicts: of every limit.
            served: seconds by the server's clock: when it decided.
            sent: seconds by our clock.
            received: seconds by our clock.
        """
        self.answers += 1
        if self.date(self.answers):
            date = math.floor(served)
            self.skew = max(self.skew[0], date - received), min(self.skew[1], date + 1 - sent)
        words = tuple(
            Observation(
                policy=limit.name,
                limit=limit.q,
                remaining=verdict.left,
                reset=self._ends(verdict.reset, served, sent, received) if self.reset else None,
                window=limit.w if self.window else None,
            )
            for limit, verdict in verdicts
            if self.headers and limit.name not in self.hidden
        )
        refusals = [verdict.reset for _, verdict in verdicts if not verdict.ok]
        wait = ROUND[self.rounding](max(refusals)) if refusals and self.retry_after else None
        return Declared(observations=words, retry_after=wait) if words or wait is not None else NOTHING

    def _ends(self, reset: float, served: float, sent: float, received: float) -> tuple[float, float]:
        if self.epoch:
            end = ROUND[self.rounding](served + reset + self.late)
            low, high = self.skew if self.skew[0] > -math.inf else (0.0, 0.0)
            return end - (0.0 if self.rounding == "exact" else 1.0) - high, end - low
        wait = ROUND[self.rounding](reset + self.late)
        return sent + wait - (0.0 if self.rounding == "exact" else 1.0), received + wait


# ---- servers and clients ---------------------------------------------------------------------------------------------


@attrs.define(kw_only=True)
class Server:
    """Decides of every request, and counts."""

    limits: list[Limit]
    words: Words = attrs.field(factory=Words)
    latency: Callable[[random.Random, float, int], float] = lambda chance, now, inflight: chance.uniform(0.05, 0.15)
    """Seconds from request to answer, by what is in flight."""
    slots: float = math.inf
    """Requests that are worked on at once; more get a 503."""
    status: int = 429
    free: int = 0
    """Requests that no limit counts, from the first on: for robots.txt."""
    inflight: int = 0
    busy: int = 0
    served: list[float] = attrs.field(factory=list)
    """When requests of ours were served."""
    refused: list[float] = attrs.field(factory=list)
    """When requests of ours were refused."""
    others_served: int = 0
    others_refused: int = 0

    def decide(self, now: float) -> tuple[int, list[tuple[Limit, Verdict]]]:
        if self.busy >= self.slots:
            return 503, []
        if self.free:
            self.free -= 1
            return 200, []
        verdicts = [(limit, limit.decide(now, dry=True)) for limit in self.limits]
        if all(verdict.ok for _, verdict in verdicts):
            return 200, [(limit, limit.decide(now)) for limit in self.limits]
        for limit, verdict in verdicts:
            if isinstance(limit, Log) and limit.harsh and not verdict.ok:
                limit.decide(now)
        return self.status, verdicts


@attrs.define(kw_only=True)
class Run:
    """One client and one server; others may share the quota.

    Parameters:
        count: requests to be served; infinite: until `horizon`.
        horizon: seconds after which it is over in any case.
        lane: requests in flight at once.
        skew: seconds that our clock is ahead of the server's.
        others: requests a second of other clients, by how many of them.
        changes: what happens to the server, and when.
    """

    server: Server
    governor: Governor
    chance: random.Random
    count: float = 300
    horizon: float = 3000.0
    lane: int = 10
    skew: float = 0.0
    others: float = 0.0
    concurrency: Concurrency | None = None
    changes: list[tuple[float, Callable[[Server], None]]] = attrs.field(factory=list)
    begin: float = START
    now: float = START
    took: float = math.nan
    """Seconds until the last one was served."""
    events: list[QuotaEvent] = attrs.field(factory=list)
    levels: list[tuple[float, float]] = attrs.field(factory=list)
    """Time and level of the concurrency, whenever an answer came."""
    _heap: list[tuple[float, int, Callable[[], None]]] = attrs.field(factory=list)
    _numbers: itertools.count[int] = attrs.field(factory=itertools.count)
    _waiting: float = 0
    _done: int = 0
    _flying: int = 0
    _wake: float = math.inf

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (when, next(self._numbers), what))

    def run(self) -> Run:
        self.now = self.begin
        self._waiting = self.count
        for after, change in self.changes:
            self.at(self.begin + after, lambda change=change: change(self.server))
        if self.others:
            self.at(self.begin + self.chance.expovariate(self.others), self._other)
        self._dispatch()
        while self._heap and self._done < self.count:
            self.now, _, what = heapq.heappop(self._heap)
            if self.now > self.begin + self.horizon:
                break
            what()
        self.took = self.now - self.begin
        return self

    @property
    def flying(self) -> int:
        """Requests in flight."""
        return self._flying

    def _dispatch(self) -> None:
        while self._waiting > 0:
            limit = min(self.lane, self.concurrency.limit) if self.concurrency else self.lane
            if self._flying >= limit:
                return
            clock = self.now + self.skew
            at = self.governor.ready_at(clock, backlog=self._waiting)
            if at > clock:
                if at - self.skew < self._wake and at < math.inf:
                    self._wake = max(at - self.skew, math.nextafter(self.now, math.inf))
                    self.at(self._wake, self._woken)
                return
            self._send()

    def _woken(self) -> None:
        self._wake = math.inf
        self._dispatch()

    def _send(self) -> None:
        grant = self.governor.take(self.now + self.skew)
        self._waiting -= 1
        self._flying += 1
        self.server.inflight += 1
        sent = self.now
        trip = self.server.latency(self.chance, self.now, self.server.inflight)
        share = 0.1 if self.server.slots < math.inf else self.chance.uniform(0.25, 0.75)

        def arrive() -> None:
            status, verdicts = self.server.decide(self.now)
            served = self.now
            if status in (403, 503):  # no work is done: the answer is on its way at once
                self.at(self.now + self.now - sent, lambda: answer(status, verdicts, served))
                return
            self.server.busy += 1
            self.at(sent + trip * (1 - min(share, 0.1)), leave)
            self.at(sent + trip, lambda: answer(status, verdicts, served))

        def leave() -> None:
            self.server.busy -= 1

        def answer(status: int, verdicts: list[tuple[Limit, Verdict]], served: float) -> None:
            self.server.inflight -= 1
            self._flying -= 1
            ours = sent + self.skew, self.now + self.skew
            if status == 200:
                self._done += 1
                self.server.served.append(served - self.begin)
            else:
                self._waiting += 1
                self.server.refused.append(served - self.begin)
            exchange = AttemptReport(
                sent=ours[0],
                received=ours[1],
                first_byte=self.now - sent,
                status=status,
                refused=status != 200,
                overloaded=status in (403, 503),
                declared=self.server.words.hear(verdicts, served, *ours),
            )
            if self.concurrency:
                if exchange.overloaded:
                    self.concurrency.overloaded(ours[1], self._flying + 1, refused=True)
                else:
                    self.concurrency.answered(ours[1], self.now - sent, self._flying + 1)
                self.levels.append((self.now - self.begin, self.concurrency.limit))
            self.events += self.governor.settle(grant, exchange)
            self._dispatch()

        self.at(sent + trip * share, arrive)

    def _other(self) -> None:
        status, _ = self.server.decide(self.now)
        self.server.others_served += status == 200
        self.server.others_refused += status != 200
        self.at(self.now + self.chance.expovariate(self.others), self._other)


class Throttled:
    """A whole throttle in the place of a run's governor and concurrency, as a lane has it.

    Parameters:
        chance: where jitter comes from.
        most: requests in flight that the user allows.
    """

    def __init__(self, chance: random.Random, most: int) -> None:
        pace = Pace(concurrency=most, delay=0.0, jitter=0.0, rate=(), burst=1, mode="auto", slow_start=True)
        self.throttle = Throttle("lane", pace, chance)
        self.run: Run | None = None

    @property
    def limit(self) -> int:
        return self.throttle.concurrency.limit

    def ready_at(self, now: float, *, backlog: float) -> float:
        return self.throttle.ready_at(now, backlog=backlog)

    def take(self, now: float) -> Grant:
        return self.throttle.take(now)

    def settle(self, grant: Grant, exchange: AttemptReport) -> list[QuotaEvent]:
        assert self.run is not None
        return self.throttle.settle(grant, exchange, inflight=self.run.flying + 1)

    def answered(self, now: float, first_byte: float, inflight: int) -> None:
        """`settle` tells it."""

    def overloaded(self, now: float, inflight: int, *, refused: bool) -> None:
        """`settle` tells it."""


def throttled(server: Server, *, chance: random.Random, count: int, most: int = 8, begin: float = START) -> Run:
    """A run with a whole throttle, to its end."""
    driver = Throttled(chance, most)
    run = Run(server=server, governor=driver, chance=chance, count=count, lane=most, concurrency=driver, begin=begin)  # type: ignore[arg-type]
    driver.run = run
    return run.run()
