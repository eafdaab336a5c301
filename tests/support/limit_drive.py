"""`drive`: crawls a simulated server with the limiter of one lane alone: no event loop, no engine, no store.

It is for judging a limiter on thousands of servers. `Throttle` and `Permit` decide when requests start, `Lane` which
one is next, and `crawler.decision.decide` what follows from a refusal, as in a crawl or a client.
"""

from __future__ import annotations

import heapq
import json
import math
import time
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import attrs
from msgspec import Struct
from support.family_server import FamilyServer, Reply, Session, least

from crawler import Pace, Request, Response, Settings
from crawler.decision.decide import Policy, bad_status, decide
from crawler.decision.decisions import Again
from crawler.decision.facts import Facts, Sender
from crawler.decision.retry_policy import RetryPolicy
from crawler.frontier.lane import Lane
from crawler.frontier.ticket import Pending
from crawler.limits.permit import Permit
from crawler.limits.throttle import Throttle
from crawler.outages.failed_attempt import Outage

__all__ = ["WAYS", "Run", "Way", "drive", "drive_again"]

URL: Final = "https://h0.test/"
LANE: Final = "https://h0.test"
HORIZON: Final = 30 * 86400.0
"""Seconds of virtual time after which a run is ended."""
AN_HOUR: Final = 3600.0
MAX_EVENTS: Final = 300_000
"""Events after which it is ended: a limiter that asks without end."""


class Way(NamedTuple):
    """A way to fetch: what a user configures."""

    at_once: int
    slow_start: bool | Literal["first"] | None
    sender: Sender


WAYS: Final = {
    "crawl": Way(8, True, "page"),
    "crawl, 10": Way(10, "first", "page"),
    "client": Way(8, None, "client"),
    "client, 10": Way(10, None, "client"),
}
"""Crawls and clients with default settings, and with ten workers."""


@attrs.frozen(kw_only=True)
class Run:
    """One run of a limiter against a server."""

    pages: int
    refused: int
    lost: int
    seconds: float
    """From the beginning to the last page that was served."""
    least: float
    """Seconds of the client that knows everything."""
    others_refused: int = 0
    """Requests of other clients that were refused."""
    is_cut: bool = False
    """Whether the run was ended before all pages were served or lost."""
    cpu: float = 0.0
    """Seconds of CPU, those of the server and of the drive included: about 30 µs of each answer."""
    times: tuple[tuple[float, int], ...] = ()
    """Seconds since the beginning, and status, of each answer, if asked for."""
    learned: Mapping[str, Any] = attrs.field(factory=dict)
    """What the limiter knows at the end, for `drive`."""

    @property
    def ratio(self) -> float:
        """Time divided by the least."""
        return self.seconds / self.least


class _Ticket(Struct, eq=False):
    """What `Facts.of` reads of a ticket."""

    pending: Pending
    lane: Lane
    permit: Permit
    outage: Outage | None = None


class _Drive:
    """The state of one run."""

    def __init__(
        self, server: FamilyServer, way: Way, learned: Mapping[str, Any] | None = None, *, keeps_times: bool = False
    ) -> None:
        self.server, self.way, self.keeps_times = server, way, keeps_times
        self.session = Session(server)
        pace = Pace(concurrency=way.at_once, delay=0.0, jitter=0.0, slow_start=way.slow_start)
        self.throttle = Throttle(LANE, pace, server.source("throttle"))
        if learned is not None:
            self.throttle.restore(json.loads(json.dumps(learned)))
        self.lane = Lane(LANE, self.throttle)
        self.latencies = server.source("latency")
        self.policy = Policy(retries=RetryPolicy(Settings(), server.source("retries")))
        self.now, self.last_served, self.wake_at = server.begin, server.begin, math.inf
        self.refused = self.served = self.lost = self.numbers = self.events = 0
        self.heap: list[tuple[float, int, str, tuple[object, ...]]] = []
        self.times: list[tuple[float, int]] = []
        self.last_page: Pending | None = None
        self.rechecks: dict[Permit, tuple[Pending, Permit, Reply]] = {}
        request = Request(URL)
        for page in range(server.pages):
            self.lane.add(Pending((0, page), request, LANE))
        self.next_order = server.pages
        self.page_of = {}  # type: dict[int, int]

    def run(self) -> Run:
        server, began = self.server, time.process_time()
        end, pages = server.begin + HORIZON, server.pages
        self._dispatch()
        while self.heap and self.served + self.lost < pages:
            at, _, kind, arguments = heapq.heappop(self.heap)
            self.events += 1
            if at > end or self.events > MAX_EVENTS:
                break
            self.now = max(self.now, at)
            getattr(self, kind)(*arguments)
        cpu = time.process_time() - began
        return Run(
            pages=pages,
            refused=self.refused,
            lost=pages - self.served,
            seconds=self.last_served - server.begin,
            least=least(server, self.way.at_once),
            others_refused=self.session.others_refused,
            is_cut=self.served + self.lost < pages,
            times=tuple(self.times),
            cpu=cpu,
            learned=self.throttle.state(),
        )

    def _at(self, at: float, kind: str, *arguments: object) -> None:
        self.numbers += 1
        heapq.heappush(self.heap, (at, self.numbers, kind, arguments))

    # ---- starting ----------------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Start all requests that may start, and set the alarm for the next one."""
        lane, throttle, now = self.lane, self.throttle, self.now
        while (backlog := len(lane)) and not throttle.is_full():
            at = lane.first_at()
            if at <= now:
                if throttle.is_stalled(now):  # as the frontier: it fails without another try
                    self.lost += lane.pop(now) is not None
                    continue
                at = throttle.ready_at(now, backlog=backlog)
            if at > now:
                at = max(at, math.nextafter(now, math.inf))
                if at < self.wake_at:
                    self.wake_at = at
                    self._at(at, "_wake")
                return
            pending = lane.pop(now)
            if pending is not None:
                self._send(pending)

    def _wake(self) -> None:
        if self.now >= self.wake_at:
            self.wake_at = math.inf
            self._dispatch()

    def _send(self, pending: Pending) -> None:
        permit = Permit(self.throttle)
        if hasattr(permit, "wants_forbidden"):  # an older tree has no such field
            permit.wants_forbidden = self.way.sender == "client"
        else:
            permit.may_recheck = self.last_page is not None
        self._start(pending, permit)

    def _start(self, pending: Pending, permit: Permit) -> None:
        permit.enter()
        permit.take(self.now)
        permit.sent(self.now)
        latency = self.server.latency(self.latencies)
        self._at(self.now + latency * self.server.travel, "_arrive", pending, permit, latency)

    def _recheck(self, pending: Pending, permit: Permit, reply: Reply) -> None:
        """Ask once more for the page that was served last, as soon as the limits let it start."""
        from crawler.limits.permit import RecheckPermit  # noqa: PLC0415 - an older tree has none

        assert self.last_page is not None
        at = self.throttle.ready_at(self.now)
        if at > self.now:
            self._at(min(at, self.now + 0.01) if at == math.inf else at, "_recheck", pending, permit, reply)
            return
        again = RecheckPermit(self.throttle)
        self.rechecks[again] = (pending, permit, reply)
        self._start(self.last_page, again)

    # ---- at the server -----------------------------------------------------------------------------------------------

    def _arrive(self, pending: Pending, permit: Permit, latency: float) -> None:
        session, travel = self.session, latency * self.server.travel
        session.in_flight += 1
        reply = session.answer(self.now, self.page_of.get(pending.order[1], pending.order[1]))
        if self.keeps_times:
            self.times.append((self.now - self.server.begin, reply.status))
        takes = latency - 2.0 * travel + reply.delay if reply.served else 0.0
        if takes > 0.0:
            self._at(self.now + takes, "_leave")
        else:
            session.in_flight -= 1
        self._at(self.now + takes + travel, "_respond", pending, permit, reply)

    def _leave(self) -> None:
        self.session.in_flight -= 1

    # ---- back --------------------------------------------------------------------------------------------------------

    def _respond(self, pending: Pending, permit: Permit, reply: Reply) -> None:
        now = self.now
        status, headers = reply.status, reply.headers
        permit.leave()
        assert permit.sent_at is not None
        body = reply.body if permit.reads_body(status, headers) else b""
        permit.answered(now, status=status, headers=headers, body=body, first_byte=now - permit.sent_at)
        if permit in self.rechecks:
            self.refused += not reply.served
            refused_by = permit.refused_by
            pending, permit, reply = self.rechecks.pop(permit)
            permit.end_recheck(refused_by)
            status = reply.status
        elif getattr(permit, "asks_recheck", False):
            self._recheck(pending, permit, reply)
            return
        if permit.refused_by is None:
            self._note_page(pending, status)
        if reply.served and permit.refused_by is None:
            self.served, self.last_served, self.last_page = self.served + 1, now, pending
        else:
            self.refused += not reply.served
            self._decide(pending, permit, reply)
        self._dispatch()

    def _note_page(self, pending: Pending, status: int) -> None:
        """Let the limits learn from a page, as `crawler.frontier.feedback` does."""
        self.lane.record_served()
        if status < 300 and getattr(pending, "is_forbidden", False):
            self.throttle.refusal_budget.note_ban()
        if status < 500 and (pending.attempts or self.throttle.retried is not None):
            self.throttle.record_page(pending.attempts)

    def _decide(self, pending: Pending, permit: Permit, reply: Reply) -> None:
        """Send a page again that was refused, or count it as lost."""
        response = Response(URL, reply.status, reply.headers, reply.body, request=pending.request)
        facts = Facts.of(
            _Ticket(pending, self.lane, permit),  # type: ignore[arg-type]
            pending.attempts + 1,
            self.now,
            sender=self.way.sender,
        )
        is_client = self.way.sender == "client"
        found = decide(bad_status(response, self.now) if is_client else response, facts, self.policy, self.now)
        if not isinstance(found, Again):
            self.lost += 1
            return
        pending.book(found.reason)
        pending.is_behind = found.is_behind
        if is_client and found.is_behind:  # the queue of a client knows no other order than that of its callers
            page = self.page_of.get(pending.order[1], pending.order[1])
            pending.is_behind, pending.order = False, (0, self.next_order)
            self.page_of[self.next_order] = page
            self.next_order += 1
        pending.not_before = -math.inf if found.wait is None else self.now + found.wait
        self.lane.add(pending)
        if pending.not_before > self.now:
            self._at(pending.not_before, "_dispatch")


def drive(
    server: FamilyServer, way: str = "crawl", learned: Mapping[str, Any] | None = None, *, keeps_times: bool = False
) -> Run:
    """Run the limiter against a server.

    Parameters:
        server: The server.
        way: A key of `WAYS`.
        learned: What it has learned in an earlier run; `None`: nothing.
        keeps_times: Whether the run says when each answer came.
    """
    return _Drive(server, WAYS[way], learned, keeps_times=keeps_times).run()


def drive_again(server: FamilyServer, way: str = "crawl") -> Run:
    """Run the limiter against a server, and once more, an hour after the end, with what it has learned."""
    first = drive(server, way)
    later = attrs.evolve(server, begin=server.begin + first.seconds + AN_HOUR)
    return drive(later, way, first.learned)
