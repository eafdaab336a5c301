"""`PageRenderer`: a page in a tab, from its document to its response."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import trio

from crawler import BodyTooLarge, Crawl, CrawlFailed, Request, RequestError, Response, WouldExceedDeadline
from crawler_plugins.browser.assets import Assets
from crawler_plugins.browser.cdp import CommandFailed
from crawler_plugins.browser.cookies import CookieSync
from crawler_plugins.browser.own_network import received
from crawler_plugins.browser.page_options import PageOptions
from crawler_plugins.browser.page_requests import PageRequests
from crawler_plugins.browser.rendering import PageTooLarge, Rendered, navigate, render
from crawler_plugins.browser.stopwatch import Stopwatch
from crawler_plugins.browser.tab import Paused, ScriptFailed, Tab
from crawler_plugins.browser.tab_pool import TabPool

__all__ = ["PageRenderer"]

TAB_PAUSE: Final = 0.5
"""Seconds after which a page looks for a free tab again."""
START_SLACK: Final = 0.1
"""Maximum number of seconds between the start that limits grant a request, and the request."""
RENDERS: Final = 3
"""Times that a page is rendered if its tab crashes or the browser is killed."""
REPLACED: Final = ("content-encoding", "content-length", "content-type", "transfer-encoding")
"""Fields that describe the body of the server."""
WEB: Final = ("http:", "https:")
"""How the URLs of documents begin that come from a server."""
log = logging.getLogger("crawler.plugins.browser")


class PageRenderer:
    """Renders pages in the tabs of a crawl.

    Parameters:
        crawl: The running crawl.
        name: Name of the plugin, which is the source of its responses.
        pool: The tabs.
        is_rendered: Returns whether a response is rendered; asked about those that the browser has requested.
        has_network: Whether the browser makes the requests of pages itself.
    """

    def __init__(
        self,
        crawl: Crawl,
        name: str,
        pool: TabPool,
        is_rendered: Callable[[Response, PageOptions], bool],
        *,
        has_network: bool,
    ) -> None:
        self._crawl = crawl
        self._name = name
        self._pool = pool
        self._is_rendered = is_rendered
        self._has_network = has_network
        self._assets = Assets(crawl.clock)

    async def visit(self, request: Request, options: PageOptions) -> Response:
        """Return a page that the browser requests itself.

        Raises:
            WouldExceedDeadline: All tabs are in use. The start of the request must not be taken long before it is sent.
            RequestError: It cannot be rendered.
        """
        if self._pool.is_full:
            raise self._put_off(request, TAB_PAUSE)
        return await self.render(Response(request.url, request=request), options)

    def _put_off(self, request: Request, seconds: float) -> WouldExceedDeadline:
        message = f"{request.url}: no tab was free when the request might start"
        return WouldExceedDeadline(message, retry_at=self._crawl.clock() + seconds, scope=self._name, request=request)

    async def render(self, document: Response, options: PageOptions) -> Response:
        """Return a page as it is seen. If its tab crashes or the browser is killed, it is rendered again.

        Raises:
            RequestError: It cannot be rendered.
        """
        began = trio.current_time()
        problem = ""
        renders = 1 if self._has_network else RENDERS  # each would be a request to the server
        for number in range(1, renders + 1):
            try:
                response = await self._render(document, options)
            except ScriptFailed as error:
                raise _error(document, str(error), "browser_script", retryable=False) from error
            except CommandFailed as error:
                problem = str(error)
                self._crawl.count("browser/crashes")
                log.info("%s: %s; render %d of %d", document.url, error, number, renders)
            except PageTooLarge as error:
                raise BodyTooLarge(str(error), request=document.request) from None
            except CrawlFailed as error:
                self._crawl.start_soon(_end_crawl, error)
                await trio.sleep_forever()
            else:
                if response is None:
                    message = f"the page was not complete ({_wanted(options)}) within {options.timeout:g} s"
                    raise _error(document, message, "browser_timeout")
                if response.original is not None:
                    self._crawl.count("browser/pages")
                    response.elapsed += trio.current_time() - began
                return response
        raise _error(document, f"it could not be rendered in {renders} tabs: {problem}", "browser_crash")

    async def _render(self, document: Response, options: PageOptions) -> Response | None:
        """Render a page once; return `None` if it takes too long.

        Raises:
            CommandFailed: It cannot be rendered.
            PageTooLarge: It is too large.
            WouldExceedDeadline: It, or one of its requests, has to wait for too long.
        """
        began = trio.current_time()
        async with self._pool.tab(document.request.session) as tab:
            if not self._has_network or trio.current_time() - began <= START_SLACK:
                return await self._load(tab, document, options)
        raise self._put_off(document.request, 0.0)  # the tab is ready for its next start

    async def _load(self, tab: Tab, document: Response, options: PageOptions) -> Response | None:
        """Render a page in a tab; return `None` if it takes too long.

        Raises:
            CommandFailed, PageTooLarge, WouldExceedDeadline: As for `_render`.
        """
        response: Response | None = None
        problem: Exception | None = None
        watch = Stopwatch()
        requests = PageRequests(self._crawl, tab, document, options, self._assets, watch)
        outgoing, incoming = trio.open_memory_channel[Paused](float("inf"))
        with watch.limit(options.timeout) as scope, tab.page(outgoing):
            async with trio.open_nursery() as nursery:

                async def answer() -> None:
                    await requests.run(incoming)
                    nursery.cancel_scope.cancel(reason="the page is put off")

                nursery.start_soon(answer)
                try:
                    response = await self._open(tab, document, options, watch)
                except (CommandFailed, PageTooLarge) as error:  # a nursery would make a group of it
                    problem = error
                nursery.cancel_scope.cancel(reason="the page is rendered")
        problem = requests.put_off or problem
        if problem is not None:
            raise problem
        if scope.cancelled_caught:
            tab.is_gone = True  # its scripts may run forever
        return response

    async def _open(self, tab: Tab, document: Response, options: PageOptions, watch: Stopwatch) -> Response:
        cookies = CookieSync(self._crawl, tab, document.request.session, document.url)
        await cookies.push()
        if self._has_network:
            self._crawl.control.mark_sent()
        began = trio.current_time()
        await navigate(tab, document.url)
        if self._has_network:
            document = await received(tab, document.request, trio.current_time() - began)
            if not self._is_rendered(document, options):
                await cookies.pull(document.url)
                return document
        max_body = document.request.max_body or self._crawl.settings.max_body
        rendered = await render(tab, options, watch, max_body)
        if rendered.url.startswith(WEB):
            await cookies.pull(rendered.url)
        return self._response(document, rendered)

    def _response(self, document: Response, rendered: Rendered) -> Response:
        """Return the response of a page as it is seen."""
        fields = [pair for pair in document.headers.pairs if pair[0].lower() not in REPLACED]
        url = rendered.url.partition("#")[0]
        response = Response(
            url if url.startswith(WEB) else document.url,
            document.status,
            [*fields, ("Content-Type", "text/html; charset=utf-8")],
            rendered.html.encode("utf-8", "replace"),
            request=document.request,
            elapsed=document.elapsed,
            attempt=document.attempt,
            source=self._name,
        )
        response.first_byte = document.first_byte
        response.stages = document.stages
        response.original = document
        response.screenshot = rendered.screenshot
        response.pdf = rendered.pdf
        return response


def _wanted(options: PageOptions) -> str:
    return f"wait={options.wait.value or options.wait.kind}" + (", then its actions" if options.actions else "")


def _error(document: Response, message: str, kind: str, *, retryable: bool = True) -> RequestError:
    error = RequestError(f"{document.url}: {message}", request=document.request)
    error.kind = kind
    error.retryable = retryable
    return error


async def _end_crawl(error: CrawlFailed) -> None:  # noqa: ASYNC124 - a task
    raise error
