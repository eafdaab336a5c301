"""`Frontier`: the lanes in memory, and which request may start next.

Rule 1: nothing here waits. `push`, `pop`, `put_back` and `settle` return at once, do no I/O, and take `now` as an
argument, so whoever produces requests can never be blocked by whoever consumes them.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import trio_util

from crawler import urls
from crawler.frontier.lane import Lane, RobotsRules
from crawler.frontier.ticket import Pending, Ticket
from crawler.messages import Request
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
        chance: where jitter comes from.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        most_lanes: int = 4096,
        window: int = 256,
        most_waiting: int = MOST_WAITING,
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
        self._heap: list[tuple[float, int, Lane]] = []
        self._count = itertools.count()
        self._chance = chance or random.Random()
        self._hungry: dict[str, Lane] = {}
        self._waiting = 0

    def statistics(self) -> FrontierStatistics:
        """Counts of this moment."""
        lanes = self.lanes.values()
        return FrontierStatistics(len(lanes), sum(map(len, lanes)), self.handed_out)

    def share(self, coming: int = 0) -> int:
        """Requests that the window of one lane may hold, beside the lanes that are there and those that are coming."""
        return max(1, min(self.window, self.most_waiting // max(1, len(self.lanes) + coming)))

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
            lane = Lane(group, self.settings.pace(group.partition("//")[2] or group), self._chance)
            lane.restore(state or {})
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
        """Lanes that may leave memory: nothing is handed out, and nothing is due for a minute."""
        for lane in self.lanes.values():
            if lane.handed_out == 0 and not (lane.more and not len(lane)) and lane.due() > now + FAR:
                yield lane

    def close(self, lane: Lane) -> None:
        """Lets a lane leave memory."""
        del self.lanes[lane.name]
        self._waiting -= len(lane)
        self._hungry.pop(lane.name, None)
        lane.listed = math.inf

    # Requests come and go

    def push(self, fresh: Iterable[Pending]) -> None:
        """Takes requests that the store has just made pending, on lanes that are in memory."""
        share = self.share()
        for pending in fresh:
            lane = self.lanes.get(pending.group)
            if lane is None:
                continue  # it has just left memory: the store has them
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

    def pop(self, now: float) -> tuple[Ticket | None, float]:
        """The next request that may start, or `None` and the time at which to look again.

        Infinite: not before something changes.
        """
        while self._heap:
            at, _, lane = self._heap[0]
            if lane.listed != at:
                heapq.heappop(self._heap)  # an entry that was overtaken
                continue
            if at > now:
                return None, at
            heapq.heappop(self._heap)
            lane.listed = math.inf
            if lane.due() > now:
                self._offer(lane)
                continue
            ticket = self._hand_out(lane, now)
            self._offer(lane)
            if ticket is not None:
                return ticket, now
        return None, math.inf

    def _hand_out(self, lane: Lane, now: float) -> Ticket | None:
        if lane.limiter.available_tokens <= 0:
            return None
        pending = lane.pop(now)
        if pending is None:
            return None
        self._waiting -= 1
        self._feed(lane)
        if self.settings.obey_robots:
            origin = urls.origin(pending.request.url)
            rules = lane.robots.get(origin)
            if rules is None:
                self._add(lane, pending)
                return self.ask_robots(lane, origin, now)
            if not rules.allows(pending.request.url):
                ticket = Ticket(pending, lane, lane.epoch, now, refused="robots")
                lane.handed_out += 1
                self.handed_out += 1
                return ticket
        ticket = Ticket(pending, lane, lane.epoch, now)
        lane.take(ticket)
        lane.handed_out += 1
        self.handed_out += 1
        return ticket

    def ask_robots(self, lane: Lane, origin: str, now: float) -> Ticket:
        """The fetch of a robots.txt: an ordinary start of its lane, before all others."""
        lane.asks = True
        attempts = lane.asking.setdefault(origin, 0)
        pending = Pending((0, 0), Request(origin + "/robots.txt", lane=lane.name), lane.name, attempts)
        ticket = Ticket(pending, lane, lane.epoch, now, page=False, robots=origin)
        lane.take(ticket)
        lane.handed_out += 1
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
            self._offer(ticket.lane)

    def settle(self, ticket: Ticket) -> None:
        """The request of this ticket is committed, one way or the other."""
        self.release(ticket)
        ticket.lane.handed_out -= 1
        if ticket.page:
            self.handed_out -= 1
            ticket.lane.held.discard(ticket.pending.order)

    def put_back(self, ticket: Ticket, not_before: float = -math.inf) -> None:
        """The request goes back to its place, as if it had never been handed out.

        Pace is given back only if nothing was sent. For the fetch of a robots.txt, `not_before` means that an attempt
        was used up, and the whole lane waits.

        Parameters:
            ticket: what was handed out.
            not_before: seconds: the earliest time of its next start.
        """
        lane = ticket.lane
        if not ticket.sent and ticket.holds:
            lane.give_back_pace(ticket)
        self.settle(ticket)
        if ticket.robots:
            lane.asks = False
            lane.asking[ticket.robots] += not_before > -math.inf
            self.block(lane, not_before)
        else:
            ticket.pending.not_before = not_before
            self._add(lane, ticket.pending)
        self._offer(lane)

    def know_robots(self, ticket: Ticket, rules: RobotsRules) -> None:
        """What the robots.txt said that this ticket was to fetch."""
        lane = ticket.lane
        lane.robots[ticket.robots] = rules
        lane.asking.pop(ticket.robots, None)
        lane.asks = False
        lane.next_start = max(lane.next_start, ticket.now + lane.interval())
        self.settle(ticket)
        self._offer(lane)

    def block(self, lane: Lane, until: float) -> None:
        """Starts nothing on a lane before `until` (seconds)."""
        lane.blocked_until = max(lane.blocked_until, until)

    def _offer(self, lane: Lane) -> None:
        """Puts a lane into the heap if it has something to start and a token for it."""
        if lane.asks or lane.limiter.available_tokens <= 0:
            return
        due = lane.due()
        if due < lane.listed:
            lane.listed = due
            if len(self._heap) > 2 * len(self.lanes) + 64:  # most entries were overtaken
                self._heap = [entry for entry in self._heap if entry[2].listed == entry[0] and entry[2] is not lane]
                heapq.heapify(self._heap)
            heapq.heappush(self._heap, (due, next(self._count), lane))
            self.changed.set()
