"""`RunningCrawl`: the parts of a crawl, wired once, and the face that spiders and plugins see of it."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import trio
import trio_util

from crawler import urls
from crawler.engine.admission import Admission
from crawler.engine.attempt import Attempts, RetryPolicy
from crawler.engine.clock import Clock
from crawler.engine.handlers import Handlers
from crawler.engine.shutdown import Shutdown
from crawler.errors import CrawlFailed, HookError, Refused, RequestError, WouldExceedDeadline
from crawler.fetch.downloader import Downloader
from crawler.fetch.redirects import redirected
from crawler.fetch.robots import DISALLOW_ALL, Robots
from crawler.frontier import Frontier, Lane, Pending, Ticket, lane_name
from crawler.hooks.page import current_page
from crawler.hooks.plugin import Plugin
from crawler.hooks.state import State
from crawler.hooks.table import HookTable
from crawler.messages import Pause, Request, Response, Stop, Usage
from crawler.scope import Scope
from crawler.settings import Settings
from crawler.spiders import Spider
from crawler.stats import Stats
from crawler.store import CookieChange, Kept, Observations, Outcome, Store

if TYPE_CHECKING:
    import httpx

__all__ = ["RunningCrawl"]

ROBOTS_HOPS: Final = 5
"""Redirects of a robots.txt that are followed (RFC 9309 section 2.3.1.2)."""
MOST_PLACES: Final = 1000
"""Places that raise whose traceback is remembered as told."""
log = logging.getLogger("crawler.engine")


class RunningCrawl:
    """A crawl while it runs; what plugins know as `self.crawl` (see `crawler.hooks.plugin.Crawl`).

    Parameters:
        spider: what it is about.
        plugins: the spider first, then the others.
        table: their hooks.
        settings: all layers merged.
        store: the truth.
        transport: any httpx transport.
        clock: the clock to go by, where several crawls share one.
        kept: what the store has kept of an earlier run.
    """

    def __init__(
        self,
        spider: Spider,
        plugins: Sequence[Plugin],
        table: HookTable,
        settings: Settings,
        store: Store,
        transport: httpx.AsyncBaseTransport,
        clock: Clock | None = None,
        kept: Kept = Kept(),  # noqa: B008 - frozen
    ) -> None:
        self.spider = spider
        self.plugins = tuple(plugins)
        self.table = table
        self.settings = settings
        self.store = store
        self.stats = Stats()
        self.clock = clock or Clock()
        self.frontier = Frontier(settings)
        self.shutdown = Shutdown(settings.grace, self.frontier.changed.set)
        self.admission = Admission(Scope(spider.allowed_domains, settings.max_depth), table)
        chance = random.Random()
        self.retries = RetryPolicy(settings, chance)
        self.downloader = Downloader(transport, settings, self.clock)
        self.attempts = Attempts(self.downloader, table, self.clock)
        states = [State(plugin.name, kept.states.get(plugin.name)) for plugin in self.plugins]
        if "stats" in kept.notes:
            self.stats.restore(kept.notes["stats"])
        self.downloader.cookies.restore(kept.cookies)
        self.exhausted = "exhausted" in kept.notes
        """Whether `start()` has nothing more, in an earlier run either."""
        self.unclean = kept.unclean
        """Whether an earlier run broke off."""
        self.observed = Observations()
        """What is true of the whole crawl, and rides in the next commit."""
        self.handlers = Handlers(spider, table, states)
        self.inbox: list[Request] = []
        """Requests that were added outside of any page."""
        self.added = trio_util.RepeatedEvent()
        """Set when the inbox has something."""
        self.tasks: trio.Nursery | None = None
        """Where `start_soon` starts tasks."""
        self._told: set[object] = set()
        self._accepted = frozenset(spider.accept_status)
        for plugin, state in zip(self.plugins, states, strict=True):
            plugin.crawl, plugin.state = self, state

    @property
    def reason(self) -> str | None:
        """Why the crawl ends; `None` while it goes on."""
        return self.shutdown.reason

    # What spiders and plugins call

    def stop(self, reason: str) -> None:
        """Ends the crawl: nothing new is started, what is in flight may end."""
        self.shutdown.stop(reason)

    def count(self, name: str, n: int = 1) -> None:
        """Adds to a counter of the report; inside a handler it is an effect of that page."""
        page = current_page.get()
        counters = self.stats.counters if page is None else page.counters
        counters[name] = counters.get(name, 0) + n

    def add(self, request: Request) -> None:
        """Adds a request; inside a handler it is an effect of that page."""
        page = current_page.get()
        if page is not None:
            page.added.append(request)
        else:
            self.inbox.append(request)
            self.added.set()

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Starts a task beside the crawl."""
        if self.tasks is None:
            raise RuntimeError("the crawl does not run")
        self.tasks.start_soon(function, *args)

    async def fetch(self, request: Request) -> Response:
        """Fetches now, in this task, ahead of what is queued; redirects are followed in place.

        Raises:
            RequestError: there was no answer. `WouldExceedDeadline` among them: the lane would have to be waited for
                longer than `inline_wait`, or than the deadline of the caller allows.
        """
        while True:
            response = await self._fetch_inline(request)
            target = redirected(response, most=self.settings.max_redirects)
            if target is None:
                return response
            request = target

    # Inline fetches

    async def _fetch_inline(self, request: Request) -> Response:
        lane = self._lane(request)
        if self.settings.obey_robots:
            await self._ask_robots(lane, request)
        answer = await self.attempts.answer(request) if self.table.answer else None
        if answer is not None:
            return answer
        for attempt in range(1, (request.attempts or self.settings.attempts) + 1):
            try:
                response = await self._turn(lane, request, attempt)
                error: RequestError = self.attempts.bad_status(response)
                if not error.retryable:
                    return response
            except WouldExceedDeadline:
                raise
            except RequestError as raised:
                response, error = None, raised
            wait = self.retries.wait(request, attempt, error)
            if wait is None:
                break
            self._must_fit(wait, lane, request)
            await trio.sleep(wait)
        if response is None:
            raise error
        return response

    async def _turn(self, lane: Lane, request: Request, attempt: int) -> Response:
        """One attempt in the caller's task: its place in the pace is taken at once, then waited for."""
        now = self.clock()
        wait = max(0.0, lane.next_start - now, lane.blocked_until - now, *(r.ready_at() - now for r in lane.rates))
        self._must_fit(wait, lane, request)
        ticket = Ticket(Pending((0, 0), request, lane.name), lane, lane.epoch, now + wait, page=False)
        lane.handed_out += 1
        lane.take_pace(ticket)
        try:
            if wait:
                await trio.sleep(wait)
            await lane.limiter.acquire_on_behalf_of(ticket)
            ticket.holds = True

            def sent() -> None:
                ticket.sent = True

            answer = await self.attempts.send(request, attempt, sent, paced=lane.paced())
            if not isinstance(answer, Response):
                raise Refused(f"a plugin gave no answer: {answer.reason}", by="plugin", request=request)
            self.stats.requests += 1
            self.stats.statuses[answer.status] += 1
            self.stats.lane(lane.name).requests += 1
            return answer
        finally:
            if not ticket.sent:
                lane.give_back_pace(ticket)
            self.frontier.settle(ticket)

    def _must_fit(self, wait: float, lane: Lane, request: Request) -> None:
        """Fails at once if waiting in place would take too long."""
        deadline = trio.current_effective_deadline()
        if wait > self.settings.inline_wait or trio.current_time() + wait >= deadline != math.inf:
            raise WouldExceedDeadline(
                f"{lane.name} has to be waited for {wait:.1f} s",
                retry_at=self.clock() + wait,
                scope=lane.name,
                request=request,
            )

    def _lane(self, request: Request) -> Lane:
        name = lane_name(request)
        lane = self.frontier.lanes.get(name)
        return lane if lane is not None else self.frontier.open(name, epoch=0, head=(), more=False)

    async def _ask_robots(self, lane: Lane, request: Request) -> None:
        """Refuses what a robots.txt forbids; one that is not known yet is fetched in place."""
        origin = urls.origin(request.url)
        rules = lane.robots.get(origin)
        if rules is None:
            response = await self._turn(lane, Request(origin + "/robots.txt", lane=lane.name), 1)
            rules = Robots.of(response.status, response.body, self.settings.user_agent) or DISALLOW_ALL
            lane.robots[origin] = rules
        if not rules.allows(request.url):
            raise Refused(f"robots.txt of {origin} forbids it", by="robots", request=request)

    # What the engine asks

    def accepts(self, response: Response) -> bool:
        """Whether a response reaches its callback."""
        status = response.status
        own = response.request.accept_status
        return 200 <= status < 300 or status in own or (not own and status in self._accepted)

    async def robots_answer(self, ticket: Ticket) -> Response:
        """The answer to a request for a robots.txt, redirects followed; the token goes back when it has come."""

        def sent() -> None:
            ticket.sent = True

        async def ask(request: Request) -> Response:
            answer = await self.attempts.answer(request) if self.table.answer else None
            if answer is not None:
                return answer
            sent_answer = await self.attempts.send(
                request, ticket.pending.attempts + 1, sent, paced=ticket.lane.paced()
            )
            if not isinstance(sent_answer, Response):
                raise Refused(f"a plugin gave no answer: {sent_answer.reason}", by="plugin", request=request)
            self.stats.requests += 1
            self.stats.lane(ticket.lane.name).requests += 1
            return sent_answer

        try:
            response = await ask(ticket.request)
            for _ in range(ROBOTS_HOPS):
                target = redirected(response, most=ROBOTS_HOPS)
                if target is None:
                    break
                response = await ask(target)
            return response
        finally:
            self.frontier.release(ticket)

    def refused(self, lane: Lane, seconds: float) -> None:
        """A server named a time: nothing starts on its lane before."""
        until = self.clock() + min(seconds, 3600.0)
        wait = until - max(self.clock(), lane.blocked_until)
        if wait > 0:
            waited = self.stats.lane(lane.name).waited
            waited["refusal"] = waited.get("refusal", 0.0) + wait
            self.frontier.block(lane, until)

    def requests_sent(self, ticket: Ticket, outcome: Outcome) -> None:
        """Counts an attempt. At once, not at the commit: it was made whatever becomes of it."""
        if ticket.sent:
            lane = self.stats.lane(ticket.lane.name)
            self.stats.requests += 1
            lane.requests += 1
            lane.refusals += outcome.status in (429, 503)

    def log_failure(self, error: HookError, url: str) -> None:
        """What a handler raised: one line at ERROR for each page, its traceback once for each place that raises."""
        cause = error.__cause__
        place = (error.plugin, error.hook, type(cause), _line_of(cause))
        exc_info = None if place in self._told else cause
        if len(self._told) < MOST_PLACES:
            self._told.add(place)
        log.error("%s.%s failed for %s: %s", error.plugin, error.hook, url, error, exc_info=exc_info)

    def take_observed(self, *, whole: bool, started: bool) -> Observations:
        """What has been observed since the last call, and the counts so far.

        Parameters:
            whole: with the counts of the lanes.
            started: whether all start requests are in the store.
        """
        observed, self.observed = self.observed, Observations()
        observed.notes["stats"] = self.stats.to_json(lanes=whole)
        if started:
            observed.notes["exhausted"] = b"true"
        for state in self.handlers.states:
            unsaved = state.take_unsaved()
            if unsaved:
                observed.states[state.owner] = unsaved
        for session, cookie, there in self.downloader.cookies.take_changes():
            value = msgspec.json.encode(cookie) if there else None
            observed.cookies.append(
                CookieChange(session=session, domain=cookie.domain, path=cookie.path, name=cookie.name, value=value)
            )
        return observed

    def measure(self, usage: Usage) -> None:
        """Asks the `measure` hooks; the strictest answer wins."""
        pause: Pause | None = None
        for hook in self.table.measure:
            try:
                answer = hook.call(usage)
            except Exception as error:
                raise CrawlFailed(f"{hook.plugin.name}.measure failed: {error}") from error
            if isinstance(answer, Stop):
                self.shutdown.stop(answer.reason, by_limit=True)
            elif isinstance(answer, Pause) and (pause is None or answer.seconds > pause.seconds):
                pause = answer
        if pause is not None:
            lane = self.frontier.lanes.get(pause.scope or usage.lane)
            if lane is not None:
                self.frontier.block(lane, self.clock() + pause.seconds)


def _line_of(error: BaseException | None) -> tuple[str, int] | None:
    """Where an exception was raised."""
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
