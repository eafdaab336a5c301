"""`PageRequests`: the requests of a page, made by the crawl within its limits, robots.txt and network guard."""

from __future__ import annotations

import base64
import logging
import re
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import urlsplit

import trio

from crawler import (
    ConnectFailed,
    Crawl,
    FetchTimeout,
    Refused,
    Request,
    RequestError,
    Response,
    WouldExceedDeadline,
)
from crawler_plugins.browser.assets import Assets
from crawler_plugins.browser.cdp import CommandFailed
from crawler_plugins.browser.page_options import PageOptions
from crawler_plugins.browser.stopwatch import Stopwatch
from crawler_plugins.browser.tab import Paused, Tab

__all__ = ["PageRequests", "SubRequest", "current_sub"]

MAX_REQUESTS: Final = 1000
"""Maximum number of requests of one page."""
MAX_WAIT: Final = 60.0
"""Seconds for which a page waits for a limit in its tab; else it is put off."""
MIN_WAIT: Final = 0.05
"""Minimum number of seconds for which it waits."""
REDIRECTS: Final = (301, 302, 303, 307, 308)
ASSETS: Final = ("script", "stylesheet")
NOT_SENT: Final = frozenset({"accept-encoding", "connection", "content-length", "host", "user-agent"})
"""Fields that the crawl sets itself."""
NOT_PASSED: Final = frozenset(
    {"connection", "content-disposition", "content-encoding", "content-length", "keep-alive", "transfer-encoding"}
)
"""Fields that do not describe a body that is decoded and complete, or make a download of a page."""
NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE: Final = re.compile(r"[^\0\r\n]*")
PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""The response to a blocked image: a page that shows a substitute for missing images must not do that."""
log = logging.getLogger("crawler.plugins.browser")

current_sub: ContextVar[SubRequest | None] = ContextVar("current_sub", default=None)
"""The request of a page that this task makes."""


class SubRequest:
    """A request of a page on its way. The watch of its page stands still while limits hold it back.

    Parameters:
        request: The request.
        watch: The watch.
    """

    def __init__(self, request: Request, watch: Stopwatch) -> None:
        self._request = request
        self._watch = watch
        self._waits = False

    def wait(self) -> None:
        """Wait for the limits from now on. A second call does nothing."""
        if not self._waits:
            self._waits = True
            self._watch.pause()

    def start(self, request: Request) -> None:
        """Note that a request is sent; that of a robots.txt does not count."""
        if request.url == self._request.url:
            self.end_wait()

    def end_wait(self) -> None:
        """Let the time of the page run. A second call does nothing."""
        if self._waits:
            self._waits = False
            self._watch.resume()


class PageRequests:
    """Answers the requests of one page.

    Parameters:
        crawl: The crawl.
        tab: The tab of the page.
        document: The response that the page begins with.
        options: What is blocked.
        assets: Scripts and styles.
        watch: Measures the time of the page.
    """

    def __init__(
        self,
        crawl: Crawl,
        tab: Tab,
        document: Response,
        options: PageOptions,
        assets: Assets,
        watch: Stopwatch,
    ) -> None:
        self.put_off: WouldExceedDeadline | None = None
        """Why the page is to be put off; `None`: it is not."""
        self._crawl = crawl
        self._tab = tab
        self._document: Response | None = document
        self._page = document
        self._options = options
        self._assets = assets
        self._watch = watch
        self._count = 0

    async def run(self, paused: trio.MemoryReceiveChannel[Paused]) -> None:
        """Answer requests until the channel is closed, or the page is to be put off."""
        try:
            async with trio.open_nursery() as nursery:
                async for request in paused:
                    nursery.start_soon(self._handle, request)
        except* WouldExceedDeadline as group:
            self.put_off = max(_leaves(group), key=lambda error: error.retry_at)

    async def _handle(self, paused: Paused) -> None:
        """Answer one request, whatever happens."""
        if self._tab.options.has_network:
            await self._let_pass(paused)
            return
        try:
            await self._answer(paused)
        finally:
            self._tab.note_request(-1)

    async def _let_pass(self, paused: Paused) -> None:
        """Let the browser make a request itself, unless it is blocked."""
        kind, url = paused.event["resourceType"].lower(), paused.event["request"]["url"]
        self._count += 1
        if kind != "document" and (self._count > MAX_REQUESTS or self._options.blocks(_kind(paused.event, kind), url)):
            self._crawl.count("browser/blocked")
            await self._block(paused, kind)
        else:
            self._crawl.count("browser/requests")
            self._tab.connection.post("Fetch.continueRequest", paused.session, requestId=paused.event["requestId"])

    async def _answer(self, paused: Paused) -> None:
        event = paused.event
        asked, kind = event["request"], event["resourceType"].lower()
        url = asked["url"]
        is_document = kind == "document" and event["frameId"] == self._tab.target
        self._count += 1
        if not url.startswith(("http:", "https:")) or kind == "eventsource" or self._count > MAX_REQUESTS:
            self._fail(paused, "BlockedByClient")
        elif is_document and self._document is not None:
            document, self._document = self._document, None
            await self._fulfil(paused, document)
        elif is_document and not self._is_in_scope(url):
            log.debug("%s leads to %s, which is not in scope", self._page.url, url)
            self._fail(paused, "BlockedByClient")
        elif not is_document and self._options.blocks(_kind(event, kind), url):
            self._crawl.count("browser/blocked")
            await self._block(paused, kind)
        else:
            await self._fetch(paused, kind)

    def _is_in_scope(self, url: str) -> bool:
        by = self._crawl.control.explain(url).refused_by
        return by is None or by in ("depth", "nofollow")

    async def _fetch(self, paused: Paused, kind: str) -> None:
        """Let the crawl make a request, and pass its response on."""
        try:
            request = self._request(paused.event["request"])
        except (ValueError, TypeError) as error:
            log.debug("%s: a request of the page is unusable: %s", self._page.url, error)
            self._fail(paused, "Failed")
            return
        is_asset = kind in ASSETS and request.method == "GET"
        response = self._assets.fresh(request) if is_asset else None
        if response is not None:
            self._crawl.count("browser/kept")
            await self._fulfil(paused, response)
            return
        self._crawl.count("browser/requests")
        try:
            response = await self._send(self._assets.conditional(request) if is_asset else request)
        except WouldExceedDeadline:
            raise
        except RequestError as error:
            log.debug("%s: request of %s: %s", request.url, self._page.url, error)
            self._crawl.count("browser/refused" if isinstance(error, Refused) else "browser/failed")
            self._fail(paused, _reason(error))
            return
        if is_asset:
            response = self._assets.keep(request, response)
        await self._fulfil(paused, response)

    async def _send(self, request: Request) -> Response:
        """Return the response to a request of the page.

        Raises:
            WouldExceedDeadline: A limit would have to be waited for too long.
            RequestError: There was no response.
        """
        sub = SubRequest(request, self._watch)
        token = current_sub.set(sub)
        try:
            while True:
                sub.wait()
                try:
                    return await self._crawl.fetch(request)
                except WouldExceedDeadline as error:
                    wait = error.retry_at - self._crawl.clock()
                    if wait > MAX_WAIT:
                        raise
                await trio.sleep(max(wait, MIN_WAIT))  # another request of the page had the start
        finally:
            sub.end_wait()
            current_sub.reset(token)

    def _request(self, asked: dict[str, Any]) -> Request:
        """Return the request of a page.

        Raises:
            ValueError, TypeError: It cannot be made.
        """
        page = self._page.request
        parts = [base64.b64decode(part.get("bytes", "")) for part in asked.get("postDataEntries", ())]
        body = b"".join(parts) or asked.get("postData", "").encode()
        fields = {name.lower(): value for name, value in asked["headers"].items() if name.lower() not in NOT_SENT}
        is_own = _origin(asked["url"]) == _origin(page.url)
        if "cookie" in fields and is_own:  # it has those of scripts, not those of the request of the page
            known = {pair.partition("=")[0].strip() for pair in fields["cookie"].split(";")}
            added = [f"{name}={value}" for name, value in page.cookies.items() if name not in known]
            fields["cookie"] = "; ".join([fields["cookie"], *added])
        return Request(
            asked["url"],
            method=asked["method"],
            headers=fields,
            body=body or None,
            session=page.session,
            proxy=page.proxy,
            auth=page.auth if is_own else None,
            cookies=page.cookies if is_own else None,
            lane=page.lane if is_own else None,
            accept_status=REDIRECTS,
            plugins=page.plugins,
        )

    # ---- answers to the browser --------------------------------------------------------------------------------------

    async def _fulfil(self, paused: Paused, response: Response) -> None:
        """Pass a response on to the page."""
        fields = [
            {"name": name, "value": value}
            for name, value in response.headers.pairs
            if name.lower() not in NOT_PASSED and NAME.fullmatch(name) and VALUE.fullmatch(value)
        ]
        await self._give(paused, response.status, fields, response.body)

    async def _block(self, paused: Paused, kind: str) -> None:
        """Answer a blocked request in the way that disturbs the page least."""
        if kind == "image":
            await self._give(paused, 200, [{"name": "Content-Type", "value": "image/gif"}], PIXEL)
        elif kind == "stylesheet":
            await self._give(paused, 200, [{"name": "Content-Type", "value": "text/css"}], b"")
        else:
            self._fail(paused, "BlockedByClient")

    async def _give(self, paused: Paused, status: int, fields: list[dict[str, str]], body: bytes) -> None:
        try:
            await self._tab.connection.call(
                "Fetch.fulfillRequest", paused.session, requestId=paused.event["requestId"],
                responseCode=status if 100 <= status < 600 else 200, responseHeaders=fields,
                body=base64.b64encode(body).decode(),
            )  # fmt: skip
        except CommandFailed:  # the page no longer waits for it, or Chromium rejects a field
            self._fail(paused, "Failed")

    def _fail(self, paused: Paused, reason: str) -> None:
        self._tab.connection.post(
            "Fetch.failRequest", paused.session, requestId=paused.event["requestId"], errorReason=reason
        )


def _leaves(group: BaseExceptionGroup[WouldExceedDeadline]) -> list[WouldExceedDeadline]:
    found: list[WouldExceedDeadline] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _kind(event: dict[str, Any], kind: str) -> str:
    """Return the kind of a request as options name it."""
    if kind == "other" and event["request"]["headers"].get("Accept", "").startswith("image/"):
        return "image"  # an icon
    return "xhr" if kind == "fetch" else kind


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _reason(error: RequestError) -> str:
    """Return the reason for which a request of a page fails, as the protocol names it."""
    if isinstance(error, Refused):
        return "BlockedByClient"
    if isinstance(error, FetchTimeout):
        return "TimedOut"
    return "ConnectionFailed" if isinstance(error, ConnectFailed) else "Failed"
