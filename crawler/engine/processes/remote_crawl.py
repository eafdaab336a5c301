"""`RemoteCrawl`: the running crawl, as callbacks in another process than the first one see it."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from crawler.clock import Clock
from crawler.decision.retry_policy import RetryPolicy
from crawler.engine.processes.channel import receive_now, send_now
from crawler.engine.processes.errors import unpack_error
from crawler.engine.processes.packing import unpack_response
from crawler.engine.processes.wire import ENCODER, FROM_FIRST, Call, pack, unpack
from crawler.headers import product_token
from crawler.hooks.crawl import CrawlControl, CrawlCookies, CrawlJob
from crawler.hooks.page_effects import PageEffects, check_counter, current_page
from crawler.messages import Receive, Request, Response
from crawler.messages.page_links import LinkFilter

if TYPE_CHECKING:
    from crawler.hooks.plugin import Plugin
    from crawler.messages.exchange import Exchange
    from crawler.settings import Settings
    from crawler.spiders import Spider
    from crawler.stats import Stats

__all__ = ["RemoteCrawl", "RemoteResponse", "page_number"]

page_number: ContextVar[int] = ContextVar("page_number", default=0)
"""The number of the page that this task handles."""
REFUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "control": {"mark_sent": "call it in a fetch hook"},
    "job": {"before_commit": "call it in a hook of a plugin"},
}
"""Methods of the parts of a crawl that belong to an attempt or a commit, which the first process makes."""


class RemoteCrawl:
    """Has the attributes and methods of `crawler.hooks.crawl.Crawl`, and asks the first process."""

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
        self.control: Any = _Part(self, "control", CrawlControl, REFUSED["control"])
        self.job: Any = _Part(self, "job", CrawlJob, REFUSED["job"])
        self.cookies: Any = _Part(self, "cookies", CrawlCookies, {})
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

    def refuse(self, what: str, advice: str) -> NoReturn:
        """Raise `RuntimeError`: only the first process can do that."""
        message = f"crawl.{what} cannot be used in a callback with the setting processes={self.settings.processes}"
        raise RuntimeError(f"{message}: {advice}, or set processes=1")

    # ---- effects of a page -------------------------------------------------------------------------------------------

    def add(self, requests: Request | Iterable[Request]) -> None:
        """Add requests to the crawl: an effect of the page."""
        effects = current_page.get() or PageEffects()
        effects.add(requests)
        if current_page.get() is None:
            self.ask("add", effects.added)

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a counter of the report: an effect of the page."""
        name, page = check_counter(name, n), current_page.get()
        if page is None:
            self.ask("count", name, n)
        else:
            page.counters[name] = page.counters.get(name, 0) + n

    # ---- fetches -----------------------------------------------------------------------------------------------------

    async def fetch(self, request: Request, *, receive: Receive | None = None) -> Response:
        """Return the response to a request, which the first process fetches."""
        if not isinstance(request, Request):
            raise TypeError(f"fetch() takes a Request, as in fetch(Request({str(request)!r})), not {request!r:.80}")
        if receive is not None:
            self.refuse("fetch(receive=…)", "leave out receive")
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
    def reason(self) -> str | None:
        """Why the crawl ends; `None` while it runs."""
        return self.ask("reason")  # type: ignore[no-any-return]

    def stop(self, reason: str) -> None:
        """End the crawl."""
        self.ask("stop", reason)

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Refuse: a task would end with its process."""
        self.refuse("start_soon()", "call it in a lifespan")


class _Part:
    """`crawl.control`, `crawl.job` or `crawl.cookies`: the first process is asked, or the call refused."""

    def __init__(self, crawl: RemoteCrawl, name: str, kind: type, refused: Mapping[str, str]) -> None:
        vars(self).update(_crawl=crawl, _name=name, _kind=kind, _refused=refused)

    def __getattr__(self, name: str) -> Any:
        if name == "retries":
            return RetryPolicy(self._crawl.settings)
        if name in self._refused:
            return partial(self._refuse, name)
        if name not in self._kind.__dict__:
            raise AttributeError(f"crawl.{self._name} has no attribute {name!r}")
        asked = f"{self._name}.{name}"
        return partial(self._crawl.ask, asked) if callable(self._kind.__dict__[name]) else self._crawl.ask(asked)

    def __setattr__(self, name: str, value: object) -> None:
        self._crawl.refuse(f"{self._name}.{name}", "set it in a lifespan")

    def _refuse(self, name: str, *_: object) -> None:
        self._crawl.refuse(f"{self._name}.{name}()", self._refused[name])


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
