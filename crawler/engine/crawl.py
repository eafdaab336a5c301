"""`RunningCrawl`: the parts of a crawl, wired once, and the face that spiders and plugins see of it."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio
import trio_util

from crawler.clock import Clock
from crawler.content import replace_surrogates
from crawler.engine.admission import Admission
from crawler.engine.attempt import Attempts
from crawler.engine.decision import Policy
from crawler.engine.inline import Inline, deepened
from crawler.engine.page import PageRunner
from crawler.engine.retries import RetryPolicy
from crawler.engine.robots import RobotsFetcher
from crawler.engine.shutdown import Shutdown
from crawler.engine.slots import Slots, current_ticket
from crawler.engine.tracebacks import user_frames
from crawler.errors import HookError
from crawler.fetch.downloader import Downloader
from crawler.frontier import Frontier
from crawler.headers import product_token
from crawler.hooks.page_effects import current_page
from crawler.hooks.plugin import Plugin
from crawler.hooks.state import State
from crawler.hooks.table import HookTable
from crawler.http.robots import Robots
from crawler.limits.registry import Limits
from crawler.messages import Request, Response
from crawler.messages.checks import parse_statuses
from crawler.scope import Scope
from crawler.settings import Settings
from crawler.spiders import Spider
from crawler.stats import Stats
from crawler.store import CookieChange, Observations, ResumeState, Store

if TYPE_CHECKING:
    import httpx

    from crawler.engine.body_dedup import BodyDeduplicator
    from crawler.fetch.auth import OriginAuth
    from crawler.fetch.proxies import Proxies

__all__ = ["RunningCrawl"]

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
        limits: throttles that are shared with other crawls and clients.
        proxies: which proxies requests go through; `None`: there are none.
        credentials: what the origins are given; `None`: nothing but what requests say.
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
        kept: ResumeState = ResumeState(),  # noqa: B008 - frozen
        limits: Limits | None = None,
        proxies: Proxies | None = None,
        credentials: OriginAuth | None = None,
    ) -> None:
        self.spider = spider
        self.plugins = tuple(plugins)
        self.table = table
        self.settings = settings
        self.store = store
        self.agent = product_token(settings.user_agent)
        """What the crawl is called by what is said to robots."""
        self.stats = Stats()
        self.clock = clock or Clock(msgspec.json.decode(kept.notes.get("clock", b"0.0"), type=float))
        self.frontier = Frontier(settings, limits=limits)
        self.began = self.clock()
        """Seconds since the epoch: when this run began."""
        self.frontier.look(self.began)
        self.shutdown = Shutdown(settings.grace, self.frontier.changed.set)
        self.admission = Admission(Scope.of(spider.allowed_domains, settings), table, spider.waypoints)
        chance = random.Random()
        self.policy = Policy(
            RetryPolicy(settings, chance),
            frozenset(parse_statuses(spider.accept_status)),
            settings.max_redirects,
            settings.follow_refresh,
        )
        self.downloader = Downloader(
            transport, settings, self.clock, proxies, credentials, networks=kept.notes.get("networks")
        )
        self.slots = Slots(self.frontier, self.clock)
        """Waiting in place."""
        self.attempts = Attempts(
            self.downloader, table, self.frontier, self.slots, self.stats, self.shutdown, self.clock
        )
        states = [State(plugin.name, kept.states.get(plugin.name)) for plugin in self.plugins]
        self._budgets: dict[str, Any] = msgspec.json.decode(kept.notes.get("budgets", b"{}"))
        self._take_up(kept, own_limits=limits is None)
        self.exhausted = "exhausted" in kept.notes
        """Whether `start()` has nothing more, in an earlier run either."""
        self.unclean = kept.unclean
        """Whether an earlier run broke off."""
        self.observed = Observations()
        """What is true of the whole crawl, and rides in the next commit."""
        self.handlers = PageRunner(spider, table, states)
        self.contents = _contents(store) if settings.dedup_content else None
        """Which bodies are known, if pages with the same one are to be left out."""
        self.robots = RobotsFetcher(self)
        self.inline = Inline(self)
        self.stages = itertools.count(1)
        """Numbers for `Store.stage`."""
        self.ended = False
        """Whether nothing more is started."""
        self.inbox: list[Request] = []
        """Requests that were added outside of any page."""
        self.added = trio_util.RepeatedEvent()
        """Set when the inbox has something."""
        self.tasks: trio.Nursery | None = None
        """Where `start_soon` starts tasks."""
        self.waiting_tasks: list[tuple[Context, Callable[..., Awaitable[object]], tuple[object, ...]]] = []
        """Tasks that were started before the crawl."""
        self._told: set[object] = set()
        for plugin, state in zip(self.plugins, states, strict=True):
            plugin.crawl, plugin.state = self, state

    def _take_up(self, kept: ResumeState, *, own_limits: bool) -> None:
        """Goes on where an earlier run left off."""
        if "stats" in kept.notes:
            self.stats.restore(kept.notes["stats"])
        self.downloader.cookies.restore(kept.cookies)
        self.frontier.limits.restore(self._budgets)
        if kept.unclean and own_limits:
            self.frontier.limits.resume(self.clock())

    @property
    def retries(self) -> RetryPolicy:
        """Whether and when a request is made again."""
        return self.policy.retries

    @retries.setter
    def retries(self, retries: RetryPolicy) -> None:
        self.policy.retries = retries

    @property
    def reason(self) -> str | None:
        """Why the crawl ends; `None` while it goes on."""
        return self.shutdown.reason

    # What spiders and plugins call

    def stop(self, reason: str) -> None:
        """Ends the crawl: nothing new is started, what is in flight may end."""
        self.shutdown.stop(replace_surrogates(str(reason)))

    def count(self, name: str, n: int = 1) -> None:
        """Adds to a counter of the report; inside a handler it is an effect of that page."""
        if not isinstance(name, str) or not isinstance(n, int):
            raise TypeError(f"count() takes a name and a whole number, not {name!r} and {n!r}")
        page = current_page.get()
        counters = self.stats.counters if page is None else page.counters
        name = replace_surrogates(name)
        counters[name] = counters.get(name, 0) + n

    def add(self, request: Request) -> None:
        """Adds a request; inside a handler it is an effect of that page."""
        if not isinstance(request, Request):
            raise TypeError(f"add() takes a Request, not {type(request).__name__}")
        page = current_page.get()
        if self.ended:
            log.warning("%s was added when the crawl had ended: it is not fetched", request.url)
        if page is not None:
            page.added.append(request)
        else:
            self.inbox.append(deepened(request))
            self.added.set()

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Starts a task beside the crawl."""
        context = copy_context()
        context.run(current_page.set, None)
        context.run(current_ticket.set, None)  # a task is no part of the page that started it
        if self.tasks is None:
            self.waiting_tasks.append((context, function, args))
        else:
            context.run(self.tasks.start_soon, function, *args)

    def start_tasks(self, nursery: trio.Nursery) -> None:
        """From now on tasks can be started; those that wait are."""
        self.tasks = nursery
        for context, function, args in self.waiting_tasks:
            context.run(nursery.start_soon, function, *args)
        self.waiting_tasks.clear()

    async def fetch(self, request: Request) -> Response:
        """Fetches now, in this task, ahead of what is queued; redirects are followed in place.

        Raises:
            RequestError: there was no answer. `WouldExceedDeadline` among them: the lane would have to be waited for
                longer than `inline_wait`, or than the deadline of the caller allows.
        """
        return await self.inline.fetch(request)

    async def sitemaps_of(self, url: str) -> list[str]:
        """The sitemaps that the robots.txt of a URL's origin names, which is asked for if it is not known yet.

        Raises:
            ValueError: `url` is no web URL.
            RequestError: there was no robots.txt to be had; that there is none (404) is an empty list.
        """
        rules = await self.inline.robots(Request(url))
        if not isinstance(rules, Robots):
            return []
        if rules.error is not None:
            raise rules.error.with_traceback(None)  # one and the same each time: it would grow
        return list(rules.sitemaps)

    # What the engine asks

    def log_failure(self, error: HookError, url: str) -> None:
        """What a handler raised: one line at ERROR for each page, its traceback once for each place that raises."""
        cause = error.__cause__
        place = (error.plugin, error.hook, type(cause), _line_of(cause))
        exc_info = None if place in self._told else user_frames(cause)
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
        guard = self.downloader.address_guard
        networks = None if guard is None else guard.take_unsaved(whole=whole)
        if networks is not None:
            observed.notes["networks"] = networks
        if started:
            observed.notes["exhausted"] = b"true"
        if whole:
            observed.notes["clock"] = msgspec.json.encode(self.clock())
        if whole and (states := self._unleased_states()):
            observed.notes["budgets"] = msgspec.json.encode(states)
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

    def _unleased_states(self) -> dict[str, Any]:
        """What is known of the budgets, which belong to no lane, and of lanes that only inline fetches use.

        The report gets to know the quotas of the budgets too.
        """
        states = self._budgets.copy()  # those that this run did not ask for stay as they were
        now = self.clock()
        for lane in self.frontier.lanes.values():
            if lane.epoch:
                states.pop(lane.name, None)
            elif lane.throttle.ready_at(now) > now or lane.throttle.policies():
                states[lane.name] = lane.state()
        for name, budget in self.frontier.budgets.by_name.items():
            states[name] = budget.throttle.state()
            self.stats.lane(name).quotas = budget.throttle.policies()
        return states


def _contents(store: Store) -> BodyDeduplicator:
    from crawler.engine.body_dedup import BodyDeduplicator  # noqa: PLC0415 - few crawls need it

    return BodyDeduplicator(store)


def _line_of(error: BaseException | None) -> tuple[str, int] | None:
    """Where an exception was raised."""
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
