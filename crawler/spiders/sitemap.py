"""`SitemapSpider`: the pages that the sitemaps of a site list."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time
from typing import Any, Final
from urllib.parse import urlsplit

from crawler import urls
from crawler.content.gunzip import is_cut
from crawler.errors import ConfigError, IncompleteBody, RequestError
from crawler.feeds.dates import parse_w3c_date
from crawler.feeds.sitemap import MAX_SITEMAP_BYTES, sitemaps
from crawler.feeds.sitemap_entry import SitemapEntry
from crawler.hooks.crawl import Crawl
from crawler.logs import get_logger
from crawler.messages import Failure, Produced, Request, Response
from crawler.messages.request import set_position
from crawler.spiders.arguments import check_urls
from crawler.spiders.site import title_of
from crawler.spiders.spider import Spider
from crawler.suggest import did_you_mean

__all__ = ["SitemapSpider"]

ROBOTS: Final = "/robots.txt"
"""Path of robots.txt (RFC 9309 section 2.3)."""
DEFINITIVE_ERRORS: Final = tuple(status for status in range(400, 500) if status not in (408, 425, 429))
"""Statuses that mean that a file does not exist, so that a retry is pointless."""
SITEMAP_LINE: Final = re.compile(r"(?:\A\ufeff?|[\r\n])[ \t]*site-?map[ \t]*:[ \t]*([^\s#]+)", re.IGNORECASE)
"""A ``Sitemap`` line of a robots.txt."""
log = get_logger("crawler.spiders")


class SitemapSpider(Spider):
    """Fetches the pages that sitemaps list.

    Each entry becomes a request while its sitemap is parsed, so sitemaps may be of any size and number.
    ``response.meta["lastmod"]`` holds its ``lastmod`` in ISO 8601; a date without a time means the end of that day.

    ::

        class News(SitemapSpider):
            start_urls = ["https://news.example/"]
            sitemap_rules = [("/article/", "parse_article"), ("/video/", None)]

            def parse_article(self, response): ...

    `sitemap_urls` names sitemaps, sitemap indexes (whose sitemaps are followed) or robots.txt files. For each site of
    `start_urls`, the ``Sitemap`` lines of its robots.txt name the sitemaps; without one it is ``/sitemap.xml``.

    Without a `parse` of your own, each page becomes an item with `url`, `status` and `title`. No Python is needed
    then::

        python -m crawler run crawler.spiders.sitemap:SitemapSpider -a start_urls=https://news.example/ -o pages.jsonl

    The counters of the report show entries that were left out, and sitemaps that could not be read completely.

    Raises:
        ConfigError: A URL, a pattern or `since` is invalid, or the spider does not have the method that a rule names.
    """

    waypoints = frozenset({"parse_sitemap", "parse_robots"})
    sitemap_urls: Sequence[str] = ()
    """URLs of sitemaps, sitemap indexes, or robots.txt files that name some."""
    sitemap_rules: Sequence[Any] = (("", "parse"),)
    """Pairs of a regular expression and the name of a callback. The first expression found in a page's URL decides; the
    page is left out if its callback is `None`, or if none is found."""
    sitemap_follow: Sequence[Any] = ("",)
    """Regular expressions. Of a sitemap index, only sitemaps in whose URL one of them is found are followed."""
    sitemap_alternates: bool = False
    """Whether the same page in other languages (``hreflang``) is fetched as well."""
    sitemap_any_host: bool = False
    """Whether entries on any host count. By default they count on the host of the sitemap, of the robots.txt that names
    it, and on those of `start_urls`, as sitemaps.org specifies."""
    since: str | datetime | date | None = None
    """Fetch only pages that may have changed since then: a date, a date and time (in UTC without a time zone), or text
    such as ``2026-01-31``. An entry without ``lastmod`` counts as changed; older sitemaps of an index are not
    fetched."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._rules = [self._rule(rule) for rule in self.sitemap_rules]
        self._follow = [_pattern("sitemap_follow", pattern) for pattern in _as_sequence(self.sitemap_follow)]
        self._since = _parse_since(self.since)
        self._check_urls()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Check the URLs again, since a subclass may have set some after `__init__`."""
        self._check_urls()
        if type(self).start is SitemapSpider.start and not self.sitemap_urls and not self.start_urls:
            raise ConfigError(f"{type(self).__name__}: set sitemap_urls or start_urls: there is nothing to crawl")
        yield

    def _check_urls(self) -> None:
        for name in ("sitemap_urls", "start_urls"):
            check_urls(f"{type(self).__name__}: argument {name}", _as_sequence(getattr(self, name)))

    def entry(self, entry: SitemapEntry) -> SitemapEntry | Request | None:
        """Return an entry, page or sitemap, unchanged or changed, or a request in its place. `None` leaves it out.

        It is called before all rules. They apply to an entry that is returned, but not to a request.

        Parameters:
            entry: The entry as the sitemap lists it.
        """
        return entry

    async def start(self) -> AsyncIterator[Request]:  # noqa: ASYNC900 - the engine drains and closes it
        """Yield requests for the given sitemaps, and for those of the given sites."""
        for url in _as_sequence(self.sitemap_urls):
            if urlsplit(url).path == ROBOTS:
                for request in await self._site_requests(url, guess=False):
                    yield request
            else:
                yield self._sitemap_request(url, (urls.authority(urls.normalize(url)),))
        for url in _as_sequence(self.start_urls):
            for request in await self._site_requests(url, guess=True):
                yield request

    def parse(self, response: Response) -> Produced:
        """Return an item with the `url`, `status` and `title` of a page. Override it, or use `sitemap_rules`."""
        return {"url": response.url, "status": response.status, "title": title_of(response)}

    def parse_sitemap(self, response: Response, hosts: Sequence[str]) -> Iterator[Request | None]:
        """Yield requests for the entries of a sitemap, and `None` where other tasks may run.

        Parameters:
            response: The sitemap.
            hosts: Hosts and ports that it may list pages of, in addition to its own.
        """
        allowed = {*hosts, *self._sites, urls.authority(response.url), *map(urls.authority, response.redirects)}
        listed = sitemaps(response.body, response.url, content_type=response.headers.get("content-type"))
        left_out: Counter[str] = Counter()
        for entry in listed.in_steps():
            if entry is None:
                yield None
            else:
                yield from self._entry_requests(entry, allowed, max(response.depth, 1), left_out)
        if response.complete and is_cut(listed.fault):
            message = f"the sitemap {response.url} stops in the middle: {listed.fault}"
            raise IncompleteBody(message, request=response.request)
        for reason, n in left_out.items():
            self.crawl.count(f"sitemap entries left out: {reason}", n)
        if listed.fault is not None:
            self.crawl.count(f"sitemaps with a fault: {listed.fault}")
            log.warning("the sitemap %s was not read completely: %s", response.url, listed.fault)

    def _entry_requests(
        self, listed: SitemapEntry, allowed: set[str], depth: int, left_out: Counter[str]
    ) -> Iterator[Request]:
        entry = self.entry(listed)
        if isinstance(entry, Request):
            yield entry
        elif entry is None:
            left_out["entry()"] += 1
        elif self._since is not None and not entry.changed_since(self._since):
            left_out["not changed"] += 1
        elif not self.sitemap_any_host and urls.authority(entry.url) not in allowed:
            left_out["other host"] += 1
        elif entry.kind == "sitemap":
            if any(pattern.search(entry.url) for pattern in self._follow):
                yield set_position(self._sitemap_request(entry.url, sorted(allowed)), depth)
            else:
                left_out["not to be followed"] += 1
        else:
            changed_by = entry.changed_by
            meta = None if changed_by is None else {"lastmod": changed_by.isoformat()}
            pages = [entry.url, *entry.alternates.values()] if self.sitemap_alternates else [entry.url]
            for url in dict.fromkeys(pages):
                callback = next((name for pattern, name in self._rules if pattern.search(url)), None)
                if callback is None:
                    left_out["no rule"] += 1
                else:
                    yield set_position(Request(url, callback, meta=meta), depth)

    def no_sitemap(self, failure: Failure) -> None:
        """Log a sitemap that could not be fetched, so that a crawl without pages is not silent."""
        log.warning("cannot fetch the sitemap %s: %s", failure.request.url, failure.error)

    def parse_robots(self, response: Response, guess: bool) -> list[Request]:
        """Return requests for the sitemaps of a site whose robots.txt could not be fetched at first.

        Parameters:
            response: The robots.txt.
            guess: Whether to try ``/sitemap.xml`` if it names none.
        """
        text = response.body.decode("utf-8", "replace") if response.status < 300 else ""
        named = dict.fromkeys(urls.join(response.url, found[1]) for found in SITEMAP_LINE.finditer(text))
        origin = urls.origin((response.redirects or (response.url,))[0])
        return self._sitemap_requests(origin, [url for url in named if url is not None], guess=guess)

    async def _site_requests(self, url: str, *, guess: bool) -> list[Request]:
        origin = urls.origin(urls.normalize(url))
        try:
            return await self._declared_sitemaps(origin, guess=guess)
        except RequestError:  # an ordinary request may wait, is retried, and appears in the report
            kwargs = {"guess": guess}
            return [Request(f"{origin}{ROBOTS}", self.parse_robots, cb_kwargs=kwargs, accept_status=DEFINITIVE_ERRORS)]

    async def _declared_sitemaps(self, origin: str, *, guess: bool) -> list[Request]:
        """Return requests for the sitemaps that a site's robots.txt names, on any host."""
        return self._sitemap_requests(origin, await self.crawl.sitemaps_of(f"{origin}/"), guess=guess)

    def _sitemap_requests(self, origin: str, named: Iterable[str], *, guess: bool) -> list[Request]:
        named = list(named) or ([f"{origin}/sitemap.xml"] if guess else [])
        hosts = [urls.authority(f"{origin}/")]
        return [
            set_position(self._sitemap_request(url, hosts), 1) for url in named
        ]  # named by the site, not by the user

    def _sitemap_request(self, url: str, hosts: Sequence[str]) -> Request:
        most = max(MAX_SITEMAP_BYTES, self.crawl.settings.max_body)
        kwargs = {"hosts": list(hosts)}
        return Request(url, self.parse_sitemap, errback=self.no_sitemap, cb_kwargs=kwargs, max_body=most)

    @functools.cached_property
    def _sites(self) -> frozenset[str]:
        """Hosts of `start_urls`. A sitemap that several sites share may list pages of all of them, and is read once."""
        return frozenset(urls.authority(urls.normalize(url)) for url in _as_sequence(self.start_urls))

    def _rule(self, rule: Any) -> tuple[re.Pattern[str], str | None]:
        if isinstance(rule, (str, re.Pattern)) or len(rule) != 2:
            raise ConfigError(f"sitemap_rules: expected a pair of a pattern and the name of a callback, not {rule!r}")
        pattern, callback = rule
        name = getattr(callback, "__name__", callback)
        if name is not None and not callable(getattr(self, str(name), None)):
            methods = [one for one in dir(self) if not one.startswith("_") and callable(getattr(self, one, None))]
            raise ConfigError(
                f"sitemap_rules: {type(self).__name__} has no method {name!r}{did_you_mean(str(name), methods)}"
            )
        return _pattern("sitemap_rules", pattern), name


def _as_sequence(values: Any) -> Sequence[Any]:
    return [values] if isinstance(values, (str, re.Pattern)) else list(values)


def _pattern(name: str, pattern: Any) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ConfigError(f"{name}: not a regular expression: {pattern!r} ({error})") from None


def _parse_since(since: Any) -> datetime | None:
    """Return a moment with a time zone, from a date, a time or text."""
    if since is None or since == "":
        return None
    if isinstance(since, date) and not isinstance(since, datetime):
        since = datetime.combine(since, time())
    if isinstance(since, str):
        since = parse_w3c_date(since)
    if not isinstance(since, datetime):
        raise ConfigError("since: expected a date, or a date and time, such as 2026-01-31 or 2026-01-31T12:00:00Z")
    return since if since.tzinfo is not None else since.replace(tzinfo=UTC)
