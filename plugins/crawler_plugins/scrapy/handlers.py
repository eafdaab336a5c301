"""`Handlers`: responses to requests that do not go to the web, such as those for ``data:`` and ``file:`` URLs.

The crawl has web URLs only. Such a request enters it under a URL of a host that does not exist, and the download
handler of its scheme answers it, which is one of Scrapy or of the project.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from scrapy.exceptions import NotSupported
from scrapy.utils.misc import load_object

from crawler_plugins.scrapy.components import build_component, path_of, takes_spider
from crawler_plugins.scrapy.deferreds import result_of

__all__ = ["NETWORK", "ORIGIN", "WEB", "Handlers", "entered_url", "host_of"]

ORIGIN: Final = "http://handler.invalid/"
"""Beginning of the URLs. No host has this name (RFC 6761 section 6.4)."""
WEB: Final = ("http", "https")
"""Schemes that the crawl fetches itself."""
PORT: Final = re.compile(r":\d*\Z")
FTP: Final = "scrapy.core.downloader.handlers.ftp."
S3: Final = "scrapy.core.downloader.handlers.s3."
NETWORK: Final = (FTP, S3)
"""Beginnings of handlers of Scrapy that need the network of Twisted. Others take their place."""


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
    return PORT.sub("", place.rpartition("@")[2]).lower()


class Handlers:
    """The download handlers of a project, but for those of the web.

    Parameters:
        scrapy: The `scrapy.crawler.Crawler`.
        fetch: Fetches a web request of Scrapy for a handler, and returns its response.
    """

    def __init__(self, scrapy: Any, fetch: Callable[[Any], Awaitable[Any]]) -> None:
        self._scrapy = scrapy
        self._fetch = fetch
        given = scrapy.settings.getwithbase("DOWNLOAD_HANDLERS")
        self._paths = {scheme: given[scheme] for scheme in given if given[scheme] is not None and scheme not in WEB}
        self._is_off = frozenset(scheme for scheme in WEB if given.get(scheme) is None)
        self._made: dict[str, Any] = {}

    def require(self, url: str) -> None:
        """Check that the project does not turn off the scheme of a web URL.

        Parameters:
            url: The URL.

        Raises:
            ValueError: ``DOWNLOAD_HANDLERS`` turns it off.
        """
        if self._is_off and url.partition(":")[0] in self._is_off:
            raise ValueError(f"DOWNLOAD_HANDLERS turns off {url.partition(':')[0]}")

    async def download(self, request: Any) -> Any:
        """Return the response of Scrapy to a request that does not go to the web.

        Parameters:
            request: The request of Scrapy.

        Raises:
            NotSupported: ``DOWNLOAD_HANDLERS`` has nothing for its scheme.
            Exception: What the handler raises.
        """
        scheme = request.url.partition(":")[0].lower()
        if scheme not in self._paths:
            raise NotSupported(f"no download handler for the scheme {scheme!r}")
        if scheme not in self._made:
            self._made[scheme] = self._handler(self._paths[scheme])
        method = self._made[scheme].download_request
        arguments = {"spider": self._scrapy.spider} if takes_spider(method) else {}
        return await result_of(method(request, **arguments))

    def _handler(self, given: Any) -> Any:
        """Return the handler for what ``DOWNLOAD_HANDLERS`` has."""
        path = path_of(given)
        if path.startswith(FTP):
            from crawler_plugins.scrapy.ftp import FtpHandler  # noqa: PLC0415 - few projects need it

            return FtpHandler(self._scrapy.settings)
        if path.startswith(S3):
            from crawler_plugins.scrapy.s3 import S3Handler  # noqa: PLC0415 - few projects need it

            return S3Handler(self._scrapy.settings, self._fetch)
        return build_component(load_object(given), self._scrapy)

    async def close(self) -> None:
        """Close the handlers."""
        for handler in self._made.values():
            if hasattr(handler, "close"):
                await result_of(handler.close())
