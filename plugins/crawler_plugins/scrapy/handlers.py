"""`Handlers`: the download handlers of a project, for the web and for other schemes.

The crawl has web URLs only. A request for another one, such as a ``data:`` URL, enters it under a URL of a host that
does not exist, and the download handler of its scheme answers it. A handler of the project for ``http`` or ``https``
takes the place of the network, with the limits of the crawl around it.
"""

from __future__ import annotations

import inspect
import logging
import re
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from scrapy.exceptions import NotConfigured, NotSupported
from scrapy.utils.defer import maybe_deferred_to_future
from scrapy.utils.misc import load_object

from crawler_plugins.scrapy.components import build_component, path_of, takes_spider
from crawler_plugins.scrapy.deferreds import result_of
from crawler_plugins.scrapy.reactor import asyncio_loop

__all__ = ["ORIGIN", "WEB", "CrawlHandler", "Handlers", "entered_url", "host_of", "web_handlers"]

log = logging.getLogger("scrapy.core.engine")

ORIGIN: Final = "http://handler.invalid/"
"""Beginning of the URLs. No host has this name (RFC 6761 section 6.4)."""
WEB: Final = ("http", "https")
"""Schemes that the crawl fetches itself, unless the project has a handler for them."""
REPLACED: Final = ("scrapy.core.downloader.handlers.", "scrapy_playwright.", "crawler_plugins.scrapy.handlers.")
"""Beginnings of web handlers whose work the crawl does itself."""
PORT: Final = re.compile(r":\d*\Z")


def entered_url(url: str) -> str | None:
    """Return the URL under which a request enters the crawl that does not go to the web; `None` for another one.

    Parameters:
        url: The URL of the request. Its fragment does not count.
    """
    scheme, colon, _ = url.partition(":")
    if not colon or scheme.lower() in WEB or not scheme.replace("+", "").replace(".", "").replace("-", "").isalnum():
        return None
    return ORIGIN + quote(url.partition("#")[0], safe=":/%")


def host_of(url: str) -> str:
    """Return the host of a URL, in small letters, without port, user and password; empty if it has none.

    Parameters:
        url: The URL, or one under which a request has entered the crawl.
    """
    rest = url.removeprefix(ORIGIN).partition(":")[2]
    if not rest.startswith("//"):  # as after ``data:``
        return ""
    return _bare(rest[2:].partition("/")[0].partition("?")[0].partition("#")[0])


@lru_cache(maxsize=4096)
def _bare(place: str) -> str:
    """Return the host in a part of a URL."""
    return PORT.sub("", place.rpartition("@")[2]).strip("[]").lower()


def web_handlers(settings: Any) -> dict[str, Any]:
    """Return the handlers of the project for ``http`` and ``https``, without those whose work the crawl does itself.

    Parameters:
        settings: The `scrapy.settings.Settings`.
    """
    given = settings.getwithbase("DOWNLOAD_HANDLERS")
    return {scheme: given[scheme] for scheme in WEB if given.get(scheme) and not _is_replaced(given[scheme])}


def _is_replaced(handler: Any) -> bool:
    """Return whether the crawl does the work of a web handler."""
    return path_of(handler).startswith(REPLACED)


class Handlers:
    """The download handlers of a project, but for those whose work the crawl does itself.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
    """

    def __init__(self, scrapy: Any) -> None:
        self._scrapy = scrapy
        given = scrapy.settings.getwithbase("DOWNLOAD_HANDLERS")
        others = {scheme: given[scheme] for scheme in given if given[scheme] is not None and scheme not in WEB}
        self._web = web_handlers(scrapy.settings)
        self._paths = {**others, **self._web}
        self._is_off = frozenset(scheme for scheme in WEB if given.get(scheme) is None)
        self._made: dict[str, Any] = {}

    def takes(self, url: str) -> bool:
        """Return whether a request of the crawl is answered by a handler, not by the network of the crawl.

        Parameters:
            url: The URL of the request.
        """
        return url.startswith(ORIGIN) or (bool(self._web) and url.partition(":")[0] in self._web)

    def require(self, url: str) -> None:
        """Check that the project does not turn off the scheme of a web URL.

        Parameters:
            url: The URL.

        Raises:
            ValueError: ``DOWNLOAD_HANDLERS`` turns it off.
        """
        if self._is_off and url.partition(":")[0] in self._is_off:
            raise ValueError(f"DOWNLOAD_HANDLERS turns off {url.partition(':')[0]}")

    def open(self) -> None:
        """Create the web handlers that are not lazy: they connect to signals of the start."""
        for scheme, given in self._web.items():
            if not getattr(load_object(given), "lazy", True):
                with suppress(NotSupported):  # raised again when it is to download
                    self._handler(scheme)

    async def download(self, request: Any) -> Any:
        """Return the response of Scrapy to a request, as a handler answers it.

        Parameters:
            request: The request of Scrapy.

        Raises:
            NotSupported: ``DOWNLOAD_HANDLERS`` has nothing for its scheme.
            Exception: What the handler raises.
        """
        scheme = request.url.partition(":")[0].lower()
        if scheme not in self._paths:
            raise NotSupported(f"Unsupported URL scheme {scheme!r}: DOWNLOAD_HANDLERS has none for it")
        method = self._handler(scheme).download_request
        arguments = {"spider": self._scrapy.spider} if takes_spider(method) else {}
        produced, loop = method(request, **arguments), asyncio_loop()
        if loop is not None and inspect.iscoroutine(produced):
            produced = loop.create_task(produced)  # libraries for asyncio look for the current task
        return await result_of(produced)

    def _handler(self, scheme: str) -> Any:
        """Return the handler of a scheme."""
        if scheme not in self._made:
            try:
                self._made[scheme] = build_component(load_object(self._paths[scheme]), self._scrapy)
            except NotConfigured as error:
                raise NotSupported(f"Unsupported URL scheme {scheme!r}: {error}") from error
        return self._made[scheme]

    async def close(self) -> None:
        """Close the handlers, all of them even if one fails."""
        for handler in self._made.values():
            try:
                if hasattr(handler, "close"):
                    await result_of(handler.close())
            except Exception:
                log.exception("Error while closing %s", path_of(handler))


class CrawlHandler:
    """The handler for ``http`` and ``https`` that the handlers of other schemes find: the crawl fetches for them.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
    """

    def __init__(self, scrapy: Any) -> None:
        self._engine = scrapy.engine

    @classmethod
    def from_crawler(cls, crawler: Any) -> CrawlHandler:
        """Return one for a crawler."""
        return cls(crawler)

    async def download_request(self, request: Any) -> Any:
        """Return the response of Scrapy to a request, which no component of the project sees."""
        return await maybe_deferred_to_future(self._engine.fetch_for_handler(request))

    async def close(self) -> None:
        """Close nothing."""
