"""`Crawl`: the running crawl, as spiders and plugins see it: `self.crawl`.

What most need is here; `crawl.control`, `crawl.job` and `crawl.cookies` have the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from crawler.hooks.crawl_statistics import CrawlStatistics, UrlFacts
    from crawler.hooks.plugin import Plugin
    from crawler.http.cookies import Cookie
    from crawler.losses.find import Loss
    from crawler.messages import Receive, Request, Response
    from crawler.settings import Settings
    from crawler.stats import RunRecord, Stats

__all__ = ["Crawl", "CrawlControl", "CrawlCookies", "CrawlJob"]


class Crawl(Protocol):
    """The running crawl: `plugin.crawl` and `spider.crawl`."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""

    @property
    def stats(self) -> Stats:
        """The counts so far."""

    @property
    def spider(self) -> Any:
        """The spider."""

    @property
    def plugins(self) -> Sequence[Plugin]:
        """The spider and the plugins, in hook order."""

    @property
    def reason(self) -> str | None:
        """Why the crawl is stopped, such as ``max_pages``; `None` while it runs, and if no request is left."""

    @property
    def control(self) -> CrawlControl:
        """What users of a running crawl see and change: pauses, paces, queues, statistics, the retry policy."""

    @property
    def job(self) -> CrawlJob:
        """What is kept of the crawl: its folder, its runs, what belongs to its next commit."""

    @property
    def cookies(self) -> CrawlCookies:
        """The cookies of all sessions."""

    def clock(self) -> float:
        """Return the time in seconds since the epoch, by the clock of the crawl: virtual in tests."""

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

    def add(self, requests: Request | Iterable[Request]) -> None:
        """Add a request to the crawl, or many. Inside a handler they are an effect of that page.

        Outside of a handler, at most 100 requests of an iterable at a time are made while the crawl runs, which does
        not end before that. Call it in a `lifespan`, in each run of a job: requests that the crawl has seen are left
        out.
        """

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a counter of the report. Inside a handler it is an effect of that page."""

    def stop(self, reason: str) -> None:
        """End the crawl: start no further request, and let those in flight finish."""

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a background task. It is cancelled when the crawl ends; an exception in it ends the crawl."""


class CrawlControl(Protocol):
    """What users of a running crawl see and change: `crawl.control`."""

    retries: Any
    """The `RetryPolicy` in force. A `lifespan` may replace it."""

    def statistics(self) -> CrawlStatistics:
        """Return how much is in flight and waiting, and what each limit allows."""

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

    def mark_sent(self) -> None:
        """Count the current attempt as sent, for a `fetch` hook that reaches the server without `send`.

        Call it right before the request goes out. The start then counts in the pace and the quotas of the lane, which
        learn from the response that the hook returns; without it, a plugin has answered, and the start is refunded.

        Raises:
            RuntimeError: It was not called by a `fetch` hook.
        """


class CrawlJob(Protocol):
    """What is kept of a crawl: `crawl.job`. A crawl without a job has one, too, in memory."""

    @property
    def durable(self) -> bool:
        """Whether the crawl is a durable job, which keeps the states of plugins."""

    @property
    def folder(self) -> Path | None:
        """The folder of the durable job; `None` without one. A plugin may keep files of its own there."""

    @property
    def round(self) -> int:
        """Number of times that the crawl has begun: 1, and one more when a finished job begins again (`repeats`)."""

    @property
    def runs(self) -> Sequence[RunRecord]:
        """The earlier runs of the job in their order, the last thousand at most; empty without a job."""

    def before_commit(self, function: Callable[[list[Any]], object], value: object) -> None:
        """Call ``function([value, …])`` right before the current request is settled, if it is.

        Changes that the function makes to the `State` of a plugin belong to the same commit. The function gets the
        values of all requests of the commit at once, must not be async, and an exception in it ends the crawl. The call
        does not happen if the request is interrupted; a resumed job then sends it again. Outside of a request, and for
        a robots.txt, the next commit counts.
        """

    @property
    def problems(self) -> Sequence[str]:
        """What plugins have reported so far."""

    def losses(self, ending: str = "", *, share: float | None = None, least: int = 10) -> Sequence[Loss]:
        """Return what the crawl has lost so far, judged from its counts.

        Parameters:
            ending: Why the crawl has ended, as in `Report.finished`; empty while it runs.
            share: Share of a class of pages that must be lost, from 0 to 1. Default: the setting `problem_share`.
            least: Number of pages that must be lost.
        """

    def report_problem(self, text: str, error: BaseException | None = None) -> None:
        """Log that the result of the crawl is not acceptable, and add it to the report: the exit code becomes 1.

        Parameters:
            text: What is not.
            error: The cause, whose traceback is logged.
        """


class CrawlCookies(Protocol):
    """The cookies of all sessions of a crawl: `crawl.cookies`."""

    def matching(self, url: str, *, session: str = "") -> Sequence[Cookie]:
        """Return the cookies that a request for a URL is sent with, those of settings and requests aside.

        Parameters:
            url: An absolute http or https URL.
            session: The name of the session.

        Raises:
            ValueError: `url` is not an http or https URL.
        """

    def set(self, url: str, cookie: str, *, session: str = "") -> None:
        """Keep a cookie as if a response had set it. Later requests of the session send it, also in a resumed job.

        Parameters:
            url: A URL of the site.
            cookie: The value of a ``Set-Cookie`` field, such as ``sid=31d4d96e; Path=/``. An invalid one has no effect.
            session: Name of the cookie session.

        Raises:
            ValueError: `url` is not an http or https URL.
        """
