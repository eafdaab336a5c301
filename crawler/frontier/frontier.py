"""`Frontier`: the lanes in memory, and which request may start next.

Rule 1: nothing here waits. `push`, `pop`, `put_back` and `settle` return at once, do no I/O, and take `now` as an
argument, so whoever produces requests can never be blocked by whoever consumes them.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import trio_util

from crawler import urls
from crawler.frontier.budget import Budget, Budgets
from crawler.frontier.lane import Lane, RobotsRules
from crawler.frontier.robots import RobotsLookups
from crawler.frontier.ticket import Pending, Ticket
from crawler.limits.events import QuotaEvent
from crawler.limits.permit import Headers, Permit
from crawler.limits.registry import Limits
from crawler.limits.throttle import Throttle
from crawler.messages import Request
from crawler.messages.request import set_position
from crawler.settings import Settings

__all__ = ["Frontier", "FrontierStatistics"]

FAR = 60.0
"""Seconds: a lane that is not due for so long may leave memory."""
MOST_WAITING = 8_192
"""Requests in all windows together; half as many again while lanes come and go."""


@attrs.frozen
class FrontierStatistics:
    """A look at a frontier."""

    lanes: int
    """Lanes in memory."""
    waiting: int
    """Requests in their windows."""
    handed_out: int
    """Tickets of pages that are neither settled nor put back."""


class Frontier:
    """Lanes by the time at which they may start a request.

    A lane stands in the heap only while it has a request and a free token; it is put there by what changes that
    (a push, a token that comes back, an answer about robots.txt), so a lane that cannot go on costs nothing.

    Parameters:
        settings: pace of the lanes; whether robots.txt is heeded.
        most_lanes: lanes in memory.
        window: requests of one lane in memory, at most.
        most_waiting: requests of all lanes in memory, about; the more lanes, the smaller their windows.
        limits: throttles that are shared with others; without them it has its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        most_lanes: int = 4096,
        window: int = 256,
        most_waiting: int = MOST_WAITING,
        limits: Limits | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.most_lanes = most_lanes
        self.window = window
        self.most_waiting = most_waiting
        self.lanes: dict[str, Lane] = {}
        self.changed = trio_util.RepeatedEvent()
        """Set whenever `pop` may have something else to say."""
        self.handed_out = 0
        """Tickets of pages that are neither settled nor put back."""
        self.now = -math.inf
        """Seconds: what time it was when somebody last said so; see `look`."""
        self._shared = limits is not None
        self.limits = Limits(chance=chance) if limits is None else limits
        """The throttles of lanes and budgets, by name."""
        self.budgets = Budgets(self._throttle, self._watch if self._shared else None)
        """The budgets that requests have named."""
        self._heap: list[tuple[float, int, Lane | Budget]] = []
        self._count = itertools.count()
        self._hungry: dict[str, Lane] = {}
        self._waiting = 0
        self._inquiries = RobotsLookups(self.lanes)

    def statistics(self) -> FrontierStatistics:
        """Counts of this moment."""
        lanes = self.lanes.values()
        return FrontierStatistics(len(lanes), sum(map(len, lanes)), self.handed_out)

    def share(self, coming: int = 0) -> int:
        """Requests that the window of one lane may hold, beside the lanes that are there and those that are coming."""
        return max(1, min(self.window, self.most_waiting // max(1, len(self.lanes) + coming)))

    def _throttle(self, name: str) -> Throttle:
        return self.limits.throttle(name, self.settings.pace)

    # Lanes come and go

    def room(self) -> int:
        """Lanes that may still be taken into memory."""
        return max(0, self.most_lanes - len(self.lanes))

    def open(
        self, group: str, *, epoch: int, head: Sequence[Pending], more: bool, state: dict[str, Any] | None = None
    ) -> Lane:
        """Takes a lane into memory, or gives one that is there already its lease.

        Parameters:
            group: its name.
            epoch: the lease under which it is held.
            head: its first requests, by their order.
            more: whether the store has others behind them.
            state: what `Lane.state` once gave.
        """
        lane = self.lanes.get(group)
        if lane is None:
            known = group in self.limits.throttles
            lane = Lane(group, self._throttle(group))
            if not known:
                if state:
                    lane.throttle.restore(state)
                lane.limiter.total_tokens = lane.throttle.concurrency.limit
            if self._shared:
                self._watch(lane)
            self.lanes[group] = lane
        lane.epoch = epoch
        self.refill(lane, head, more=more)
        return lane

    def refill(self, lane: Lane, rows: Sequence[Pending], *, more: bool) -> None:
        """Takes the next requests of a lane into its window, after `Lane.after`."""
        for pending in rows:
            if pending.order not in lane.held:
                self._add(lane, pending)
        if rows:
            lane.after = max(lane.after, rows[-1].order)
        lane.more = more
        self._hungry.pop(lane.name, None)
        self._feed(lane)
        self._offer(lane)
        self._keep_small()

    def _add(self, lane: Lane, pending: Pending) -> None:
        lane.add(pending)
        self._waiting += 1

    def _keep_small(self) -> None:
        """Cuts every window to its share when all together hold too much: there are more lanes than there were."""
        if self._waiting <= self.most_waiting + self.most_waiting // 2:
            return
        share = self.share()
        for lane in self.lanes.values():
            if lane.ready_count() > share:
                self._waiting -= lane.trim(share)

    def hungry(self) -> list[Lane]:
        """Lanes whose window runs low while the store has more of theirs."""
        return list(self._hungry.values())

    def idle(self, now: float) -> Iterator[Lane]:
        """Lanes that may leave memory."""
        return (lane for lane in self.lanes.values() if self.is_idle(lane, now))

    def is_idle(self, lane: Lane, now: float) -> bool:
        """Whether a lane may leave memory: nothing is handed out, and nothing is due for a minute."""
        if lane.handed_out or lane.parked is not None or (lane.more and not len(lane)):
            return False
        if lane.epoch == 0 and lane.throttle.ready_at(now) > now:
            return False  # the store does not know it, and would not keep what it has to wait for
        head = lane.head()
        return head is None or max(lane.first_at(), self.budgets.ready_at(lane, head.request, now)[0]) > now + FAR

    def close(self, lane: Lane) -> None:
        """Lets a lane leave memory."""
        del self.lanes[lane.name]
        self._inquiries.forget(lane)
        self._waiting -= len(lane)
        self._hungry.pop(lane.name, None)
        lane.listed = math.inf
        if self._shared:
            self._unwatch(lane)
        else:
            self.limits.forget(lane.name)

    def part(self) -> None:
        """Leaves throttles that are shared to the others: they have nothing to tell here any more."""
        if self._shared:
            for lane in self.lanes.values():
                self._unwatch(lane)
            for budget in self.budgets.by_name.values():
                self._unwatch(budget)

    def _watch(self, entry: Lane | Budget) -> None:
        """Is told whenever others have changed a throttle that is shared."""
        entry.throttle.watchers += (functools.partial(self._told, entry),)

    @staticmethod
    def _unwatch(entry: Lane | Budget) -> None:
        entry.throttle.watchers = tuple(
            watcher for watcher in entry.throttle.watchers if getattr(watcher, "args", ()) != (entry,)
        )

    def _told(self, entry: Lane | Budget) -> None:
        if isinstance(entry, Lane):
            self._offer(entry)
        else:
            self._list_budget(entry)
        self.changed.set()

    # Requests come and go

    def push(self, fresh: Iterable[Pending]) -> None:
        """Takes requests that the store has just made pending, on lanes that are in memory."""
        share = self.share()
        for pending in fresh:
            lane = self.lanes.get(pending.group)
            if lane is None:
                continue  # it has just left memory: the store has them
            if pending.order in lane.held:
                continue  # the window was refilled since
            if lane.more and pending.order > lane.after:
                continue  # it stays in the store until the window gets there
            if lane.ready_count() >= share and pending.order > lane.after:
                lane.more = True
                continue
            self._add(lane, pending)
            lane.after = max(lane.after, pending.order)
            if lane.ready_count() > 2 * share:
                self._waiting -= lane.trim(share)
            self._offer(lane)
        self._keep_small()

    def grow(self, groups: Iterable[str]) -> None:
        """Requests have come to lanes in memory without being pushed: their windows are read anew."""
        for group in groups:
            lane = self.lanes.get(group)
            if lane is not None:
                self._waiting -= lane.forget()
                self._feed(lane)
                self.changed.set()

    def next_at(self) -> float:
        """Seconds: when `pop` may have something to hand out, as far as is known; infinite: it is not."""
        return self._heap[0][0] if self._heap else math.inf

    def look(self, now: float) -> None:
        """Says what time it is, to whoever is about to bring something."""
        self.now = max(self.now, now)

    def pop(self, now: float) -> tuple[Ticket | None, float]:
        """The next request that may start, or `None` and the time at which to look again.

        Infinite: not before something changes.
        """
        self.look(now)
        while self._heap:
            at, _, entry = self._heap[0]
            if entry.listed == at and at > now:
                return None, at
            heapq.heappop(self._heap)
            if entry.listed != at:
                continue  # an entry that was overtaken
            entry.listed = math.inf
            ticket = self._start(entry, now) if isinstance(entry, Lane) else self._wake(entry, now)
            if ticket is not None:
                return ticket, now
        return None, math.inf

    def _start(self, lane: Lane, now: float) -> Ticket | None:
        """Hands out the next request of a lane, if it may start."""
        head = lane.head()
        ticket = None
        if head is not None and lane.first_at() <= now and not lane.asks:
            if self.budgets.is_stalled(lane, head.request, now):
                ticket = self._refuse(lane, now, "quota")
            elif self.budgets.ready_at(lane, head.request, now)[0] <= now:
                ticket = self._hand_out(lane, now)
        self._offer(lane)
        return ticket

    def _wake(self, budget: Budget, now: float) -> Ticket | None:
        """Hands out the next request of the lane that has waited longest for a budget, if that allows it."""
        ticket = None
        cost = budget.cost()
        if cost is not None and budget.throttle.ready_at(now, cost=cost) <= now:
            lane = next(iter(budget.parked))
            budget.unpark(lane)
            ticket = self._start(lane, now)
        self._list_budget(budget)
        return ticket

    def _refuse(self, lane: Lane, now: float, by: str) -> Ticket | None:
        pending = lane.pop(now)
        if pending is None:
            return None
        self._waiting -= 1
        self._feed(lane)
        return self._refused(pending, lane, now, by)

    def _refused(self, pending: Pending, lane: Lane, now: float, by: str) -> Ticket:
        """A ticket that says that its request may not be made."""
        lane.handed_out += 1
        self.handed_out += 1
        return Ticket(pending, lane, lane.epoch, now, Permit(lane.throttle), refused=by)

    def _hand_out(self, lane: Lane, now: float) -> Ticket | None:
        if lane.is_full():
            return None
        pending = lane.pop(now)
        if pending is None:
            return None
        self._waiting -= 1
        self._feed(lane)
        if self.settings.obey_robots:
            origin = urls.origin(pending.request.url)
            if lane.owed:
                lane.owed -= 1
            elif now >= lane.stale_at:
                lane.expire(now)
            rules = lane.robots.get(origin)
            if rules is None:
                self._add(lane, pending)
                return self.ask_robots(lane, origin, now, pending.request)
            if not rules.allows(pending.request.url):
                return self._refused(pending, lane, now, "robots")
        ticket = Ticket(pending, lane, lane.epoch, now, self.budgets.permit(lane, pending.request))
        self._take(ticket)
        self.handed_out += 1
        return ticket

    def _take(self, ticket: Ticket) -> None:
        """Stamps a start: a token, and what it takes of the limits."""
        lane = ticket.lane
        lane.limiter.acquire_on_behalf_of_nowait(ticket)
        ticket.holds = True
        ticket.permit.enter()
        lane.waits(ticket.now, "")
        ticket.permit.take(ticket.now)
        lane.handed_out += 1

    def ask_robots(self, lane: Lane, origin: str, now: float, wanted: Request) -> Ticket | None:
        """The fetch of a robots.txt: an ordinary start of its lane, before all others.

        It is made by hand, or found on a page, and goes through a proxy, as `wanted` does, the request that needs it.
        `None`: the lane knows now what it says, or waits.
        """
        attempts = self._inquiries.begin(lane, origin, now)
        if attempts is None:
            return None
        request = Request(origin + "/robots.txt", lane=lane.name, proxy=wanted.proxy)
        set_position(request, wanted.depth or int(bool(wanted.redirects)))
        pending = Pending((0, 0), request, lane.name, attempts)
        ticket = Ticket(pending, lane, lane.epoch, now, Permit(lane.throttle), page=False, robots=origin)
        self._take(ticket)
        return ticket

    def _feed(self, lane: Lane) -> None:
        """Notes a lane whose window runs low while the store has more."""
        share = self.share()
        if lane.more and lane.ready_count() < max(1, share // 4) and len(lane) < 4 * share:
            self._hungry[lane.name] = lane

    def release(self, ticket: Ticket) -> None:
        """Gives the token back: the body has ended."""
        if ticket.holds:
            ticket.holds = False
            ticket.lane.limiter.release_on_behalf_of(ticket)
            ticket.permit.leave()
            self._offer(ticket.lane)

    def answered(
        self,
        ticket: Ticket,
        now: float,
        *,
        status: int,
        headers: Headers,
        body: bytes = b"",
        first_byte: float | None = None,
    ) -> list[QuotaEvent]:
        """Let the limits learn from a response; see `Permit.answered`."""
        self.look(now)
        events = ticket.permit.answered(now, status=status, headers=headers, body=body, first_byte=first_byte)
        self._settled(ticket)
        return events

    def failed(self, ticket: Ticket, now: float, *, overloaded: bool) -> None:
        """Let the limits learn that there was no response; see `Permit.failed`."""
        self.look(now)
        ticket.permit.failed(now, overloaded=overloaded)
        self._settled(ticket)

    def give_back(self, ticket: Ticket) -> None:
        """Undo what a start took of the limits if nothing was sent; see `Permit.cancelled`."""
        ticket.permit.cancelled()
        self._settled(ticket)

    def ready_at(self, lane: Lane, request: Request, now: float) -> float:
        """Seconds: when a request of a lane may start as far as limits go; infinite: something has to come back."""
        return self.budgets.ready_at(lane, request, now)[0]

    def inline_ticket(self, lane: Lane, request: Request, now: float) -> Ticket:
        """A ticket for a request that is made in place, without a token and before its start."""
        permit = self.budgets.permit(lane, request)
        return Ticket(Pending((0, 0), request, lane.name), lane, lane.epoch, now, permit, page=False)

    def settle(self, ticket: Ticket) -> None:
        """The request of this ticket is committed, one way or the other."""
        if ticket.permit.is_open:
            self.give_back(ticket)
        self.release(ticket)
        ticket.lane.handed_out -= 1
        if ticket.page:
            self.handed_out -= 1
            ticket.lane.held.discard(ticket.pending.order)

    def put_back(self, ticket: Ticket, not_before: float = -math.inf) -> None:
        """The request goes back to its place, as if it had never been handed out.

        Pace and quota are given back only if nothing was sent. For the fetch of a robots.txt, `not_before` means that
        an attempt was used up, and the whole lane waits.

        Parameters:
            ticket: what was handed out.
            not_before: seconds: the earliest time of its next start.
        """
        lane = ticket.lane
        self.settle(ticket)
        if ticket.robots:
            attempts = ticket.pending.attempts + (not_before > -math.inf)
            lane.throttle.block(not_before)
            for waiting in (lane, *self._inquiries.failed(ticket.robots, attempts, not_before)):
                waiting.asks = False
                if self.lanes.get(waiting.name) is waiting:
                    self._offer(waiting)
        else:
            ticket.pending.not_before = not_before
            self._add(lane, ticket.pending)
        self._offer(lane)

    def know_robots(self, ticket: Ticket, rules: RobotsRules, until: float = math.inf, least: int = 1) -> None:
        """What the robots.txt says that this ticket was to fetch.

        Parameters:
            ticket: the fetch.
            rules: what came of it.
            until: seconds: as long as that counts.
            least: how many of the requests that wait it counts for in any case: a slow lane asks for pages too.
        """
        lane, origin = ticket.lane, ticket.robots
        for waiting in (lane, *self._inquiries.told(lane, origin)):
            waiting.know(origin, rules, until)
            waiting.owed = min(len(waiting), least)
            waiting.asks = False
            if waiting is not lane and self.lanes.get(waiting.name) is waiting:
                self._offer(waiting)
        sent_at = ticket.permit.sent_at
        lane.throttle.pacing.delay_after(ticket.now if sent_at is None else sent_at)
        self.settle(ticket)
        self._offer(lane)
        self.changed.set()

    def block(self, scope: str, until: float) -> None:
        """Starts nothing of a lane or budget before `until` (seconds)."""
        if scope in self.lanes or scope in self.budgets.by_name:
            self._throttle(scope).block(until)

    def _settled(self, ticket: Ticket) -> None:
        """The limits of a ticket have learned: its budgets and lane may be ready at another time."""
        lane = ticket.lane
        tokens = lane.throttle.concurrency.limit
        if tokens != lane.limiter.total_tokens:
            lane.limiter.total_tokens = tokens
        for throttle, _ in ticket.permit.budgets:
            self._list_budget(self.budgets[throttle.name])
        self._offer(lane)
        self.changed.set()

    def _offer(self, lane: Lane) -> None:
        """Puts a lane where it is woken from: the heap, or a budget; nowhere without a request, a token, or a limit."""
        if lane.listed <= self.now:
            return  # it is looked at as soon as anybody pops
        head = lane.head()
        if head is None or lane.asks:
            return
        first_at = lane.first_at()
        if lane.is_full():
            if first_at <= self.now:
                lane.waits(self.now, "concurrency")
            return
        at, why, budget = self.budgets.ready_at(lane, head.request, self.now)
        if why and self.budgets.is_stalled(lane, head.request, self.now):
            at, why, budget = first_at, "", None
        if first_at <= self.now:
            lane.waits(self.now, why)
            if at <= self.now and head.request.quotas:
                budget = self.budgets.queue_of(lane, head.request)
        left = lane.parked
        if left is not None and left is not budget:
            left.unpark(lane)
            self._list_budget(left)  # who is first now may cost less
        if budget is not None and at >= first_at:
            budget.park(lane)
            self._list_budget(budget)
        else:
            self._list(lane, max(first_at, at))

    def _list_budget(self, budget: Budget) -> None:
        cost = budget.cost()
        if cost is not None:
            self._list(budget, budget.throttle.ready_at(self.now, cost=cost))

    def _list(self, entry: Lane | Budget, due: float) -> None:
        """Puts an entry into the heap, or to an earlier place in it."""
        if due < entry.listed:
            entry.listed = due
            if len(self._heap) > 2 * (len(self.lanes) + len(self.budgets.by_name)) + 64:  # most were overtaken
                self._heap = [old for old in self._heap if old[2].listed == old[0] and old[2] is not entry]
                heapq.heapify(self._heap)
            heapq.heappush(self._heap, (due, next(self._count), entry))
            self.changed.set()
