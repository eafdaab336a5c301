"""Inline fetches: `await crawl.fetch(request)` runs in its caller's task, on the terms of the lane it goes to."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

import trio

from crawler import urls
from crawler.engine.decision import Again, Fail, History, decide_inline
from crawler.engine.slots import current_ticket
from crawler.errors import Refused, RequestError, WouldExceedDeadline
from crawler.frontier import Lane, RobotsRules, lane_name
from crawler.http.redirects import redirect_request
from crawler.http.robots import DISALLOW_ALL, Robots
from crawler.messages import Drop, Request, Response, Retry
from crawler.messages.link_filter import LinkFilter
from crawler.messages.request import copy_unchecked

if TYPE_CHECKING:
    from crawler.engine.crawl import RunningCrawl

__all__ = ["Inline", "deepened", "in_sink"]

in_sink: ContextVar[bool] = ContextVar("in_sink", default=False)
"""Whether this task hands items to a sink."""


class Inline:
    """Fetches in place: ahead of what is queued, not deduplicated, no page.

    Parameters:
        crawl: the parts of the running crawl.
    """

    def __init__(self, crawl: RunningCrawl) -> None:
        self._crawl = crawl

    async def fetch(self, request: Request) -> Response:
        """The answer, whatever its status; redirects are followed in place, but for those in its `accept_status`.

        Raises:
            RequestError: there was none.
        """
        crawl = self._crawl
        request = deepened(request)
        while True:
            try:
                response = await self._fetch(request)
            except Refused as error:
                if error.by == "network":
                    crawl.stats.filter("network", request.url)
                raise
            if response.status in request.accept_status:
                return response
            target = redirect_request(response, max_redirects=crawl.settings.max_redirects) or crawl.policy.refresh(
                response
            )
            if target is None:
                return response
            crawl.stats.redirects += 1
            request = target

    async def _fetch(self, request: Request) -> Response:
        lane = self._lane(request)
        lane.handed_out += 1  # it stays in memory while something is wanted of it, between two attempts too
        try:
            return await self._answer(lane, request)
        finally:
            lane.handed_out -= 1

    async def _answer(self, lane: Lane, request: Request) -> Response:
        crawl = self._crawl
        if crawl.settings.obey_robots:
            await self._heed_robots(lane, request)
        answer = await crawl.attempts.answer(request) if crawl.table.answer else None
        if answer is not None:
            return answer
        history = History(request=request, attempts=0)
        while True:
            history.attempts += 1
            result: Response | Retry | RequestError
            try:
                result = await self._attempt(lane, request, history.attempts)
            except WouldExceedDeadline:
                raise
            except RequestError as error:
                result = error
            decision = decide_inline(result, history, crawl.retries, crawl.clock())
            if isinstance(decision, Again) and decision.counts == "stale":
                history.stale += 1
                history.attempts -= 1
            elif isinstance(decision, Again):
                wait = decision.wait or 0.0
                crawl.slots.check(wait, self._patience(lane), lane, request)
                await trio.sleep(wait)
            elif isinstance(result, Response):
                return result
            elif isinstance(decision, Fail):
                raise decision.error

    async def _attempt(self, lane: Lane, request: Request, number: int) -> Response | Retry:
        """One attempt in the caller's task.

        Raises:
            RequestError: there was no response.
        """
        crawl = self._crawl
        result = await crawl.attempts.make_inline(lane, request, number, patience=self._patience(lane))
        if isinstance(result, Drop):
            raise Refused(f"a plugin dropped it: {result.reason}", by="plugin", request=request)
        if isinstance(result, Response):
            result._bind(LinkFilter(agent=crawl.agent))  # noqa: SLF001 - not for users
            crawl.stats.statuses[result.status] += 1
        return result

    def _patience(self, lane: Lane) -> float:
        """Seconds that may be waited in place.

        The lane of the page that is being handled may be waited for until its next start: to put the page back would
        only take that start from it. A page that was put back before waits longer, so that it gets there. Outside of
        any page there is nothing to put back.
        """
        ticket = current_ticket.get()
        if ticket is None:
            return math.inf
        patience = self._crawl.settings.inline_wait * 2.0 ** min(ticket.pending.put_offs, 14)
        return patience + (lane.throttle.pacing.draw_interval() if ticket.lane is lane else 0.0)

    def _lane(self, request: Request) -> Lane:
        name = lane_name(request)
        frontier = self._crawl.frontier
        lane = frontier.lanes.get(name)
        if lane is None:
            lane = frontier.open(name, epoch=0, head=(), more=False)
            if self._crawl.unclean:  # nobody knows when it was asked last
                lane.throttle.resume(self._crawl.began)
        return lane

    async def _heed_robots(self, lane: Lane, request: Request) -> None:
        """Refuses what a robots.txt forbids."""
        rules = await self._robots(lane, request)
        if not rules.allows(request.url):
            error = (rules if isinstance(rules, Robots) else DISALLOW_ALL).refusal(request)
            raise error.with_traceback(None)  # one that is known is raised many times, and would grow

    async def robots(self, request: Request) -> RobotsRules:
        """What the robots.txt of a request's origin says.

        Raises:
            WouldExceedDeadline: its lane would have to be waited for too long.
        """
        request = deepened(request)
        lane = self._lane(request)
        lane.handed_out += 1
        try:
            return await self._robots(lane, request)
        finally:
            lane.handed_out -= 1

    async def _robots(self, lane: Lane, request: Request) -> RobotsRules:
        """A file that is not known yet, or not any more, is asked for once, by whoever wants it first."""
        crawl = self._crawl
        origin = urls.origin(request.url)
        give_up_at = trio.current_time() + self._patience(lane)
        lane.expire(crawl.clock())
        while origin not in lane.robots:
            crawl.slots.check(crawl.slots.wait(lane, request), give_up_at - trio.current_time(), lane, request)
            with trio.move_on_at(give_up_at) as waiting:
                wait = crawl.slots.wait(lane, request)
                if lane.asks or lane.is_full():
                    await crawl.frontier.changed.wait()
                elif wait > 0:
                    with trio.move_on_after(wait):
                        await crawl.frontier.changed.wait()
                else:
                    ticket = crawl.frontier.ask_robots(lane, origin, crawl.clock(), request)
                    if ticket is not None:
                        await crawl.robots.ask(ticket)
                    else:  # it is known, or somebody else asks
                        await trio.lowlevel.checkpoint()
            if waiting.cancelled_caught and origin not in lane.robots:
                raise crawl.slots.too_late(0.0, lane, request)
        return lane.robots[origin]


def deepened(request: Request) -> Request:
    """A request as it counts: of one that is made beside a page, or in a sink, a page may have said where it goes."""
    ticket = current_ticket.get()
    if request.depth == 0 and (ticket is not None or in_sink.get()):
        return copy_unchecked(request, depth=1 if ticket is None else ticket.request.depth + 1)
    return request
