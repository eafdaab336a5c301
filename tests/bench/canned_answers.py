"""`CannedAnswers`: a web in which every answer follows from the request alone, for spiders of sites that are not there.

A URL with ``sitemap`` or ``.xml`` in it gets a sitemap or a feed, one with ``api``, ``json`` or the like a JSON
document with the keys that such documents mostly have, any other one a page with JSON-LD, a table, a form and links.
Links lead to few pages of the host, so that a crawl ends. Of a hundred URLs some are missing, redirect, or fail.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from re import _parser
from typing import Any, Final
from urllib.parse import urlsplit

from fitted_content import FittedContent

__all__ = ["CannedAnswers", "TooMany", "example"]

PAGES: Final = 10
"""Pages of a host that links lead to."""
JSON_WORDS: Final = ("api", "json", "graphql", "ajax", "rest/", "/v1/", "/v2/", "search", "query", "locator")
LISTS: Final = (
    "data", "results", "items", "stores", "locations", "features", "records", "response", "entries", "list", "content",
    "releases", "releasePackages", "hits", "docs", "rows", "value", "pois", "shops", "branches", "markers",
)  # fmt: skip

Answer = tuple[int, list[tuple[str, str]], bytes]


class TooMany(Exception):
    """The crawl makes more requests than it is compared by."""


class CannedAnswers:
    """Answers requests, and remembers them as `calls`.

    Parameters:
        paths: Pages that sitemaps and pages lead to, beside those of every site.
        content: Content for the spider, of which pages and documents have some more. `None`: they have not.
        most: Requests of a crawl that are answered; it is not compared if it makes more.
    """

    def __init__(self, paths: Sequence[str] = (), content: FittedContent | None = None, most: int = 400) -> None:
        self.calls: list[list[Any]] = []
        self.paths = paths
        self.content = content
        self.most = most

    @property
    def is_exceeded(self) -> bool:
        """Whether the crawl made too many requests."""
        return len(self.calls) > self.most

    def answer(self, method: str, url: str, fields: dict[str, str], body: bytes) -> Answer:
        """Answer one request.

        Parameters:
            method: The method.
            url: The URL, without a fragment.
            fields: Header fields, with names in lower case.
            body: The body.

        Raises:
            TooMany: The crawl has made too many requests.
        """
        parts = urlsplit(url)
        if not parts.path:  # "/" is sent
            url = parts._replace(path="/").geturl()
        if parts.path == "/robots.txt":
            return 404, [("Content-Type", "text/plain")], b""
        self.calls.append([method, url, body.decode("latin-1")])
        if self.is_exceeded:
            raise TooMany
        number = zlib.crc32(f"{method} {url} ".encode() + body)
        site = f"{parts.scheme}://{parts.netloc}"
        chance, number = number % 100, number // 100
        if chance < 3:
            return _typed("text/html", "<h1>Not found</h1>", 404)
        if chance < 6 and method == "GET":
            return 302, [("Location", f"/page/{number % PAGES}?from=redirect")], b""
        if chance < 7:
            return _typed("text/html", "<h1>Error</h1>", 500)
        return self._content(method, url.lower(), site, number)

    def _content(self, method: str, url: str, site: str, number: int) -> Answer:
        """Return the answer to a request that succeeds."""
        if "sitemap" in url:
            return _sitemap(site, number, self.paths)
        if ".xml" in url:
            return _feed(site, number)
        if method == "POST" or any(word in url for word in JSON_WORDS):
            return _typed("application/json", json.dumps(self._document(site, number)))
        return _page(site, number, self.paths, self.content.page(number) if self.content else "")

    def _document(self, site: str, number: int) -> Any:
        """Return a JSON document, of which half have the keys of the spider."""
        document = _document(site, number)
        if self.content is None or number % 2 or type(document) is list:
            return document
        return document | self.content.record(number // 2)


def example(pattern: str) -> str:
    """Return the path of a URL that a regular expression matches, such as ``/stores/a`` for ``/stores/[^/]+``.

    It is empty if the expression has parts without a simple example.
    """
    try:
        text = "".join(_examples(_parser.parse(pattern)))
    except (re.error, LookupError, ValueError):
        return ""
    path = "/" + text.partition("://")[2].partition("/")[2] if "://" in text else text
    return path if path.startswith("/") else f"/a/{path}"


def _examples(parsed: Any) -> Iterator[str]:
    for code, value in parsed:
        name = str(code)
        if name == "LITERAL":
            yield chr(value)
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, part = value
            yield "".join(_examples(part)) * max(least, min(1, most))
        elif name == "SUBPATTERN":
            yield from _examples(value[3])
        elif name == "BRANCH":
            yield from _examples(value[1][0])
        elif name == "IN":
            yield _one_of(value)
        elif name in ("ANY", "NOT_LITERAL"):
            yield "a"
        elif name not in ("AT", "ASSERT_NOT"):
            raise LookupError(name)


def _one_of(choices: Any) -> str:
    """Return a character of a set of characters."""
    first, value = str(choices[0][0]), choices[0][1]
    if first == "RANGE":
        return chr(value[0])
    if first == "LITERAL":
        return chr(value)
    return {"CATEGORY_DIGIT": "1", "CATEGORY_WORD": "b", "CATEGORY_SPACE": " "}.get(str(value), "c")


def _typed(kind: str, body: str, status: int = 200) -> Answer:
    return status, [("Content-Type", f"{kind}; charset=utf-8")], body.encode()


def _place(site: str, number: int) -> dict[str, Any]:
    """Return a place, as JSON-LD names its parts."""
    n = number % PAGES
    return {
        "@context": "https://schema.org",
        "@type": ("LocalBusiness", "Store", "Restaurant")[number % 3],
        "@id": f"{site}/page/{n}",
        "name": f"Shop {n}",
        "url": f"{site}/page/{n}",
        "telephone": f"+1 212 555 010{n}",
        "image": f"{site}/images/{n}.png",
        "address": {
            "@type": "PostalAddress",
            "streetAddress": f"{n} Main Street",
            "addressLocality": "Springfield",
            "addressRegion": "NY",
            "postalCode": f"1000{n}",
            "addressCountry": "US",
        },
        "geo": {"@type": "GeoCoordinates", "latitude": 40.0 + n / 10, "longitude": -74.0 - n / 10},
        "openingHours": ["Mo-Fr 09:00-17:00", "Sa 10:00-14:00"],
    }


def _record(site: str, number: int) -> dict[str, Any]:
    """Return a record with the keys that records of many APIs have."""
    n = number % PAGES
    return {
        "id": n, "uuid": f"u-{n}", "code": f"C{n}", "slug": f"shop-{n}", "ref": str(n), "ocid": f"ocds-213czf-{n}",
        "name": f"Shop {n}", "title": f"Title {n}", "storeName": f"Shop {n}", "description": "A <b>good</b> shop",
        "url": f"{site}/page/{n}", "link": f"/page/{n}", "href": f"{site}/page/{n}", "file": f"{site}/files/{n}.json",
        "address": {"line1": f"{n} Main Street", "city": "Springfield", "country": "US", "postalCode": f"1000{n}"},
        "address1": f"{n} Main Street", "street": "Main Street", "city": "Springfield", "state": "NY", "zip": "10001",
        "country": "US", "countryCode": "US", "phone": f"+1 212 555 010{n}", "email": f"shop{n}@example.com",
        "lat": 40.0 + n / 10, "lng": -74.0 - n / 10, "lon": -74.0 - n / 10, "latitude": 40.0 + n / 10,
        "longitude": -74.0 - n / 10, "position": {"lat": 40.0, "lng": -74.0}, "date": "2026-01-31",
        "date_published": "2026-01-31T00:00:00Z", "type": "store", "properties": {"id": n, "name": f"Shop {n}"},
        "geometry": {"type": "Point", "coordinates": [-74.0, 40.0]}, "hours": [{"day": 1, "open": "09:00"}],
        "openingHours": [], "status": "open", "active": True, "price": n + 0.5, "tags": ["a", "b"], "empty": None,
    }  # fmt: skip


def _document(site: str, number: int) -> Any:
    records = [_record(site, number // (n + 1)) for n in range(number % 4)]
    if number % 7 == 0:
        return records
    found: dict[str, Any] = dict.fromkeys(LISTS, records)
    if number % 5 == 0:
        found["data"] = dict.fromkeys(("items", "results", "stores", "locations"), records)
    links = {"next": f"{site}/page/{number % PAGES}" if number % 3 == 0 else None}
    return found | {"total": len(records), "count": len(records), "totalPages": 2, "page": 1, "links": links}


def _page(site: str, number: int, paths: Sequence[str], more: str) -> Answer:
    links = "".join(f"<li class='item'><a href='/page/{number // (n + 1) % PAGES}'>Link {n}</a></li>" for n in range(4))
    links += "".join(f"<li><a href='{path}'>More</a></li>" for path in paths)
    place = _place(site, number)
    n = number % PAGES
    return _typed(
        "text/html",
        f"<!DOCTYPE html><html lang='en'><head><title>Shop {n}</title><meta name='description' content='Text {n}'>"
        f"<meta property='og:title' content='Shop {n}'><meta property='og:url' content='{site}/page/{n}'>"
        f"<link rel='canonical' href='{site}/page/{n}'>"
        f"<script type='application/ld+json'>{json.dumps(place)}</script>"
        f"<script>var data = {json.dumps(_record(site, number))};</script></head><body>"
        f"<h1 class='title'>Shop {n}</h1><div itemscope itemtype='https://schema.org/Store'><span itemprop='name'>Shop"
        f"</span> <span itemprop='telephone'>555 010{n}</span></div><ul class='list'>{links}</ul>"
        f"{more}<table><tr><td>31/01/2026</td><td><a href='/files/{n}.pdf'>Gazette</a></td>"
        f"</tr></table><form action='/search' method='post'><input type='hidden' name='token' value='t{n}'>"
        "<input name='q'></form><a href='/files/a.pdf'>PDF</a><a class='next' rel='next' "
        f"href='/page/{number // 3 % PAGES}?page=2'>Next</a><p>2026-01-31 é</p></body></html>",
    )


def _sitemap(site: str, number: int, paths: Sequence[str]) -> Answer:
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    if number % 4 == 0:
        body = "".join(f"<sitemap><loc>{site}/sitemap-part-{n}.xml</loc></sitemap>" for n in range(2))
        return _typed("application/xml", f"<?xml version='1.0'?><sitemapindex xmlns='{space}'>{body}</sitemapindex>")
    body = "".join(f"<url><loc>{site}/{'stores' if n % 2 else 'page'}/{n}</loc></url>" for n in range(number % 6 + 1))
    body += "".join(f"<url><loc>{site}{path}</loc></url>" for path in paths)
    return _typed("application/xml", f"<?xml version='1.0'?><urlset xmlns='{space}'>{body}</urlset>")


def _feed(site: str, number: int) -> Answer:
    items = "".join(
        f"<item id='{n}'><title>News {n}</title><link>{site}/page/{n}</link><pubDate>31 Jan 2026</pubDate></item>"
        for n in range(number % 4)
    )
    return _typed("application/xml", f"<?xml version='1.0'?><rss version='2.0'><channel>{items}</channel></rss>")
