"""`Inline`: `await crawl.fetch(request)` runs in the task of its caller, within the limits of the lane that it uses."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

import trio

from crawler import urls
from crawler.decision.decide import decide
from crawler.decision.decisions import Again, Fail, Follow, Page
from crawler.decision.facts import Facts
from crawler.errors import Refused, RequestError, WouldExceedDeadline
from crawler.fetch.body_reader import BodyHandling, receiver_of
from crawler.frontier import InlineTicket, Lane, Pending, RobotsRules, current_ticket, lane_name
from crawler.headers import product_token
from crawler.http.robots import DISALLOW_ALL, Robots
from crawler.messages import Drop, Receive, Request, Response, Retry
from crawler.messages.page_links import LinkFilter
from crawler.messages.request import copy_unchecked

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.decision.decide import Policy
    from crawler.engine.attempt import Attempts
    from crawler.engine.robots import RobotsFetcher
    from crawler.engine.slots import Slots
    from crawler.fetch.body_receiver import BodyReceiver
    from crawler.frontier import Frontier
    from crawler.settings import Settings
    from crawler.stats import Stats

__all__ = ["Inline", "in_sink", "with_child_depth"]

in_sink: ContextVar[bool] = ContextVar("in_sink", default=False)
"""Whether this task hands items to a sink."""


class Inline:
    """Fetches for a handler or plugin: ahead of the queue, without deduplication; the result is not a page."""

    def __init__(
        self,
        attempts: Attempts,
        slots: Slots,
        robots: RobotsFetcher,
        frontier: Frontier,
        policy: Policy,
        settings: Settings,
        stats: Stats,
        clock: Clock,
    ) -> None:
        self._attempts = attempts
        self._slots = slots
        self._robots = robots
        self._frontier = frontier
        self._policy = policy
        self._settings = settings
        self._agent = product_token(settings.user_agent)
        self._stats = stats
        self._clock = clock

    async def fetch(self, request: Request, receive: Receive | None = None) -> Response:
        """Return the response to a request, whatever its status.

        Redirects are followed in place, unless the request accepts their status.
        """
        request = with_child_depth(request)
        receiver = None if receive is None else receiver_of(receive)
        while True:
            try:
                found = await self._fetch(request, receiver)
            except Refused as error:
                if error.by == "network":
                    self._stats.filter("network", request.url)
                raise
            if isinstance(found, Response):
                if found.status in request.accept_status:
                    return found
                target = self._policy.redirect(found) or self._policy.refresh(found)
                if target is None:
                    return found
                found = target
            self._stats.redirects += 1
            request = found

    async def sitemaps_of(self, url: str) -> list[str]:
        """Return the sitemaps that the robots.txt of a URL's origin names."""
        request = with_child_depth(Request(url))
        lane = self._lane_of(request)
        lane.open_tickets += 1
        try:
            rules = await self._robots_rules(lane, request)
        finally:
            lane.open_tickets -= 1
        if not isinstance(rules, Robots):
            return []
        if rules.error is not None:
            raise rules.error.with_traceback(None)  # the same error each time: its traceback would grow
        return list(rules.sitemaps)

    async def _fetch(self, request: Request, receiver: BodyReceiver | None) -> Response | Request:
        """Fetch without redirects. A request that a `fetch` hook returns is to be fetched instead."""
        lane = self._lane_of(request)
        lane.open_tickets += 1  # the lane stays in memory between two attempts
        try:
            if self._settings.obey_robots:
                await self._check_robots(lane, request)
            answer = await self._attempts.answer(request)
            if answer is None:
                return await self._try(lane, request, receiver)
            if receiver is not None:
                receiver.reset()
                await receiver.finish(answer)
            return answer
        finally:
            lane.open_tickets -= 1

    async def _try(self, lane: Lane, request: Request, receiver: BodyReceiver | None) -> Response | Request:
        """Make attempts until one has a definitive response or another request, or no further one is allowed."""
        pending = Pending((0, 0), request, lane.name)
        while True:  # noqa: ASYNC913 - each turn makes an attempt
            ticket = self._frontier.inline_ticket(lane, request, self._clock(), pending)
            result: Response | Request | Retry | RequestError
            try:
                result = await self._attempt(ticket, receiver)
            except WouldExceedDeadline:
                raise
            except RequestError as error:
                result = error
            now = self._clock()
            decision = decide(result, Facts.of(ticket, pending.attempts + 1, now, sender="inline"), self._policy, now)
            match decision:
                case Page(response):
                    return response
                case Follow(target):
                    return target
                case Fail(why, filtered_by=by):
                    if by:
                        self._stats.filter(by, request.url)
                    raise why
                case Again(reason, wait):
                    pending.book(reason)
                    self._slots.check(wait or 0.0, self._patience(lane), lane, request)
                    await trio.sleep(wait or 0.0)

    async def _attempt(self, ticket: InlineTicket, receiver: BodyReceiver | None) -> Response | Request | Retry:
        """Make one attempt. Whatever has no response raises `RequestError`."""
        if receiver is not None:
            receiver.reset()
        result = await self._attempts.make_inline(
            ticket,
            ticket.pending.attempts + 1,
            patience=self._patience(ticket.lane),
            body=BodyHandling(receiver=receiver),
        )
        if isinstance(result, Drop):
            raise Refused(f"a plugin dropped it: {result.reason}", by="plugin", request=ticket.request)
        if isinstance(result, Response):
            result._bind(LinkFilter(agent=self._agent))  # noqa: SLF001 - not for users
            self._stats.statuses[result.status] += 1
            if receiver is not None:
                await receiver.finish(result)
        return result

    def _patience(self, lane: Lane) -> float:
        """Longest wait in the task of the caller, in seconds.

        The next start of the page's own lane may be waited for: to put the page off would only take that start from it.
        A page that was put off before waits longer, so that it succeeds one day. Outside of a page there is nothing to
        put off.
        """
        ticket = current_ticket.get()
        if ticket is None:
            return math.inf
        patience = self._settings.inline_wait * 2.0 ** min(ticket.pending.free.count("put_off"), 14)
        return patience + (lane.throttle.pacing.draw_interval() if ticket.lane is lane else 0.0)

    def _lane_of(self, request: Request) -> Lane:
        name = lane_name(request)
        lane = self._frontier.lanes.get(name)
        if lane is None:
            # in a shared crawl, it waits for its lease
            lane = self._frontier.lanes.open(name, epoch=0, head=(), more=False)
        return lane

    async def _check_robots(self, lane: Lane, request: Request) -> None:
        """Refuse a request that its robots.txt does not allow."""
        rules = await self._robots_rules(lane, request)
        if not request.ignore_robots and not rules.allows(request.url):
            error = (rules if isinstance(rules, Robots) else DISALLOW_ALL).refusal(request)
            raise error.with_traceback(None)  # it may be the same error each time: its traceback would grow

    async def _robots_rules(self, lane: Lane, request: Request) -> RobotsRules:
        """Return the rules of a request's origin. The first task that needs an unknown or expired file fetches it."""
        frontier, slots = self._frontier, self._slots
        origin = urls.origin(request.url)
        give_up_at = trio.current_time() + self._patience(lane)
        lane.robots.expire(self._clock())
        while origin not in lane.robots.rules:
            slots.check(slots.wait(lane, request), give_up_at - trio.current_time(), lane, request)
            with trio.move_on_at(give_up_at) as waiting:
                wait = slots.wait(lane, request)
                if lane.robots.pending or lane.is_full():
                    await frontier.changed.wait()
                elif wait > 0:
                    with trio.move_on_after(wait):
                        await frontier.changed.wait()
                else:
                    ticket = frontier.robots.ask(lane, origin, self._clock(), request)
                    if ticket is not None:
                        await self._robots.fetch(ticket)
                    else:  # the file is known now, or another task fetches it
                        await trio.lowlevel.checkpoint()
            if waiting.cancelled_caught and origin not in lane.robots.rules:
                raise slots.too_late(0.0, lane, request)
        return lane.robots.rules[origin]


def with_child_depth(request: Request) -> Request:
    """Return a request with the depth of a link, if it is made outside of a page or in a sink.

    A page may have said where such a request goes, so it is not a start request.
    """
    ticket = current_ticket.get()
    if request.depth == 0 and (ticket is not None or in_sink.get()):
        return copy_unchecked(request, depth=1 if ticket is None else ticket.request.depth + 1)
    return request
