"""`Plugin`: the base class of plugins, and the one page to read for writing one.

A plugin is a class whose methods are named after the events of a crawl. Override the hooks you need; the others cost
nothing. The return value of a hook decides, and ``None`` means "no opinion" everywhere. An exception is always a
failure; each hook documents of what. A spider is a plugin too: the first one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from crawler.hooks.crawl import Crawl
    from crawler.hooks.state import State
    from crawler.messages import (
        Drop,
        Failure,
        Item,
        Pause,
        Produced,
        Request,
        Response,
        Retry,
        Row,
        Stop,
        Usage,
    )

__all__ = ["Plugin"]


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
