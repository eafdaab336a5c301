"""`Scheduling`: which requests of a spider enter the crawl, and as what."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

import trio
from scrapy import signals

import crawler
from crawler_plugins.scrapy.components import component_paths, path_of
from crawler_plugins.scrapy.duplicates import Duplicates
from crawler_plugins.scrapy.events import Signals
from crawler_plugins.scrapy.offsite import Offsite
from crawler_plugins.scrapy.requests import RequestTranslator, canonical, given_cookies, with_depth

__all__ = ["Scheduling"]

MAX_PAGES: Final = 50_000
"""URLs of requests that are remembered."""
log = logging.getLogger("crawler.plugins.scrapy")


class Scheduling:
    """Translates the requests of a spider, except those that its filters refuse.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        requests: Translates requests.
        sender: Sends signals.
    """

    crawl: crawler.Crawl

    def __init__(self, scrapy: Any, requests: RequestTranslator, sender: Signals) -> None:
        self._scrapy = scrapy
        self._requests = requests
        self._signals = sender
        self._max_depth = scrapy.settings.getint("DEPTH_LIMIT")
        self._offsite = Offsite(scrapy.spider) if _filters_offsite(scrapy.settings) else None
        self._is_heard = True
        self.duplicates = Duplicates(scrapy, sender)
        """The filter that takes the place of the crawl's own, if there is one."""
        self.added = trio.Event()
        """Set when a component adds a request, which may be refused."""
        self._pages: dict[str, str] = {}
        """URLs of requests as the crawl has them, without their fragments; empty for what is not on the web."""
        self._known: set[str] = set()
        """Those of them that the crawl has certainly seen."""

    async def open(self, crawl: crawler.Crawl) -> None:
        """Begin, with the running crawl.

        Raises:
            ConfigError: The duplicate filter of the project cannot be used.
        """
        self.crawl = crawl
        self._is_heard = self._signals.is_heard(signals.request_scheduled)
        self._known.clear()
        await self.duplicates.open(is_durable=crawl.job.durable)
        self._requests.keeps_repeats |= bool(self.duplicates)

    def enter(self, request: Any, misfits: list[tuple[Any, ValueError]] | None = None) -> crawler.Request | None:
        """Return a request for the crawl; `None` if it is refused.

        Parameters:
            request: The request of Scrapy.
            misfits: Gets the request if HTTP cannot carry it, and why.

        Raises:
            TypeError: The crawl is a job, and the request has no form in JSON.
        """
        if self._is_heard and self._signals.refuses(signals.request_scheduled, request=request):
            return None
        offsite = None if request.dont_filter or request.meta.get("allow_offsite") else self._offsite
        if offsite is not None and not offsite.allows(request.url):
            offsite.note(request, self._scrapy.stats)
            self.crawl.count("offsite")
            return None
        if self.duplicates.drops(request):
            return None
        try:
            made = self._requests.to_crawl(request)
        except ValueError as error:
            self.crawl.count("invalid_request")
            if misfits is None:
                log.error("%s cannot be sent: %s", request, error)
            else:
                misfits.append((request, error))
            return None
        if request.cookies and self.crawl.settings.cookies and not request.meta.get("dont_merge_cookies"):
            self._keep_cookies(request, made)
        return made

    def repeats(self, is_known: Callable[[str], bool], depth: int) -> Callable[[Any], bool]:
        """Return a function of a request of one page that returns whether it need not be made.

        That is so if the crawl has certainly seen it, or if the page has made it before. The function is called for
        each link of a page.

        Parameters:
            is_known: Returns whether the crawl has seen a URL.
            depth: The depth of the requests.
        """
        is_too_deep = 0 < self._max_depth < depth  # the middleware of Scrapy counts each
        if self._is_heard or self._requests.keeps_repeats or is_too_deep:
            return lambda _: False
        pages, known, seen = self._pages, self._known, set[str]()
        if len(pages) > MAX_PAGES:
            pages.clear()
            known.clear()

        def is_repeat(request: Any) -> bool:
            if request.method != "GET" or request.dont_filter or request.body:
                return False
            url = request.url.partition("#")[0]
            if url in known:
                return True
            page = pages.get(url)
            if page is None:
                page = pages[url] = canonical(url) or ""
            if page in seen:
                return True
            if not page:
                return False
            seen.add(page)
            if is_known(page):
                known.add(url)
                return True
            return False

        return is_repeat

    def enter_start(self, request: Any) -> crawler.Request | None:
        """Return a start request for the crawl; `None` if it is refused.

        A resumed job starts again, so it must recognise what it has begun, which ``dont_filter`` would prevent.
        """
        made = self.enter(request)
        if made is not None and made.dont_filter and self.crawl.job.durable:
            return made.replace(dont_filter=False)
        return made

    def add(self, request: Any) -> None:
        """Add a request that no callback yields."""
        self.added.set()
        depth = request.meta.get("depth", 0)
        made = self.enter(request)
        if made is not None:
            self.crawl.add(with_depth(made, depth))

    def _keep_cookies(self, request: Any, made: crawler.Request) -> None:
        """Keep the cookies of a request for later ones of its session, as Scrapy does."""
        for name, value, place in given_cookies(request.cookies):
            field = f"{name}={value.encode().decode('latin-1')}{place}"
            self.crawl.cookies.set(made.url, field, session=made.session)


def _filters_offsite(settings: Any) -> bool:
    """Return whether the project has not switched off the offsite filter, a middleware of either kind."""
    kinds = ("DOWNLOADER_MIDDLEWARES", "SPIDER_MIDDLEWARES")
    paths = [path_of(path) for kind in kinds for path in component_paths(settings, kind)]
    return any(path.endswith(".OffsiteMiddleware") for path in paths)
