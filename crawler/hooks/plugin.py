"""`Plugin`: the base class of plugins, and the one page to read for writing one.

A plugin is a class whose methods are named after the events of a crawl. Override the hooks you need; the others cost
nothing. The return value of a hook decides, and ``None`` means "no opinion" everywhere. An exception is always a
failure; each hook documents of what. A spider is a plugin too: the first one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from crawler.hooks.crawl_statistics import CrawlStatistics, UrlFacts
    from crawler.hooks.state import State
    from crawler.http.cookies import Cookie
    from crawler.messages import (
        Drop,
        Failure,
        Item,
        Pause,
        Produced,
        Receive,
        Request,
        Response,
        Retry,
        Row,
        Stop,
        Usage,
    )
    from crawler.settings import Settings
    from crawler.stats import RunRecord, Stats

__all__ = ["Crawl", "Plugin"]


class Crawl(Protocol):
    """The running crawl: `plugin.crawl` and `spider.crawl`."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""

    @property
    def stats(self) -> Stats:
        """The counts so far."""

    retries: Any
    """The `RetryPolicy` in force. A `lifespan` may replace it."""

    @property
    def spider(self) -> Any:
        """The spider."""

    @property
    def plugins(self) -> Sequence[Plugin]:
        """The spider and the plugins, in hook order."""

    @property
    def durable(self) -> bool:
        """Whether the crawl is a durable job, which keeps the states of plugins."""

    @property
    def runs(self) -> Sequence[RunRecord]:
        """The earlier runs of the job in their order, the last thousand at most; empty without a job."""

    @property
    def folder(self) -> Path | None:
        """The folder of the durable job; `None` without one. A plugin may keep files of its own there."""

    @property
    def round(self) -> int:
        """Number of times that the crawl has begun: 1, and one more when a finished job begins again (`repeats`)."""

    def clock(self) -> float:
        """Return the time in seconds since the epoch, by the clock of the crawl: virtual in tests."""

    @property
    def reason(self) -> str | None:
        """Why the crawl is stopped, such as ``max_pages``; `None` while it runs, and if no request is left."""

    def statistics(self) -> CrawlStatistics:
        """Return how much is in flight and waiting, and what each limit allows."""

    async def fetch(self, request: Request, *, receive: Receive | None = None) -> Response:
        """Fetch a request now, in the calling task and ahead of the queue, and return its response.

        Redirects are followed. Every status is returned, errors included.

        Parameters:
            request: The request.
            receive: Keeps large bodies out of memory. It is awaited with the status and header fields of each response,
                those of redirects, refusals and further attempts included, and returns the destination of the body: a
                `BodyWriter` gets it piece by piece as it arrives, decoded, up to `max_body` bytes; a `Drop` leaves it
                unread; `None` keeps it in `Response.body`, up to `Settings.max_body` bytes. A body that was written or
                dropped is empty in `Response.body`. Default: every body is kept.

        Raises:
            RequestError: The server sent no complete response, or the lane would have to be waited for too long.
            HookError: `receive` or its writer raised an exception, which is the cause of this one.
        """

    async def sitemaps_of(self, url: str) -> list[str]:
        """Return the absolute URLs of the sitemaps that the robots.txt of a URL's origin names.

        An unknown robots.txt is fetched once, even where `obey_robots` is off. A missing one (404) names no sitemaps.

        Raises:
            ValueError: `url` is not an http or https URL.
            RequestError: The robots.txt could not be fetched (5xx, 429, no connection).
        """

    def add(self, request: Request) -> None:
        """Add a request to the crawl. Inside a handler it is an effect of that page."""

    def add_all(self, requests: Iterable[Request]) -> None:
        """Add many requests, of which at most 100 at a time are made while the crawl runs. It does not end before that.

        Call it in a `lifespan`, in each run of a job: requests that the crawl has seen are left out.
        """

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a counter of the report. Inside a handler it is an effect of that page."""

    def cookies(self, url: str, *, session: str = "") -> Sequence[Cookie]:
        """Return the cookies that a request for a URL is sent with, those of settings and requests aside.

        Parameters:
            url: An absolute http or https URL.
            session: The name of the session.

        Raises:
            ValueError: `url` is not an http or https URL.
        """

    def set_cookie(self, url: str, cookie: str, *, session: str = "") -> None:
        """Keep a cookie as if a response had set it. Later requests of the session send it, also in a resumed job.

        Parameters:
            url: A URL of the site.
            cookie: The value of a ``Set-Cookie`` field, such as ``sid=31d4d96e; Path=/``. An invalid one has no effect.
            session: Name of the cookie session.

        Raises:
            ValueError: `url` is not an http or https URL.
        """

    def mark_sent(self) -> None:
        """Count the current attempt as sent, for a `fetch` hook that reaches the server without `send`.

        Call it right before the request goes out. The start then counts in the pace and the quotas of the lane, which
        learn from the response that the hook returns; without it, a plugin has answered, and the start is refunded.

        Raises:
            RuntimeError: It was not called by a `fetch` hook.
        """

    def before_commit(self, function: Callable[[list[Any]], object], value: object) -> None:
        """Call ``function([value, …])`` right before the current request is settled, if it is.

        Changes that the function makes to the `State` of a plugin belong to the same commit. The function gets the
        values of all requests of the commit at once, must not be async, and an exception in it ends the crawl. The call
        does not happen if the request is interrupted; a resumed job then sends it again. Outside of a request, and for
        a robots.txt, the next commit counts.
        """

    def stop(self, reason: str) -> None:
        """End the crawl: start no further request, and let those in flight finish."""

    def pause(self, lane: str | None = None) -> None:
        """Start no further request of a lane, or of any lane (`None`), until `resume`. Requests in flight continue."""

    def resume(self, lane: str | None = None) -> None:
        """Undo `pause` of a lane, and that of all lanes; `None` undoes every pause."""

    def set_pace(self, lane: str, *, delay: float | None = None, concurrency: int | None = None) -> None:
        """Change the pace of a lane until the end of the run. Limits of the server and of its robots.txt still hold.

        Parameters:
            lane: Name of the lane, which has requests.
            delay: Seconds between two starts. `None` keeps it.
            concurrency: Maximum number of requests in flight. `None` keeps it.

        Raises:
            ValueError: The lane has no requests in memory, or a value is out of range.
        """

    def queue(self, lane: str, most: int = 100) -> list[Request]:
        """Return the requests of a lane that wait in memory, the next one first."""

    def explain(self, url: str) -> UrlFacts:
        """Return what is known of a URL: whether it belongs to the crawl, is known, waits, and what robots.txt says.

        Raises:
            ValueError: `url` is not an http or https URL.
        """

    def report_problem(self, text: str) -> None:
        """Log that the result of the crawl is not acceptable, and add it to the report: the exit code becomes 1."""

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a background task. It is cancelled when the crawl ends; an exception in it ends the crawl."""


class Plugin:
    """Base class of all plugins.

    The arguments of its constructor are its options. Text from a command line or a settings file is converted by
    their annotations.
    """

    name: str = ""
    """Unique name of the plugin, used in options, reports and stored state. Default: the class name in lower case."""
    requires: ClassVar[Mapping[str, str]] = {}
    """The modules that the plugin imports when it is used, with the packages that contain them, as pip installs them:
    ``{"duckdb": "trio-crawler[duckdb]"}``. If one is missing, nothing is started."""
    guarantee: ClassVar[str] = ""
    """How often something is stored outside of the crawl, and why, in one line for the manual; empty: nothing is."""
    wants_wire: bool = False
    """Whether `Response.wire` has the coded body, too. Servers are then asked for ``gzip`` and ``deflate`` only."""
    wants_stages: bool = False
    """Whether `Response.stages` has the seconds of each stage of the exchange."""
    wraps_answers: bool = False
    """Whether `fetch` also wraps the responses of `answer` hooks: `send` returns such a response, and nothing is sent.
    For plugins that make another response of each, whether it comes from a server, a cache or an archive."""
    reports_quotas: bool = False
    """Whether the plugin reports low quotas itself, so that the crawl does not log them."""
    repeats: bool = False
    """Whether a finished job begins again in its next run. All requests are new then, and the counts begin at 0; items,
    outputs, states, cookies and limits stay."""
    crawl: Crawl
    """The running crawl. Set before `lifespan`."""
    state: State
    """JSON values of the plugin. A change made while a page is handled takes effect only if the page succeeds."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.get("name"):
            cls.name = cls.__name__.lower()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Wrap the whole crawl: acquire resources before the ``yield``, release them after it.

        An exception before the ``yield`` keeps the crawl from starting; one after it fails the crawl.
        """
        yield

    def admit(self, request: Request) -> Request | Drop | None:
        """Replace or drop a request before it enters the frontier. An exception fails the request.

        The hook sees new requests. One for a URL that the crawl has seen is left out before, unless it sets
        `dont_filter`.
        """
        return None

    async def answer(self, request: Request) -> Response | None:
        """Return a response without the network, from a cache for example. An exception fails the request.

        The hook runs before any limit applies: a request that is answered here uses up no quota.
        """
        return None

    async def fetch(self, request: Request, send: Any) -> Response | Request | Retry | Drop | None:
        """Wrap one attempt. Await ``send(request)`` at most once. An exception fails the attempt.

        ``send(request, receive=…)`` keeps the body out of memory, or ends it early, as `Crawl.fetch` does.

        A `Request` takes the place of this one, as the target of a redirect does: it is settled and the other one is
        added in the same commit, at the same depth, unless that is known. `WouldExceedDeadline` puts the request off
        until its `retry_at`, and uses up no attempt.

        The first plugin listed is the outermost. ``None`` without a call of `send` passes the request on to the next.
        """
        return None

    def parse(self, response: Response) -> Produced:
        """Yield items and requests from a page. Plugins see every page. An exception fails the page."""
        return None

    async def refine(self, item: Item, response: Response) -> Item | Drop | None:
        """Replace or drop an item before it is committed. An exception fails the page."""
        return None

    def persist(self, batch: Sequence[Row]) -> Any:
        """Store committed items, and return the position to resume from. `Sink` is the base class for this hook.

        Each sink has a task of its own. An ``async def`` runs on the event loop; a plain function runs in a worker
        thread, where it may block. If it raises, the same batch comes again after a pause; after five attempts the
        crawl fails, resumable.
        """
        return None

    def measure(self, usage: Usage) -> Pause | Stop | None:
        """React to an attempt or a quota event; the strictest result counts. An exception fails the crawl."""
        return None

    async def failed(self, failure: Failure) -> Produced:
        """Handle a request that failed for good; may yield items and requests. An exception is logged."""
        return None
