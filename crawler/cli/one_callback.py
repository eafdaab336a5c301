"""`run_callback`: runs one callback of a spider on one page, and follows nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from crawler.engine.api import run
from crawler.hooks.plugin import Plugin
from crawler.messages import Drop, Failure, Item, Request, Response, Row
from crawler.settings import Settings

if TYPE_CHECKING:
    import httpx

    from crawler.spiders import Spider

__all__ = ["Outcome", "run_callback"]


class Outcome(Struct, eq=False):
    """The result of a callback for one page."""

    response: Response | None = None
    """The page; `None` if there was none."""
    items: list[dict[str, Any]] = field(default_factory=list)
    """The items, as JSON values, after the plugins of the spider."""
    requests: list[Request] = field(default_factory=list)
    """The requests. None was sent."""
    failure: Failure | None = None
    """Why there is no page, or what the callback raised."""


class _Recorder(Plugin):
    """Records what the callback yields, and sends nothing but the first request."""

    name = "one callback"

    def __init__(self, first: Request) -> None:
        self.outcome = Outcome()
        self._first: Request | None = first

    def admit(self, request: Request) -> Drop | None:
        """Let the first request pass, and record the others."""
        if self._first is not None:
            self._first = None
            return None
        self.outcome.requests.append(request)
        return Drop("not followed")

    async def refine(self, item: Item, response: Response) -> Item | Drop | None:
        """Keep the page."""
        self.outcome.response = response
        return None

    def parse(self, response: Response) -> None:
        """Keep the page."""
        self.outcome.response = response

    async def persist(self, batch: Sequence[Row]) -> None:
        """Record the items."""
        self.outcome.items += [row.item for row in batch]

    async def failed(self, failure: Failure) -> None:
        """Record what failed."""
        self.outcome.failure = failure


def run_callback(
    spider: Spider,
    request: Request,
    *,
    settings: Settings,
    plugins: Sequence[Plugin] = (),
    transport: httpx.AsyncBaseTransport | None = None,
) -> Outcome:
    """Fetch one page, let its callback handle it, and return what it yields."""
    recorder = _Recorder(request)

    def start() -> Iterator[Request]:
        yield request

    spider.start = start  # type: ignore[method-assign]
    run(spider, settings=settings, plugins=[*plugins, recorder], transport=transport)
    return recorder.outcome
