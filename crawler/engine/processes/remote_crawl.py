"""`RemoteCrawl`: the running crawl, as callbacks in another process than the first one see it."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

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
    from crawler.hooks.plugin import Plugin
    from crawler.messages.exchange import Exchange
    from crawler.settings import Settings
    from crawler.spiders import Spider

__all__ = ["RemoteCrawl", "RemoteResponse", "page_number"]

page_number: ContextVar[int] = ContextVar("page_number", default=0)
"""The number of the page that this task handles."""
VALUES: Final = frozenset({"durable", "folder", "reason", "round", "runs", "stats"})
"""Attributes that the first process is asked for."""
METHODS: Final = frozenset({
    "cookies", "explain", "pause", "queue", "report_problem", "resume", "set_cookie", "set_pace", "statistics", "stop",
})  # fmt: skip
"""Methods that the first process calls while this one waits."""
REFUSED: Final = {
    "add_all": "call it in a lifespan, or add() for each request",
    "before_commit": "call it in a hook of a plugin",
    "mark_sent": "call it in a fetch hook",
    "start_soon": "call it in a lifespan",
}
"""Methods that belong to the first process, which makes attempts and commits; and what to do instead."""


class RemoteCrawl:
    """Has the attributes and methods of `crawler.hooks.plugin.Crawl`, and asks the first process."""

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

    # ---- all else ----------------------------------------------------------------------------------------------------

    @property
    def retries(self) -> RetryPolicy:
        """The policy of the settings."""
        return RetryPolicy(self.settings)

    @retries.setter
    def retries(self, _retries: RetryPolicy) -> None:
        self._refuse("retries", "set it in a lifespan")

    def __getattr__(self, name: str) -> Any:
        if name in VALUES:
            return self.ask(name)
        if name in METHODS:
            return partial(self.ask, name)
        if name in REFUSED:
            return lambda *_, **__: self._refuse(f"{name}()", REFUSED[name])
        raise AttributeError(f"a crawl has no attribute {name!r}", name=name, obj=self)

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
