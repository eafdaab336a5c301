"""Asking for a robots.txt: a state of its lane, that one request at a time finds out (RFC 9309 section 2.3)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import attrs

from crawler.engine.decision import Again, History, bad_status, decide_robots_error
from crawler.errors import BadStatus, HookError, Refused, RequestError
from crawler.frontier import Ticket, lane_name
from crawler.http.redirects import redirect_request
from crawler.http.robots import DISALLOW_ALL, MAX_ROBOTS_SIZE, ROBOTS_MAX_AGE, Robots
from crawler.messages import Drop, Response, Retry
from crawler.messages.request import copy_unchecked
from crawler.store import RobotsAnswer

if TYPE_CHECKING:
    from crawler.engine.crawl import RunningCrawl

__all__ = ["RobotsFetcher"]

HOPS: Final = 5
"""Redirects of a robots.txt that are followed (RFC 9309 section 2.3.1.2)."""
AGAIN: Final = 3_600.0
"""Seconds after which a robots.txt that could not be had is asked for again, if anybody still wants it."""
LEAST: Final = 2
"""Requests that start between two fetches of a robots.txt, however slow their lane is."""
LEAST_WITHOUT: Final = 8
"""As many where it could not be had: it takes several attempts."""
log = logging.getLogger("crawler.engine")


class RobotsFetcher:
    """Finds out what a robots.txt says.

    Parameters:
        crawl: the parts of the running crawl.
    """

    def __init__(self, crawl: RunningCrawl) -> None:
        self._crawl = crawl

    async def ask(self, ticket: Ticket) -> None:
        """Asks for the robots.txt of `ticket.robots`; tells the frontier, or puts the ticket back until later."""
        settled = False
        try:
            wait = await self._ask(ticket)
            settled = True
        finally:
            if not settled:
                self._crawl.frontier.put_back(ticket)
        if wait is not None:
            self._crawl.frontier.put_back(ticket, self._crawl.clock() + wait)

    async def _ask(self, ticket: Ticket) -> float | None:
        """Seconds until it is asked for again; `None`: the frontier knows."""
        crawl = self._crawl
        request = ticket.request
        rules: Robots | None = None
        error: RequestError
        try:
            result = await self._answer(ticket)
            if isinstance(result, Response):
                rules = Robots.from_response(result.status, result.body, crawl.settings.user_agent, request.url)
                error = bad_status(result, crawl.clock())
                if rules is not None:
                    body = result.body[: MAX_ROBOTS_SIZE + 1]  # one more tells that it was cut off
                    crawl.observed.robots.append(RobotsAnswer(ticket.robots, result.status, body, crawl.clock()))
            else:
                error = RequestError(f"still to be retried: {result.reason}", request=request)
                error.retryable, error.retry_after = True, result.after
        except RequestError as raised:
            error = raised
        age, least = ROBOTS_MAX_AGE, LEAST
        if rules is None:
            history = History(request=request, attempts=ticket.pending.attempts + 1)
            decision = decide_robots_error(error, history, crawl.retries)
            if isinstance(decision, Again):
                return decision.wait
            if isinstance(decision.error, HookError):
                crawl.log_failure(decision.error, request.url)
            rules, age, least = self._without(ticket, decision.error), AGAIN, LEAST_WITHOUT
        if not crawl.settings.obey_robots:  # somebody wanted to know its sitemaps
            rules = attrs.evolve(rules, delay=None)
        crawl.frontier.know_robots(ticket, rules, crawl.clock() + age, least)
        return None

    @staticmethod
    def _without(ticket: Ticket, error: RequestError) -> Robots:
        """What counts where a file cannot be had: its last copy, else nothing may be fetched (section 2.3.1.4)."""
        old = ticket.lane.stale.get(ticket.robots)
        if isinstance(old, Robots) and old.error is None:
            log.warning("%s cannot be had (%s): what it said before counts", ticket.request.url, error)
            return old
        level = logging.INFO if isinstance(error, Refused) else logging.WARNING  # pages may name any number of those
        log.log(level, "%s cannot be had (%s): nothing of that origin is fetched", ticket.request.url, error)
        return attrs.evolve(DISALLOW_ALL, error=error)

    async def _answer(self, ticket: Ticket) -> Response | Retry:
        """The answer behind its redirects; each hop keeps the pace of the lane that it goes to."""
        crawl = self._crawl
        attempts = crawl.attempts
        answer = await attempts.make(ticket, ticket.pending.attempts + 1, cut=MAX_ROBOTS_SIZE)
        for _ in range(HOPS):
            if not isinstance(answer, Response):
                break
            try:
                target = redirect_request(answer, max_redirects=HOPS)
            except BadStatus:  # it leads nowhere
                break
            if target is None:
                break
            lane = crawl.frontier.lanes.get(lane_name(copy_unchecked(target, lane=None)))
            answer = await attempts.make_inline(lane or ticket.lane, target, 1, cut=MAX_ROBOTS_SIZE)
        return Retry(answer.reason) if isinstance(answer, Drop) else answer
