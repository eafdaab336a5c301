"""`Crawl`: the running crawl, as spiders and plugins see it; see `crawler.hooks.crawl`, which documents its members."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from crawler import urls
from crawler.content import replace_surrogates
from crawler.engine.attempt import current_observer
from crawler.engine.inline import with_child_depth
from crawler.hooks.page_effects import check_counter, check_series, current_page
from crawler.logs import get_logger
from crawler.losses.find import MIN_PAGES, Loss, find_losses
from crawler.messages import Receive, Request, Response
from crawler.redaction import redact
from crawler.settings import Settings

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.decision.decide import Policy
    from crawler.decision.retry_policy import RetryPolicy
    from crawler.engine.admission import Admission
    from crawler.engine.background import Background
    from crawler.engine.commits import CommitCalls
    from crawler.engine.inline import Inline
    from crawler.engine.shutdown import Shutdown
    from crawler.frontier import Frontier
    from crawler.hooks.crawl_statistics import CrawlStatistics, UrlFacts
    from crawler.hooks.plugin import Plugin
    from crawler.http.cookies import Cookie, CookieJar
    from crawler.spiders import Spider
    from crawler.stats import RunRecord, Stats
    from crawler.store import Store

__all__ = ["Control", "Cookies", "Crawl", "JobFacts"]

log = get_logger("crawler.engine")


class Crawl:
    """A crawl while it runs. The spider is the first of its plugins."""

    def __init__(
        self,
        plugins: Sequence[Plugin],
        settings: Settings,
        stats: Stats,
        inline: Inline,
        background: Background,
        control: Control,
        job: JobFacts,
        cookies: Cookies,
    ) -> None:
        self.plugins = tuple(plugins)
        self.spider: Spider = plugins[0]  # type: ignore[assignment]
        self.settings = settings
        self.stats = stats
        self.control = control
        self.job = job
        self.cookies = cookies
        self.clock = control.clock
        self._inline = inline
        self._background = background

    @property
    def reason(self) -> str | None:
        """Why the crawl is stopped; `None` while it runs, and if no request is left."""
        return self.control.shutdown.reason

    async def fetch(self, request: Request, *, receive: Receive | None = None) -> Response:
        """Fetch a request now, in the calling task and ahead of the queue, and return its response."""
        if not isinstance(request, Request):
            raise TypeError(f"fetch() takes a Request, as in fetch(Request({str(request)!r})), not {request!r:.80}")
        return await self._inline.fetch(request, receive)

    async def sitemaps_of(self, url: str) -> list[str]:
        """Return the absolute URLs of the sitemaps that the robots.txt of a URL's origin names."""
        return await self._inline.sitemaps_of(url)

    def add(self, requests: Request | Iterable[Request]) -> None:
        """Add requests to the crawl. Inside a handler they are an effect of that page."""
        page = current_page.get()
        if self._background.is_closed:
            late = requests.url if isinstance(requests, Request) else "a series of requests"
            log.warning("%s was added after the crawl had ended, so it is not fetched", late)
        if page is not None:
            page.add(requests)
        elif not isinstance(requests, Request):
            check_series(requests)
            self._background.add_series(requests)
        elif self.job.durable and (reason := requests.unstorable()):
            raise TypeError(f"the request for {requests.shown_url} cannot be stored: {reason}")
        else:
            self._background.add(with_child_depth(requests))

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a counter of the report. Inside a handler it is an effect of that page."""
        name, page = check_counter(name, n), current_page.get()
        counters = self.stats.counters if page is None else page.counters
        counters[name] = counters.get(name, 0) + n

    def stop(self, reason: str) -> None:
        """End the crawl: start no further request, and let those in flight finish."""
        if not isinstance(reason, str):
            raise TypeError(f"stop() takes the reason as text, not {reason!r}")
        self.control.shutdown.stop(redact(replace_surrogates(reason)))

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a background task. It is cancelled when the crawl ends; an exception in it ends the crawl."""
        self._background.start_soon(function, *args)


class Control:
    """`crawl.control`: what users of a running crawl see and change."""

    def __init__(
        self,
        frontier: Frontier,
        store: Store,
        policy: Policy,
        admission: Admission,
        clock: Clock,
        shutdown: Shutdown,
    ) -> None:
        self.clock = clock
        self.shutdown = shutdown
        self._frontier = frontier
        self._store = store
        self._policy = policy
        self._admission = admission

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

    def pause(self, lane: str | None = None) -> None:
        """Start no further request of a lane, or of any lane (`None`), until `resume`. Requests in flight continue."""
        self._frontier.lanes.pause(lane)

    def resume(self, lane: str | None = None) -> None:
        """Undo `pause` of a lane, and that of all lanes; `None` undoes every pause."""
        self._frontier.lanes.resume(lane)

    def set_pace(self, lane: str, *, delay: float | None = None, concurrency: int | None = None) -> None:
        """Change the pace of a lane until the end of the run."""
        given: dict[str, Any] = {"delay": delay, "per_host": concurrency}
        Settings(**{name: value for name, value in given.items() if value is not None})  # which checks the values
        if lane not in self._frontier.lanes:
            raise ValueError(f"no requests of {lane} are in memory")
        self._frontier.lanes.set_pace(lane, delay=delay, concurrency=concurrency)

    def queue(self, lane: str, most: int = 100) -> list[Request]:
        """Return the requests of a lane that wait in memory, the next one first."""
        found = self._frontier.lanes.get(lane)
        return [] if found is None else [pending.request for pending in found.first(most)]

    def explain(self, url: str) -> UrlFacts:
        """Return what is known of a URL: whether it belongs to the crawl, is known, waits, and what robots.txt says."""
        from crawler.engine.statistics import explain  # noqa: PLC0415 - few crawls are asked

        return explain(url, self._admission, self._frontier)

    def mark_sent(self) -> None:
        """Count the current attempt as sent, for a `fetch` hook that reaches the server without `send`."""
        observer = current_observer.get()
        if observer is None:
            raise RuntimeError("mark_sent() is for fetch hooks: it counts the request of the hook")
        observer.note_sent(trio.current_time())


class JobFacts:
    """`crawl.job`: what is kept of a crawl."""

    def __init__(
        self, store: Store, commits: CommitCalls, runs: Sequence[RunRecord], stats: Stats, settings: Settings
    ) -> None:
        self.runs = tuple(runs)
        self._problems: list[str] = []
        self._store = store
        self._commits = commits
        self._stats = stats
        self._problem_share = settings.problem_share

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
    def waiting(self) -> int:
        """Number of requests that are not settled, those in flight included."""
        return self._store.live

    def before_commit(self, function: Callable[[list[Any]], object], value: object) -> None:
        """Call ``function([value, …])`` right before the current request is settled, if it is."""
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"before_commit() takes a plain function, not the async {function.__name__}()")
        self._commits.add(function, value)

    @property
    def problems(self) -> Sequence[str]:
        """What plugins have reported so far."""
        return self._problems

    def losses(self, ending: str = "", *, share: float | None = None, least: int = MIN_PAGES) -> list[Loss]:
        """Return what the crawl has lost so far, or if it has ended for a reason."""
        return find_losses(self._stats, ending, self._problem_share if share is None else share, least)

    def report_problem(self, text: str, error: BaseException | None = None) -> None:
        """Log that the result of the crawl is not acceptable, and add it to the report: the exit code becomes 1."""
        text = redact(replace_surrogates(text))
        log.error("%s", text, exc_info=error)
        self._problems.append(text)


class Cookies:
    """`crawl.cookies`: the cookies of all sessions."""

    def __init__(self, jar: CookieJar, clock: Clock) -> None:
        self._jar = jar
        self._clock = clock

    def matching(self, url: str, *, session: str = "") -> list[Cookie]:
        """Return the cookies that a request for a URL is sent with."""
        return self._jar.matching(session, urls.normalize(url), self._clock())

    def set(self, url: str, cookie: str, *, session: str = "") -> None:
        """Keep a cookie as if a response had set it."""
        self._jar.store(session, urls.normalize(url), [cookie], self._clock())
