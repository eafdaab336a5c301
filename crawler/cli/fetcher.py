"""`Fetcher`: a crawl in a thread that fetches pages for a prompt."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from types import TracebackType
from typing import Self

import trio

from crawler.cli.configuration import Configuration
from crawler.cli.single_page import explain_wait, quiet_engine, report_status, with_hint
from crawler.engine.api import run
from crawler.errors import CrawlFailed, RequestError
from crawler.messages import Request, Response, Stop, Usage
from crawler.settings import Settings
from crawler.spiders import Spider

__all__ = ["Fetcher"]


class Fetcher:
    """Fetches pages one by one, within one crawl: cookies, limits and robots.txt are kept from page to page.

    The crawl begins with the first page, and ends with the block.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._spider = _Idle()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._thread is None:
            return
        if self._spider.token is not None:
            with suppress(trio.RunFinishedError):  # a setting such as max_seconds has ended it
                self._spider.token.run_sync_soon(self._spider.crawl.stop, "closed")
        self._thread.join()

    def fetch(self, request: Request) -> Response:
        """Return the response to a request, whatever its status, and report a status that is not a success."""
        request = request.replace(callback=None, errback=None, depth=0, redirects=())
        try:
            response = self._wait(request)
        except RequestError as error:
            raise with_hint(error) from None
        report_status(response)
        return response

    def _wait(self, request: Request) -> Response:
        """Fetch a page in the event loop of the crawl, and wait for it. Ctrl-C cancels it.

        `trio.from_thread.run` would refuse to wait in code that runs in an event loop of its own, as code with `await`.
        """
        token, scope = self._begin(), trio.CancelScope()
        future = Future[Response]()

        async def fetch() -> None:
            try:
                with scope:
                    future.set_result(await self._spider.crawl.fetch(request))
            except Exception as error:
                future.set_exception(error)
            finally:
                if not future.done():
                    future.cancel()

        try:
            token.run_sync_soon(trio.lowlevel.spawn_system_task, fetch)
            return future.result()
        except KeyboardInterrupt:
            token.run_sync_soon(scope.cancel)
            raise
        except (CancelledError, trio.RunFinishedError):  # that of a future, in another thread
            message = "the crawl behind this prompt has ended: leave the prompt, and start it again"
            raise CrawlFailed(message) from self._error  # noqa: ASYNC104

    def _begin(self) -> trio.lowlevel.TrioToken:
        """Start the crawl, unless it runs, and return the token of its event loop."""
        if self._thread is None:
            quiet_engine()
            self._thread = threading.Thread(target=self._run, name="crawler-shell", daemon=True)
            self._thread.start()
        self._spider.ready.wait()
        if self._spider.token is None:
            assert self._error is not None
            raise self._error
        return self._spider.token

    def _run(self) -> None:
        settings = Settings(grace=0.0, outage_patience=0.0) | self._configuration.settings
        try:
            run(self._spider, settings=settings, plugins=self._configuration.plugins)
        except BaseException as error:  # noqa: ASYNC103 - raised in the thread of the prompt
            self._error = error
        finally:
            self._spider.ready.set()


class _Idle(Spider):
    """Starts nothing, and waits until the crawl is stopped."""

    name = "fetch"

    def __init__(self) -> None:
        super().__init__()
        self.ready = threading.Event()
        self.token: trio.lowlevel.TrioToken | None = None

    async def start(self) -> None:
        """Wait."""
        self.token = trio.lowlevel.current_trio_token()
        self.ready.set()
        await trio.sleep_forever()

    def measure(self, usage: Usage) -> Stop | None:
        """Explain a long wait that the server asks for."""
        explain_wait(self.crawl, usage)
        return None
