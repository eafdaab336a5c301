"""`RemoteCrawl`: the running crawl, as callbacks in another process than the first one see it."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from crawler.clock import Clock
from crawler.content import replace_surrogates
from crawler.decision.retry_policy import RetryPolicy
from crawler.engine.processes.channel import receive_now, send_now
from crawler.engine.processes.errors import unpack_error
from crawler.engine.processes.packing import unpack_response
from crawler.engine.processes.wire import ENCODER, FROM_FIRST, Call, pack, unpack
from crawler.headers import product_token
from crawler.hooks.page_effects import current_page
from crawler.messages import Receive, Request, Response
from crawler.messages.link_filter import LinkFilter

if TYPE_CHECKING:
    from crawler.hooks.crawl_statistics import CrawlStatistics, UrlFacts
    from crawler.hooks.plugin import Plugin
    from crawler.http.cookies import Cookie
    from crawler.messages.exchange import Exchange
    from crawler.settings import Settings
    from crawler.spiders import Spider
    from crawler.stats import RunRecord, Stats

__all__ = ["RemoteCrawl", "RemoteResponse", "page_number"]

page_number: ContextVar[int] = ContextVar("page_number", default=0)
"""The number of the page that this task handles."""


class RemoteCrawl:
    """Has the attributes and methods of `crawler.hooks.plugin.Crawl`, and asks the first process.

    Parameters:
        spider: That of this process.
        plugins: Those of this process.
        settings: Those in force.
        calls: The end of a socket for calls that block.
        call: Calls a method of the crawl of the first process by its name and awaits the result.
    """

    def __init__(
        self,
        spider: Spider,
        plugins: Sequence[Plugin],
        settings: Settings,
        calls: socket.socket,
        call: Callable[[str, tuple[object, ...]], Awaitable[Any]],
    ) -> None:
        self.spider = spider
        self.plugins = tuple(plugins)
        self.settings = settings
        self.clock = Clock()
        self._calls = calls
        self._call = call

    def ask(self, name: str, *arguments: object, **options: object) -> Any:
        """Return an attribute, or the result of a method, of the crawl in the first process. Nothing else runs."""
        call = Call(page_number.get(), 0, name, pack((arguments, options)))
        send_now(self._calls, ENCODER.encode([call]))
        answer: Any = FROM_FIRST.decode(receive_now(self._calls))[0]
        if answer.is_error:
            raise unpack_error(answer.result)
        return unpack(answer.result)

    # ---- effects of a page -------------------------------------------------------------------------------------------

    def add(self, request: Request) -> None:
        """Add a request to the crawl: an effect of the page."""
        if not isinstance(request, Request):
            raise TypeError(f"add() takes a Request, not {type(request).__name__}")
        page = current_page.get()
        if page is None:
            self.ask("add", request)
        else:
            page.added.append(request)

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a counter of the report: an effect of the page."""
        if not isinstance(name, str) or not isinstance(n, int):
            raise TypeError(f"count() takes a name and a whole number, not {name!r} and {n!r}")
        page = current_page.get()
        if page is None:
            self.ask("count", name, n)
        else:
            name = replace_surrogates(name)
            page.counters[name] = page.counters.get(name, 0) + n

    # ---- fetches -----------------------------------------------------------------------------------------------------

    async def fetch(self, request: Request, *, receive: Receive | None = None) -> Response:
        """Return the response to a request, which the first process fetches."""
        if not isinstance(request, Request):
            raise TypeError(f"fetch() takes a Request, as in fetch(Request({str(request)!r})), not {request!r:.80}")
        if receive is not None:
            self._refuse("fetch(receive=…)", "leave out receive")
        page, exchange = await self._call("fetch", (request,))
        response = unpack_response(page)
        response._wire = exchange  # noqa: SLF001 - not for users
        response._bind(LinkFilter(agent=product_token(self.settings.user_agent)))  # noqa: SLF001
        return response

    async def sitemaps_of(self, url: str) -> list[str]:
        """Return the sitemaps that the robots.txt of a URL's origin names."""
        found: list[str] = await self._call("sitemaps_of", (url,))
        return found

    # ---- the first process is asked ----------------------------------------------------------------------------------

    @property
    def stats(self) -> Stats:
        """A copy of the counts so far."""
        return self.ask("stats")  # type: ignore[no-any-return]

    @property
    def retries(self) -> RetryPolicy:
        """The policy of the settings."""
        return RetryPolicy(self.settings)

    @retries.setter
    def retries(self, _retries: RetryPolicy) -> None:
        self._refuse("retries", "set it in a lifespan")

    @property
    def durable(self) -> bool:
        """Whether the crawl is a durable job."""
        return self.ask("durable")  # type: ignore[no-any-return]

    @property
    def folder(self) -> Path | None:
        """The folder of the durable job; `None` without one."""
        return self.ask("folder")  # type: ignore[no-any-return]

    @property
    def round(self) -> int:
        """Number of times that the crawl has begun."""
        return self.ask("round")  # type: ignore[no-any-return]

    @property
    def runs(self) -> Sequence[RunRecord]:
        """The earlier runs of the job."""
        return self.ask("runs")  # type: ignore[no-any-return]

    @property
    def reason(self) -> str | None:
        """Why the crawl ends; `None` while it runs."""
        return self.ask("reason")  # type: ignore[no-any-return]

    def statistics(self) -> CrawlStatistics:
        """Return how much is in flight and waiting, and what each limit allows."""
        return self.ask("statistics")  # type: ignore[no-any-return]

    def queue(self, lane: str, most: int = 100) -> list[Request]:
        """Return the requests of a lane that wait in memory."""
        return self.ask("queue", lane, most)  # type: ignore[no-any-return]

    def explain(self, url: str) -> UrlFacts:
        """Return what is known of a URL."""
        return self.ask("explain", url)  # type: ignore[no-any-return]

    def stop(self, reason: str) -> None:
        """End the crawl."""
        self.ask("stop", reason)

    def pause(self, lane: str | None = None) -> None:
        """Start no further request of a lane, or of any lane."""
        self.ask("pause", lane)

    def resume(self, lane: str | None = None) -> None:
        """Undo `pause`."""
        self.ask("resume", lane)

    def set_pace(self, lane: str, *, delay: float | None = None, concurrency: int | None = None) -> None:
        """Change the pace of a lane until the end of the run."""
        self.ask("set_pace", lane, delay=delay, concurrency=concurrency)

    def cookies(self, url: str, *, session: str = "") -> Sequence[Cookie]:
        """Return the cookies that a request for a URL is sent with."""
        return self.ask("cookies", url, session=session)  # type: ignore[no-any-return]

    def set_cookie(self, url: str, cookie: str, *, session: str = "") -> None:
        """Keep a cookie as if a response had set it."""
        self.ask("set_cookie", url, cookie, session=session)

    def report_problem(self, text: str) -> None:
        """Log that the result of the crawl is not acceptable."""
        self.ask("report_problem", text)

    # ---- refused -----------------------------------------------------------------------------------------------------

    def add_all(self, requests: Iterable[Request]) -> None:
        """Refuse: a series belongs to a lifespan."""
        self._refuse("add_all()", "call it in a lifespan, or add() for each request")

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Refuse: a task would end with its process."""
        self._refuse("start_soon()", "call it in a lifespan")

    def before_commit(self, function: Callable[[list[Any]], object], value: object) -> None:
        """Refuse: commits are made by the first process."""
        self._refuse("before_commit()", "call it in a hook of a plugin")

    def mark_sent(self) -> None:
        """Refuse: attempts are made by the first process."""
        self._refuse("mark_sent()", "call it in a fetch hook")

    def _refuse(self, what: str, advice: str) -> NoReturn:
        message = f"crawl.{what} cannot be used in a callback with the setting processes={self.settings.processes}"
        raise RuntimeError(f"{message}: {advice}, or set processes=1")


class RemoteResponse(Response):
    """A response whose exchange with the server is known to the first process."""

    __slots__ = ("_ask", "_number")

    def ask_for_wire(self, ask: Callable[..., Any], number: int) -> None:
        """Let `wire` ask the first process for the exchange of page `number`."""
        self._ask = ask
        self._number = number

    @property
    def wire(self) -> Exchange | None:
        """The exchange with the server."""
        return self._ask("wire", self._number) if hasattr(self, "_ask") else None
