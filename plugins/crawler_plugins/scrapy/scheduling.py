"""`Scheduling`: which requests of a spider enter the crawl, and as what."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import trio
from scrapy import signals, version_info
from scrapy.utils.misc import load_object

import crawler
from crawler_plugins.scrapy.components import build_component, component_paths, path_of, takes_spider
from crawler_plugins.scrapy.duplicates import Duplicates
from crawler_plugins.scrapy.events import Signals
from crawler_plugins.scrapy.offsite import Offsite
from crawler_plugins.scrapy.requests import RequestTranslator, canonical, given_cookies, with_depth

__all__ = ["Scheduling"]

REFERER: Final = "scrapy.spidermiddlewares.referer.RefererMiddleware"
MAX_PAGES: Final = 50_000
"""URLs of requests that are remembered."""
COUNTS_DEPTHS: Final = version_info >= (2, 18)
"""Whether the installed Scrapy counts the requests that are deeper than `DEPTH_LIMIT`."""
log = logging.getLogger("crawler.plugins.scrapy")


class Scheduling:
    """Translates the requests of a spider, except those that its filters refuse.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        requests: Translates requests.
        sender: Sends signals.
        is_bare: Whether all spider middlewares are Scrapy's own: the crawl then does what `DEPTH_PRIORITY` says.
    """

    crawl: crawler.Crawl

    def __init__(self, scrapy: Any, requests: RequestTranslator, sender: Signals, *, is_bare: bool) -> None:
        self._scrapy = scrapy
        self.referer = _referer_middleware(scrapy) if is_bare else None
        """The middleware of Scrapy that sets the ``Referer``; `None`: there is none, or it runs with the others."""
        self._set_referer = None if self.referer is None else _setter(self.referer, scrapy.spider)
        self._requests = requests
        self._signals = sender
        self._is_bare = is_bare
        self._max_depth = scrapy.settings.getint("DEPTH_LIMIT") if is_bare else 0
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

    def enter(
        self, request: Any, depth: int, response: Any = None, misfits: list[tuple[Any, ValueError]] | None = None
    ) -> crawler.Request | None:
        """Return a request for the crawl; `None` if it is refused.

        Parameters:
            request: The request of Scrapy.
            depth: Its depth.
            response: The page that it comes from; `None`: it comes from none.
            misfits: Gets the request if HTTP cannot carry it, and why.

        Raises:
            TypeError: The crawl is a job, and the request has no form in JSON.
        """
        if self._is_too_deep(depth):
            log.debug("%s is deeper than DEPTH_LIMIT", request)
            self.crawl.count("depth")
            if COUNTS_DEPTHS:
                self._scrapy.stats.inc_value("depth/request_ignored_count")
            return None
        self.note_depth(depth)
        if self._is_heard and self._signals.refuses(signals.request_scheduled, request=request):
            return None
        offsite = None if request.dont_filter or request.meta.get("allow_offsite") else self._offsite
        if offsite is not None and not offsite.allows(request.url):
            offsite.note(request, self._scrapy.stats)
            self.crawl.count("offsite")
            return None
        if response is not None and self._set_referer is not None:
            self._set_referer(response, request)
        if self.duplicates.drops(request):
            return None
        try:
            made = self._requests.to_crawl(request, depth if self._is_bare else 0)
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
        if self._is_heard or self._requests.keeps_repeats or self._is_too_deep(depth):
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

    def note_depth(self, depth: int) -> None:
        """Note how deep a request is, unless Scrapy's own middleware does."""
        if depth and self._is_bare:
            self._scrapy.stats.max_value("request_depth_max", depth)

    def _is_too_deep(self, depth: int) -> bool:
        """Return whether requests of a depth are refused."""
        return bool(self._max_depth) and depth > self._max_depth

    def enter_start(self, request: Any) -> crawler.Request | None:
        """Return a start request for the crawl; `None` if it is refused.

        A resumed job starts again, so it must recognise what it has begun, which ``dont_filter`` would prevent.
        """
        made = self.enter(request, 0)
        if made is not None and made.dont_filter and self.crawl.job.durable:
            return made.replace(dont_filter=False)
        return made

    def add(self, request: Any) -> None:
        """Add a request that no callback yields."""
        self.added.set()
        depth = request.meta.get("depth", 0)
        made = self.enter(request, depth)
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


def _referer_middleware(scrapy: Any) -> Any:
    """Return what sets the ``Referer`` of requests; `None` if nothing does."""
    paths = [path_of(path) for path in component_paths(scrapy.settings, "SPIDER_MIDDLEWARES")]
    if not scrapy.settings.getbool("REFERER_ENABLED") or REFERER not in paths:
        return None
    return build_component(load_object(REFERER), scrapy)


def _setter(middleware: Any, spider: Any) -> Callable[[Any, Any], None]:
    """Return a function that sets the ``Referer`` of a request for its page, as Scrapy does.

    Requests of a page for the same origin have the same one, unless they have a policy of their own.
    """
    process: Any = middleware.process_spider_output
    if takes_spider(process):
        process = partial(process, spider=spider)

    of_origins: dict[str, Any] = {}
    page: Any = None

    def set_referer(response: Any, request: Any) -> None:
        nonlocal page
        if response is not page:
            page = response
            of_origins.clear()
        headers = request.headers  # their names have their form already
        if dict.__contains__(headers, b"Referer") or "referrer_policy" in request.meta:
            list(process(response=response, result=(request,)))
            return
        scheme, _, rest = request.url.partition("://")
        origin = f"{scheme}://{rest.partition('/')[0]}"
        if origin not in of_origins:
            list(process(response=response, result=(request,)))
            of_origins[origin] = request.headers.get("Referer")
        elif of_origins[origin] is not None:
            dict.__setitem__(headers, b"Referer", [of_origins[origin]])

    return set_referer
