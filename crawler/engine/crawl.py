"""`Crawl`: the running crawl, as spiders and plugins see it."""

from __future__ import annotations

import inspect
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextvars import Context, copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from crawler import urls
from crawler.content import replace_surrogates
from crawler.engine.attempt import current_observer
from crawler.engine.inline import with_child_depth
from crawler.engine.slots import current_ticket
from crawler.frontier.wakeup import Wakeup
from crawler.hooks.page_effects import current_page
from crawler.hooks.plugin import Plugin
from crawler.logs import get_logger
from crawler.messages import Receive, Request, Response
from crawler.redaction import redact
from crawler.settings import Settings

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.decision.decide import Policy
    from crawler.decision.retry_policy import RetryPolicy
    from crawler.engine.admission import Admission
    from crawler.engine.commit_calls import CommitCalls
    from crawler.engine.inline import Inline
    from crawler.engine.shutdown import Shutdown
    from crawler.frontier import Frontier
    from crawler.hooks.crawl_statistics import CrawlStatistics, UrlFacts
    from crawler.http.cookies import Cookie, CookieJar
    from crawler.spiders import Spider
    from crawler.stats import RunRecord, Stats
    from crawler.store import Store

__all__ = ["AddedRequests", "BackgroundTasks", "Crawl"]

SERIES_BATCH: Final = 100
"""Requests of a series that are taken together."""
log = get_logger("crawler.engine")


class AddedRequests:
    """Requests that `crawl.add` and `crawl.add_all` were given outside of a page, until the scheduler takes them."""

    def __init__(self) -> None:
        self.is_closed = False
        """Whether the crawl starts no more requests."""
        self._requests: list[Request] = []
        self._series: deque[Iterator[Request]] = deque()
        self._added = Wakeup()

    def __bool__(self) -> bool:
        return bool(self._requests or self._series)

    def add(self, request: Request) -> None:
        """Add a request, and wake the scheduler."""
        self._requests.append(request)
        self._added.set()

    def add_all(self, requests: Iterable[Request]) -> None:
        """Add requests that are made when they are taken, and wake the scheduler."""
        self._series.append(iter(requests))
        self._added.set()

    def take(self) -> list[Request]:
        """Return the requests added so far, and forget them; then the next ones of a series.

        Raises:
            TypeError: A series has something else.
        """
        requests, self._requests = self._requests, []
        if not requests and self._series:
            requests = list(itertools.islice(self._series[0], SERIES_BATCH))
            for request in requests:
                if not isinstance(request, Request):
                    raise TypeError(f"add_all() takes requests, not {type(request).__name__}: {request!r:.80}")
            if len(requests) < SERIES_BATCH:
                self._series.popleft()
        return requests

    async def wait(self) -> None:
        """Wait until a request is added."""
        await self._added.wait()


class BackgroundTasks:
    """The background tasks of a crawl. Those that are started before it has a nursery wait for that."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None
        self._waiting: list[tuple[Context, Callable[..., Awaitable[object]], tuple[object, ...]]] = []

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a task that belongs to no page."""
        context = copy_context()
        context.run(current_page.set, None)
        context.run(current_ticket.set, None)
        if self._nursery is None:
            self._waiting.append((context, function, args))
        else:
            context.run(self._nursery.start_soon, function, *args)

    def open(self, nursery: trio.Nursery) -> None:
        """Start the tasks that wait, and from now on each task at once, in a nursery."""
        self._nursery = nursery
        for context, function, args in self._waiting:
            context.run(nursery.start_soon, function, *args)
        self._waiting.clear()

    def close(self) -> None:
        """Stop starting tasks."""
        self._nursery = None


class Crawl:
    """A crawl while it runs: `plugin.crawl` and `spider.crawl`. See `crawler.hooks.plugin.Crawl`.

    Parameters:
        spider: The spider.
        plugins: The spider and the plugins, in hook order.
        settings: Those in force.
        stats: The counts so far.
        clock: Returns the time in seconds since the epoch.
        policy: What settings and spider say of responses.
        shutdown: Ends the crawl.
        inline: Fetches in place.
        added: Takes requests that no page made.
        tasks: Runs background tasks.
        frontier: For statistics.
        store: For statistics.
        commits: Calls functions before commits.
        admission: For `explain`.
        cookies: The cookies of all sessions.
        runs: The earlier runs of the job.
    """

    def __init__(
        self,
        *,
        spider: Spider,
        plugins: Sequence[Plugin],
        settings: Settings,
        stats: Stats,
        clock: Clock,
        policy: Policy,
        shutdown: Shutdown,
        inline: Inline,
        added: AddedRequests,
        tasks: BackgroundTasks,
        frontier: Frontier,
        store: Store,
        commits: CommitCalls,
        admission: Admission,
        cookies: CookieJar,
        runs: Sequence[RunRecord] = (),
    ) -> None:
        self.spider = spider
        self.plugins = tuple(plugins)
        self.settings = settings
        self.stats = stats
        self.clock = clock
        self.runs = tuple(runs)
        """The earlier runs of the job, in their order; empty without a job."""
        self.problems: list[str] = []
        """What plugins found to be wrong with the result."""
        self._policy = policy
        self._shutdown = shutdown
        self._inline = inline
        self._added = added
        self._tasks = tasks
        self._frontier = frontier
        self._store = store
        self._commits = commits
        self._admission = admission
        self._cookies = cookies

    @property
    def durable(self) -> bool:
        """Whether the crawl is a durable job, which keeps the states of plugins."""
        return self._store.durable

    @property
    def folder(self) -> Path | None:
        """The folder of the durable job; `None` without one."""
        return self._store.folder

    @property
    def round(self) -> int:
        """Number of times that the crawl has begun."""
        return self._store.round

    @property
    def reason(self) -> str | None:
        """Why the crawl is stopped, such as ``max_pages``; `None` while it runs, and if no request is left."""
        return self._shutdown.reason

    @property
    def retries(self) -> RetryPolicy:
        """Whether and when a request is sent again. A `lifespan` may replace it."""
        return self._policy.retries

    @retries.setter
    def retries(self, retries: RetryPolicy) -> None:
        self._policy.retries = retries

    def statistics(self) -> CrawlStatistics:
        """Return how much is in flight and waiting, what each limit allows, and what is down."""
        from crawler.engine.statistics import statistics  # noqa: PLC0415 - few crawls are asked

        return statistics(self._frontier, live=self._store.live, now=self.clock())

    async def fetch(self, request: Request, *, receive: Receive | None = None) -> Response:
        """Fetch a request now, in the calling task and ahead of the queue, and return its response.

        Parameters:
            request: The request.
            receive: Chooses the destination of each body; see `crawler.hooks.plugin.Crawl.fetch`.

        Raises:
            WouldExceedDeadline: The lane would have to be waited for longer than `inline_wait`, or than the deadline of
                the caller allows.
            RequestError: There was no complete response.
            HookError: `receive` or its writer raised an exception.
        """
        if not isinstance(request, Request):
            raise TypeError(f"fetch() takes a Request, as in fetch(Request({str(request)!r})), not {request!r:.80}")
        return await self._inline.fetch(request, receive)

    async def sitemaps_of(self, url: str) -> list[str]:
        """Return the absolute URLs of the sitemaps that the robots.txt of a URL's origin names.

        Raises:
            ValueError: `url` is not an http or https URL.
            RequestError: The robots.txt could not be fetched.
        """
        return await self._inline.sitemaps_of(url)

    def add(self, request: Request) -> None:
        """Add a request to the crawl. Inside a handler it is an effect of that page."""
        if not isinstance(request, Request):
            raise TypeError(f"add() takes a Request, not {type(request).__name__}")
        if self._added.is_closed:
            log.warning("%s was added after the crawl had ended, so it is not fetched", request.url)
        page = current_page.get()
        if page is not None:
            page.added.append(request)
        elif self._store.durable and (reason := request.unstorable()):
            raise TypeError(f"the request for {request.shown_url} cannot be stored: {reason}")
        else:
            self._added.add(with_child_depth(request))

    def add_all(self, requests: Iterable[Request]) -> None:
        """Add many requests, of which at most 100 at a time are made while the crawl runs."""
        self._added.add_all(requests)

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a counter of the report. Inside a handler it is an effect of that page."""
        if not isinstance(name, str) or not isinstance(n, int):
            raise TypeError(f"count() takes a name and a whole number, not {name!r} and {n!r}")
        page = current_page.get()
        counters = self.stats.counters if page is None else page.counters
        name = replace_surrogates(name)
        counters[name] = counters.get(name, 0) + n

    def cookies(self, url: str, *, session: str = "") -> list[Cookie]:
        """Return the cookies that a request for a URL is sent with; see `crawler.hooks.plugin.Crawl.cookies`.

        Raises:
            ValueError: `url` is not an http or https URL.
        """
        return self._cookies.matching(session, urls.normalize(url), self.clock())

    def set_cookie(self, url: str, cookie: str, *, session: str = "") -> None:
        """Keep a cookie as if a response had set it; see `crawler.hooks.plugin.Crawl.set_cookie`.

        Raises:
            ValueError: `url` is not an http or https URL.
        """
        self._cookies.store(session, urls.normalize(url), [cookie], self.clock())

    def mark_sent(self) -> None:
        """Count the current attempt as sent; see `crawler.hooks.plugin.Crawl.mark_sent`.

        Raises:
            RuntimeError: It was not called by a `fetch` hook.
        """
        observer = current_observer.get()
        if observer is None:
            raise RuntimeError("mark_sent() is for fetch hooks: it counts the request of the hook")
        observer.note_sent(trio.current_time())

    def before_commit(self, function: Callable[[list[Any]], object], value: object) -> None:
        """Call ``function([value, …])`` right before the current request is settled, if it is."""
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"before_commit() takes a plain function, not the async {function.__name__}()")
        self._commits.add(function, value)

    def stop(self, reason: str) -> None:
        """End the crawl: start no further request, and let those in flight finish."""
        if not isinstance(reason, str):
            raise TypeError(f"stop() takes the reason as text, not {reason!r}")
        self._shutdown.stop(replace_surrogates(reason))

    def pause(self, lane: str | None = None) -> None:
        """Start no further request of a lane, or of any lane (`None`), until `resume`. Requests in flight continue."""
        self._frontier.controls.pause(lane)

    def resume(self, lane: str | None = None) -> None:
        """Undo `pause` of a lane, and that of all lanes; `None` undoes every pause."""
        self._frontier.controls.resume(lane)

    def set_pace(self, lane: str, *, delay: float | None = None, concurrency: int | None = None) -> None:
        """Change the pace of a lane until the end of the run; see `crawler.hooks.plugin.Crawl.set_pace`.

        Raises:
            ValueError: The lane has no requests in memory, or a value is out of range.
        """
        given: dict[str, Any] = {"delay": delay, "per_host": concurrency}
        Settings(**{name: value for name, value in given.items() if value is not None})  # which checks the values
        if lane not in self._frontier.lanes:
            raise ValueError(f"no requests of {lane} are in memory")
        self._frontier.controls.set_pace(lane, delay=delay, concurrency=concurrency)

    def queue(self, lane: str, most: int = 100) -> list[Request]:
        """Return the requests of a lane that wait in memory, the next one first."""
        found = self._frontier.lanes.get(lane)
        return [] if found is None else [pending.request for pending in found.first(most)]

    def explain(self, url: str) -> UrlFacts:
        """Return what is known of a URL: whether it belongs to the crawl, is known, waits, and what robots.txt says.

        Raises:
            ValueError: `url` is not an http or https URL.
        """
        from crawler.engine.explain import explain  # noqa: PLC0415 - few crawls are asked

        return explain(url, self._admission, self._frontier)

    def report_problem(self, text: str) -> None:
        """Log that the result of the crawl is not acceptable, and add it to the report: the exit code becomes 1."""
        text = redact(replace_surrogates(text))
        log.error("%s", text)
        self.problems.append(text)

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a background task. It is cancelled when the crawl ends; an exception in it ends the crawl."""
        self._tasks.start_soon(function, *args)
