"""`Offsite`: which requests the `allowed_domains` of a Scrapy spider let pass."""

from __future__ import annotations

import logging
import re
from copy import copy
from typing import Any

from crawler_plugins.scrapy.handlers import host_of

__all__ = ["Offsite"]

log = logging.getLogger("scrapy.downloadermiddlewares.offsite")


class Offsite:
    """The offsite filter of Scrapy, with its answers kept by host.

    Parameters:
        spider: The Scrapy spider; a change of its `allowed_domains` has effect at once.
    """

    def __init__(self, spider: Any) -> None:
        self._spider = spider
        self._domains: Any = None
        self._pattern: re.Pattern[str] | None = None
        self._known: dict[str, bool] = {}
        self._noted: set[str] = set()

    def allows(self, url: str) -> bool:
        """Return whether a URL belongs to the allowed domains."""
        domains = getattr(self._spider, "allowed_domains", None) or ()
        if domains != self._domains:
            self._domains, self._known = copy(domains), {}
            names = "|".join(re.escape(str(domain)) for domain in self._domains if domain is not None)
            self._pattern = re.compile(rf"(.*\.)?({names})") if self._domains else None
        if self._pattern is None:
            return True
        if url.startswith("http"):  # as most do: what is done for each link is short
            place = url.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]
        else:
            place = host_of(url)
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = self._pattern.fullmatch(host_of(url)) is not None
        return known

    def note(self, request: Any, stats: Any) -> None:
        """Count a request that is not allowed, and log the first one of its host.

        Parameters:
            request: The request of Scrapy.
            stats: The statistics of Scrapy.
        """
        host = host_of(request.url)
        if host and host not in self._noted:
            self._noted.add(host)
            log.debug("Filtered offsite request to %r: %s", host, request, extra={"spider": self._spider})
            stats.inc_value("offsite/domains")
        stats.inc_value("offsite/filtered")
