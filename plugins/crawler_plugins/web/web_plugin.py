"""`Web`: the plugin that serves the web page while the crawl runs."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from crawler import Crawl, Drop, Failure, Item, Plugin, Request, Response
from crawler_plugins.web.observer import Observer, Recorder
from crawler_plugins.web.web_server import WebServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crawler_plugins.web.job_server import JobServer

__all__ = ["Web"]


class Web(Plugin):
    """Serves a web page of the crawl while it runs: rates, hosts and why they wait, failures, items, pages, queue, log.

    It lets you pause and pace hosts, retry failures, exclude patterns, and stop the crawl. Standard error shows the
    address with its token. The page loads nothing from elsewhere. A JSON API is below ``/api/``.

    Parameters:
        host: Address to listen on. Anything but loopback is reachable by others, who need the token.
        port: Port; 0: a free one.
        token: The token that browsers and programs need; empty: a random one. ``env:NAME`` reads it from the
            environment.

    Raises:
        ConfigError: An option is out of range, or the port is taken.
    """

    requires = dict.fromkeys(("hypercorn", "re2", "starlette"), "trio-crawler[ui]")

    def __init__(self, host: str = "127.0.0.1", port: int = 0, token: str = "") -> None:
        self._server = WebServer(host, port, token)
        self.address = ""
        """The address of the page, with its token, once it is served."""
        self.excluded: dict[str, Any] = {}
        """The patterns of URLs that are dropped."""
        self.is_paused = False
        """Whether all hosts are paused."""

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Serve the page while the crawl runs."""
        from crawler_plugins.web.web_api import make_app  # noqa: PLC0415 - an extra

        self.observer = Observer(crawl)
        recorder = Recorder(self.observer)
        root = logging.getLogger()
        root.addHandler(recorder)
        try:
            async with self._server.serving(make_app(self)) as self.address, trio.open_nursery() as nursery:
                nursery.start_soon(self._sample)
                sys.stderr.write(f"web page: {self.address}\n")
                with _noted(crawl.job.folder, self.address):
                    yield
                nursery.cancel_scope.cancel(reason="the crawl has ended")
        finally:
            root.removeHandler(recorder)

    def admit(self, request: Request) -> Drop | None:
        """Note a new request, or drop one that is excluded."""
        if self.excludes(request.url):
            return Drop("excluded")
        self.observer.note_request(request)
        return None

    async def fetch(self, request: Request, send: Callable[[Request], Awaitable[Response]]) -> Drop | None:
        """Drop a request that was excluded while it waited."""
        return Drop("excluded") if self.excludes(request.url) else None

    def parse(self, response: Response) -> None:
        """Note a page."""
        self.observer.note_page(response)

    async def refine(self, item: Item, response: Response) -> None:
        """Note an item."""
        self.observer.note_item(item, response)

    async def failed(self, failure: Failure) -> None:
        """Note a failure."""
        self.observer.note_failure(failure)

    def exclude(self, pattern: str) -> None:
        """Drop requests whose URL matches a regular expression from now on, those that wait included.

        The expressions are those of RE2, which take linear time: the URLs that they are matched with come from the web.

        Raises:
            ValueError: It is not a regular expression, or one that cannot be matched in linear time.
        """
        import re2  # noqa: PLC0415 - an extra

        options = re2.Options()
        options.log_errors = False
        try:
            self.excluded[pattern] = re2.compile(pattern, options)
        except re2.error as error:
            [reason] = error.args
            message = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
            raise ValueError(f"{pattern!r} is not a regular expression of RE2: {message}") from None

    def excludes(self, url: str) -> bool:
        """Return whether a URL is excluded."""
        return any(pattern.search(url) for pattern in self.excluded.values())

    @asynccontextmanager
    async def serving_jobs(self, jobs: JobServer) -> AsyncIterator[str]:
        """Serve the web page of several jobs while the block runs, instead of that of a crawl; yield its address.

        Raises:
            ConfigError: The port is taken.
        """
        from crawler_plugins.web.jobs_api import make_jobs_app  # noqa: PLC0415 - an extra

        async with self._server.serving(make_jobs_app(jobs)) as address:
            yield address

    async def _sample(self) -> None:
        """Take snapshots, so that the plots have no gaps while no browser is connected."""
        while True:
            self.observer.snapshot(0)
            await trio.sleep(1.0)


@contextmanager
def _noted(folder: Path | None, address: str) -> Iterator[None]:
    """Note the address in the folder of the job, for its owner alone: ``crawler serve`` links to the page."""
    if folder is None:
        yield
        return
    path = folder / "web-page"
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_text(f"{os.getpid()} {address}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
