"""`Plugin`: the one page to read for writing one.

A plugin is a class with methods named after what happens. Override those you need; the others cost nothing. ``None``
means "no opinion", everywhere. What a hook wants is told by what it returns, never by an exception: an exception is a
failure, as each hook says. A spider is a plugin too: the first one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from crawler.hooks.state import State
    from crawler.messages import Drop, Failure, Item, Pause, Produced, Request, Response, Retry, Row, Stop, Usage
    from crawler.settings import Settings
    from crawler.stats import Stats

__all__ = ["Crawl", "Plugin", "Send"]

Send = "Callable[[Request], Awaitable[Response]]"
"""The rest of the way to the server, as the hook `fetch` gets it."""


class Crawl(Protocol):
    """The running crawl, as `plugin.crawl` and `spider.crawl`."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""

    @property
    def stats(self) -> Stats:
        """What has been counted so far."""

    retries: Any
    """The `RetryPolicy` in force: a `lifespan` may put another in its place."""

    @property
    def spider(self) -> Any:
        """The spider."""

    @property
    def plugins(self) -> Sequence[Plugin]:
        """The spider and the plugins, in their order."""

    def clock(self) -> float:
        """Now, in seconds since the epoch, by the clock of the crawl: virtual in tests."""

    @property
    def reason(self) -> str | None:
        """Why the crawl ends; `None` while it goes on."""

    async def fetch(self, request: Request) -> Response:
        """Fetches now, in this task, ahead of what is queued: any status is an answer, redirects are followed.

        Raises:
            RequestError: there was no answer.
        """

    async def sitemaps_of(self, url: str) -> list[str]:
        """The sitemaps that the robots.txt of a URL's origin names, as absolute URLs.

        The file is asked for as any other, once, if it is not known yet: also where `obey_robots` is off.

        Raises:
            ValueError: `url` is no web URL.
            RequestError: the file could not be had (5xx, 429, no connection); that there is none is an empty list.
        """

    def add(self, request: Request) -> None:
        """Adds a request to the crawl; inside a handler it is an effect of that page."""

    def count(self, name: str, n: int = 1) -> None:
        """Adds `n` to a counter of the report; inside a handler it is an effect of that page."""

    def stop(self, reason: str) -> None:
        """Ends the crawl: nothing new is started, what is in flight may end."""

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Starts a task beside the crawl; it is cancelled when the crawl ends, and its error ends the crawl."""


class Plugin:
    """Base of all plugins. Its constructor's arguments are its options, converted by their annotations."""

    name: str = ""
    """Names the plugin in options, reports and stored state; unique. Default: the class name in small letters."""
    crawl: Crawl
    """The running crawl; set before `lifespan`."""
    resumes: bool = False
    """Whether an earlier run of the same job has called `persist`; set before `lifespan`."""
    position: Any = None
    """What `persist` last gave back, as the job kept it: what was written behind it has to be cut off. Set before
    `lifespan`; a sink that writes something there may set it anew."""
    state: State
    """JSON values that are the plugin's own: what a handler changes counts only if its page succeeds."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.get("name"):
            cls.name = cls.__name__.lower()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Around the whole crawl: open before, close after. If it raises, the crawl does not start, or fails."""
        yield

    def admit(self, request: Request) -> Request | Drop | None:
        """Before a request enters the frontier: change it or drop it. If it raises, that request fails."""
        return None

    async def answer(self, request: Request) -> Response | None:
        """Before any lane or pace: an answer without the network, as of a cache. If it raises, the request fails."""
        return None

    async def fetch(self, request: Request, send: Any) -> Response | Retry | Drop | None:
        """Around one attempt: `await send(request)` once at most. First listed is outermost. Raising fails the attempt.

        ``None`` means that it was not handled here: the next one is asked.
        """
        return None

    def parse(self, response: Response) -> Produced:
        """The content of every page: yields items and requests. If it raises, that page fails."""
        return None

    async def refine(self, item: Item, response: Response) -> Item | Drop | None:
        """Item by item, before it is kept: change it or drop it. If it raises, that page fails."""
        return None

    async def persist(self, batch: Sequence[Row]) -> Any:
        """Committed items, in a task of its own. Its result is the position to resume from.

        If it raises it is asked again after a while, then the crawl ends, resumable.
        """
        return None

    def measure(self, usage: Usage) -> Pause | Stop | None:
        """After every attempt and on quota events; the strictest answer wins. If it raises, the crawl fails."""
        return None

    async def failed(self, failure: Failure) -> Produced:
        """After the last attempt: may produce like a callback. If it raises, that is logged."""
        return None
