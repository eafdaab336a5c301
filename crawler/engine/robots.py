"""`RobotsFetcher`: fetches robots.txt files, one at a time for each lane (RFC 9309 section 2.3)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from crawler import urls
from crawler.decision.decide import bad_status, decide
from crawler.decision.decisions import Again, Fail
from crawler.decision.facts import Facts
from crawler.engine.commits import no_request
from crawler.errors import BadStatus, HookError, Refused, RequestError
from crawler.fetch.body_reader import BodyHandling
from crawler.frontier import RefusedTicket, RobotsTicket, lane_name
from crawler.http.redirects import redirect_request
from crawler.http.robots import DISALLOW_ALL, MAX_ROBOTS_SIZE, ROBOTS_MAX_AGE, Robots
from crawler.logs import get_logger
from crawler.messages import Drop, Request, Response, Retry
from crawler.messages.request import copy_unchecked, is_start_page
from crawler.store import RobotsAnswer

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.decision.decide import Policy
    from crawler.engine.attempt import Attempts
    from crawler.engine.tracebacks import ErrorLog
    from crawler.frontier import Frontier, StartTicket
    from crawler.settings import Settings

__all__ = ["RobotsFetcher"]

MAX_HOPS: Final = 5
"""Redirects of a robots.txt that are followed (RFC 9309 section 2.3.1.2)."""
log = get_logger("crawler.engine")


class RobotsFetcher:
    """Fetches robots.txt files for the frontier."""

    def __init__(
        self,
        attempts: Attempts,
        frontier: Frontier,
        policy: Policy,
        settings: Settings,
        clock: Clock,
        save: Callable[[RobotsAnswer], None],
        errors: ErrorLog,
    ) -> None:
        self._attempts = attempts
        self._frontier = frontier
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._save = save
        self._errors = errors

    async def fetch(self, ticket: RobotsTicket) -> None:
        """Fetch the robots.txt of `ticket.origin`. The frontier gets its rules, or the ticket for a later attempt."""
        done = False
        token = no_request.set(True)
        try:
            again = await self._fetch(ticket)
            done = True
        finally:
            no_request.reset(token)
            if not done:
                self._frontier.put_back(ticket)
        if again is not None:
            counts = again.reason == "attempt"
            self._frontier.robots.put_back(ticket, self._clock() + (again.wait or 0.0), counts=counts)

    async def _fetch(self, ticket: RobotsTicket) -> Again | None:
        """Return when the next attempt is due; `None` means that the frontier has the rules."""
        request, attempts = ticket.request, ticket.pending.attempts + 1
        rules: Robots | None = None
        hops: list[StartTicket] = [ticket]
        result: Response | Retry | RequestError
        try:
            result = await self._follow_redirects(hops, attempts)
        except RequestError as raised:
            result = raised
        if isinstance(result, Response):
            rules = Robots.from_response(result.status, result.body, self._settings.user_agent, request.url)
            if rules is not None:
                body = result.body[: MAX_ROBOTS_SIZE + 1]  # the last byte says that it was cut
                self._save(RobotsAnswer(ticket.origin, result.status, body, self._clock()))
            result = bad_status(result, self._clock())
        max_age, grace = ROBOTS_MAX_AGE, 2  # requests between two fetches of it, however slow their lane is
        if rules is None:
            now = self._clock()
            facts = Facts(request=request, attempts=attempts, sender="robots", outage=hops[-1].outage)
            decision = decide(result, facts, self._policy, now)
            if isinstance(decision, Again):
                return decision
            assert isinstance(decision, Fail)
            if isinstance(decision.error, HookError):
                self._errors.log(decision.error, request.url)
            rules = self._rules_without(ticket, decision.error)
            max_age, grace = 3600.0, 8  # after an hour, if a request still needs it; the attempts were several
        if not self._settings.obey_robots:  # only its sitemaps are asked for
            rules = replace(rules, delay=None)
        self._frontier.robots.resolve(ticket, rules, self._clock() + max_age, grace)
        return None

    async def _follow_redirects(self, hops: list[StartTicket], attempts: int) -> Response | Retry:
        """Return the response after redirects. Each takes a start of its lane, and is added to `hops`."""
        [ticket] = hops
        result = await self._attempts.make(ticket, attempts, body=BodyHandling(truncate_at=MAX_ROBOTS_SIZE))
        for _ in range(MAX_HOPS):
            if not isinstance(result, (Response, Request)):
                break
            try:
                target = result if isinstance(result, Request) else redirect_request(result, max_redirects=MAX_HOPS)
            except BadStatus:
                break
            if target is None:
                break
            target = copy_unchecked(target, lane=None)
            lane = self._frontier.lanes.get(lane_name(target), ticket.lane)
            hop = self._frontier.inline_ticket(lane, target, self._clock())
            hops.append(hop)
            result = await self._attempts.make_inline(hop, 1, body=BodyHandling(truncate_at=MAX_ROBOTS_SIZE))
        if isinstance(result, Request):
            return Retry(f"a plugin replaced it more than {MAX_HOPS} times")
        return Retry(result.reason) if isinstance(result, Drop) else result

    def _rules_without(self, ticket: RobotsTicket, error: RequestError) -> Robots:
        """Return the rules where a file cannot be fetched: those of its last copy, else none may (section 2.3.1.4)."""
        old = ticket.lane.robots.expired.get(ticket.origin)
        if isinstance(old, Robots) and old.error is None:
            log.warning("%s cannot be fetched (%s): its last copy is used", ticket.request.url, error)
            return old
        is_lost = old is None and not isinstance(error, Refused)
        level = logging.WARNING if is_lost and self._errors.is_first_unfetched(ticket.origin) else logging.INFO
        log.log(level, "%s cannot be fetched (%s): no page of that origin is fetched", ticket.request.url, error)
        return replace(DISALLOW_ALL, error=error)

    @staticmethod
    def refusal(ticket: RefusedTicket) -> RequestError:
        """Return the error of a request that its robots.txt does not allow."""
        rules = ticket.lane.robots.find(urls.origin(ticket.request.url))
        return (rules if isinstance(rules, Robots) else DISALLOW_ALL).refusal(ticket.request)

    @staticmethod
    def forgets_refusal(ticket: RefusedTicket) -> bool:
        """Forget rules that disallow a start page, and return whether there were any; then they are fetched again.

        A link may not open a private network, so the robots.txt that it needed was refused. A start page may.
        """
        request, origin = ticket.request, urls.origin(ticket.request.url)
        rules = ticket.lane.robots.rules.get(origin)
        error = rules.error if isinstance(rules, Robots) else None
        if not isinstance(error, Refused) or error.request is None or not is_start_page(request):
            return False
        if error.request.redirects or error.request.depth == 0:
            return False
        ticket.lane.robots.forget(origin)
        return True
